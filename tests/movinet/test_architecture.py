from __future__ import annotations

import pytest

from edgehome.movinet.architecture import ARCHITECTURES, Architecture

SIZES = {"a0": 172, "a1": 172, "a2": 224, "a3": 256, "a4": 290, "a5": 320}
KERNEL_NUMBERS = {
    "a0": 3_723_224,
    "a1": 6_402_088,
    "a2": 7_275_656,
    "a3": 10_913_400,
    "a4": 18_018_448,
    "a5": 31_316_808,
}
"""Counted in the networks that tf-models-official 2.16.0 builds (2plus1d, 2plus3d, 600 labels)."""


def kernel_numbers(architecture: Architecture) -> int:
    """Count the numbers in all kernels, with squeeze-excite and 600 labels."""

    def rounded(width: float) -> int:
        """Google's rule for the width of a gate: a multiple of 8, at most a tenth too small."""
        nearest = max(8, int(width + 4) // 8 * 8)
        return nearest + 8 if nearest < 0.9 * width else nearest

    total, given = architecture.stem * 27, 0
    for _, layer, given, out in architecture.places():
        inner, reduced = layer.expand, rounded(layer.expand / 2)
        total += given * inner + layer.space**2 * inner + inner * out
        total += layer.time * inner if layer.time > 1 else 0
        total += 3 * inner * reduced
        total += given * out if layer.stride > 1 or given != out else 0
    given = architecture.blocks[-1].channels
    total += given * architecture.embedding + architecture.embedding * architecture.hidden
    return total + architecture.hidden * 600


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=lambda known: known.name)
def test_each_layer_takes_what_the_one_before_it_gives(architecture: Architecture) -> None:
    given = architecture.stem
    for _, layer, channels, out in architecture.places():
        assert channels == given
        assert layer.space in {3, 5}
        assert layer.time in {1, 3, 5}
        given = out
    assert architecture.size == SIZES[architecture.name]
    assert [block.layers[0].stride for block in architecture.blocks] == [2, 2, 2, 1, 2]
    assert all(layer.stride == 1 for block in architecture.blocks for layer in block.layers[1:])


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=lambda known: known.name)
def test_the_tables_have_as_many_numbers_as_googles_networks(architecture: Architecture) -> None:
    assert kernel_numbers(architecture) == KERNEL_NUMBERS[architecture.name]
