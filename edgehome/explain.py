"""Why there was an alert, and why there was none, in words for the person who asks."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from edgehome.config.values import duration
from edgehome.history import CURRENT, Record, encode, read_history
from edgehome.types import Alert, EdgehomeError, Evidence, NearMiss

DAY = timedelta(days=1)


def explain_alert(alert: Alert) -> str:
    """Return why an alert was raised, as one line."""
    reasons = "; ".join(_reason(item) for item in alert.evidence if item.met)
    folded = f" It stands for {alert.folded} more alerts." if alert.folded else ""
    return f"{alert.rule} fired at {alert.at:%H:%M:%S}: {reasons}.{folded}"


def _reason(item: Evidence) -> str:
    since = f", since {item.since:%H:%M:%S}" if item.since else ""
    asked = f" (asked: {item.threshold}{since})" if item.threshold else ""
    return f"{item.condition} {item.value}{asked}"


def lines_of(record: Record) -> Iterator[str]:
    """Yield the lines that explain one record."""
    when = f"{record.at:%Y-%m-%d %H:%M:%S}"
    if isinstance(record, Alert):
        yield f"{when}  ALERT      {record.rule} [{record.severity}]: {record.message}"
        if record.folded:
            yield f"    stands for {record.folded} more alerts, which the limit held back"
    else:
        yield f"{when}  near miss  {record.rule}: {record.message}"
    wide = [max(map(len, column)) for column in zip(*_cells(record.evidence), strict=True)]
    for cells, item in zip(_cells(record.evidence), record.evidence, strict=True):
        condition, value, asked = (text.ljust(n) for text, n in zip(cells, wide, strict=True))
        since = f"  since {item.since:%H:%M:%S}" if item.since else ""
        met = "holds         " if item.met else "does not hold "
        yield f"    {met} {condition}  {value}  {asked}{since}".rstrip()
    if isinstance(record, Alert):
        yield f"    id {record.id}, model {record.model[:12]}, config {record.config[:12]}"


def _cells(evidence: Iterable[Evidence]) -> list[tuple[str, str, str]]:
    return [
        (item.condition, item.value, f"(asked: {item.threshold})" if item.threshold else "")
        for item in evidence
    ]


def choose(
    records: Iterable[Record],
    *,
    alert_id: str = "",
    rule: str = "",
    since: datetime | None = None,
    near_misses: bool = False,
) -> list[Record]:
    """Return the records that are asked for, the oldest first.

    `alert_id` may be the first characters of one; `near_misses` leaves the alerts out.
    """
    found = []
    for record in records:
        if alert_id and not (isinstance(record, Alert) and record.id.startswith(alert_id)):
            continue
        if near_misses and not isinstance(record, NearMiss):
            continue
        if (rule and record.rule != rule) or (since and record.at < since):
            continue
        found.append(record)
    return found


def add_explain(commands: Any) -> None:  # noqa: ANN401 - argparse's own has no name
    """Add `edgehome explain`."""
    parser = commands.add_parser(
        "explain",
        help="say why there was an alert, or why not",
        description="Say why the rules did or did not raise alerts, from the node's own records "
        "of its last alerts and near misses. Without more: those of the last 24 hours.",
    )
    parser.add_argument("id", nargs="?", default="", metavar="ALERT_ID", help="or how it begins")
    parser.add_argument(
        "--since", type=_span, metavar="SPAN", help="so far back: 30m, 1h, 7d (24h)"
    )
    parser.add_argument("--rule", default="", help="of one rule only")
    parser.add_argument("--near-misses", action="store_true", help="leave the alerts out")
    parser.add_argument("--state", type=Path, help="the state folder (the service's)")
    parser.add_argument("--json", action="store_true", help="one JSON object a record")
    parser.set_defaults(run=_explain)


def _span(text: str) -> timedelta:
    try:
        return timedelta(seconds=duration(text))
    except (ValueError, OverflowError) as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _explain(options: argparse.Namespace) -> int:
    span = options.since or (None if options.id else DAY)
    since = datetime.now().astimezone() - span if span else None
    records = choose(
        read_history(options.state),
        alert_id=options.id,
        rule=options.rule,
        since=since,
        near_misses=options.near_misses,
    )
    if options.id and not records:
        raise EdgehomeError(
            "alert_unknown",
            f"No alert with an id that begins with {options.id!r} is in {options.state}.",
            "Only the newest some hundreds are kept; `edgehome explain --since 7d` lists them.",
        )
    for record in records:
        if options.json:
            sys.stdout.write(encode(record).decode())
        else:
            sys.stdout.write("\n".join(lines_of(record)) + "\n")
    if not records and not options.json:
        ran = (options.state / CURRENT).exists()
        nothing = "Nothing: no rule raised an alert, and none came close."
        never = f"No records are in {options.state}: no node has run with this state folder."
        sys.stdout.write(f"{nothing if ran else never}\n")
    return 0
