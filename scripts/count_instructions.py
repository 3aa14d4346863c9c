"""Count the instructions of a model's frame on an emulated Raspberry Pi, beside another model's.

Usage: count_instructions.py --root FOLDER [--make] [--against FILE] [--cpu CPU] [--json] MODEL

qemu-user runs the real aarch64 wheels of ai-edge-litert and numpy under an arm64 Python, as the
processor of a Pi 4 or Pi 5, and a plugin (count_instructions.c) counts every instruction. A frame
is the difference between a run of many and a run of few `invoke()` calls, divided by the frames.
Two runs give the same number. It is a count, not a time: memory and caches are not in it.

FOLDER is an unpacked Debian 13 for arm64 with the wheels in opt/site; `--make` makes it, with
mmdebstrap and pip, in half a minute (200 MB). Needs the Debian packages qemu-user and gcc. QEMU's
`-L FOLDER` has the guest find its files there first, a /proc/cpuinfo of the right processor
among them, by which XNNPACK chooses its kernels.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

FEW, MANY = 5, 25
PYTHON = "3.13"
PLATFORMS = ("manylinux2014", "manylinux_2_17", "manylinux_2_27", "manylinux_2_28")
GUEST = """
import sys
from ai_edge_litert.interpreter import Interpreter
interpreter = Interpreter(model_path=sys.argv[1], num_threads=1)
interpreter.allocate_tensors()
for _ in range(int(sys.argv[2])):
    interpreter.invoke()
"""


@dataclass(frozen=True, slots=True)
class Processor:
    """A processor as qemu and /proc/cpuinfo call it."""

    qemu: str
    machine: str
    part: str
    variant: int
    features: str

    def cpuinfo(self) -> str:
        """Return /proc/cpuinfo with one such processor."""
        return (
            f"processor\t: 0\nBogoMIPS\t: 108.00\nFeatures\t: {self.features}\n"
            "CPU implementer\t: 0x41\nCPU architecture: 8\n"
            f"CPU variant\t: 0x{self.variant:x}\nCPU part\t: {self.part}\nCPU revision\t: 1\n\n"
        )


PROCESSORS = {
    "a76": Processor(
        "cortex-a76", "Raspberry Pi 5", "0xd0b", 4,
        "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc "
        "dcpop asimddp",
    ),
    "a72": Processor("cortex-a72", "Raspberry Pi 4", "0xd08", 0, "fp asimd evtstrm crc32 cpuid"),
}  # fmt: skip


class CountError(Exception):
    """Raised when nothing can be counted; the text says why."""


def make_root(root: Path) -> None:
    """Unpack Debian 13 for arm64 and the wheels. Raises CountError."""
    packages = "python3,libstdc++6,bash,coreutils"
    _run(["mmdebstrap", "--arch=arm64", "--variant=extract", f"--include={packages}", "trixie",
          str(root)])  # fmt: skip
    platforms = [f"--platform={platform}_aarch64" for platform in PLATFORMS]
    _run([sys.executable, "-m", "pip", "install", "--quiet", "--only-binary=:all:", *platforms,
          f"--python-version={PYTHON}", f"--target={root / 'opt/site'}", "ai-edge-litert",
          "numpy"])  # fmt: skip


def build_plugin(folder: Path) -> Path:
    """Compile the plugin; return its path. Raises CountError."""
    plugin = folder / "count.so"
    source = Path(__file__).with_suffix(".c")
    _run(["gcc", "-O2", "-Wall", "-shared", "-fPIC", "-o", str(plugin), str(source)])
    return plugin


def per_frame(model: Path, root: Path, plugin: Path, processor: Processor) -> int:
    """Return the instructions of one frame, without loading. Raises CountError."""
    (root / "proc").mkdir(exist_ok=True)
    (root / "proc" / "cpuinfo").write_text(processor.cpuinfo(), encoding="ascii")
    few, many = (_count(model, root, plugin, processor, frames) for frames in (FEW, MANY))
    return round((many - few) / (MANY - FEW))


def _count(model: Path, root: Path, plugin: Path, processor: Processor, frames: int) -> int:
    command = [
        "qemu-aarch64", "-L", str(root), "-cpu", processor.qemu, "-plugin", str(plugin),
        "-d", "plugin", str(root / f"usr/bin/python{PYTHON}"), "-c", GUEST,
        str(model.resolve()), str(frames),
    ]  # fmt: skip
    environment = {
        "PATH": os.environ.get("PATH", ""),
        "PYTHONPATH": "/opt/site",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
        "OPENBLAS_NUM_THREADS": "1",  # numpy's threads would spin, and the count is for one
    }
    said = _run(command, environment)
    counted = re.search(r"^instructions: (\d+)$", said, re.MULTILINE)
    if not counted or "XNNPACK delegate" not in said:
        raise CountError(f"the model did not run with XNNPACK, as it does on a Pi:\n{said}")
    return int(counted[1])


def _run(command: Sequence[str], environment: dict[str, str] | None = None) -> str:
    """Return what a command says on both outputs. Raises CountError when it fails."""
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise CountError(f"{command[0]} is not installed") from error
    if done.returncode:
        raise CountError(f"{command[0]} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return done.stdout + done.stderr


def main() -> int:
    """Count and print; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--root", type=Path, required=True, help="an arm64 root folder")
    parser.add_argument("--make", action="store_true", help="make the root folder first")
    parser.add_argument("--against", type=Path, help="the model to compare with")
    parser.add_argument("--cpu", choices=PROCESSORS, action="append", help="(all)")
    parser.add_argument("--json", action="store_true", help="one JSON object a processor")
    options = parser.parse_args()
    try:
        if options.make:
            make_root(options.root)
        with tempfile.TemporaryDirectory(prefix="edgehome-count-") as folder:
            plugin = build_plugin(Path(folder))
            for name in options.cpu or PROCESSORS:
                _say(name, plugin, options)
    except CountError as error:
        print(f"count_instructions: {error}", file=sys.stderr)
        return 69
    return 0


def _say(name: str, plugin: Path, options: argparse.Namespace) -> None:
    processor = PROCESSORS[name]
    ours = per_frame(options.model, options.root, plugin, processor)
    theirs = options.against and per_frame(options.against, options.root, plugin, processor)
    ratio = round(ours / theirs, 3) if theirs else None
    if options.json:
        print(json.dumps({"cpu": processor.qemu, "model": str(options.model), "frame": ours,
                          "against": theirs, "ratio": ratio}), flush=True)  # fmt: skip
        return
    beside = f"; {options.against.name}: {theirs / 1e6:.2f} M; ratio {ratio}" if theirs else ""
    print(
        f"{processor.qemu} ({processor.machine}): {ours / 1e6:.2f} M instructions a frame{beside}",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
