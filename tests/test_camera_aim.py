"""Rotation and region: what is told of the picture is where it is."""

from __future__ import annotations

import numpy as np
import pytest

from edgehome.camera.aim import Aim, cut, turned, unturned
from edgehome.types import WHOLE, View


@pytest.mark.parametrize(("rotation", "turns"), [(0, 0), (90, 3), (180, 2), (270, 1)])
def test_degrees_clockwise_are_quarter_turns_counterclockwise(rotation: int, turns: int) -> None:
    assert Aim(rotation).turns == turns


@pytest.mark.parametrize("turns", range(4))
def test_a_region_is_cut_before_the_turn_where_it_is_seen_after_it(turns: int) -> None:
    picture = np.arange(80 * 60).reshape(60, 80)
    upright = np.rot90(picture, turns)
    height, width = upright.shape
    region = (0.25, 0.5, 0.5, 0.25)
    left, top, across, down = cut((width, height), region, (1, 1))
    expected = upright[top : top + down, left : left + across]
    left, top, across, down = cut((80, 60), unturned(region, turns), (1, 1))
    assert np.array_equal(
        np.rot90(picture[top : top + down, left : left + across], turns), expected
    )


@pytest.mark.parametrize("turns", range(4))
def test_a_view_turns_with_its_image(turns: int) -> None:
    """The image is the part of a picture of 40 by 30 from (10, 5) on, 20 by 10 pixels large."""
    picture = np.arange(40 * 30).reshape(30, 40)
    image = np.rot90(picture[5:15, 10:30], turns)
    view = turned(View(-10, -5, 40, 30, 1), (20, 10), turns)
    whole = np.rot90(picture, turns)
    left, top = round(-view.left), round(-view.top)
    assert whole.shape == (view.height, view.width)
    assert np.array_equal(whole[top : top + image.shape[0], left : left + image.shape[1]], image)


def test_a_cut_lies_on_the_grid_and_within_the_picture() -> None:
    dice = np.random.default_rng(3)
    for _ in range(500):
        size = int(dice.integers(2, 400)), int(dice.integers(2, 400))
        x, y = dice.random(2)
        region = (x, y, (1 - x) * dice.random(), (1 - y) * dice.random())
        left, top, width, height = cut(size, region, (2, 2))
        assert not any(side % 2 for side in (left, top, width, height))
        assert width >= 2 <= height
        assert left + width <= size[0]
        assert top + height <= size[1]
        assert abs(left - x * size[0]) <= 3  # a grid of two, and an odd column left over


def test_the_whole_picture_is_cut_as_it_is() -> None:
    assert cut((306, 172), WHOLE, (2, 2)) == (0, 0, 306, 172)
