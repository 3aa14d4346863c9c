"""The page of a replay: all in one file, safe whatever a clip is called, and small."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import re
from array import array
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any

import pytest

from edgehome.config.conditions import Activity, ActivityCondition, MotionCondition
from edgehome.config.types import Config, Rule
from edgehome.report.drawing import COLUMNS, Axis, line, merged, ticks
from edgehome.report.elements import data_block, element, join
from edgehome.report.page import MOST_ALERTS, page
from edgehome.report.recording import Pictures, Recording, Span, Spans, columns
from edgehome.types import Alert, CameraState, Evidence, NearMiss, Severity

AT = datetime(2026, 11, 22, 23, 10, tzinfo=UTC)
HOSTILE = "</script><script>alert(1)</script>\"'><img src=x onerror=alert(2)>&amp;${title}$hash"
RULE = Rule(
    name="Fall",
    when=ActivityCondition(activity=Activity("fall", ("fall",)), above=0.6, below=0.4, for_s=1.0),
)


class Page(HTMLParser):
    """What a browser makes of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.scripts: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in {"meta", "img"}:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        (self.scripts if self.open and self.open[-1] == "script" else self.texts).append(data)

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def data(self) -> list[dict[str, Any]]:
        return [json.loads(text) for text in self.scripts if text.startswith("{")]


def alert(rule: str, time_s: float, message: str = "Help") -> tuple[float, Alert]:
    at = AT + timedelta(seconds=time_s)
    evidence = (
        Evidence("fall above", "0.83", "0.6", met=True, since=at - timedelta(seconds=2)),
        Evidence("armed", "away", "away", met=True),
    )
    return time_s, Alert("id", at, rule, "fall", Severity.CRITICAL, message, 0.83, evidence)


def recording(name: str = "hall.mp4", frames: int = 50, rule: str = "Fall") -> Recording:
    made = Recording(name, AT, 0.2, ("fall",), (rule,), "away")
    for number in range(frames):
        time_s = round(number * 0.2, 3)
        made.times.append(time_s)
        made.motion.append(0.01)
        made.scores[0].append(0.9 if 20 <= number < 40 else 0.1)
    made.states[rule].change(4.0, "pending")
    made.states[rule].change(5.0, "firing")
    made.states[rule].change(8.0, "")
    made.alerts.append(alert(rule, 5.0))
    return made


def shown(*recordings: Recording, config: Config | None = None) -> Page:
    return Page(page(recordings, config or Config(rules=(RULE,))))


def test_a_page_needs_nothing_but_itself() -> None:
    made = recording()
    made.pictures = [(n * 0.8, b"\xff\xd8 not really a picture") for n in range(12)]
    text = page([made], Config(rules=(RULE,)))
    assert "http" not in text.replace("http-equiv", "")
    found = Page(text)
    addresses = [a[k] for _, a in found.tags for k in ("src", "href", "action") if k in a]
    assert all(str(a).startswith(("data:image/jpeg;base64,", "#clip")) for a in addresses)
    assert not {tag for tag, _ in found.tags} & {"link", "iframe", "object", "form", "base"}
    assert "@import" not in text
    assert "url(" not in text
    assert len(found.named("img")) == 12
    assert all(image["alt"] for image in found.named("img"))


def test_only_the_pages_own_script_may_run() -> None:
    found = shown(recording())
    (own,) = [text for text in found.scripts if not text.startswith("{")]
    digest = base64.b64encode(hashlib.sha256(own.encode()).digest()).decode()
    policy = next(
        m["content"] for m in found.named("meta") if "content" in m and m.get("http-equiv")
    )
    assert f"script-src 'sha256-{digest}'" in str(policy)
    assert "default-src 'none'" in str(policy)
    assert not [key for _, attributes in found.tags for key in attributes if key.startswith("on")]


def test_whatever_a_clip_a_rule_or_a_message_is_called_is_text() -> None:
    made = recording(HOSTILE, rule=HOSTILE)
    made.alerts = [alert(HOSTILE, 5.0, HOSTILE)]
    evidence = (Evidence(HOSTILE, HOSTILE, HOSTILE, met=False),)
    made.misses = [(6.0, NearMiss(AT, HOSTILE, "too_short", HOSTILE, evidence))]
    made.differences = (HOSTILE,)
    made.failure = HOSTILE
    plain = shown(recording())
    hostile = shown(made)
    assert len(hostile.named("script")) == len(plain.named("script")) == 2
    assert not hostile.named("img")
    said = "".join(hostile.texts)
    assert said.count(HOSTILE) >= 10
    assert hostile.data[0]["tracks"][0]["name"] == HOSTILE


def test_elements_escape_all_that_they_have_not_made() -> None:
    assert element("p", "<b>", class_='"x"') == '<p class="&quot;x&quot;">&lt;b&gt;</p>'
    assert element("p", element("b", "a"), "&") == "<p><b>a</b>&amp;</p>"
    assert element("details", open=True, id=None, hidden=False) == "<details open></details>"
    assert join("<", element("b")) == "&lt;<b></b>"
    block = data_block(json.dumps({"a": "</script>&\u2028"}, ensure_ascii=False))
    assert "</script>&" not in block
    assert json.loads(block[len('<script type="application/json">') : -9]) == {
        "a": "</script>&\u2028"
    }


def test_the_summary_and_the_alerts_say_what_happened() -> None:
    good, bad = recording("good.mp4"), recording("bad.mp4")
    good.differences, bad.differences = (), ("Fall: missing: expected at 2.0 s",)
    broken = Recording(
        "broken.mp4", AT, 0.2, ("fall",), ("Fall",), "away", failure="It is no video."
    )
    said = "|".join(shown(good, bad, broken).texts)
    assert "3 clips, 2 alerts, 0 near misses." in said
    for words in ("yes", "1 difference", "not read", "Fall: missing: expected at 2.0 s",
                  "It is no video.", "critical", "0.83", "3.0 s"):  # fmt: skip
        assert f"|{words}|" in said
    assert "from 2026-11-22 23:10:00 UTC, 50 frames, armed: away" in said


def test_a_mark_leads_to_its_alert() -> None:
    found = shown(recording())
    (mark,) = [a for a in found.named("a") if a.get("class") == "mark"]
    assert mark["href"] == "#clip1-alert1"
    assert any(one.get("id") == "clip1-alert1" for one in found.named("details"))
    assert mark["aria-label"] == "alert at 5.0 s"


def test_the_keyboard_can_move_over_the_lines() -> None:
    (axis,) = [a for a in shown(recording()).named("div") if a.get("role") == "slider"]
    assert (axis["tabindex"], axis["aria-valuemin"], axis["aria-valuemax"]) == ("0", "0", "10.00")
    assert axis["aria-label"] == "Moment of hall.mp4"


def test_the_cursors_numbers_are_those_of_the_frames() -> None:
    (data,) = shown(recording()).data
    assert (data["seconds"], len(data["times"])) == (10.0, 50)
    rule, fall, motion = data["tracks"]
    assert rule["spans"] == [[4.0, 5.0, "pending"], [5.0, 8.0, "firing"]]
    assert fall["high"][19:21] == [100, 900]
    assert "low" not in fall
    assert motion["name"] == "motion"


def test_a_clip_without_pictures_alerts_or_frames_has_a_page_too() -> None:
    empty = Recording("none.mp4", AT, 0.2, (), (), "home")
    assert "No alert." in "".join(shown(empty, config=Config()).texts)


def test_camera_states_and_a_still_scene_are_shown_where_there_were_any() -> None:
    made = recording()
    assert "camera covered" not in shown(made).texts
    made.camera[CameraState.COVERED].change(2.0, "covered")
    made.still.change(1.0, "still")
    made.still.change(3.0, "")
    found = shown(made)
    assert {"camera covered", "8.0 s", "2.0 s"} <= set(found.texts)
    assert {"camera", "still"} <= {a.get("class") for a in found.named("rect")}


def day(frames: int = 432_000) -> Recording:
    chance = random.Random(2)
    names = tuple(f"label {n}" for n in range(20))
    rules = tuple(f"Rule {n}" for n in range(20))
    made = Recording("day", AT, 0.2, names, rules, "away")
    made.times = array("d", (n * 0.2 for n in range(frames)))
    made.motion = array("f", (chance.random() for _ in range(frames)))
    made.scores = [made.motion] * 20
    for number, rule in enumerate(rules):
        for time_s in range(number, frames // 5, 90):
            made.states[rule].change(time_s, "pending")
            made.states[rule].change(time_s + 2, "firing")
            made.states[rule].change(time_s + 9, "")
    made.alerts = [alert(rules[n % 20], n * 60.0) for n in range(1440)]
    return made


def test_a_day_at_five_frames_a_second_stays_under_two_megabytes() -> None:
    text = page([day()], Config(rules=(RULE,)))
    assert len(text.encode()) < 2_000_000
    assert f"{1440 - MOST_ALERTS} more are in the output of edgehome replay --json." in text
    found = Page(text)
    known = {one.get("id") for one in found.named("details")}
    marks = [str(a["href"])[1:] for a in found.named("a") if str(a["href"]).startswith("#clip1-a")]
    assert marks
    assert set(marks) <= known


def test_no_peak_is_lost_where_frames_share_a_column() -> None:
    values = [0.1] * 100_000
    values[54_321] = 0.9
    axis = Axis.of([n * 0.2 for n in range(100_000)], 20_000.0)
    assert len(axis.ranges) <= COLUMNS
    extremes = axis.extremes(values)
    assert max(high for _, high in extremes) == 0.9
    assert min(low for low, _ in extremes) == 0.1
    assert sum(high == 0.9 for _, high in extremes) == 1


@pytest.mark.parametrize("count", [0, 1, 2, 599, 600, 601, 1200, 5000])
def test_columns_hold_every_frame_once_and_none_spans_a_gap(count: int) -> None:
    times = [n * 0.2 + (100 if n > count // 2 else 0) for n in range(count)]
    ranges = columns(times, COLUMNS)
    assert [n for a, b in ranges for n in range(a, b)] == list(range(count))
    assert len(ranges) <= COLUMNS + 2
    for a, b in ranges:
        assert times[b - 1] - times[a] < 100


def test_a_line_is_broken_where_frames_are_missing() -> None:
    def moves(times: list[float]) -> int:
        return len(re.findall("M", line(Axis.of(times, 20.0), [0.5] * len(times), 1.0, [])))

    assert moves([0.0, 0.2, 0.4]) == 1
    assert moves([0.0, 0.2, 9.0, 9.2]) == 2
    assert moves([0.0, 9.0]) == 2


def test_more_spans_than_columns_become_fewer_and_cover_the_same_time() -> None:
    axis = Axis.of([0.0, 5000.0], 5000.2)
    spans = [Span(n * 2.0, n * 2.0 + 1, ("pending", "firing")[n % 2]) for n in range(2500)]
    found = merged(axis, spans)
    assert len(found) <= COLUMNS + 1
    assert {span.what for span in found} <= {"pending", "firing"}
    assert found[-1].end_s >= 4990
    few = spans[:3]
    assert merged(axis, few) == few


def test_spans_are_what_was_so_between_changes() -> None:
    spans = Spans()
    for time_s, what in ((1.0, "a"), (2.0, "a"), (3.0, "b"), (4.0, ""), (6.0, "c")):
        spans.change(time_s, what)
    assert spans.until(8.0) == [Span(1, 3, "a"), Span(3, 4, "b"), Span(6, 8, "c")]


@pytest.mark.parametrize("seconds", [0.2, 8, 59, 61, 599, 3600, 86_400, 700_000])
def test_the_axis_has_a_few_round_moments(seconds: float) -> None:
    found = ticks(seconds)
    assert found[0] == 0
    assert len(found) <= 10
    assert found[-1] <= seconds


def picture_times(seconds: float) -> Iterator[float]:
    pictures = Pictures()
    for number in range(round(seconds / 0.2)):
        if pictures.due(number * 0.2):
            pictures.keep(number * 0.2, b"")
    yield from (time_s for time_s, _ in pictures.kept)


@pytest.mark.parametrize("seconds", [2.0, 10.0, 80.0, 3600.0])
def test_a_dozen_pictures_or_two_are_kept_however_long_a_clip_is(seconds: float) -> None:
    times = list(picture_times(seconds))
    assert min(10, round(seconds / 0.2)) <= len(times) <= 24
    gaps = [b - a for a, b in pairwise(times)]
    assert max(gaps) - min(gaps) < 0.21
    assert times[-1] >= seconds * 0.8


def test_motion_that_rules_ask_for_is_on_the_scale() -> None:
    rule = Rule(name="Moves", when=MotionCondition(motion=0.5, below=0.2))
    made = Recording("a", AT, 0.2, (), ("Moves",), "away")
    made.times, made.motion = array("d", [0.0, 0.2]), array("f", [0.0, 0.02])
    found = shown(made, config=Config(rules=(rule,)))
    assert "highest 0.020, asked for 0.5" in found.texts
    assert [one["y1"] for one in found.named("line")] == ["0.0"]


def test_a_picture_is_kept_as_a_jpeg_that_looks_like_it_and_is_small() -> None:
    av, np = pytest.importorskip("av"), pytest.importorskip("numpy")
    from edgehome.camera.video import jpeg

    across = np.linspace(0, 255, 172, dtype=np.uint8)
    picture = np.stack(np.broadcast_arrays(across[None, :], across[:, None], np.uint8(90)), axis=-1)
    data = jpeg(np.ascontiguousarray(picture))
    assert data == jpeg(np.ascontiguousarray(picture))
    assert len(data) < 12_000
    decoder = av.CodecContext.create("mjpeg", "r")
    (frame,) = decoder.decode(av.Packet(data))
    found = frame.to_ndarray(format="rgb24").astype(int)
    assert found.shape == picture.shape
    assert np.abs(found - picture).mean() < 6
