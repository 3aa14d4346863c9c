"""What Home Assistant asks of the node: messages on `<base>/.../set`.

Whoever may write to the broker gets here: what is not obeyed is counted, and told in the log once a
minute.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable

from edgehome.mqtt import Received

logger = logging.getLogger(__name__)

LEVELS = ("+", "rule/+/mute", "rule/+/threshold")
"""What stands between base and `/set` in a command's topic."""
COMMAND_BYTES = 4096
RATE = 10
"""Commands a second; more are dropped."""
REPORT_S = 60.0


class Commands:
    """Lets through what may be a command, and counts what may not."""

    def __init__(
        self,
        base: str,
        on_command: Callable[[str, bytes], str | None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Assign; `on_command(key, payload)` is called for `<base>/<key>/set`.

        It returns why the command is not obeyed, or None. `clock` gives monotonic seconds.
        """
        self._base = base
        self._on_command = on_command
        self._clock = clock
        self._taken_s: deque[float] = deque(maxlen=RATE)
        self._report_s = 0.0
        self._unsaid = 0
        self.ignored = 0
        """Commands that were not obeyed."""

    @property
    def filters(self) -> list[str]:
        """The topics to subscribe to."""
        return [f"{self._base}/{levels}/set" for levels in LEVELS]

    def take(self, event: Received) -> None:
        """Take a message on any topic of the node."""
        if not (event.topic.startswith(f"{self._base}/") and event.topic.endswith("/set")):
            return
        if event.retained:
            self._refuse(event.topic, "it is retained, and would come again for ever")
        elif len(event.payload) > COMMAND_BYTES:
            self._refuse(event.topic, f"it has more than {COMMAND_BYTES} bytes")
        elif not self._has_room():
            self._refuse(event.topic, f"there are more than {RATE} a second")
        else:
            self._pass_on(event)

    def _pass_on(self, event: Received) -> None:
        key = event.topic.removeprefix(f"{self._base}/").removesuffix("/set")
        try:
            why = self._on_command(key, event.payload)
        except Exception:  # whatever is wrong with a command, alerts go on
            logger.exception("the command %r failed", key[:100])
            why = "it failed"
        if why:
            self._refuse(event.topic, why)

    def _has_room(self) -> bool:
        """Return whether there were less than ten in the second before, and count this one."""
        now_s = self._clock()
        if len(self._taken_s) == RATE and now_s < self._taken_s[0] + 1:
            return False
        self._taken_s.append(now_s)
        return True

    def _refuse(self, topic: str, why: str) -> None:
        self.ignored += 1
        now_s = self._clock()
        if now_s < self._report_s:
            self._unsaid += 1
            return
        more = f"; {self._unsaid} more since the last word of this" if self._unsaid else ""
        logger.warning("a command on %r is ignored: %s%s", topic[:100], why, more)
        self._report_s, self._unsaid = now_s + REPORT_S, 0
