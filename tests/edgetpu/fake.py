"""Builds the library of an Edge TPU that is none, as it is and with each fault."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SOURCE, RUN = HERE / "fake_edgetpu.c", HERE / "run_fake.py"


def library(
    folder: Path, *faults: str, name: str = "libedgetpu.so.1", compiler: str = "cc"
) -> Path:
    """Return the library with these faults, put in the place of an earlier one as a whole.

    Skips the test where there is no C compiler.
    """
    if not shutil.which(compiler):
        pytest.skip(f"no {compiler} to build a delegate with")
    made, new = folder / name, folder / f"{name}.new"
    flags = ["-O1", "-shared", "-fPIC", "-fvisibility=hidden", "-w"]
    defined = [f"-D{fault}" for fault in faults]
    subprocess.run([compiler, *flags, *defined, "-o", new, SOURCE], check=True)
    new.replace(made)
    return made
