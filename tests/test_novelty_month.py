"""The budget of what is unusual over a month of replayed normal, in homes of several kinds."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edgehome.clips import LabelledClip, read_clips
from edgehome.footage import watch_clip
from edgehome.novelty.normal import Key, Normal
from edgehome.novelty.replayed import Habits, Home, live, made_up
from edgehome.recognizer.recognizer import Recognizer

LEARNING, DAYS = 6, 30
DAILY, WEEKLY = 1.0, 7.0
LONG = bool(os.environ.get("EDGEHOME_TEST_LONG"))
CLIPS = 25


def ratios(homes: Sequence[Home], width: int) -> dict[float, np.ndarray]:
    """Return each home's alerts over those asked for, by what was asked for."""
    found: dict[float, list[float]] = {DAILY: [], WEEKLY: []}
    for home in homes:
        normal = Normal(Key("", ""), width)
        live(normal, home, 0, LEARNING)
        assert normal.learnt == 1
        month = live(normal, home, LEARNING, DAYS, limits=(DAILY, WEEKLY))
        for limit, episodes in month.alerts.items():
            found[limit].append(len(episodes) * limit / DAYS)
    return {limit: np.array(one) for limit, one in found.items()}


def kept(ratio: np.ndarray) -> float:
    """Return the share of homes within a factor of two."""
    return float(np.mean((ratio >= 0.5) & (ratio <= 2)))


def normal_of(model: Path, clips: Sequence[LabelledClip]) -> list[np.ndarray]:
    with Recognizer(model) as recognizer:
        seen = [watch_clip(recognizer, c.path).embeddings for c in clips if "normal" in c.labels]
    return [rows for rows in seen if len(rows) >= 12]


def test_the_budget_is_kept_within_a_factor_of_two_in_made_up_homes() -> None:
    homes = [
        Home(made_up(100 + seed, 16, 96), np.random.default_rng(seed), Habits(comings=15))
        for seed in range(24 if LONG else 6)
    ]
    found = ratios(homes, 96)
    assert all(0.5 <= one.mean() <= 2 for one in found.values()), found
    assert kept(found[DAILY]) == 1, found
    assert kept(found[WEEKLY]) >= 0.8, found


def test_the_budget_is_kept_within_a_factor_of_two_in_homes_of_rendered_clips(
    rendered: Path, box_model: Path
) -> None:
    pool = normal_of(box_model, read_clips(rendered / "clips.csv"))
    homes = [Home(pool, np.random.default_rng(seed)) for seed in range(12 if LONG else 3)]
    found = ratios(homes, pool[0].shape[1])
    assert all(0.5 <= one.mean() <= 2 for one in found.values()), found
    assert kept(found[DAILY]) == 1, found


def test_the_budget_is_kept_within_a_factor_of_two_in_homes_of_filmed_clips(
    shared: Path, box_model: Path
) -> None:
    clips = [c for c in read_clips(shared / "clips" / "clips.csv") if "normal" in c.labels]
    some = np.random.default_rng(0).permutation(len(clips))[: len(clips) if LONG else 60]
    pool = normal_of(box_model, [clips[i] for i in some.tolist()])
    homes = []
    for seed in range(12 if LONG else 3):
        chance = np.random.default_rng(seed)
        mine = [pool[i] for i in chance.permutation(len(pool))[:CLIPS].tolist()]
        homes.append(Home(mine, chance))
    found = ratios(homes, pool[0].shape[1])
    assert all(0.5 <= one.mean() <= 2 for one in found.values()), found
    assert kept(found[DAILY]) == 1, found
    assert kept(found[WEEKLY]) >= 0.6, found
