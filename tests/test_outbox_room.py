"""What gives way when the outbox is full: the order, the counting, and the alert that tells."""

from __future__ import annotations

import json
import os
import resource
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgehome.homeassistant import names
from edgehome.outbox import Entry, Outbox
from edgehome.outbox_plan import Loss, Pending, Plan
from edgehome.outbox_room import ALERTS_DROPPED

LONG = os.environ.get("EDGEHOME_TEST_LONG") == "1"
HOUR_S = 3600.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.db"


def alerts(outbox: Outbox) -> list[str]:
    """Return the ids of the unsent alerts of rules."""
    return [entry.id for entry in outbox.pending(limit=100_000) if not told(entry)]


def told(entry: Entry) -> bool:
    return json.loads(entry.payload).get("event_type") == ALERTS_DROPPED


def tellers(outbox: Outbox) -> list[Entry]:
    return [entry for entry in outbox.pending(limit=100_000) if told(entry)]


def test_what_the_home_has_gives_way_before_what_only_the_broker_has(path: Path) -> None:
    with Outbox(path, max_rows=4) as outbox:
        seqs = [outbox.append(f"a{n}", b"{}", 1000.0 + n) for n in range(4)]
        outbox.mark_sent(seqs[:3], 2000.0)
        outbox.acknowledge(["a2"])
        outbox.append("b", b"{}", 3000.0)
        assert [entry.id for entry in outbox.unacknowledged(9)] == ["a0", "a1"]
        outbox.append("c", b"{}", 3001.0)
        assert [entry.id for entry in outbox.unacknowledged(9)] == ["a1"]
        assert (outbox.dropped_total, tellers(outbox)) == ({}, [])


def test_information_goes_before_warnings_and_warnings_before_critical_alerts(path: Path) -> None:
    with Outbox(path, max_rows=3) as outbox:
        for n, severity in enumerate(["critical", "warning", "info", "warning", "critical"]):
            outbox.append(f"a{n}", b"{}", n * HOUR_S, severity=severity, rule=f"rule {n}")
        assert alerts(outbox) == ["a0", "a3", "a4"]
        assert outbox.dropped_total == {"info": 1, "oldest": 1}


def test_the_first_alert_of_an_incident_outlasts_all_that_follow(path: Path) -> None:
    with Outbox(path, max_rows=5) as outbox:
        outbox.append("first info", b"{}", 0.0, severity="info", rule="door")
        for n in range(20):
            outbox.append(f"more {n}", b"{}", 60.0 * n, severity="critical", rule="fall")
        kept = alerts(outbox)
    assert kept[:2] == ["first info", "more 0"]
    assert kept[-1] == "more 19"


def test_further_alerts_of_one_rule_are_folded_into_its_first_with_a_count(path: Path) -> None:
    with Outbox(path, max_rows=3) as outbox:
        for n in range(10):
            outbox.append(f"a{n}", b"{}", 60.0 * n, rule="fall")
        first = outbox.pending(limit=1)[0]
        assert alerts(outbox) == ["a0", "a8", "a9"]
        assert (first.id, first.folded) == ("a0", 7)
        assert outbox.dropped_total == {"folded": 7}


def test_an_alert_after_ten_quiet_minutes_begins_an_incident_of_its_own(path: Path) -> None:
    with Outbox(path, max_rows=2) as outbox:
        outbox.append("a", b"{}", 0.0, rule="fall")
        outbox.append("same", b"{}", 599.0, rule="fall")
        outbox.append("other", b"{}", 1300.0, rule="fall")
        assert alerts(outbox) == ["a", "other"]
    with Outbox(path, max_rows=2) as outbox:  # which alert began an incident is known for ever
        outbox.append("same as other", b"{}", 1400.0, rule="fall")
        outbox.append("next", b"{}", 1500.0, rule="fall")
        assert alerts(outbox) == ["a", "other"]


def test_payload_is_bounded_as_rows_are(path: Path) -> None:
    with Outbox(path, max_bytes=10_000) as outbox:
        for n in range(20):
            outbox.append(f"a{n}", b"x" * 1000, n * HOUR_S, rule=f"rule {n}")
        with pytest.raises(ValueError, match="Expecting value"):
            alerts(outbox)
        assert outbox.dropped_total == {"oldest": 10}
        assert outbox.pending_count == 11
    with Outbox(path, max_bytes=10_000) as outbox:
        outbox.append("next", b"x" * 2000, 20 * HOUR_S)
        assert outbox.dropped_total == {"oldest": 12}


def test_one_alert_tells_of_all_losses_and_its_count_goes_up(path: Path) -> None:
    with Outbox(path, max_rows=3) as outbox:
        for n in range(9):
            outbox.append(f"a{n}", b"{}", n * HOUR_S, rule=f"rule {n}")
        (teller,) = tellers(outbox)
        content = json.loads(teller.payload)
        assert content["dropped"] == outbox.dropped_total == {"oldest": 6}
        assert "6 alerts" in content["message"]
        assert content["severity"] == teller.severity == "critical"
        assert content["at"] == "1970-01-01T08:00:00.000+00:00"
        assert len(alerts(outbox)) == 3


def test_a_loss_after_the_home_was_told_is_told_again_under_another_id(path: Path) -> None:
    with Outbox(path, max_rows=1) as outbox:
        for n in range(2):
            outbox.append(f"a{n}", b"{}", n * HOUR_S)
        (before,) = tellers(outbox)
        outbox.mark_sent([before.seq], 9 * HOUR_S)
        outbox.append("a2", b"{}", 2 * HOUR_S)
        outbox.append("a3", b"{}", 3 * HOUR_S)
        (after,) = tellers(outbox)
        assert after.id != before.id
        assert json.loads(after.payload)["dropped"] == {"oldest": 3}


def test_counts_of_losses_outlast_the_process(path: Path) -> None:
    with Outbox(path, max_rows=2) as outbox:
        for n in range(5):
            outbox.append(f"a{n}", b"{}", n * HOUR_S)
        outbox.add_dropped(4)
    with Outbox(path, max_rows=2) as outbox:
        assert outbox.dropped_total == {"oldest": 3, "disk": 4}
        assert outbox.dropped == 7
        (teller,) = tellers(outbox)
        assert json.loads(teller.payload)["dropped"] == outbox.dropped_total


def test_what_the_home_still_has_to_acknowledge_is_no_copy_and_counts_when_lost(
    path: Path,
) -> None:
    with Outbox(path, max_rows=20, keep_sent=5) as outbox:
        outbox.await_acknowledgement(awaited=True)
        for n in range(20):
            outbox.mark_sent([outbox.append(f"a{n}", b"{}", n * HOUR_S)], n * HOUR_S)
        assert len(outbox.unacknowledged(99)) == 20
        outbox.append("more", b"{}", 20 * HOUR_S)
        assert outbox.dropped_total == {"unacknowledged": 1}
        assert [entry.id for entry in outbox.unacknowledged(1)] == ["a1"]
        assert len(tellers(outbox)) == 1


def test_an_alert_that_is_refused_takes_nothing_else_with_it(path: Path) -> None:
    with Outbox(path, max_rows=2) as outbox:
        for n in range(2):
            outbox.append(f"a{n}", b"{}", n * HOUR_S)
        with pytest.raises(Exception, match="stor"):
            outbox.append(None, b"{}", 3 * HOUR_S)  # type: ignore[arg-type]
        assert alerts(outbox) == ["a0", "a1"]
        assert (outbox.pending_count, outbox.dropped) == (2, 0)


def test_the_home_knows_the_event_type_of_losses() -> None:
    assert ALERTS_DROPPED == names.ALERTS_DROPPED


ROWS = st.lists(
    st.tuples(
        st.sampled_from(["info", "warning", "critical", "?"]),
        st.sampled_from(["", "door", "fall"]),
        st.integers(0, 1),
    ),
    max_size=40,
)


def drained(plan: Plan) -> list[Loss]:
    return list(iter(plan.take, None))


@given(ROWS)
def test_the_plan_loses_each_alert_once_and_first_ones_last(
    rows: list[tuple[str, str, int]],
) -> None:
    pending = [Pending(seq, *row) for seq, row in enumerate(rows, 1)]
    plan = Plan(1000)
    plan.make(pending)
    order = drained(plan)
    assert sorted(loss.seq for loss in order) == [alert.seq for alert in pending]
    firsts = [pending[loss.seq - 1].first for loss in order]
    assert firsts == sorted(firsts)
    position = {loss.seq: place for place, loss in enumerate(order)}
    for loss in order:
        if loss.into:
            assert position[loss.into] > position[loss.seq]
            assert loss.into < loss.seq
            assert pending[loss.into - 1].rule == pending[loss.seq - 1].rule


@given(ROWS, ROWS, st.integers(1, 12))
def test_a_plan_that_grew_is_the_plan_that_would_be_made_anew(
    before: list[tuple[str, str, int]], after: list[tuple[str, str, int]], ahead: int
) -> None:
    pending = [Pending(seq, *row) for seq, row in enumerate(before + after, 1)]
    grown, anew = Plan(ahead), Plan(1000)
    grown.make(pending[: len(before)])
    for alert in pending[len(before) :]:
        grown.add(alert)
    anew.make(pending)
    planned = drained(grown)
    assert planned == drained(anew)[: len(planned)]
    assert len(planned) >= min(ahead, len(before))


def test_ten_times_too_many_alerts_do_not_make_the_memory_grow(path: Path) -> None:
    bound = 10_000 if LONG else 200
    with Outbox(path, max_rows=bound) as outbox:
        fill(outbox, 0, bound + bound // 2)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        fill(outbox, bound + bound // 2, 10 * bound)
        grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        assert outbox.pending_count == bound + 1
        assert outbox.dropped == 9 * bound
    assert grown_kib < 5 * 1024


def fill(outbox: Outbox, first: int, end: int) -> None:
    for n in range(first, end):
        severity = ("info", "warning", "critical")[n % 3]
        outbox.append(f"a{n}", b"x" * 600, 50.0 * n, severity=severity, rule=f"rule {n % 7}")
