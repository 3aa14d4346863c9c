"""One place for the newest item, between the thread that makes them and the one that takes them."""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Newest(Generic[Item]):
    """Keeps only the newest item; one that nobody took in time is overwritten and counted."""

    def __init__(self) -> None:
        self.overwritten = 0
        self._ready = threading.Condition()
        self._item: Item | None = None
        self._error: Exception | None = None

    def put(self, item: Item) -> None:
        """Make `item` the newest."""
        with self._ready:
            self.overwritten += self._item is not None
            self._item = item
            self._ready.notify_all()

    def fail(self, error: Exception) -> None:
        """Tell the taker why nothing will come any more."""
        with self._ready:
            self._error = error
            self._ready.notify_all()

    def take(self, timeout_s: float) -> Item | None:
        """Wait at most `timeout_s` seconds for the newest item; None when there was none.

        Raises the error that `fail` was given, after the last item was taken.
        """
        with self._ready:
            self._ready.wait_for(lambda: self._item is not None or self._error, timeout_s)
            item, self._item = self._item, None
            if item is None and self._error is not None:
                raise self._error
            return item
