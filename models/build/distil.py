"""Teaches the student to see as the Kinetics network sees, and to tell our activities apart.

Both look at the same random views of the training clips. The student starts from random numbers
and is to give what its teacher gives: the embedding, the map that it is the mean of, and what
stands at the end of every block (FitNets, https://arxiv.org/abs/1412.6550; a patient teacher that
sees the same view, https://arxiv.org/abs/2106.05237). A linear layer on the student's embedding
is to tell fights at the same time. Stops and goes on where it was: a checkpoint every few minutes.
"""

from __future__ import annotations

import logging
import math
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from edgehome.movinet.architecture import Architecture
from models.build.network import Student
from models.build.views import moments, view

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edgehome.movinet.weights import Weight
    from models.build.footage import Clip

_log = logging.getLogger(__name__)

_WEIGHT_DECAY = 0.02
_WARM_UP_STEPS = 200
_COOL_DOWN = 0.3
"""Share of the steps, at the end, over which the learning rate falls to nothing."""
_SMALL = 0.6
"""Share of the steps, at the start, that look at small pictures."""
_AVERAGE = 0.998
"""How much of the averaged weights stays at every step."""
_STATISTICS_STEPS = 12
_HINT, _FIGHT = 0.5, 0.1


@dataclass(frozen=True, slots=True)
class Plan:
    """How long and how hard."""

    steps: int
    clips: int = 5
    """Views a step."""
    frames: int = 12
    """Frames a view."""
    size: int = 172
    small: int = 128
    """Pixels a side at first: the same lesson at half the price."""
    rate: float = 3e-3
    """The highest learning rate."""
    seed: int = 1

    def size_at(self, step: int) -> int:
        """Return the pixels a side of a view."""
        return self.small if step < self.steps * _SMALL else self.size

    def rate_at(self, step: int) -> float:
        """Return the learning rate: up, along, and down at the end."""
        down = (self.steps - step) / (self.steps * _COOL_DOWN)
        return self.rate * min(1.0, (step + 1) / _WARM_UP_STEPS, max(0.0, down))


@dataclass(slots=True)
class Scales:
    """How much the teacher's channels vary, so that none outweighs another."""

    deviations: list[Tensor] = field(default_factory=list)
    """One (1, channels, 1, 1) for every map."""
    mean: Tensor = field(default_factory=lambda: torch.zeros(0))
    """Of the embedding, (channels,)."""
    deviation: Tensor = field(default_factory=lambda: torch.zeros(0))


class Sampler:
    """Draws views: kinds in the shares given, then clips, then moments."""

    def __init__(self, kinds: Sequence[tuple[float, Sequence[Clip]]], plan: Plan) -> None:
        self._kinds = [clips for _, clips in kinds]
        shares = np.array([share for share, _ in kinds])
        self._shares = shares / shares.sum()
        self._plan = plan

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """Return views, (clips, frames, 3, size, size), and which are fights, (clips,).

        The same step gives the same views, also after an interruption.
        """
        plan = self._plan
        random = np.random.default_rng([plan.seed, step])
        torch.manual_seed(plan.seed * 1_000_003 + step)
        views, fights = [], []
        for _ in range(plan.clips):
            kind = self._kinds[int(random.choice(len(self._kinds), p=self._shares))]
            clip = kind[int(random.integers(len(kind)))]
            at = moments(len(clip.frames), clip.rate, plan.frames, random)
            views.append(view(clip.frames[at], plan.size_at(step), random))
            fights.append(float("fighting" in clip.labels))
        return torch.stack(views), torch.tensor(fights)


class Distillation:
    """A student, its teacher, and how far they have come."""

    def __init__(
        self,
        architecture: Architecture,
        teacher: Mapping[str, Weight],
        sampler: Sampler,
        plan: Plan,
    ) -> None:
        torch.manual_seed(plan.seed)
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.teacher = self._placed(Student(architecture).take(teacher))
        self.student = self._placed(Student(architecture))
        self.average = self._placed(Student(architecture))
        self.average.load_state_dict(self.student.state_dict())
        self.fights = nn.Linear(2 * architecture.embedding, 1).to(self.device)
        parameters = [*self.student.parameters(), *self.fights.parameters()]
        self.optimiser = torch.optim.AdamW(parameters, plan.rate, weight_decay=_WEIGHT_DECAY)
        self.scales = Scales()
        self.step = 0
        self.sampler = sampler
        self._plan = plan

    def _placed(self, network: Student) -> Student:
        return network.to(self.device, memory_format=torch.channels_last)

    def measure(self) -> None:
        """Find how much the teacher's channels vary."""
        maps: list[list[Tensor]] = []
        for step in range(_STATISTICS_STEPS):
            views, _ = self.sampler.batch(2**31 - 1 - step)
            maps.append(self.teacher.maps(views.to(self.device)))
        for level in zip(*maps, strict=True):
            deviation = torch.cat(level).std((0, 2, 3), keepdim=True)
            self.scales.deviations.append(deviation.clamp(min=0.1 * float(deviation.mean())))
        embeddings = torch.cat([level[-1].mean((2, 3)) for level in maps])
        deviation = embeddings.std(0)
        self.scales.mean = embeddings.mean(0)
        self.scales.deviation = deviation.clamp(min=0.1 * float(deviation.mean()))

    def learn(self) -> dict[str, float]:
        """Make one step and return its losses."""
        for group in self.optimiser.param_groups:
            group["lr"] = self._plan.rate_at(self.step)
        views, fights = (drawn.to(self.device) for drawn in self.sampler.batch(self.step))
        with torch.no_grad():
            wanted = self.teacher.maps(views)
        losses = self._losses(self.student.maps(views), wanted, fights)
        self.optimiser.zero_grad(set_to_none=True)
        total = losses["cosine"] + losses["embedding"] + _HINT * losses["maps"]
        (total + _FIGHT * losses["fights"]).backward()
        nn.utils.clip_grad_norm_(self.student.parameters(), 5.0)
        self.optimiser.step()
        self._follow()
        self.step += 1
        return {name: float(loss.detach()) for name, loss in losses.items()}

    def _losses(
        self, given: list[Tensor], wanted: list[Tensor], fights: Tensor
    ) -> dict[str, Tensor]:
        scales = self.scales
        maps = [
            functional.smooth_l1_loss(mine / deviation, theirs / deviation)
            for mine, theirs, deviation in zip(given, wanted, scales.deviations, strict=True)
        ]
        mine, theirs = given[-1].mean((2, 3)), wanted[-1].mean((2, 3))
        standard = (mine - scales.mean) / scales.deviation
        target = (theirs - scales.mean) / scales.deviation
        clips = standard.unflatten(0, (len(fights), -1))
        answer = self.fights(torch.cat([clips.mean(1), clips.amax(1)], 1))[:, 0]
        return {
            "maps": torch.stack(maps).mean(),
            "embedding": functional.smooth_l1_loss(standard, target),
            "cosine": 1
            - functional.cosine_similarity(mine - scales.mean, theirs - scales.mean).mean(),
            "fights": functional.binary_cross_entropy_with_logits(answer, fights),
        }

    def _follow(self) -> None:
        """Let the average of the weights follow; that of few steps counts at the start."""
        keep = min(_AVERAGE, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for mine, theirs in zip(
                self.average.state_dict().values(), self.student.state_dict().values(), strict=True
            ):
                if mine.dtype.is_floating_point:
                    mine.lerp_(theirs, 1 - keep)

    def save(self, path: Path) -> None:
        """Write all that is needed to go on; an interruption leaves the old file."""
        state: dict[str, Any] = {
            name: getattr(self, name).state_dict()
            for name in ("student", "average", "fights", "optimiser")
        }
        scales = (self.scales.deviations, self.scales.mean, self.scales.deviation)
        new = path.with_suffix(".new")
        torch.save({**state, "step": self.step, "scales": scales}, new)
        new.replace(path)

    def load(self, path: Path) -> None:
        """Go on from a checkpoint."""
        state = torch.load(path, weights_only=True, map_location=self.device)
        for name in ("student", "average", "fights", "optimiser"):
            getattr(self, name).load_state_dict(state[name])
        self.scales = Scales(*state["scales"])
        self.step = state["step"]


def distil(work: Distillation, plan: Plan, checkpoint: Path, *, every_s: float = 120.0) -> None:
    """Learn until the plan is done, with a line about every minute."""
    if checkpoint.exists():
        work.load(checkpoint)
        _log.info("going on at step %d of %d", work.step, plan.steps)
    else:
        work.measure()
    saved_s = said_s = time.monotonic()
    said_step, sums = work.step, dict[str, float]()
    while work.step < plan.steps:
        for name, loss in work.learn().items():
            sums[name] = sums.get(name, 0.0) + loss
        now_s = time.monotonic()
        if not all(math.isfinite(value) for value in sums.values()):
            raise FloatingPointError(f"the losses left the numbers at step {work.step}: {sums}")
        if now_s - said_s >= 60 or work.step == plan.steps:
            steps = work.step - said_step
            text = ", ".join(f"{name} {value / steps:.4f}" for name, value in sums.items())
            speed = steps * plan.clips * plan.frames / (now_s - said_s)
            _log.info("step %d of %d: %s, %.0f frames a second", work.step, plan.steps, text, speed)
            said_s, said_step, sums = now_s, work.step, {}
        if now_s - saved_s >= every_s or work.step == plan.steps:
            work.save(checkpoint)
            saved_s = now_s
