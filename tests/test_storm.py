"""A short storm over a node, its broker, network and disk; scripts/storm.py is the long one.

EDGEHOME_STORM_SEED repeats one.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from storm.harm import SHORT
from storm.proxy import Packets
from storm.run import Figures, other_seqs, out_of_order, storm

SEED = int(os.environ.get("EDGEHOME_STORM_SEED", str(time.time_ns() % 100_000)))


def test_no_raised_alert_is_lost_whatever_is_killed_frozen_cut_off_or_full(tmp_path: Path) -> None:
    figures = storm(tmp_path, SHORT, SEED)
    print(figures)
    assert figures.faults(SHORT) == []
    assert figures.connections > 3


def test_the_storm_counts_a_first_sending_after_a_later_alert_but_no_copy() -> None:
    assert out_of_order([("a", 1), ("b", 2), ("a", 1), ("c", 3)]) == 0
    assert out_of_order([("b", 2), ("a", 1), ("c", 3), ("d", 0)]) == 1


def test_the_storm_counts_copies_that_say_another_seq() -> None:
    committed = {"a": 1, "b": 2}
    assert other_seqs([("a", 1), ("b", 2), ("a", 1), ("b", 0)], committed) == 0
    assert other_seqs([("a", 2), ("x", 1)], committed) == 2


def test_a_storm_that_did_less_than_its_plan_or_lost_something_is_no_success() -> None:
    figures = Figures(1, done=SHORT.harms(), raised=SHORT.alerts)
    assert figures.faults(SHORT) == []
    figures.lost = 1
    figures.done["resets"] = 0
    assert figures.faults(SHORT) == ["1 lost", "0 of 1 resets"]


def test_the_proxy_sees_an_alert_that_comes_in_pieces() -> None:
    body = b"\x00\x03a/b" + b"\x00\x07" + b"\x00" + b"{}"
    packets = b"\xc0\x00" + bytes([0x32, len(body)]) + body
    reader = Packets()
    found = [publish for byte in packets for publish in reader.feed(bytes([byte]))]
    assert found == [("a/b", b"{}")]
