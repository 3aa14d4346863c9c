"""Feedback on alerts of what came with the model: lowered near what was judged, and only there."""

from __future__ import annotations

import base64
import json
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgehome.config.conditions import Activity, ActivityCondition
from edgehome.config.types import Rule
from edgehome.corrections import AFTER_S, DEEPEST, Clarity, correctable, levels_of, too_clear
from edgehome.labels import taught_in
from edgehome.lessonstore import CORRECTION, FOLDER, LessonStore, kept_of
from edgehome.orders import TaughtHeads, decode_request, encode_heads
from edgehome.recognizer import corrections
from edgehome.recognizer.corrections import DEPTH, MARGIN, NEAR, Corrections, correction_of, pulled
from edgehome.recognizer.recognizer import Recognizer
from edgehome.teaching import correction
from edgehome.teaching.child import learn
from edgehome.teaching.general import shipped_general
from edgehome.types import Alert, ModelError, Scores, Severity

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))
from correction_again import again

SPACE = "movinet-a0-kinetics600"
RATE = 5.0
GENERAL = shipped_general(SPACE)
Rows = np.ndarray[Any, np.dtype[np.float32]]


def place(seed: int, frames: int = 30) -> Rows:
    """Embeddings of one scene, which differs from others by more than its frames among them."""
    chance = np.random.default_rng(seed)
    scene = GENERAL.center + GENERAL.scale * chance.normal(0.0, 2.0, GENERAL.width)
    frame = GENERAL.scale * chance.normal(0.0, 0.3, (frames, GENERAL.width))
    return np.asarray(np.maximum(scene + frame, 0.0), np.float32)


def judged(rows: Rows, level: float = 0.5, label: str = "side kick", **more: Any) -> dict[str, Any]:
    scales = (rows.max(axis=1) / 255).astype("<f4")
    codes = np.rint(rows / scales[:, None]).clip(0, 255).astype(np.uint8)
    example = {
        "codes": base64.b64encode(codes.tobytes()).decode(),
        "scales": base64.b64encode(scales.tobytes()).decode(),
        "rate": RATE, "shows": False, "occasion": "an evening", "at": "", "source": "feedback",
    }  # fmt: skip
    return {"did": "add", "at": "now", "examples": [example], "label": label, "level": level} | more


def learnt(*changes: dict[str, Any], file: str | None = None, space: str = SPACE) -> dict[str, Any]:
    return learn(
        {"name": "side_kick", "embedding": space, "rate": RATE, "file": file,
         "moving_s_a_day": 7200.0, "changes": list(changes)}
    )  # fmt: skip


def fields_in(answer: dict[str, Any]) -> dict[str, Any]:
    return dict(json.loads(base64.b64decode(answer["file"])))


def seen(at_work: Corrections, rows: Rows, probability: float = 0.9) -> list[float]:
    """Return what becomes of a probability, frame by frame, from a full window on."""
    at_work.clear()
    told = [at_work.lower(np.array([probability, 0.8], np.float32), row)[0] for row in rows]
    return [float(one) for one in told[14:]]


def at_work(answer: dict[str, Any]) -> Corrections:
    return Corrections([correction_of(fields_in(answer))], ("side kick", "other"), rate=RATE)


def test_what_was_judged_stays_below_the_level_and_another_scene_is_as_it_was() -> None:
    lowered = at_work(learnt(judged(place(1), 0.55)))
    assert max(seen(lowered, place(1))) < 0.55
    assert min(seen(lowered, place(2))) > 0.89
    told = lowered.lower(np.array([0.9, 0.8], np.float32), place(1)[0])
    assert told[1] == pytest.approx(0.8), "another label"


def test_all_windows_of_a_label_are_lowered() -> None:
    made = correction_of(fields_in(learnt(judged(place(1)))))
    lowered = Corrections([made], ("side kick", "side kick@3s", "other"), rate=RATE)
    for row in place(1):
        told = lowered.lower(np.full(3, 0.9, np.float32), row)
    assert max(told[:2]) < 0.5
    assert told[2] == pytest.approx(0.9)


def test_a_judgement_is_bounded_and_never_raises_anything() -> None:
    for probability in np.linspace(0.001, 0.999, 97):
        for share in (0.0, 0.3, 1.0):
            assert pulled(probability, 0.5, share) <= probability + 1e-9
    certain = 1 / (1 + np.exp(-12.0))
    assert np.log(pulled(certain, 0.5, 1.0) / (1 - pulled(certain, 0.5, 1.0))) == pytest.approx(
        12.0 - DEPTH
    )
    assert pulled(0.2, 0.5, 1.0) == 0.2, "below already"


@pytest.mark.parametrize("above", [0.3, 0.5, 0.7, 0.9])
def test_an_alert_that_goes_on_ends_where_it_is_judged(above: float) -> None:
    """An activity is over below two thirds of the score at which it begins."""
    assert pulled(0.97, above, 1.0) < above * 2 / 3
    assert above * 2 / 3 < pulled(0.97, above, NEAR) < above, "elsewhere it is lowered no further"


def test_what_was_seen_too_clearly_is_told_with_a_remedy() -> None:
    assert DEEPEST + MARGIN == DEPTH, "what is not told can be lowered"
    assert too_clear("fall", 0.99, 0.5) is None
    problem = too_clear("fall", 0.99999, 0.5)
    assert problem
    assert problem.code == "correction_bound"
    clear = [problem.code, problem.message, problem.remedy]
    assert learnt(judged(place(1), clear=clear))["problem"] == clear


def test_an_alert_is_as_clear_as_its_labels_became_after_it() -> None:
    began = datetime(2026, 3, 2, tzinfo=UTC)
    condition = ActivityCondition(activity=Activity("fall", ("fall",)), above=0.5)
    rule = Rule(name="Fall", when=condition)
    alert = Alert("a", began, "Fall", "fall", Severity.WARNING, "", 0.5, since=began)
    clarity = Clarity()
    clarity.follow(alert, rule)
    for seconds, seen in ((0.2, 0.7), (1.0, 0.9999), (2.0, 0.4), (AFTER_S + 0.1, 0.99999)):
        at = began + timedelta(seconds=seconds)
        clarity.look(Scores(seconds, at, {"fall": seen, "person": 1.0}))
    assert clarity.of(alert) == {"fall": 0.9999}
    assert clarity.of(replace(alert, id="older")) == {}
    repeated = replace(alert, id="b", at=began + timedelta(seconds=10))
    clarity.follow(repeated, rule)
    assert clarity.of(repeated) == {"fall": 0.9999}, "it goes on"
    clarity.follow(replace(repeated, id="c", since=repeated.at), rule)
    assert set(clarity.of(replace(repeated, id="c")).values()) == {0.0}


@pytest.mark.parametrize("label", ["fighting", "fall"])
def test_the_same_scene_again_is_silent_though_the_frames_are_others(
    box_model: Path, rendered: Path, label: str
) -> None:
    """The fight was seen at 0.9995, the fall at 0.8; frames fall between those judged."""
    clip = rendered / {"fighting": "porch-night-fight.mp4", "fall": "room-night-fall.mp4"}[label]
    with Recognizer(box_model) as recognizer:
        assert again(recognizer, GENERAL, clip, label, 0.5) == (False, False)


def test_the_ninth_alert_is_refused_and_the_eight_stay() -> None:
    answer = learnt(*(judged(place(seed)) for seed in range(8)))
    assert answer["problem"] is None
    after = learnt(judged(place(9)), file=answer["file"])
    assert after["problem"][0] == "correction_bound"
    assert after["file"] == answer["file"]
    kept = kept_of(base64.b64decode(answer["file"]), "side_kick")
    assert kept.head
    (packet,) = encode_heads([kept.head])
    order = decode_request(packet)
    assert isinstance(order, TaughtHeads)
    assert len(correction_of(order.heads[0]).moments) == 8 * correction.MOMENTS


def test_undo_takes_one_judgement_back_and_the_last_one_leaves_no_file() -> None:
    one = learnt(judged(place(1)))
    two = learnt(judged(place(2)), file=one["file"])
    assert max(seen(at_work(two), place(2))) < 0.5
    back = learnt({"did": "undo"}, file=two["file"])
    assert min(seen(at_work(back), place(2))) > 0.89
    assert max(seen(at_work(back), place(1))) < 0.5
    assert learnt({"did": "undo"}, file=back["file"]) == {"file": None, "problem": None}


def test_a_model_without_general_negatives_says_so() -> None:
    answer = learnt(judged(place(1)), space="another-space")
    assert answer["file"] is None
    assert answer["problem"][0] == "correction_impossible"
    assert "above" in answer["problem"][2]


def test_a_correction_is_kept_as_a_lesson_but_is_no_label(tmp_path: Path) -> None:
    data = base64.b64decode(learnt(judged(place(1)))["file"])
    kept = kept_of(data, "side_kick")
    assert kept.corrects
    assert (kept.status.version, kept.status.shown) == (1, 1)
    assert kept.status.says.startswith("1 alert judged as not suspicious")
    (tmp_path / FOLDER).mkdir()
    LessonStore(tmp_path).write("side_kick", data)
    assert taught_in(tmp_path) == {}


@pytest.mark.parametrize(
    "wrong",
    [{"level": 2.0}, {"level": "x"}, {"scale": "AAAA"}, {"moments": ""}, {"center": 5},
     {"label": None, "moments": "AACAfw=="}],
)  # fmt: skip
def test_a_broken_correction_is_refused(wrong: dict[str, Any]) -> None:
    fields = fields_in(learnt(judged(place(1))))
    fields[CORRECTION] = fields[CORRECTION] | wrong
    with pytest.raises(ModelError):
        correction_of(fields)


def test_a_correction_of_another_width_is_left_out() -> None:
    made = correction_of(fields_in(learnt(judged(place(1)))))
    narrow = replace(
        made, center=made.center[:9], scale=made.scale[:9], moments=made.moments[:, :9]
    )
    left = Corrections([narrow], ("side kick", "other"), rate=RATE)
    assert min(seen(left, place(1))) > 0.89


def test_labels_and_levels_are_those_of_the_rule() -> None:
    group = ActivityCondition(activity=Activity("party", ("side kick", "fall")), above=0.6)
    single = ActivityCondition(activity=Activity("fall", ("fall",)), above=0.5)
    rule = type("R", (), {"when": group})()
    assert levels_of(rule) == {"side kick": pytest.approx(0.3), "fall": pytest.approx(0.3)}
    rule.when = single
    assert levels_of(rule) == {"fall": 0.5}
    assert correctable({"side kick": 0.3, "dance": 0.5}, {"side kick"}, {"dance"}) == {
        "side_kick": ("side kick", 0.3)
    }
    assert correction.KEY == corrections.KEY == CORRECTION
