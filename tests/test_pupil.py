"""A worker that is taught: real model, a clip as its camera, asked and handed heads as it runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_clips import NUMBERS, numbered_clip
from small_model import SPACE, WIDTH, place, place_head, small_model
from test_worker import Heard

from edgehome.heads.head import fields_of
from edgehome.messages import Message, Ready
from edgehome.orders import Take, encode_heads, encode_take
from edgehome.taken import Taken
from edgehome.types import Scores


@pytest.fixture
def start() -> Iterator[Callable[..., Heard]]:
    started: list[Heard] = []

    def begin(model: Path, source: Path | str, **more: Any) -> Heard:
        started.append(Heard(model, source, **more))
        return started[-1]

    yield begin
    for heard in started:
        heard.worker.end()


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return place(tmp_path, small_model())


def head(tmp_path: Path, name: str, **changed: Any) -> dict[str, Any]:
    """Return the fields of a head of random numbers, made in a folder of its own."""
    folder = tmp_path / "elsewhere"
    folder.mkdir(exist_ok=True)
    return fields_of(place_head(folder / "m.tflite", name, **changed))


def readies(said: list[Message]) -> list[Ready]:
    return [one for one in said if isinstance(one, Ready)]


def scores(said: list[Message]) -> list[Scores]:
    return [one for one in said if isinstance(one, Scores)]


@pytest.mark.parametrize("ensemble", [1, 2])
def test_heads_that_are_handed_over_are_labels_from_the_next_frame_on(
    start: Callable[..., Heard], tmp_path: Path, model: Path, ensemble: int
) -> None:
    """And they are gone with the next order; the model's own go on as before."""
    heard = start(model, numbered_clip(tmp_path / "clip.mp4", NUMBERS), ensemble=ensemble)
    heard.until(lambda said: len(scores(said)) >= 2)
    assert readies(heard.messages)[0].embedding == SPACE
    assert heard.worker.tell(encode_heads([head(tmp_path, "dance"), head(tmp_path, "sing")]))
    heard.until(lambda said: len(readies(said)) == 2 and isinstance(said[-1], Scores))
    assert readies(heard.messages)[-1].labels == (*"abcde", "dance", "sing")
    last = scores(heard.messages)[-1].probabilities
    assert list(last) == [*"abcde", "dance", "sing"]
    assert all(0 <= probability <= 1 for probability in last.values())
    heard.worker.tell(encode_heads([]))
    heard.until(lambda said: len(readies(said)) == 3 and isinstance(said[-1], Scores))
    assert list(scores(heard.messages)[-1].probabilities) == list("abcde")


def test_heads_that_come_while_the_scene_is_still_are_judged_before_it_rests_again(
    start: Callable[..., Heard], tmp_path: Path, model: Path, rendered: Path
) -> None:
    heard = start(model, rendered / "room-day-empty.mp4", window_s=2.0)
    heard.until(lambda said: sum(one.still for one in scores(said)) >= 3)
    heard.worker.tell(encode_heads([head(tmp_path, "dance")]))
    heard.until(lambda said: len(readies(said)) == 2)
    heard.until(lambda said: "dance" in scores(said)[-1].probabilities)
    heard.until(lambda said: scores(said)[-1].still)
    assert "dance" in scores(heard.messages)[-1].probabilities


def test_heads_that_do_not_fit_cost_only_themselves(
    start: Callable[..., Heard], tmp_path: Path, model: Path
) -> None:
    good = head(tmp_path, "dance")
    bad: list[dict[str, Any]] = [
        {},
        good | {"name": "own", "weights": "nonsense"},
        head(tmp_path, "a"),
        head(tmp_path, "away", embedding="another-space"),
        head(tmp_path, "wide", **dict.fromkeys(
            ("center", "scale", "weights"), np.ones(3 * WIDTH + 3, np.float32)
        )),
        good,
        good,
    ]  # fmt: skip
    heard = start(model, numbered_clip(tmp_path / "clip.mp4", NUMBERS))
    heard.until(lambda said: len(scores(said)) >= 1)
    heard.worker.tell(encode_heads(bad))
    heard.until(lambda said: len(readies(said)) == 2)
    ready = readies(heard.messages)[-1]
    assert ready.labels == (*"abcde", "dance")
    assert ready.degraded
    count = len(scores(heard.messages))
    heard.until(lambda said: len(scores(said)) > count + 2)


def test_a_worker_tells_what_it_saw_in_some_seconds_and_nothing_of_others(
    start: Callable[..., Heard], tmp_path: Path, model: Path
) -> None:
    heard = start(model, numbered_clip(tmp_path / "clip.mp4", NUMBERS))
    heard.until(lambda said: len(scores(said)) >= 12)
    seen = scores(heard.messages)
    span = (seen[3].at.timestamp(), seen[8].at.timestamp())
    assert heard.worker.tell([encode_take(Take("mine", *span)), encode_take(Take("not", 1.0, 2.0))])
    heard.until(lambda said: sum(isinstance(one, Taken) for one in said) == 2)
    mine, other = (one for one in heard.messages if isinstance(one, Taken))
    looked = [one for one in seen[3:9] if not one.still]
    assert (mine.id, mine.width, mine.rate) == ("mine", WIDTH, 5.0)
    assert mine.pieces[0].frames == len(looked)
    assert mine.watched_s >= mine.looked_s > 0
    assert (other.id, other.pieces[0].frames) == ("not", 0)


def test_a_worker_that_cannot_take_more_is_not_waited_for(
    start: Callable[..., Heard], tmp_path: Path, model: Path
) -> None:
    """Its queue is full at once; what waits is sent as it takes it, and too much is refused."""
    heard = start(model, numbered_clip(tmp_path / "clip.mp4", NUMBERS))
    heard.until(lambda said: len(scores(said)) >= 1)
    packets = encode_heads([head(tmp_path, "dance") | {"name": f"head {n}"} for n in range(3)])
    began_s = time.monotonic()
    taken = [heard.worker.tell(packets) for _ in range(200)]
    assert time.monotonic() - began_s < 5
    assert taken[0]
    heard.until(lambda said: len(readies(said)) >= 1 + sum(taken), 60)
    assert readies(heard.messages)[-1].labels == (*"abcde", "head 0", "head 1", "head 2")
