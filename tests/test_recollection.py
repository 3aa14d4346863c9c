"""What the worker remembers: bounded, thinned to what fits a packet, and flat for ever."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest

from edgehome.messages import MAX_BYTES, MessageError, decode, encode
from edgehome.orders import Take, TaughtHeads, decode_request, encode_heads, encode_take
from edgehome.recollection import MOST_BYTES, Recollection
from edgehome.taken import MOST_ROW_BYTES, Piece, Taken

WIDTH = 480
RATE = 5.0
FRAMES = 1_000_000


def filled(count: int, width: int = WIDTH, rate: float = RATE) -> Recollection:
    rows = np.random.default_rng(0).random((50, width), np.float32)
    ring = Recollection(width)
    for number in range(count):
        ring.add(rows[number % 50], 1000.0 + number / rate)
    return ring


def resident_kb() -> int:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmRSS:")[1].split()[0])


def rows_of(piece: Piece, width: int) -> np.ndarray:
    scales = np.frombuffer(piece.scales, "<f4")
    codes = np.frombuffer(piece.codes, np.uint8).reshape(-1, width)
    return codes * scales[:, None]


@pytest.mark.parametrize("width", [24, 480, 992, 8192])
def test_it_holds_eight_megabytes_at_most_whatever_the_width(width: int) -> None:
    assert Recollection(width).nbytes <= MOST_BYTES


def test_its_memory_is_flat_over_a_million_frames(capsys: pytest.CaptureFixture[str]) -> None:
    ring = filled(20_000)
    row = np.random.default_rng(1).random(WIDTH, np.float32)
    before = resident_kb()
    for number in range(FRAMES):
        ring.add(row, 10_000.0 + number / RATE)
    grown = resident_kb() - before
    with capsys.disabled():
        print(f"\nafter {FRAMES} frames: {grown} kB more, {ring.nbytes} bytes held")
    assert grown < 512


def test_what_was_asked_for_comes_back_within_a_step_of_each_number() -> None:
    ring = filled(100)
    taken = ring.take((1002.0, 1003.0), name="a", rate=RATE)
    (piece,) = taken.pieces
    assert (piece.frames, piece.at, taken.width) == (6, 1002.0, WIDTH)
    rows = np.random.default_rng(0).random((50, WIDTH), np.float32)[10:16]
    assert np.abs(rows_of(piece, WIDTH) - rows).max() <= 0.5 / 255 + 1e-6


def test_a_full_ring_has_forgotten_the_oldest_and_nothing_else() -> None:
    ring = filled(50_000)
    held = len(ring)
    assert held < 50_000
    everything = ring.take((0.0, 1e9), name="a", rate=RATE)
    assert everything.pieces[0].at + everything.pieces[0].frames / RATE == pytest.approx(11_000.0)
    gone = 1000.0 + (50_000 - held) / RATE
    assert ring.take((0.0, gone - 0.1), name="a", rate=RATE).pieces[0].frames == 0
    assert ring.take((gone, gone + 0.01), name="a", rate=RATE).pieces[0].frames == 1


def test_unmarked_moments_touch_neither_what_was_meant_nor_what_is_kept_apart() -> None:
    ring = filled(5000)
    taken = ring.take((1500.0, 1506.0), name="a", rate=RATE, spread=10, apart=[(1000.0, 1450.0)])
    assert len(taken.pieces) == 11
    for piece in taken.pieces[1:]:
        assert piece.frames == 15
        end = piece.at + (piece.frames - 1) / RATE
        assert piece.at > 1450.0
        assert end < 1500.0 or piece.at > 1506.0


def test_a_moment_has_no_gap_in_it() -> None:
    """Frames an hour apart are no three seconds."""
    ring = Recollection(4)
    for number in range(30):
        ring.add(np.ones(4, np.float32), 3600.0 * number)
    assert len(ring.take((0.0, 1.0), name="a", rate=RATE, spread=5).pieces) == 1


@pytest.mark.parametrize("width", [24, 480, 992, 8192])
def test_an_answer_fits_a_packet_whatever_is_asked_for(width: int) -> None:
    taken = filled(3000, width).take((0.0, 1e9), name="x" * 32, rate=RATE, spread=60)
    packet = encode(taken)
    assert len(packet) <= MAX_BYTES
    assert decode(packet, {}) == taken
    assert sum(piece.frames for piece in taken.pieces) >= 20


def test_requests_arrive_as_they_were_sent() -> None:
    take = Take("a", 1.5, 2.5, 3, ((0.0, 1.0), (4.0, 5.0)))
    assert decode_request(encode_take(take)) == take


def test_many_heads_are_several_packets_that_are_one_order() -> None:
    heads = [{"name": f"head {n}", "weights": "x" * 30_000, "card": {"long": "y" * 9}} for n in
             range(16)]  # fmt: skip
    packets = encode_heads(heads)
    assert len(packets) > 1
    assert max(map(len, packets)) <= MAX_BYTES
    orders = [decode_request(packet) for packet in packets]
    assert all(isinstance(order, TaughtHeads) for order in orders)
    flat = [head["name"] for order in orders for head in order.heads]  # type: ignore[union-attr]
    assert flat == [head["name"] for head in heads]
    assert [order.first for order in orders] == [True] + [False] * (len(orders) - 1)  # type: ignore[union-attr]
    assert [order.last for order in orders] == [False] * (len(orders) - 1) + [True]  # type: ignore[union-attr]


def test_no_heads_are_an_order_too() -> None:
    assert [decode_request(p) for p in encode_heads([])] == [TaughtHeads((), first=True, last=True)]


def test_nonsense_in_place_of_what_is_remembered_is_a_message_error_and_nothing_else() -> None:
    """Every byte of small packets changed, cut and lengthened, by chance with a fixed seed."""
    chance = random.Random(7)
    piece = Piece(1000.0, 3, bytes(range(12)), np.ones(3, "<f4").tobytes())
    good = encode(Taken("a", 5.0, 4, (piece, piece), 1.0, 2.0))
    refused = 0
    for _ in range(20_000):
        packet = bytearray(good)
        for _ in range(chance.randint(1, 4)):
            kind = chance.randrange(3)
            place = chance.randrange(len(packet))
            if kind == 0:
                packet[place] = chance.randrange(256)
            elif kind == 1:
                del packet[place:]
                packet += b"\0"
            else:
                packet[place:place] = chance.randbytes(chance.randint(1, 5))
        try:
            decode(bytes(packet), {})
        except MessageError:
            refused += 1
    assert refused > 10_000


@pytest.mark.parametrize(
    "changed",
    [
        {"pieces": []},
        {"pieces": [[0.0, 4]]},
        {"pieces": [[0.0, -1]]},
        {"pieces": [[0.0, 1e9]]},
        {"pieces": [["x", 3]]},
        {"width": -1},
        {"width": True},
        {"width": 10**9},
        {"rate": 0},
        {"rate": float("nan")},
        {"id": 3},
        {"watched_s": float("inf")},
    ],
)
def test_what_no_worker_remembers_is_refused(changed: dict[str, object]) -> None:
    piece = Piece(1000.0, 3, bytes(range(12)), np.ones(3, "<f4").tobytes())
    head, _, tail = encode(Taken("a", 5.0, 4, (piece,))).partition(b"\n")
    with pytest.raises(MessageError):
        decode(json.dumps(json.loads(head) | changed).encode() + b"\n" + tail, {})


def test_more_rows_than_a_packet_can_hold_are_refused() -> None:
    rows = MOST_ROW_BYTES // 8 + 1
    piece = Piece(0.0, rows, bytes(4 * rows), bytes(4 * rows))
    with pytest.raises(MessageError):
        decode(encode(Taken("a", 5.0, 4, (piece,))), {})


@pytest.mark.parametrize(
    "packet",
    [
        b'{"take": {}}',
        b'{"take": 3}',
        b'{"take": {"id": "a", "since": 0, "until": "x", "spread": 1, "apart": []}}',
        b'{"take": {"id": "a", "since": 0, "until": 1, "spread": 1.5, "apart": []}}',
        b'{"take": {"id": "a", "since": 0, "until": 1, "spread": 1, "apart": [[1]]}}',
        b'{"heads": 3}',
        b'{"heads": []}',
    ],
)
def test_an_order_that_is_none_is_refused(packet: bytes) -> None:
    with pytest.raises(MessageError):
        decode_request(packet)
