"""Brings one file over HTTP, and goes on where an earlier attempt was cut off.

What has come lies in FILE.part, and what is needed to go on in FILE.part.json: the address, the
length, and the server's validator. A server that has another file by then answers with the whole
of it (RFC 9110, sections 13.1.5 and 14.2), and the part begins anew. `urllib` does all that is
needed, proxies and certificates included.
"""

from __future__ import annotations

import errno
import fcntl
import http.client
import json
import re
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from edgehome import __version__
from edgehome.types import EdgehomeError

TIMEOUT_S = 30.0
"""Seconds of silence after which a server counts as gone."""
ATTEMPTS = 4
"""How often one address is tried, each time from where the last attempt ended."""
PAUSE_S = 1.0
"""Seconds between two attempts."""
_CHUNK = 1 << 16

Progress = Callable[[int, int], None]
"""Takes the bytes that are here and the bytes in all, 0 when that is not known."""


class AddressError(Exception):
    """Raised when an address does not give the file; the text is a clause that says why."""


class _CutError(Exception):
    """Raised when a connection failed or ended early, so that another attempt may help."""


class Part:
    """A file that is on its way, with what it takes to go on with it."""

    def __init__(self, path: Path) -> None:
        self.path = path.with_name(path.name + ".part")
        self._facts_path = path.with_name(path.name + ".part.json")

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the part against a second download. Raises EdgehomeError (`fetch_busy`)."""
        with disk(self.path):
            file = self.path.open("ab")
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise EdgehomeError(
                    "fetch_busy", f"{self.path.name} is being fetched already.", "Wait for it."
                ) from None
            try:
                yield
            finally:
                if self.path.exists() and not self.path.stat().st_size:
                    self.remove()

    def resume(self, url: str) -> tuple[int, str]:
        """Return how many bytes are here, and their validator; 0 when it must begin anew."""
        facts: Any = None
        with suppress(OSError, ValueError):
            facts = json.loads(self._facts_path.read_bytes())
        if not isinstance(facts, dict) or facts.get("url") != url or not facts.get("validator"):
            return 0, ""
        return self.path.stat().st_size, str(facts["validator"])

    def begin(self, url: str, validator: str) -> None:
        """Empty the part and note what is coming."""
        with disk(self.path):
            self.path.write_bytes(b"")
            self._facts_path.write_text(
                json.dumps({"url": url, "validator": validator}), encoding="utf-8"
            )

    def remove(self) -> None:
        """Leave nothing behind."""
        self.path.unlink(missing_ok=True)
        self._facts_path.unlink(missing_ok=True)


@contextmanager
def disk(path: Path) -> Iterator[None]:
    """Turn the disk's refusal into an EdgehomeError (`disk_refused`) with a remedy."""
    try:
        yield
    except OSError as error:
        remedies = {
            errno.ENOSPC: "Free some space; what has come is kept, and the next fetch goes on.",
            errno.EACCES: "Run it with sudo, or choose a folder of yours with --to.",
            errno.EROFS: "Choose another folder with --to.",
        }
        raise EdgehomeError(
            "disk_refused",
            f"Cannot write {path}: {error.strerror}.",
            remedies.get(error.errno or 0, "Check the disk."),
        ) from error


def download(
    url: str, part: Part, *, limit: int, progress: Progress, pause_s: float = PAUSE_S
) -> None:
    """Bring the file at the address into the part.

    Raises AddressError, also for more than `limit` bytes, and EdgehomeError (`disk_refused`).
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            _attempt(url, part, limit, progress)
        except _CutError as error:
            if attempt == ATTEMPTS:
                raise AddressError(str(error)) from error
            time.sleep(pause_s)
        else:
            return


def _attempt(url: str, part: Part, limit: int, progress: Progress) -> None:
    offset, validator = part.resume(url)
    try:
        with _open(url, offset, validator) as response:
            start = _start(response, offset)
            total = _length(response, start)
            if total > limit:
                raise AddressError(f"it offers {total / 1e6:.0f} MB, which no model file has")
            if not start:
                part.begin(url, _validator(response))
            _receive(response, part.path, (start, total, limit), progress)
    except urllib.error.HTTPError as error:
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and offset:
            part.begin(url, "")
            raise _CutError("what was here of it does not fit") from error
        raise _http_failure(error) from error
    except (OSError, http.client.HTTPException) as error:
        raise _CutError(_failure(error)) from error


def _receive(
    response: IO[bytes], path: Path, lengths: tuple[int, int, int], progress: Progress
) -> None:
    here, total, limit = lengths
    with disk(path):
        file = path.open("ab")
    with file:
        while chunk := response.read(_CHUNK):
            here += len(chunk)
            if here > limit:
                raise AddressError(f"it goes on for more than {limit / 1e6:.0f} MB")
            with disk(path):
                file.write(chunk)
                file.flush()
            progress(here, total)
    if total and here != total:
        raise _CutError(f"the connection ended after {here} of {total} bytes")


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows a server to another address, but never from https to http."""

    def redirect_request(  # noqa: PLR0917
        self,
        req: urllib.request.Request,
        fp: Any,  # noqa: ANN401
        code: int,
        msg: str,
        headers: Any,  # noqa: ANN401
        newurl: str,
    ) -> urllib.request.Request | None:
        """Return the request that goes to the other address."""
        if req.full_url.startswith("https:") and not newurl.startswith("https:"):
            raise AddressError("it leads to an address without encryption")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _open(url: str, offset: int, validator: str) -> Any:  # noqa: ANN401
    if urlsplit(url).scheme not in {"http", "https"}:
        raise AddressError("it is not a web address")
    headers = {"User-Agent": f"edgehome/{__version__}", "Accept-Encoding": "identity"}
    if offset:
        headers |= {"Range": f"bytes={offset}-", "If-Range": validator}
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - checked above
    return urllib.request.build_opener(_Redirects).open(request, timeout=TIMEOUT_S)


def _start(response: Any, offset: int) -> int:  # noqa: ANN401
    """Return the position of the answer's first byte: the part's end, or 0 for the whole file."""
    if response.status != http.HTTPStatus.PARTIAL_CONTENT:
        return 0
    told = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    if not told or int(told[1]) != offset:
        raise AddressError("it answers with another part than was asked for")
    return offset


def _length(response: Any, start: int) -> int:  # noqa: ANN401
    """Return how long the whole file is; 0 when the server does not say."""
    told = response.headers.get("Content-Length", "")
    return start + int(told) if told.isdecimal() else 0


def _validator(response: Any) -> str:  # noqa: ANN401
    """Return what tells this version of the file from others; a weak ETag does not."""
    tag: str = response.headers.get("ETag", "")
    return "" if tag.startswith("W/") else tag or response.headers.get("Last-Modified", "")


def _http_failure(error: urllib.error.HTTPError) -> Exception:
    code = error.code
    if code in {404, 410}:
        return AddressError(f"it is no longer there (HTTP {code})")
    if code == http.HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        return AddressError("the proxy wants a password (HTTP 407)")
    if code in {408, 429} or code >= http.HTTPStatus.INTERNAL_SERVER_ERROR:
        return _CutError(f"the server is busy or broken (HTTP {code})")
    return AddressError(f"the server refuses (HTTP {code} {error.reason})")


def _failure(error: Exception) -> str:
    """Return in words what went wrong between here and the server."""
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(reason, socket.gaierror):
        return "its name is not found, as when this machine is offline"
    if isinstance(reason, ssl.SSLCertVerificationError):
        return "its certificate is not trusted, as when this machine's clock is wrong"
    if isinstance(reason, TimeoutError):
        return f"there was no answer for {TIMEOUT_S:.0f} s"
    if isinstance(reason, http.client.IncompleteRead):
        return "the connection ended too early"
    return str(reason) or type(reason).__name__
