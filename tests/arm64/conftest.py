"""Two emulated systems, made once."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
from emulation import ROOT, Interpreter, System
from pair import Pair

sys.path.insert(0, str(ROOT / "scripts"))  # download_wheels, as `install.sh --download` runs it


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("arm64")
    try:
        interpreter = Interpreter().__enter__()
    except OSError as error:
        pytest.skip(str(error))
    try:
        made = Pair(
            System("bookworm", "3.11", folder / "bookworm"),
            System("trixie", "3.13", folder / "trixie"),
        )
        yield made
        made.close()
    finally:
        interpreter.__exit__()


@pytest.fixture(params=["bookworm", "trixie"])
def suite(request: pytest.FixtureRequest) -> str:
    return str(request.param)
