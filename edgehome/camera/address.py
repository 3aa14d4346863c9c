"""Addresses of cameras, which may hold a password."""

from __future__ import annotations

import re


def without_password(source: str) -> str:
    """Return an address as it may be shown and logged."""
    return re.sub(r"(?<=://)[^/]*@", "***@", source)
