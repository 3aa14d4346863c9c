"""What worker and supervisor say to each other survives the way, and nonsense does no harm."""

from __future__ import annotations

import json
import random
from array import array
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from edgehome.budget import Budget, Measured
from edgehome.messages import (
    Failure,
    Measuring,
    Message,
    MessageError,
    Paced,
    Probabilities,
    Ready,
    decode,
    encode,
    places_of,
)
from edgehome.orders import Settings, decode_settings, encode_settings
from edgehome.types import CameraState, Problem, Scores

LABELS = tuple(f"label {n}" for n in range(600))
PLACES = places_of(LABELS)
SCORES = Scores(
    time_s=12.2,
    at=datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC),
    probabilities={label: n / 1024 for n, label in enumerate(LABELS)},
    frame=61,
    skipped=122,
    inference_ms=2.5,
    warm=0.25,
)
READY = Ready(LABELS, 5.0, "ab" * 32, "ai-edge-litert 2.3.0", Problem("a", "b.", "c."))
NO_TROUBLE = Ready(("fall",), 5.0, "ab" * 32, "ai-edge-litert 2.3.0", None)
MEASURED = Measured("ab" * 32, "x 1", "a board, 4 cores", "2026", ((1, 50.5), (2, 30.0)))
CHOSEN = replace(NO_TROUBLE, own_rate=5.0, budget=Budget(2, 5.0, 30.0), measured=MEASURED, rate=2.5)
ROW = Probabilities(PLACES, array("f", SCORES.probabilities.values()))
STILL = replace(
    SCORES,
    probabilities=ROW,
    inference_ms=0.0,
    motion=0.0012,
    still=True,
    camera=frozenset({CameraState.DARK, CameraState.FROZEN}),
)
NO_LABELS = Scores(0.0, datetime(2026, 1, 2, tzinfo=UTC), {})


@pytest.mark.parametrize(
    "message", [SCORES, READY, NO_TROUBLE, Failure(Problem("camera_missing", "x.", "y."))]
)
def test_a_message_arrives_as_it_was_sent(message: Scores | Ready | Failure) -> None:
    assert decode(encode(message), PLACES) == message


def test_motion_and_the_camera_arrive_with_the_scores() -> None:
    moving = replace(SCORES, motion=0.4321, camera=frozenset({CameraState.COVERED}))
    assert decode(encode(moving), PLACES) == moving


def test_a_still_scene_has_the_probabilities_of_before_without_sending_them() -> None:
    packet = encode(STILL)
    assert len(packet) < 300
    found = decode(packet, PLACES, ROW)
    assert found == STILL
    assert isinstance(found, Scores)
    assert found.probabilities is ROW


def test_how_unusual_a_window_is_arrives_with_scores_and_is_left_out_elsewhere() -> None:
    rare = replace(SCORES, unusual=8.25)
    assert decode(encode(rare), PLACES) == rare
    assert b"unusual" not in encode(SCORES)


@pytest.mark.parametrize("days", ["-1.0", "NaN", "Infinity", "null", '"7"'])
def test_a_rarity_that_is_no_number_of_days_is_refused(days: str) -> None:
    packet = encode(replace(SCORES, unusual=8.25)).replace(
        b'"unusual": 8.25', b'"unusual": %s' % days.encode()
    )
    with pytest.raises(MessageError):
        decode(packet, PLACES)


@pytest.mark.parametrize("motion", ["-0.1", "1.1", "NaN", "null"])
def test_motion_that_is_no_part_of_a_picture_is_refused(motion: str) -> None:
    packet = encode(replace(SCORES, motion=0.5)).replace(
        b'"motion": 0.5', b'"motion": %s' % motion.encode()
    )
    with pytest.raises(MessageError):
        decode(packet, PLACES)


def test_a_still_scene_that_nothing_went_before_is_refused() -> None:
    with pytest.raises(MessageError):
        decode(encode(STILL), PLACES)


def test_a_still_scene_with_probabilities_of_its_own_is_refused() -> None:
    with pytest.raises(MessageError):
        decode(encode(STILL) + b"\n" + ROW.row.tobytes(), PLACES, ROW)


@pytest.mark.parametrize("camera", [["broken"], "dark", [1], None])
def test_a_state_that_no_camera_has_is_refused(camera: object) -> None:
    head = json.loads(encode(STILL)) | {"camera": camera}
    with pytest.raises(MessageError):
        decode(json.dumps(head).encode(), PLACES, ROW)


def test_a_model_without_labels_has_scores_without_numbers() -> None:
    assert decode(encode(NO_LABELS), {}) == NO_LABELS


def test_probabilities_are_a_mapping_like_any_other() -> None:
    row = Probabilities(places_of(("fall", "person")), array("f", [0.25, 0.5]))
    assert row == {"fall": 0.25, "person": 0.5}
    assert dict(row) == row
    assert (row["person"], row.get("nobody", 0.0), "fall" in row, len(row)) == (0.5, 0.0, True, 2)
    assert Scores(0.0, SCORES.at, row).top(1) == [("person", 0.5)]
    with pytest.raises(KeyError):
        row["nobody"]
    with pytest.raises(ValueError, match="1 probabilities for 2 labels"):
        Probabilities(places_of(("fall", "person")), array("f", [0.25]))


def test_scores_of_six_hundred_labels_take_three_kilobytes() -> None:
    assert len(encode(SCORES)) < 3000


def test_settings_arrive_as_they_were_sent() -> None:
    settings = Settings("pi", "/m.tflite", 2, "cpu", 10.0)
    assert decode_settings(encode_settings(settings)) == settings
    settings = Settings("pi", "/m.tflite", 2, "edgetpu", 10.0, (0.5, 3.0), 2, library="/x")
    assert decode_settings(encode_settings(settings)) == settings
    tree = ((0.0, 0.0), (0.3, 0.0), (0.3, 0.4))
    settings = replace(settings, gate=False, motion=0.02, ignore=(tree, tree[::-1]))
    assert decode_settings(encode_settings(settings)) == settings
    settings = replace(settings, rate=2.5, at_most=1.0, measure=True, measured=MEASURED)
    assert decode_settings(encode_settings(settings)) == settings
    for packet in (b"{}", b'{"shorter_s": [], "ignore": [3]}'):
        with pytest.raises(MessageError):
            decode_settings(packet)


@pytest.mark.parametrize(
    "sent", [CHOSEN, replace(CHOSEN, budget=Budget(1, 5.0)), Measuring(), Paced(1.667)]
)
def test_what_was_chosen_for_the_board_arrives_as_it_was_sent(sent: Message) -> None:
    assert decode(encode(sent), {}) == sent


@pytest.mark.parametrize("tail", [b"", b"\0" * 2396, b"\0" * 2404, b"\0" * 2399])
def test_scores_without_a_number_for_every_label_are_refused(tail: bytes) -> None:
    head = encode(SCORES).partition(b"\n")[0]
    with pytest.raises(MessageError):
        decode(head + b"\n" + tail, PLACES)


@pytest.mark.parametrize(
    ("message", "key", "value"),
    [
        (NO_TROUBLE, "sha256", 1.5),
        (NO_TROUBLE, "runtime", "\ud800"),
        (NO_TROUBLE, "rate", "5"),
        (NO_TROUBLE, "rate", 0),
        (NO_TROUBLE, "own_rate", "5"),
        (CHOSEN, "budget", {"threads": 0, "rate": 5.0, "step_ms": 30.0}),
        (CHOSEN, "budget", {"threads": 1, "rate": -5.0, "step_ms": 30.0}),
        (CHOSEN, "budget", {"threads": 1, "rate": 5.0, "step_ms": "x"}),
        (CHOSEN, "budget", {"threads": 1}),
        (CHOSEN, "budget", 7),
        (CHOSEN, "measured", 7),
        (CHOSEN, "measured", {"steps": []}),
        (Paced(2.5), "rate", 0),
        (Paced(2.5), "rate", None),
        (NO_TROUBLE, "labels", [1]),
        (NO_TROUBLE, "degraded", {"code": 1, "message": "b.", "remedy": "c."}),
        (SCORES, "time_s", float("nan")),
        (SCORES, "time_s", 10**400),
        (SCORES, "frame", float("inf")),
        (SCORES, "inference_ms", "1"),
        (SCORES, "at", "2026-01-02T03:04:05"),
    ],
)
def test_a_value_of_another_kind_is_no_message(
    message: Scores | Ready, key: str, value: object
) -> None:
    line, _, tail = encode(message).partition(b"\n")
    spoilt = json.dumps(json.loads(line) | {key: value}).encode()
    with pytest.raises(MessageError):
        decode(spoilt + (b"\n" + tail if tail else b""), PLACES)


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan"), float("inf")])
def test_a_number_that_is_no_probability_is_refused(value: float) -> None:
    line, _, _ = encode(SCORES).partition(b"\n")
    row = array("f", [0.5] * 599 + [value])
    with pytest.raises(MessageError):
        decode(line + b"\n" + row.tobytes(), PLACES)


def test_nonsense_is_a_message_error_and_nothing_else() -> None:
    chance = random.Random(2)
    packets = [
        encode(SCORES),
        encode(STILL),
        encode(READY),
        b"",
        b"null",
        b"{}",
        b'{"kind": 1}',
        b"[" * 100_000,
    ]
    for _ in range(3000):
        data = bytearray(chance.choice(packets[:3]))
        for _ in range(chance.randint(1, 5)):
            data[chance.randrange(min(len(data), 400))] = chance.randrange(256)
        packets.append(bytes(data[: chance.randint(1, len(data))]))
    refused = 0
    for packet in packets:
        try:
            decode(packet, PLACES, ROW)
        except MessageError:
            refused += 1
    assert refused > 1000
