"""config.yaml on the disk, and the copy of the last one that was right.

A home must not be left unwatched by a typo: when the file is wrong at start, the last known-good
copy runs and the mistake is told to the home.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from edgehome.config.document import MAX_BYTES
from edgehome.config.findings import Finding
from edgehome.config.reader import LabelsOf, Reading, ThresholdsOf, examine, unreadable
from edgehome.config.types import Config
from edgehome.labels import labels_of, taught_in, thresholds_of
from edgehome.packs import shipped_packs
from edgehome.statefile import write_atomically
from edgehome.statefolder import state_of
from edgehome.types import EdgehomeError, Problem

GOOD_COPY = "config.good.yaml"

logger = logging.getLogger(__name__)


class ConfigInvalidError(EdgehomeError):
    """Raised when there is no configuration that can be used."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration to run, and what is wrong with the file if it is not the file's own."""

    config: Config
    problem: Problem | None = None
    data: bytes = b""
    """What was read."""


def check(path: Path, state: Path | None = None) -> tuple[Config | None, list[Finding]]:
    """Return the file's configuration, or None and all its mistakes.

    Here and below, `state` is the folder of the node whose taught activities are labels too; None:
    that of the node which is installed here.
    """
    reading, _ = _read(path, *_known(path, state))
    return reading.config, reading.errors


def examined(path: Path, state: Path | None = None) -> Reading:
    """Return the file's configuration or its mistakes, and where everything stands in it."""
    return _read(path, *_known(path, state))[0]


def required(
    path: Path,
    *,
    labels: LabelsOf | None = None,
    thresholds: ThresholdsOf | None = None,
    state: Path | None = None,
) -> Config:
    """Return the file's configuration. Raises ConfigInvalidError with all its mistakes.

    What is known can be said instead of read from the model's and the home's own files.
    """
    known_labels, known_thresholds = _known(path, state)
    reading, _ = _read(path, labels or known_labels, thresholds or known_thresholds)
    if not reading.config:
        listing = "\n".join(str(error) for error in reading.errors)
        raise ConfigInvalidError("config_invalid", listing)
    return reading.config


def take(
    path: Path, state: Path, doubt: Callable[[bytes], Problem | None] = lambda _data: None
) -> Loaded | Problem:
    """Return the file's configuration, and keep a copy of it; else what is wrong with it.

    `doubt` may say that a valid file is not to be taken all the same.
    """
    reading, data = _read(path, *_known(path, state))
    if reading.config:
        if problem := doubt(data):
            logger.error("%s", problem)
            return problem
        _keep(data, state / GOOD_COPY)
        return Loaded(reading.config, data=data)
    errors = reading.errors
    for error in errors:
        logger.error("%s", error)
    count = "1 mistake" if len(errors) == 1 else f"{len(errors)} mistakes"
    message = f"{count} in the configuration, the first: {errors[0]}".rstrip(".")
    message += "" if message.endswith("?") else "."
    return Problem("config_invalid", message, "sudo edgehome check lists all; correct and save it.")


def load(path: Path, state: Path) -> Loaded:
    """Return the file's configuration, else the last known-good one with a problem.

    A right file is copied to the state folder. Where there is no copy, a file whose only mistakes
    are labels that nobody knows runs with a problem: a lost state folder takes the home's taught
    activities, and must not take the other rules too. Raises ConfigInvalidError when there is
    nothing that can run.
    """
    taken = take(path, state)
    if isinstance(taken, Loaded):
        return taken
    copy = state / GOOD_COPY
    good = _last_good(path, copy)
    if not good and (blind := _without_labels(path)):
        logger.error("running %s all the same: its other rules work", path)
        return replace(blind, problem=taken)
    if not good:
        remedy = "Correct it: there is no earlier one."
        raise ConfigInvalidError(taken.code, taken.message, remedy)
    logger.error("running the last known-good configuration, %s", copy)
    return replace(good, problem=taken)


def _known(path: Path, state: Path | None) -> tuple[LabelsOf, ThresholdsOf]:
    """Return what gives the labels of a model and of the home, and their thresholds."""
    taught = taught_in(state or state_of(path))

    def labels(model: Path) -> Collection[str] | None:
        of_model = labels_of(model)
        return None if of_model is None or taught is None else (*of_model, *taught)

    def thresholds(model: Path) -> Mapping[str, float]:
        learnt = {name: value for name, value in (taught or {}).items() if value is not None}
        return thresholds_of(model) | learnt

    return labels, thresholds


def _read(path: Path, labels: LabelsOf, thresholds: ThresholdsOf) -> tuple[Reading, bytes]:
    """Return also the very bytes that were checked: the file may change the next moment."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        remedy = "; run it with sudo" if isinstance(error, PermissionError) else ""
        message = f"cannot be read: {error.strerror}{remedy}"
        return unreadable(Finding(str(path), 1, 1, "", message)), b""
    return _examine(data, str(path), path.resolve().parent, labels, thresholds), data


def _examine(
    data: bytes,
    file: str,
    folder: Path,
    labels: LabelsOf,
    thresholds: ThresholdsOf = thresholds_of,
) -> Reading:
    return examine(
        data,
        file=file,
        folder=folder,
        labels_of=labels,
        thresholds_of=thresholds,
        packs=shipped_packs(),
    )


def _keep(data: bytes, copy: Path) -> None:
    try:
        if not copy.exists() or copy.read_bytes() != data:
            write_atomically(copy, data)
    except OSError as error:
        logger.warning("no copy of the configuration is kept (%s)", error)


def _last_good(path: Path, copy: Path) -> Loaded | None:
    try:
        data = copy.read_bytes()
    except OSError:
        return None
    # The folder is the original's: relative paths in the copy mean what they meant there.
    # Labels need not fit any more: a model that changed since must not take the home's eyes. Where
    # they do, a pack is cut down to those of the model, as it was before.
    for labels in (_known(path, copy.parent)[0], lambda _model: None):
        config = _examine(data, str(copy), path.resolve().parent, labels).config
        if config:
            return Loaded(config, data=data)
    return None


def _without_labels(path: Path) -> Loaded | None:
    """Return the file as it is read where nobody knows any label."""
    reading, data = _read(path, lambda _model: None, thresholds_of)
    return Loaded(reading.config, data=data) if reading.config else None
