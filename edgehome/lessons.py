"""Activities that a home teaches its node: what the supervisor does about them.

It takes the seconds that were meant from the worker, has them kept and learnt from by a child
process, and gives what was learnt to the worker. Nothing here waits: the disk and the child have
a thread of their own. And nothing knows numpy.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

from edgehome import lessonrequests, lessontraining
from edgehome.corrections import correctable, too_clear
from edgehome.errands import Errands
from edgehome.filewatch import FolderWatch
from edgehome.lessonasked import LONGEST_S, SHORTEST_S, Asked, Judged, Told, Waiting, span_of
from edgehome.lessonproblems import NOBODY, not_taught, nothing_seen, resting
from edgehome.lessonstore import Kept, LessonStatus, LessonStore
from edgehome.lessontraining import Learnt, Model
from edgehome.messages import Ready
from edgehome.orders import Take, encode_heads, encode_take
from edgehome.taken import Taken
from edgehome.types import Alert, Problem

__all__ = ["LessonStatus", "Lessons"]

SPREAD = 10
"""Moments of which nobody said anything that come along with what was shown, as normal."""
APART_S = 30.0
"""Nothing so near to what was shown is taken for normal."""
MARKED = 256
"""Times that are remembered as no normal ones."""
MEASURED_S = 6 * 3600.0
"""How long the worker must have watched before its hours of motion are believed."""
DAY_S = 86_400.0

logger = logging.getLogger(__name__)

Report = Callable[[str, Problem | None], None]


class Lessons:
    """The taught activities of one home; as long as the process."""

    def __init__(
        self,
        store: LessonStore,
        errands: Errands,
        watch: FolderWatch,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Take a thread of its own, and the wall clock in seconds since 1970."""
        self._store = store
        self._errands = errands
        self._watch = watch
        self._clock = clock
        self._tell: Callable[[Sequence[bytes]], bool] = lambda _: False
        self._report: Report = lambda _origin, _problem: None
        self._model: Model | None = None
        self._kept: dict[str, Kept] = {}
        self.known = False  # whether the files were read
        self._asked: dict[str, Asked] = {}
        self._waiting: dict[str, Waiting] = {}
        self._busy = False
        self._marked: deque[tuple[float, float]] = deque(maxlen=MARKED)
        self._problems: dict[str, Problem | None] = {}
        self._given: list[object] = []
        self._read()

    def attach(self, tell: Callable[[Sequence[bytes]], bool], report: Report) -> None:
        """Take what tells the worker, and the home of what is wrong; those before are no more."""
        self._tell, self._report, self._model = tell, report, None
        self._given = []
        for name, problem in self._problems.items():
            report(f"lesson {name}", problem)

    def descriptors(self) -> list[int]:
        """Return what a selector is to watch for `turn`."""
        return [one.fileno() for one in (self._errands, self._watch) if one.fileno() >= 0]

    @property
    def deadline_s(self) -> float:
        """When `turn` has something to do, on the monotonic clock."""
        return self._watch.deadline_s

    def turn(self) -> None:
        """Hear what was learnt, and whether files changed; never waits."""
        self._errands.collect()
        if self._watch.changed():
            self._read()
            self._errands.put(lambda: lessonrequests.read(self._store), self._requested)

    @property
    def own(self) -> Collection[str]:
        """Return the labels that came with the model at work."""
        return self._model.own if self._model else ()

    def told(self) -> tuple[LessonStatus, ...]:
        """Return every taught activity, by name."""
        return tuple(self._kept[name].status for name in sorted(self._kept))

    def note(self, name: str, *, shows: bool, seconds: float, source: str = "button") -> None:
        """Take the last seconds as an example of an activity, or of what is normal beside it."""
        now = self._clock()
        span = (now - min(max(seconds, SHORTEST_S), LONGEST_S), now)
        self._ask(name, span, shows=shows, source=source)

    def judge(
        self,
        alert: Alert,
        levels: Mapping[str, float] | None = None,
        clarity: Mapping[str, float] | None = None,
    ) -> None:
        """Take an alert's window as normal.

        `levels` are the labels that the alert's rule watches, and what each is to stay below: one
        that came with the model is corrected. `clarity`: how clearly they were seen.
        """
        levels = levels or {}
        kept = {name for name, one in self._kept.items() if not one.corrects}
        taught = [name for name in (alert.label, *levels) if name in kept]
        own = self.own if self._model else levels
        embeds = self._model is None or self._model.embedding
        corrected = correctable(levels, own if embeds else (), kept)
        if not taught and not corrected:
            self._problem(alert.label, not_taught(alert.label))
        span = span_of(alert, self._clock())
        for name in dict.fromkeys(taught):
            self._ask(name, span, shows=False, source="feedback")
        for name, (label, level) in corrected.items():
            seen = max(alert.score, (clarity or {}).get(label, 0.0))
            judged = Judged(label, level, too_clear(label, seen, level))
            self._ask(name, span, shows=False, source="feedback", judged=judged)

    def leave_out(self, alert: Alert) -> None:
        """Take nothing near an alert for normal by itself."""
        until = alert.at.timestamp()
        since = (alert.since or alert.at).timestamp()
        self._marked.append((since - APART_S, until + APART_S))

    def undo(self, name: str) -> None:
        """Take back what the last version of a lesson changed, or its removal."""
        model = self._model or Model("", 1.0)
        self._have(name, lambda: lessontraining.undo(self._store, name, model))

    def remove(self, name: str) -> None:
        """Forget an activity; `undo` brings it back."""
        self._have(name, lambda: lessontraining.remove(self._store, name))

    def _have(self, name: str, job: Callable[[], Learnt]) -> None:
        self._errands.put(job, lambda learnt: self._settle(name, learnt))

    def ready(self, ready: Ready) -> bool:
        """Note what the worker runs with; return whether it says so again, with taught labels."""
        names = {name for name, one in self._kept.items() if not one.corrects}
        taught = [name for name in names if name in ready.labels]
        looked_s = self._model.moving_s_a_day if self._model else lessontraining.MOVING_S_A_DAY
        again = self._model is not None and bool(taught)
        own = frozenset(ready.labels) - names
        self._model = Model(ready.embedding, ready.rate, looked_s, own)
        return not again and self._give()

    def taken(self, taken: Taken) -> None:
        """Learn from what the worker remembers."""
        asked = self._asked.pop(taken.id, None)
        if asked is None or self._model is None:
            return
        if not taken.pieces[0].frames:
            self._problem(
                asked.name,
                problem := nothing_seen(asked.name, shows=asked.shows, source=asked.source),
            )
            asked.then(problem)
            return
        if taken.watched_s >= MEASURED_S:
            moving_s = max(taken.looked_s / taken.watched_s * DAY_S, 60.0)
            self._model = replace(self._model, moving_s_a_day=moving_s)
        waiting = self._waiting.setdefault(asked.name, Waiting())
        waiting.changes.append(asked.change(taken))
        waiting.then.append(asked.then)
        self._learn()

    def worker_gone(self) -> None:
        """Give up what was asked of a worker that has ended."""
        self._given, asked = [], list(self._asked.values())
        self._asked.clear()
        for one in asked:
            self._problem(one.name, NOBODY)
            one.then(NOBODY)

    def _ask(
        self,
        name: str,
        span: tuple[float, float],
        *,
        shows: bool,
        source: str,
        then: Told = lambda _: None,
        judged: Judged | None = None,
    ) -> None:
        """Ask the worker what it remembers of a time, for a lesson."""
        identity = uuid.uuid4().hex
        self._marked.append((span[0] - APART_S, span[1] + APART_S))
        take = Take(identity, *span, 0 if judged else SPREAD, tuple(self._marked))
        if self._model is None or not self._tell([encode_take(take)]):
            self._problem(name, NOBODY)
            then(NOBODY)
            return
        self._asked[identity] = Asked(name, shows, source, span, then, judged)

    def _learn(self) -> None:
        """Have the changes of one lesson learnt, one lesson at a time."""
        if self._busy or not self._waiting or self._model is None:
            return
        name = next(iter(self._waiting))
        waiting, model = self._waiting.pop(name), self._model
        self._busy = True

        def done(learnt: Learnt) -> None:
            self._busy = False
            self._settle(name, learnt)
            for then in waiting.then:
                then(learnt.problem)
            self._learn()

        self._errands.put(
            lambda: lessontraining.change(self._store, name, waiting.changes, model), done
        )

    def _settle(self, name: str, learnt: Learnt) -> None:
        """Take over what came of a change."""
        self._problem(name, learnt.problem)
        if not learnt.settled:
            return
        if learnt.kept:
            self._kept[name] = learnt.kept
            status = learnt.kept.status
            logger.info("%s: version %d, %s", name, status.version, status.says or status.missing)
        elif not learnt.problem or learnt.problem.code == "lesson_invalid":
            self._kept.pop(name, None)
        self._give()

    def _read(self) -> None:
        self._errands.put(self._store.load, self._loaded)

    def _loaded(self, loaded: tuple[dict[str, Kept], dict[str, Problem]]) -> None:
        """Take over the files as they are, whoever wrote them."""
        kept, problems = loaded
        for name in {*self._kept, *kept} - problems.keys():
            if kept.get(name) != self._kept.get(name):
                self._problem(name, None)
        self._kept, self.known = kept, True
        for name, problem in problems.items():
            self._problem(name, problem)
        self._give()

    def _requested(self, requests: Sequence[lessonrequests.Request]) -> None:
        """Do what the command line asks for."""
        for request in requests:
            then = lessonrequests.Answer(request, self._status, self._answer)
            for shows, span in request.spans:
                self._ask(request.name, span, shows=shows, source="time", then=then)

    def _status(self, name: str) -> LessonStatus | None:
        kept = self._kept.get(name)
        return kept.status if kept else None

    def _answer(self, identity: str, data: bytes) -> None:
        self._errands.put(lambda: lessonrequests.write(self._store, identity, data), lambda _: None)

    def _heads(self) -> list[dict[str, object]]:
        """Return the heads that fit the model at work."""
        if self._model is None:
            return []
        fitting = [k for k in self._kept.values() if k.embedding == self._model.embedding]
        return [dict(kept.head) for kept in fitting if kept.head]

    def _give(self) -> bool:
        """Give the worker the heads, if it has not got them; return whether it says so again."""
        if self._model is None:
            return False
        others = [n for n, k in self._kept.items() if k.embedding != self._model.embedding]
        told = resting(sorted(others), self._model.embedding) if others else None
        self._report("lessons", told)
        heads: list[object] = [*self._heads()]
        if heads == self._given or not self._tell(encode_heads(self._heads())):
            return False
        self._given = heads
        return True

    def _problem(self, name: str, problem: Problem | None) -> None:
        if problem:
            logger.warning("%s", problem)
        self._problems[name] = problem
        self._report(f"lesson {name}", problem)
