"""`edgehome evaluate --novelty`: what is seen, what is judged, and what is told of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgehome.__main__ import main
from edgehome.clips import LabelledClip
from edgehome.drawnclips import Plan
from edgehome.noveltycurves import _point

PLAN = Plan((), 6, "fall", "source")


def made(seed: int = 0) -> tuple[list[LabelledClip], list[np.ndarray]]:
    """Return two homes' clips and their windows: eight normal ones and four falls each."""
    chance = np.random.default_rng(seed)
    clips, windows = [], []
    for home in ("a", "b"):
        ways = chance.standard_normal((3, 48)).astype(np.float32)
        for number in range(12):
            label = "fall" if number >= 8 else "normal"
            rows = chance.standard_normal((30, 3)).astype(np.float32) @ ways
            rows += chance.standard_normal((30, 48)).astype(np.float32) * np.float32(0.1)
            if label == "fall":
                rows[10:25] += chance.standard_normal(48).astype(np.float32)
            name = Path(f"{home}{number}.mp4")
            clips.append(
                LabelledClip(name, frozenset({label}), f"{home}{number % 3}", "", (), home)
            )
            windows.append(rows)
    return clips, windows


def point(clips: list[LabelledClip], windows: list[np.ndarray], share: float) -> dict[str, Any]:
    kinds = [np.array([name in clip.labels for clip in clips]) for name in ("fall", "normal")]
    return _point(clips, windows, (kinds[0], kinds[1]), share=share, plan=PLAN, rate=5.0)


def test_more_of_normal_tells_a_fall_better_and_no_seen_clip_is_judged() -> None:
    clips, windows = made()
    few, half = (point(clips, windows, share) for share in (0.125, 0.5))
    assert half["auc"] > 0.95
    assert half["auc"] >= few["auc"]
    assert half["examples"] == pytest.approx(4 * 30 / 5 / 60)
    assert half["places"] == 2


def test_falls_like_daily_life_are_not_told_from_it() -> None:
    clips, windows = made(1)
    chance = np.random.default_rng(1)
    alike = [windows[0][chance.permutation(30)] for _ in windows]
    one = point(clips, alike, 0.5)
    assert one["auc"] < 0.75


def test_a_place_with_hardly_any_normal_is_left_out() -> None:
    clips, windows = made()
    assert not point(clips[6:12], windows[6:12], 0.5)


def test_curves_of_the_real_model_are_told_and_drawn(
    rendered: Path, box_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = ["path,labels,group,source"]
    for light in ("day", "night", "infrared"):
        for kind, label in (("fall", "fall"), ("walk", "normal"), ("empty", "normal")):
            rows.append(f"{rendered / f'room-{light}-{kind}.mp4'},{label},{light},home")
    listed, picture = tmp_path / "list.csv", tmp_path / "curves.svg"
    listed.write_text("\n".join(rows) + "\n", encoding="utf-8")
    wish = ["evaluate", str(listed), "--model", str(box_model), "--novelty", "--draws", "4"]
    assert main([*wish, "--label", "fall", "--picture", str(picture), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["labels"]["fall"]["seen"]
    assert [one["share"] for one in found] == [0.125, 0.25, 0.5]
    assert all(0 <= one["auc"] <= 1 for one in found)
    assert "AUC by minutes of normal seen" in picture.read_text(encoding="utf-8")
    assert main([*wish, "--label", "juggling"]) == 65
    assert "the list's labels are: fall, normal" in capsys.readouterr().err
