"""Birth, backlog and back-off by themselves: time and chance are arguments, so no one waits."""

from __future__ import annotations

import json
from math import inf
from typing import TYPE_CHECKING

import pytest

from edgehome.backoff import BackOff
from edgehome.delivery.backlog import WINDOW, Backlog
from edgehome.delivery.birth import HOLD_S, LOOK_BACK_S, Birth
from edgehome.delivery.body import alert_body, alert_content
from edgehome.delivery.storage import Raised
from edgehome.outbox import Entry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def shortest(low: float, _high: float) -> float:
    return low


def longest(_low: float, high: float) -> float:
    return high


def test_home_assistant_gets_what_was_sent_since_shortly_before_it_went() -> None:
    birth = Birth(shortest)
    assert birth.connected(1000.0) is None
    birth.went(5000.0)
    assert birth.holding(5001.0)
    birth.came(5100.0)
    assert birth.next_step_s(5100.0) == 5102.0
    assert birth.greeting(5101.9) is None
    assert birth.holding(5101.9)
    assert birth.greeting(5102.0) == (5000.0 - LOOK_BACK_S, 5100.0)
    assert not birth.holding(5102.0)
    assert birth.greeting(5103.0) is None


def test_home_assistant_that_comes_after_us_gets_what_was_sent_before() -> None:
    birth = Birth(shortest)
    birth.connected(1000.0)
    birth.came(2000.0)
    assert not birth.holding(2001.0)
    assert birth.greeting(2002.0) == (1000.0 - LOOK_BACK_S, 2000.0)


def test_a_second_offline_does_not_shorten_what_was_missed() -> None:
    birth = Birth(shortest)
    birth.connected(0.0)
    birth.went(1000.0)
    birth.went(1400.0)
    birth.came(1500.0)
    assert birth.greeting(1510.0) == (1000.0 - LOOK_BACK_S, 1500.0)


def test_alerts_are_not_held_for_ever_when_home_assistant_stays_away() -> None:
    birth = Birth(shortest)
    birth.connected(0.0)
    birth.went(1000.0)
    assert birth.holding(1000.0 + HOLD_S - 1)
    assert birth.next_step_s(1000.0) == 1000.0 + HOLD_S
    assert not birth.holding(1000.0 + HOLD_S)


def test_a_new_connection_ends_the_hold_and_sends_again_what_was_missed() -> None:
    birth = Birth(shortest)
    birth.connected(0.0)
    birth.went(1000.0)
    assert birth.connected(1200.0) == (1000.0 - LOOK_BACK_S, 1200.0)
    assert not birth.holding(1200.0)


def test_pauses_double_up_to_half_a_minute_and_begin_short_after_a_success() -> None:
    back_off = BackOff(longest)
    assert [back_off.fail(0.0) for _ in range(7)] == [1, 2, 4, 8, 16, 30, 30]
    assert back_off.until_s == 30.0
    back_off.succeed()
    assert back_off.fail(100.0) == 1


@pytest.fixture
def backlog(tmp_path: Path) -> Iterator[Backlog]:
    backlog = Backlog(tmp_path / "outbox.db", jitter=longest)
    for number in range(1, 41):
        backlog.add(Raised(f"a{number}", b"{}", 1000.0))
    assert len(backlog.step(0.0, 1000.0)) == 40
    backlog.connected(0.0)
    yield backlog
    backlog.close()


def take_all(backlog: Backlog, now_s: float) -> list[int]:
    """Hand over what may be; the message ids are the seqs."""
    taken = []
    while entry := backlog.take(now_s):
        backlog.handed_over(entry.seq, entry)
        taken.append(entry.seq)
    return taken


def test_one_alert_goes_first_and_a_window_of_sixteen_after_it(backlog: Backlog) -> None:
    assert take_all(backlog, 0.0) == [1]
    backlog.acknowledge(1, 0, 0.0)
    assert take_all(backlog, 0.0) == list(range(2, 2 + WINDOW))
    backlog.acknowledge(2, 0, 0.0)
    assert take_all(backlog, 0.0) == [2 + WINDOW]


def test_an_alert_that_nobody_got_stays_first_and_waits(backlog: Backlog) -> None:
    take_all(backlog, 0.0)
    backlog.acknowledge(1, 0x10, 0.0)
    assert backlog.take(0.9) is None
    assert backlog.next_step_s(0.5) == 1.0
    entry = backlog.take(1.0)
    assert entry is not None
    assert (entry.seq, backlog.is_copied(entry)) == (1, False)
    assert backlog.pending == 40


def test_alerts_in_flight_when_the_connection_ends_are_sent_again_as_replays(
    backlog: Backlog,
) -> None:
    take_all(backlog, 0.0)
    backlog.disconnected()
    backlog.connected(0.0)
    entry = backlog.take(0.0)
    assert entry is not None
    assert (entry.seq, backlog.is_copied(entry)) == (1, True)


def test_an_alert_that_is_itself_at_fault_does_not_hold_up_the_others(backlog: Backlog) -> None:
    take_all(backlog, 0.0)
    backlog.acknowledge(1, 0x95, 0.0)
    assert take_all(backlog, 0.0) == [2]
    backlog.acknowledge(2, 0, 0.0)
    assert take_all(backlog, 0.0)[0] == 3
    backlog.disconnected()
    backlog.connected(0.0)
    assert take_all(backlog, 0.0) == [1]


def test_what_was_sent_in_a_time_can_be_sent_again(backlog: Backlog) -> None:
    while taken := take_all(backlog, 0.0):
        for seq in taken:
            backlog.acknowledge(seq, 0, seq * 10.0)
    backlog.step(500.0, 1500.0)
    assert backlog.cursor() == 40
    assert backlog.replay_between(15.0, 25.0) == 1
    assert backlog.cursor() == 1
    entry = backlog.take(500.0)
    assert entry is not None
    assert (entry.seq, backlog.is_copied(entry)) == (2, True)


def test_nothing_to_do_means_no_next_step(tmp_path: Path) -> None:
    assert Backlog(tmp_path / "outbox.db", jitter=longest).next_step_s(5.0) == inf


@pytest.mark.parametrize("payload", [b"\xff", b"[1]", b"{"])
def test_an_alert_whose_words_the_disk_lost_still_goes_out(payload: bytes) -> None:
    entry = Entry(7, "a7", 1000.0, payload)
    assert alert_content(entry) == {"id": "a7", "seq": 7}
    assert json.loads(alert_body(entry, 1002.5, copied=True)) == {
        "id": "a7", "seq": 7, "replay": True, "age_s": 2.5,
    }  # fmt: skip
