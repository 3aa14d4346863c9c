"""The packs that ship with edgehome: one YAML file each, beside this one."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import TYPE_CHECKING

from edgehome.config.packs import Pack, read_pack

if TYPE_CHECKING:
    from collections.abc import Mapping


@cache
def shipped_packs() -> Mapping[str, Pack]:
    """Return every pack by its name, in the order of the alphabet; read once."""
    found = sorted(
        (file.name.removesuffix(".yaml"), file.read_bytes())
        for file in files(__name__).iterdir()
        if file.name.endswith(".yaml")
    )
    return MappingProxyType({name: read_pack(name, data) for name, data in found})
