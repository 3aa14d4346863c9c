"""What worker and supervisor say to each other survives the way, and nonsense does no harm."""

from __future__ import annotations

import random
from datetime import UTC, datetime

import pytest

from edgehome.messages import (
    Failure,
    MessageError,
    Ready,
    Settings,
    decode,
    decode_settings,
    encode,
    encode_settings,
)
from edgehome.types import Problem, Scores

LABELS = tuple(f"label {n}" for n in range(600))
SCORES = Scores(
    time_s=12.2,
    at=datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC),
    probabilities={label: n / 1024 for n, label in enumerate(LABELS)},
    frame=61,
    skipped=122,
    inference_ms=2.5,
)
READY = Ready(LABELS, 5.0, "ab" * 32, "ai-edge-litert 2.3.0", "window", Problem("a", "b.", "c."))


@pytest.mark.parametrize("message", [SCORES, READY, Failure(Problem("camera_missing", "x.", "y."))])
def test_a_message_arrives_as_it_was_sent(message: Scores | Ready | Failure) -> None:
    assert decode(encode(message), LABELS) == message


def test_scores_of_six_hundred_labels_take_three_kilobytes() -> None:
    assert len(encode(SCORES)) < 3000


def test_settings_arrive_as_they_were_sent() -> None:
    settings = Settings("pi", "/m.tflite", 2, "", 10.0)
    assert decode_settings(encode_settings(settings)) == settings
    with pytest.raises(MessageError):
        decode_settings(b"{}")


def test_nonsense_is_a_message_error_and_nothing_else() -> None:
    chance = random.Random(2)
    packets = [encode(SCORES), encode(READY), b"", b"null", b"{}", b'{"kind": 1}', b"[" * 100_000]
    for _ in range(3000):
        data = bytearray(chance.choice(packets[:2]))
        for _ in range(chance.randint(1, 5)):
            data[chance.randrange(min(len(data), 400))] = chance.randrange(256)
        packets.append(bytes(data[: chance.randint(1, len(data))]))
    refused = 0
    for packet in packets:
        try:
            decode(packet, LABELS)
        except MessageError:
            refused += 1
    assert refused > 1000
