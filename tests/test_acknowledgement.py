"""What is sent again, when, and when the broker's word has to do: time is an argument."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from edgehome.delivery.acknowledgement import (
    ACKNOWLEDGED,
    BATCH,
    BROKER,
    BURST,
    MOST,
    OLDEST_S,
    RATE,
    SILENCE_S,
    UNANSWERED,
    Acknowledgement,
    parse,
)
from edgehome.delivery.backlog import Backlog
from edgehome.delivery.storage import Raised
from edgehome.outbox import Outbox

if TYPE_CHECKING:
    from pathlib import Path


def answering(first: str = "a1") -> Acknowledgement:
    """Return one to which the home has answered once, for the alert with seq 1."""
    one = Acknowledgement()
    one.sent(first, 1, 0.0)
    one.stored([first], 1, 1)
    return one


def resent_at(one: Acknowledgement, alert_id: str, until_s: int) -> list[int]:
    """Send an alert at 0 and again whenever it is due; return the seconds of the repeats."""
    one.sent(alert_id, 2, 0.0)
    times = []
    for now_s in range(1, until_s):
        if one.due(now_s, present=True):
            times.append(now_s)
            one.sent(alert_id, 2, now_s)
    return times


@pytest.mark.parametrize(
    ("payload", "alert_id"),
    [
        (b"9f0c2c0e6d0b4f4f8a7d1c5b3e2a1f00", "9f0c2c0e6d0b4f4f8a7d1c5b3e2a1f00"),
        (b'{"id": "a1"}', "a1"),
        (b'{"id": "a1", "more": 1}', None),
        (b'{"id": 1}', None),
        (b'{"id": null}', None),
        (b'{"id": "a1"', None),
        (b'["a1"]', None),
        (b"", None),
        (b"a 1", None),
        (b"a1\n", None),
        (b"\xff", None),
        (b"a" * 65, None),
        (b'{"id": "a1"}' + b" " * 5000, None),
        (b"{" * 4000, None),
    ],
)
def test_an_answer_is_an_id_as_text_or_in_an_object_and_nothing_else(
    payload: bytes, alert_id: str | None
) -> None:
    assert parse(payload) == alert_id


def test_answers_that_are_retained_or_malformed_are_counted_and_not_taken() -> None:
    one = Acknowledgement()
    assert one.read(b"a1", 0.0, retained=True) is None
    assert one.read(b"not an id", 0.0) is None
    assert one.read(b"a1", 0.0) == "a1"
    assert one.ignored == 2


def test_more_answers_than_a_home_can_have_are_not_taken() -> None:
    one = Acknowledgement()
    taken = sum(one.read(b"a1", 1000.0) is not None for _ in range(2000))
    assert taken == BURST
    assert one.ignored == 2000 - BURST
    taken = sum(one.read(b"a1", 1001.0) is not None for _ in range(2000))
    assert taken == RATE


def test_an_answer_for_an_unknown_alert_is_counted_and_changes_nothing() -> None:
    one = Acknowledgement()
    one.stored(["nobody"], 0, 5)
    assert one.mode == BROKER
    assert one.ignored == 1
    assert one.fact == ""


def test_a_second_answer_for_the_same_alert_is_no_mistake() -> None:
    one = answering()
    one.stored(["a1"], 0, 1)
    assert one.ignored == 0


def test_without_any_answer_nothing_is_sent_again() -> None:
    one = Acknowledgement()
    assert resent_at(one, "a2", 1000) == []
    assert one.mode == BROKER
    assert one.problem is None
    assert one.next_step_s(5.0) == float("inf")


def test_an_alert_without_an_answer_is_sent_again_with_growing_pauses() -> None:
    one = answering()
    assert one.mode == ACKNOWLEDGED
    assert resent_at(one, "a2", 500) == [5, 15, 45, 105, 225]


def test_an_answered_alert_is_not_sent_again_even_if_the_broker_answers_later() -> None:
    one = answering()
    one.stored(["a2"], 1, 1)
    one.sent("a2", 2, 1.0)
    assert all(not one.due(now_s, present=True) for now_s in range(2, 100))
    assert one.unanswered == 0


def test_an_alert_that_was_sent_just_before_the_first_answer_is_waited_for() -> None:
    one = Acknowledgement()
    for number in (1, 2, 3):
        one.sent(f"a{number}", number, 0.0)
    one.stored(["a2"], 1, 3)
    assert one.due(6.0, present=True) == [3]  # 1 counted as delivered when the broker had it
    assert one.fact == "acknowledged 2"


def test_while_home_assistant_is_away_nothing_is_sent_again_and_no_silence_counted() -> None:
    one = answering()
    one.sent("a2", 2, 0.0)
    assert all(not one.due(float(now_s), present=False) for now_s in range(1, 5000))
    assert one.problem is None
    assert one.due(5001.0, present=True) == [2]


def test_a_silent_automation_ends_the_waiting_with_a_problem() -> None:
    one = answering()
    times = resent_at(one, "a2", int(SILENCE_S) + 100)
    assert one.mode == BROKER
    assert max(times) < SILENCE_S
    assert one.problem
    assert one.problem.code == "acknowledgement_silent"
    assert one.problem.remedy
    assert one.fact == "lapsed 1"
    assert one.unanswered == 0


def test_an_answer_after_the_silence_brings_everything_unanswered_again() -> None:
    one = answering()
    resent_at(one, "a2", int(SILENCE_S) + 100)
    one.sent("a3", 3, 1000.0)
    one.stored(["a3"], 1, 3)
    assert one.mode == ACKNOWLEDGED
    assert one.problem is None
    assert one.everything() == 0
    assert one.everything() is None


def test_home_assistant_that_starts_is_given_another_chance() -> None:
    one = answering()
    resent_at(one, "a2", int(SILENCE_S) + 100)
    one.returned()
    assert one.mode == ACKNOWLEDGED
    assert one.everything() == 0
    assert one.problem, "until it answers"


def test_a_restart_remembers_the_mode_and_sends_what_was_unanswered() -> None:
    one = Acknowledgement()
    one.restore("acknowledged 17")
    assert one.mode == ACKNOWLEDGED
    assert one.everything() == 16
    one.restore("lapsed 17")
    assert one.mode == BROKER
    assert one.everything() is None
    assert one.problem is None
    one.stored(["a20"], 1, 30)
    assert one.everything() == 16


@pytest.mark.parametrize("fact", [None, "", "acknowledged", "acknowledged x", "nonsense 3"])
def test_a_note_that_is_damaged_means_the_brokers_word(fact: str | None) -> None:
    one = Acknowledgement()
    one.restore(fact)
    assert one.mode == BROKER


def test_a_slow_automation_gets_no_more_than_its_queue_takes() -> None:
    one = answering()
    sent = 0
    while one.room(10.0, 3):
        sent += 1
        one.sent(f"b{sent}", 1 + sent, 10.0)
    assert sent == UNANSWERED - 3
    one.stored(["b1"], 1, 1)
    assert one.room(10.0, 3)
    assert one.room(15.0, 15), "a silent one does not hold up the others of the home"
    assert not one.room(15.0, 16)


def test_a_broker_without_an_answering_home_is_not_slowed_down() -> None:
    one = Acknowledgement()
    for number in range(100):
        assert one.room(1.0, 0)
        one.sent(f"b{number}", number, 1.0)


def test_one_alert_that_is_never_answered_is_given_up_after_a_day_while_others_are() -> None:
    one = answering()
    one.sent("poison", 2, 0.0)
    last_s = 0.0
    for step in range(1, int(2 * OLDEST_S / 100)):
        now_s = step * 100.0
        if 2 in one.due(now_s, present=True):
            one.sent("poison", 2, now_s)
            last_s = now_s
        one.sent(f"c{step}", 2 + step, now_s)
        one.stored([f"c{step}"], 1, 2)
    assert OLDEST_S - 1000 < last_s <= OLDEST_S
    assert one.mode == ACKNOWLEDGED


def test_after_a_new_connection_answers_on_their_way_come_first() -> None:
    one = answering()
    resent_at(one, "a2", 300)
    one.connected(300.0)
    assert one.due(304.0, present=True) == []
    assert one.due(305.0, present=True) == [2]


def test_pauses_begin_short_again_after_a_new_connection() -> None:
    one = answering()
    resent_at(one, "a2", 300)
    one.connected(300.0)
    assert one.due(305.0, present=True) == [2]
    one.sent("a2", 2, 305.0)
    assert one.due(314.0, present=True) == []
    assert one.due(315.0, present=True) == [2]


def test_a_first_answer_about_an_alert_of_an_earlier_run_is_not_about_all_before_it() -> None:
    one = Acknowledgement()
    one.stored(["a20"], 1, 30)
    assert one.fact == "acknowledged 31"


def test_what_is_sent_again_at_one_look_and_what_is_watched_is_bounded() -> None:
    one = answering()
    for number in range(2, MOST + 1000):
        one.sent(f"b{number}", number, 0.0)
    assert one.unanswered == MOST
    late = one.due(10.0, present=True)
    assert late == list(range(1000, 1000 + BATCH))
    assert one.due(11.0, present=True) == list(range(1000 + BATCH, 1000 + 2 * BATCH))


def middle(low: float, high: float) -> float:
    return (low + high) / 2


def deliver(backlog: Backlog, now_s: float) -> list[str]:
    """Let a broker take everything that is due; return the ids, those sent again with a mark."""
    taken = []
    while entry := backlog.take(now_s):
        taken.append(entry.id + ("+" if backlog.is_copied(entry) else ""))
        backlog.handed_over(entry.seq, entry)
        backlog.acknowledge(entry.seq, 0, now_s)
    backlog.step(now_s, now_s)
    return taken


def started(path: Path) -> Backlog:
    backlog = Backlog(path / "outbox.db", jitter=middle)
    backlog.step(0.0, 0.0)
    backlog.connected(0.0)
    return backlog


def test_unanswered_alerts_go_again_after_a_restart_and_answered_ones_never(
    tmp_path: Path,
) -> None:
    backlog = started(tmp_path)
    for number in range(1, 7):
        backlog.add(Raised(f"a{number}", b"{}", 0.0))
    backlog.step(0.0, 0.0)
    assert deliver(backlog, 0.0) == [f"a{number}" for number in range(1, 7)]
    for answered in ("a3", "a5"):
        backlog.answer(answered)
    backlog.step(1.0, 1.0)
    assert backlog.acknowledgement.mode == ACKNOWLEDGED
    backlog.close()

    backlog = started(tmp_path)
    assert backlog.acknowledgement.mode == ACKNOWLEDGED
    assert deliver(backlog, 100.0) == ["a4+", "a6+"]
    backlog.replay_above(0)  # a broker that forgot everything, and what came before the mode
    assert deliver(backlog, 101.0) == ["a1+", "a2+", "a4+", "a6+"]
    backlog.close()


def test_an_answer_that_is_faster_than_the_broker_ends_the_matter(tmp_path: Path) -> None:
    backlog = started(tmp_path)
    backlog.add(Raised("a1", b"{}", 0.0))
    backlog.step(0.0, 0.0)
    entry = backlog.take(0.0)
    assert entry
    backlog.handed_over(7, entry)
    backlog.answer("a1")
    backlog.step(0.1, 0.1)
    assert backlog.pending == 0
    backlog.disconnected()  # the PUBACK never comes
    backlog.connected(1.0)
    assert deliver(backlog, 1.0) == []
    assert backlog.acknowledgement.mode == ACKNOWLEDGED
    backlog.close()


def test_what_goes_again_keeps_its_order_and_is_marked(tmp_path: Path) -> None:
    backlog = started(tmp_path)
    for number in range(1, 5):
        backlog.add(Raised(f"a{number}", b"{}", 0.0))
    backlog.step(0.0, 0.0)
    deliver(backlog, 0.0)
    backlog.answer("a1")
    backlog.step(0.5, 0.5)
    backlog.send_again(4.0, present=True)
    assert deliver(backlog, 4.0) == []
    backlog.send_again(5.5, present=True)
    backlog.add(Raised("a5", b"{}", 5.5))
    backlog.step(5.5, 5.5)
    assert deliver(backlog, 5.5) == ["a2+", "a3+", "a4+", "a5"]
    backlog.close()


def test_a_new_connection_and_a_slow_home_are_heeded_by_the_backlog(tmp_path: Path) -> None:
    backlog = started(tmp_path)
    for number in range(1, 42):
        backlog.add(Raised(f"a{number}", b"{}", 0.0))
    backlog.step(0.0, 0.0)
    first = backlog.take(0.0)
    assert first
    backlog.handed_over(first.seq, first)
    backlog.acknowledge(first.seq, 0, 0.0)
    backlog.answer("a1")
    backlog.step(0.0, 0.0)
    assert len(deliver(backlog, 0.0)) == UNANSWERED
    assert deliver(backlog, 4.9) == []
    assert len(deliver(backlog, 5.0)) == UNANSWERED, "others may listen too"
    backlog.disconnected()
    backlog.connected(6.0)
    backlog.send_again(10.0, present=True)
    assert not any(alert_id.endswith("+") for alert_id in deliver(backlog, 10.0))
    backlog.send_again(11.0, present=True)
    assert deliver(backlog, 15.0)[0] == "a2+"
    backlog.close()


def test_the_outbox_forgets_no_alert_that_is_unanswered(tmp_path: Path) -> None:
    backlog = started(tmp_path)
    backlog.add(Raised("a1", b"{}", 0.0))
    backlog.step(0.0, 0.0)
    deliver(backlog, 0.0)
    backlog.answer("a1")
    backlog.step(0.0, 0.0)
    now_s, most = 1.0, MOST + 300
    for number in range(most):
        backlog.add(Raised(f"b{number}", b"{}", 0.0))
    backlog.step(now_s, now_s)
    while backlog.pending:
        now_s += 5.0
        deliver(backlog, now_s)
    backlog.close()
    with Outbox(tmp_path / "outbox.db") as outbox:
        assert len(outbox.unacknowledged(10_000)) == most
