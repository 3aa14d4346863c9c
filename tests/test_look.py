"""`edgehome look`: what an installer without a screen sees."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import av
import numpy as np
from made_clips import bars, write_clip
from numpy.typing import NDArray

from edgehome.config.types import Config, MotionConfig
from edgehome.look import FRAME, drawn, sharpness

ROOT = Path(__file__).resolve().parents[1]


def look(folder: Path, camera: str) -> subprocess.CompletedProcess[str]:
    config = folder / "config.yaml"
    config.write_text(f"camera:\n{camera}\nrules: [{{name: Fall, when: fall}}]\n")
    return subprocess.run(
        [sys.executable, "-m", "edgehome", "look", folder / "view.jpg", "-c", config],
        capture_output=True, text=True, check=False, timeout=60, cwd=ROOT,
    )  # fmt: skip


def read(path: Path) -> NDArray[np.uint8]:
    with av.open(str(path)) as file:
        return next(file.decode(video=0)).to_ndarray(format="rgb24")


def test_a_picture_shows_the_square_and_what_is_never_seen(tmp_path: Path) -> None:
    picture = bars(320, 180, [(200, 30, 30), (30, 160, 30), (30, 30, 200)])
    clip = write_clip(tmp_path / "clip.mp4", [picture] * 20)
    polygon = "[[0, 0], [0.2, 0], [0.2, 1], [0, 1]]"
    done = look(tmp_path, f"  source: {clip}\n  rotation: 180\n  privacy: [{polygon}]")
    assert done.returncode == 0, done.stderr
    assert "320x180, focus" in done.stdout
    file = tmp_path / "view.jpg"
    assert file.stat().st_mode & 0o777 == 0o600
    seen = read(file).astype(int)
    assert seen.shape == (180, 320, 3)
    assert seen[90, 20].max() < 20  # hidden
    for x, colour in ((85, (30, 30, 200)), (160, (30, 160, 30)), (300, (200, 30, 30))):
        assert np.abs(seen[90, x] - colour).max() < 40, x
    assert seen[90, 70, :2].min() > 150  # yellow, one pixel wide in a JPEG


def test_a_camera_that_is_not_there_is_told(tmp_path: Path) -> None:
    done = look(tmp_path, "  source: /dev/video99")
    assert done.returncode == 69
    assert "gives no video" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_motion_ignores_is_darker_in_the_square_and_the_frame_is_drawn() -> None:
    image = np.full((90, 160, 3), 200, np.uint8)
    top_left = ((0.0, 0.0), (0.5, 0.0), (0.5, 0.5), (0.0, 0.5))
    made = drawn(image, Config(motion=MotionConfig(ignore=(top_left,))))
    assert made[20, 50].tolist() == [100] * 3
    assert made[70, 100].tolist() == [200] * 3
    assert made[20, 10].tolist() == [200] * 3  # beside the square
    assert made[45, 35].tolist() == list(FRAME)
    assert image.min() == 200


def test_a_sharp_picture_has_a_higher_number_than_a_soft_one() -> None:
    sharp = np.random.default_rng(1).integers(0, 256, (90, 160, 3)).astype(np.uint8)
    soft = ((sharp[:, 1:].astype(int) + sharp[:, :-1]) // 2).astype(np.uint8)
    assert sharpness(sharp) > 1.3 * sharpness(soft)
