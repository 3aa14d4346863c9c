"""Rendered scenes: the same seed gives the same pixels, labels say what happens, seeds are kept."""

from __future__ import annotations

import csv
from pathlib import Path

import av
import numpy as np
import pytest

from edgehome.models.frames import FILE, bundled_frames, read_frames
from models.build.scenes import KINDS, LABELS, RESERVED, ReservedSeedError, render, scene
from models.build.scenes.body import JOINT, joints, pose
from models.build.scenes.clips import (
    BOXED,
    COLUMNS,
    RATE,
    SECONDS,
    SIZE,
    frames,
    row,
    write_frames,
)  # fmt: skip
from models.build.scenes.sheet import write_png
from models.build.scenes.track import Track

CLIPS = Path(__file__).resolve().parents[1] / "models" / "clips"
SEED = RESERVED.start + 5000


def test_the_same_seed_gives_the_same_clip_and_another_seed_another() -> None:
    clip, labels = render("fall", SEED, frames=6)
    again, same = render("fall", SEED, frames=6)
    other, _ = render("fall", SEED + 1, frames=6)
    assert clip.dtype == np.uint8
    assert clip.shape == (6, 172, 172, 3)
    np.testing.assert_array_equal(clip, again)
    assert (clip != other).mean() > 0.5
    for name in LABELS:
        np.testing.assert_array_equal(labels[name], same[name])


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_is_rendered_and_only_its_label_is_set(kind: str) -> None:
    clip, labels = render(kind, SEED, frames=50, rate=10, size=64)
    assert clip.std() > 5, "a picture of nothing"
    assert labels["fall"].any() == (kind == "fall")
    assert labels["fighting"].any() == (kind == "fight")
    assert labels["person"].any() == (kind not in {"empty", "car", "pet"})
    assert not (labels["fall"] | labels["fighting"])[~labels["person"]].any()


@pytest.mark.parametrize("place", ["room", "porch"])
@pytest.mark.parametrize("light", ["day", "night", "infrared"])
def test_a_place_and_a_light_can_be_asked_for(place: str, light: str) -> None:
    clip, _ = render("walk", SEED, frames=20, size=64, place=place, light=light)
    colourless = np.ptp(clip[:, 12:].astype(int), axis=3).max() <= 1  # below the burnt-in clock
    assert colourless or light != "infrared"
    assert clip.mean() > 12, f"{light} is black"


def test_somebody_who_stands_has_feet_on_the_floor_and_who_lies_is_low() -> None:
    standing, lying = joints(np.stack([pose(), pose(pitch=-1.5, slack=1.0)]), 1.7)
    assert 1.55 < standing[JOINT["crown"], 1] < 1.75
    assert 0 < standing[JOINT["left_toe"], 1] < 0.08
    assert lying[:, 1].max() < 0.45
    assert (lying[:, 1] > 0).all()


def test_a_walk_arrives_and_a_fall_gets_faster_until_it_ends() -> None:
    track = Track(x=0.0, z=0.0).walk(2.0, 1.0)
    last = track.at(np.array([track.now + 1], dtype=np.float32))[0]
    assert last[:2] == pytest.approx([2.0, 1.0])
    drop = Track(pitch=0.0).to(1.0, "drop", pitch=1.5)
    tilt = drop.at(np.linspace(0, 1, 11, dtype=np.float32))[:, 6]
    assert (np.diff(tilt, n=2) > 0).all()


def test_training_is_refused_the_seeds_of_the_clips_in_the_box() -> None:
    for seed in (RESERVED.start, RESERVED.stop - 1, *(RESERVED.start + b.seed for b in BOXED)):
        with pytest.raises(ReservedSeedError, match="kept for the clips"):
            scene(seed, frames=1)


def test_training_draws_every_label() -> None:
    kinds = [scene(seed, frames=2, size=32)[0] for seed in range(60)]
    assert {"fall", "fight", "walk"} <= set(kinds)


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "flood"}, {"frames": 0}, {"rate": 0.0}, {"size": 30}, {"size": 173},
        {"place": "moon"}, {"light": "dusk"},
    ],
)  # fmt: skip
def test_what_cannot_be_rendered_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"no scenes|cannot render|no place|no light"):
        render(**({"kind": "walk", "seed": 1, "frames": 1} | wrong))  # type: ignore[arg-type]


def test_the_clips_in_the_box_are_small_and_say_that_they_are_rendered() -> None:
    assert sum(path.stat().st_size for path in CLIPS.glob("*.mp4")) < 2_000_000
    assert FILE.stat().st_size < 700_000
    assert "rendered" in (CLIPS / "README.md").read_text(encoding="utf-8")


def test_the_table_of_clips_agrees_with_the_files_and_the_labels() -> None:
    with (CLIPS / "clips.csv").open(encoding="utf-8", newline="") as file:
        table = {line["path"]: line for line in csv.DictReader(file)}
    assert set(table) == {path.name for path in CLIPS.glob("*.mp4")} == {b.name for b in BOXED}
    assert all(set(line) == set(COLUMNS) for line in table.values())
    expected = {"empty": "normal", "walk": "normal", "fall": "fall", "fight": "fighting"}
    for boxed in BOXED:
        assert table[boxed.name]["labels"] == expected[boxed.kind]
        with av.open(str(CLIPS / boxed.name)) as file:
            pictures = [picture.to_ndarray(format="rgb24") for picture in file.decode(video=0)]
            assert file.streams.video[0].average_rate == RATE
        assert len(pictures) == RATE * SECONDS
        assert pictures[0].shape == (SIZE, SIZE, 3)


def test_a_clip_in_the_box_is_what_its_seed_renders() -> None:
    boxed = next(b for b in BOXED if (b.place, b.light, b.kind) == ("room", "day", "fall"))
    clip, labels = render(
        boxed.kind, RESERVED.start + boxed.seed, frames=RATE * SECONDS, rate=RATE, size=SIZE,
        place=boxed.place, light=boxed.light,
    )  # fmt: skip
    with (CLIPS / "clips.csv").open(encoding="utf-8", newline="") as file:
        assert row(boxed, labels) in list(csv.DictReader(file))
    with av.open(str(CLIPS / boxed.name)) as file:
        pictures = [picture.to_ndarray(format="rgb24") for picture in file.decode(video=0)]
    assert np.abs(np.stack(pictures).astype(int) - clip).mean() < 8  # what compression took away


def test_frames_survive_writing_and_reading(tmp_path: Path) -> None:
    pictures = np.random.default_rng(3).integers(0, 256, (2, 5, 8, 8, 3), dtype=np.uint8)
    write_frames(tmp_path / "frames.npz", pictures)
    np.testing.assert_array_equal(read_frames(tmp_path / "frames.npz"), pictures)


def test_the_frames_for_the_self_test_are_those_of_their_seeds_and_something_moves() -> None:
    stored = bundled_frames()
    assert stored.dtype == np.uint8
    assert stored.shape == (6, 12, 172, 172, 3)
    assert np.abs(stored.astype(int) - frames()).mean() < 1
    assert (np.abs(np.diff(stored.astype(int), axis=1)).mean(axis=(1, 2, 3, 4)) > 0.1).all()


def test_a_sheet_is_a_png(tmp_path: Path) -> None:
    picture = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    write_png(tmp_path / "sheet.png", picture)
    with av.open(str(tmp_path / "sheet.png")) as file:
        read = next(file.decode(video=0)).to_ndarray(format="rgb24")
    np.testing.assert_array_equal(read, picture)
