"""What a worker is told for a configuration, and what its rules ask of the model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from edgehome.config.conditions import ActivityCondition, walk
from edgehome.config.types import Config
from edgehome.messages import Ready
from edgehome.orders import Settings
from edgehome.types import Problem


def watched(config: Config) -> Iterator[ActivityCondition]:
    """Yield every condition of the rules on what the model says."""
    for rule in config.rules:
        for condition in walk(rule.when):
            if isinstance(condition, ActivityCondition):
                yield condition


def shorter_windows(config: Config) -> tuple[float, ...]:
    """Return the windows, in seconds, that rules ask for beside the recogniser's own."""
    return tuple(sorted({item.look_back_s for item in watched(config) if item.look_back_s}))


def worker_settings(config: Config, model: Path) -> Settings:
    """Return what a worker is told for this configuration, with this model."""
    recognizer = config.recognizer
    return Settings(
        source=config.camera.source,
        model=str(model),
        threads=config.runtime.threads or 0,
        delegate=config.runtime.delegate,
        library=config.runtime.library,
        rate=config.runtime.rate or 0.0,
        window_s=recognizer.window_s,
        shorter_s=shorter_windows(config),
        ensemble=recognizer.ensemble,
        gate=config.motion.gate,
        motion=config.motion.threshold,
        ignore=config.motion.ignore,
        privacy=config.camera.privacy,
        rotation=config.camera.rotation,
        region=config.camera.region,
        snapshot=config.snapshots.size if config.snapshots.enabled else 0,
    )


def unknown_labels(config: Config, ready: Ready, taught: Iterable[str]) -> Problem | None:
    """Return what is wrong where the model does not know all labels in the rules.

    An activity that is being taught comes to be known; what keeps it from that is told otherwise.
    """
    missing = ", ".join(sorted(wanted_labels(config) - {*ready.labels, *taught}))
    if not missing:
        return None
    return Problem(
        "unknown_label",
        f"The model does not know {missing}: rules on that are blind.",
        "Run: sudo edgehome check",
    )


def wanted_labels(config: Config) -> set[str]:
    """Return the labels that the rules ask for."""
    return {label for condition in watched(config) for label in condition.activity.labels}
