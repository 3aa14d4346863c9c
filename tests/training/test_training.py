"""The training code, where torch is installed: `pip install torch`, or the extra `train`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: a training extra")

from edgehome.models.agreement import outputs  # noqa: E402
from edgehome.movinet.architecture import A0, Architecture, Block, Layer  # noqa: E402
from edgehome.movinet.compiler import compile_movinet  # noqa: E402
from models.build.distil import Distillation, Plan, Sampler, distil  # noqa: E402
from models.build.footage import Clip  # noqa: E402
from models.build.network import Student  # noqa: E402
from models.build.views import moments, view  # noqa: E402

SMALL = Architecture(
    name="a0",
    size=44,
    stem=8,
    blocks=(
        Block(8, (Layer(16, 1, 5, 2),)),
        Block(16, (Layer(24, 3, 3, 2), Layer(24, 5, 3, 1))),
    ),
    embedding=32,
    hidden=16,
)
RANDOM = np.random.default_rng(0)


def clip(labels: str, frames: int = 20) -> Clip:
    pictures = RANDOM.integers(0, 256, (frames, 60, 80, 3), dtype=np.uint8)
    return Clip("made", frozenset({labels}), "made", pictures, 10.0)


def settled(architecture: Architecture) -> Student:
    """Return a student whose normalisation has seen something."""
    torch.manual_seed(0)
    student = Student(architecture)
    for _ in range(3):
        student(torch.rand(2, 4, 3, architecture.size, architecture.size))
    return student.eval()


@pytest.mark.parametrize("size", [44, 46])
def test_whole_clips_in_torch_and_frame_by_frame_in_the_compiled_file_are_the_same(
    size: int,
) -> None:
    architecture = replace(SMALL, size=size)
    student = settled(architecture)
    pictures = RANDOM.integers(0, 256, (9, size, size, 3), dtype=np.uint8)
    data = compile_movinet(architecture, student.folded(), {}, precision="float32", form="cpu")
    (streamed,) = outputs(data, [pictures])
    with torch.no_grad():
        whole = student(torch.from_numpy(pictures).permute(0, 3, 1, 2)[None].float() / 255)[0]
    assert np.abs(streamed).max() > 0.1
    assert np.allclose(streamed, whole.numpy(), atol=1e-4)


def test_folded_numbers_taken_back_are_the_same_network() -> None:
    student = settled(SMALL)
    again = Student(SMALL).take(student.folded())
    clips = torch.rand(1, 5, 3, 44, 44)
    with torch.no_grad():
        assert torch.allclose(student(clips), again(clips), atol=1e-5)


def test_the_shipped_architecture_has_an_embedding_of_480() -> None:
    with torch.no_grad():
        assert Student(A0).eval()(torch.rand(1, 1, 3, 172, 172)).shape == (1, 1, 480)


def test_a_step_draws_the_same_views_every_time() -> None:
    plan = Plan(steps=10, clips=3, frames=4, size=32, small=24)
    sampler = Sampler([(1.0, [clip("fighting"), clip("normal")])], plan)
    first, fights = sampler.batch(3)
    again, same = sampler.batch(3)
    assert torch.equal(first, again)
    assert torch.equal(fights, same)
    assert not torch.equal(first, sampler.batch(4)[0])
    assert first.shape == (3, 4, 3, 24, 24)  # small at first
    assert sampler.batch(9)[0].shape == (3, 4, 3, 32, 32)


def test_views_are_pictures_and_moments_lie_in_the_clip() -> None:
    for seed in range(40):
        random = np.random.default_rng(seed)
        at = moments(7, 10.0, 12, random)
        assert at.shape == (12,)
        assert at.min() >= 0
        assert at.max() <= 6
        made = view(clip("normal", 5).frames, 32, random)
        assert made.shape == (5, 3, 32, 32)
        assert float(made.min()) >= 0
        assert float(made.max()) <= 1


def test_it_learns_and_goes_on_after_an_interruption(tmp_path: Path) -> None:
    plan = Plan(steps=6, clips=2, frames=3, size=44, small=44)
    kinds = [(0.5, [clip("fighting")]), (0.5, [clip("normal")])]
    teacher = settled(SMALL).folded()

    def begun() -> Distillation:
        return Distillation(SMALL, teacher, Sampler(kinds, plan), plan)

    whole = begun()
    distil(whole, plan, tmp_path / "whole.pt")
    assert whole.step == 6
    halted = begun()
    halted.measure()
    for _ in range(3):
        halted.learn()
    halted.save(tmp_path / "halted.pt")
    resumed = begun()
    distil(resumed, plan, tmp_path / "halted.pt")
    assert resumed.step == 6
    for name, value in whole.student.state_dict().items():
        assert torch.allclose(value, resumed.student.state_dict()[name], atol=1e-5), name


def test_the_learning_rate_rises_stays_and_falls_to_nothing() -> None:
    plan = Plan(steps=1000)
    assert plan.rate_at(0) < plan.rate_at(100) < plan.rate_at(400) == plan.rate
    assert plan.rate_at(999) < 0.01 * plan.rate
