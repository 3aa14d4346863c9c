"""Certificates as a home makes them with openssl, right ones and wrong ones."""

from __future__ import annotations

import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

DAY = timedelta(days=1)
KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
CONFIG = """
[ca]
default_ca = home
[home]
database = {folder}/index
new_certs_dir = {folder}
rand_serial = yes
default_md = sha256
policy = any
copy_extensions = copy
unique_subject = no
[any]
commonName = supplied
"""


class Authority:
    """A certificate authority of one's own, in a folder of its own."""

    def __init__(self, folder: Path, name: str = "Home") -> None:
        """Make it; skips the test where there is no openssl."""
        if shutil.which("openssl") is None:
            pytest.skip("no openssl here: apt install openssl")
        folder.mkdir(parents=True)
        self._folder = folder
        (folder / "index").touch()
        (folder / "config").write_text(CONFIG.format(folder=folder))
        # Valid since long ago: only the server's certificate is to depend on the clock.
        self.file = folder / "ca.pem"
        self._openssl("req", *KEY, "-keyout", "ca.key", "-out", "ca.csr", "-subj", f"/CN={name}")
        (folder / "extensions").write_text("basicConstraints=critical,CA:TRUE\n")
        self._sign("ca", "-selfsign", "-keyfile", "ca.key", "-extfile", "extensions")

    def _openssl(self, *arguments: str) -> None:
        command = ["openssl", *arguments]
        subprocess.run(command, check=True, capture_output=True, cwd=self._folder)

    def _sign(
        self,
        name: str,
        *more: str,
        begins: datetime = datetime(1969, 12, 31, tzinfo=UTC),
        ends: datetime | None = None,
    ) -> None:
        moments = [f"{at:%Y%m%d%H%M%SZ}" for at in (begins, ends or datetime.now(UTC) + 2 * DAY)]
        self._openssl(
            "ca", "-batch", "-notext", "-config", "config", "-in", f"{name}.csr",
            "-out", f"{name}.pem", "-startdate", moments[0], "-enddate", moments[1], *more,
        )  # fmt: skip

    def listener(
        self,
        name: str = "server",
        *,
        host: str = "localhost",
        begins: datetime | None = None,
        ends: datetime | None = None,
        own: bool = False,
    ) -> str:
        """Return mosquitto's lines for a server with a new certificate, signed by itself or us."""
        subject = ("-subj", f"/CN={host}", "-addext", f"subjectAltName=DNS:{host}")
        if own:
            self._openssl(
                "req", "-x509", *KEY, "-keyout", f"{name}.key", "-out", f"{name}.pem", *subject
            )
        else:
            self._openssl("req", *KEY, "-keyout", f"{name}.key", "-out", f"{name}.csr", *subject)
            self._sign(
                name, "-cert", "ca.pem", "-keyfile", "ca.key",
                begins=begins or datetime.now(UTC) - DAY, ends=ends,
            )  # fmt: skip
        return f"certfile {self._folder}/{name}.pem\nkeyfile {self._folder}/{name}.key"
