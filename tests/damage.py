"""Files as cards and file systems spoil them."""

from __future__ import annotations

import random


def damaged(original: bytes, chance: random.Random) -> bytes:
    """Return one of the ways in which cards and file systems spoil a file."""
    spoilt = bytearray(original)
    kind = chance.randrange(5)
    at = chance.randrange(len(spoilt))
    if kind == 0:
        for _ in range(chance.randrange(1, 20)):
            spoilt[chance.randrange(len(spoilt))] ^= 1 << chance.randrange(8)
    elif kind == 1:
        del spoilt[at:]
    elif kind == 2:
        block = at // 512 * 512
        spoilt[block : block + 512] = bytes(len(spoilt[block : block + 512]))
    elif kind == 3:
        block = at // 4096 * 4096
        spoilt[block : block + 4096] = chance.randbytes(len(spoilt[block : block + 4096]))
    else:
        spoilt[chance.randrange(100)] = chance.randrange(256)
    return bytes(spoilt)
