"""What can be wrong with teaching, and the remedies."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgehome.types import Problem

NOBODY = Problem(
    "lesson_unseen",
    "Nothing could be shown to the node: nobody watches just now.",
    "Try again once the camera is seen.",
)


UNNAMED = Problem(
    "lesson_unnamed",
    "No activity is named, so nothing was learnt of these seconds.",
    "Write its name into New activity; then do it again, and press.",
)
TWICE = Problem(
    "lesson_twice",
    "These seconds were taken already.",
    "Press once for each time it was done; wait some seconds between two.",
)
NO_ALERT = Problem(
    "lesson_unknown",
    "There is no such alert to judge.",
    "Press Not suspicious after an alert; of those before the last hundred nothing is known.",
)
FORGOTTEN = Problem(
    "lesson_unseen",
    "The node does not remember those seconds, or nothing moved in them.",
    "It keeps about an hour in which something moved, and nothing from before its last start: "
    "judge an alert, or name times, soon after.",
)


def nothing_seen(name: str, *, shows: bool, source: str) -> Problem:
    """Return what is told where the model rested; `source` is what the seconds are from."""
    if source != "button":
        return FORGOTTEN
    what = name if shows else f"what is normal beside {name}"
    return Problem(
        "lesson_unseen",
        f"Nothing moved in the seconds that were to show {what}: the model rested.",
        "Do it before the camera, and press within the seconds that are taken.",
    )


def not_taught(label: str) -> Problem:
    """Return what is told of feedback on a head of another home."""
    return Problem(
        "lesson_unknown",
        f"{label} was not taught at home, so nothing is learnt of this alert.",
        "Set the rule's threshold higher, or teach an activity of your own.",
    )


def resting(names: Sequence[str], embedding: str) -> Problem:
    """Return what is told of lessons that were taught to another model."""
    listed = ", ".join(names)
    return Problem(
        "lesson_rests",
        f"{listed} {'was' if len(names) == 1 else 'were'} taught to another model than the one at "
        f"work ({embedding}), and rest{'s' if len(names) == 1 else ''}.",
        "Teach anew, or go back to the model before.",
    )


def failed(name: str, why: str) -> Problem:
    """Return what is told when the child gives no answer."""
    return Problem(
        "lesson_failed",
        f"{name} could not be learnt anew ({why}); it is as it was.",
        "Show it again; if that does not help, `edgehome teach --list` says how it stands.",
    )


def unkept(name: str, error: OSError) -> Problem:
    """Return what is told when the disk refuses."""
    return Problem(
        "lesson_unkept",
        f"What {name} was taught cannot be written ({error.strerror or error}); it is as it was.",
        "Make room on the disk or check the owner of the state folder, and show it again.",
    )


def unknown(name: str) -> Problem:
    """Return what is told of a lesson that is not there."""
    return Problem(
        "lesson_unknown", f"Nobody has taught {name}.", "`edgehome teach --list` names what was."
    )


def too_many(name: str, most: int) -> Problem:
    """Return what is told of one lesson more than can be kept."""
    return Problem(
        "lessons_full",
        f"{name} is one activity too many: {most} can be taught.",
        "Remove one: `edgehome teach NAME --remove`.",
    )


def there_already(name: str) -> Problem:
    """Return what is told of an import that would replace what a home taught."""
    return Problem(
        "lesson_there",
        f"{name} was taught here already, and is left as it is.",
        f"Import it under another name, or first `edgehome teach {name} --remove`.",
    )


def broken(name: str, why: str, *, aside: bool = True) -> Problem:
    """Return what is told of a file that cannot be read."""
    where = f": it was set aside as {name}.broken" if aside else ""
    return Problem(
        "lesson_invalid",
        f"What {name} was taught cannot be read ({why}){where}.",
        f"Import the copy that was exported (`edgehome teach {name} --import FILE`), or teach it "
        "anew.",
    )


def unreadable(path: Path, why: str) -> Problem:
    """Return what is told of a file that may not be read."""
    return Problem("lesson_unreadable", f"{path} cannot be read: {why}.", "Check its owner.")


def name_of_rules(name: str) -> Problem:
    """Return what is told of a name that means something else in rules."""
    return Problem(
        "lesson_taken",
        f"{name} means something else in rules: it cannot be taught.",
        f"Take another name, such as my_{name}.",
    )


def taken_name(name: str) -> Problem:
    """Return what is told of a name that the model has already."""
    return Problem(
        "lesson_taken", f"The model itself knows {name}: it cannot be taught.", "Take another name."
    )
