"""The home's broker as the config names it: password, certificates, and what to say without it."""

from __future__ import annotations

import os
import ssl
import time
from collections.abc import Mapping
from pathlib import Path

from edgehome.config.types import MqttConfig
from edgehome.types import EdgehomeError, Problem

STABLE_S = 30.0
"""A connection that held this long is a good one."""
SHORT_LIVES = 3
"""Connections shorter than that, in a row, of which nothing is made."""
CREDENTIAL = "mqtt-password"
"""The name under which systemd's LoadCredential hands the password over."""

UNSUPPORTED_VERSION = (0x84, 0x01)
"""MQTT 5's reason code and that of an older broker; likewise below."""
BAD_CREDENTIALS = (0x86, 0x87, 0x04, 0x05)

NOT_YET_VALID, EXPIRED = 9, 10
"""OpenSSL's X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED; likewise below."""
WRONG_NAME = (62, 64)
"""X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH."""
UNKNOWN_ISSUER = (2, 18, 19, 20, 21)
"""No issuer at hand, or one that nobody here knows; 18 and 19 are signed by themselves."""


def read_password(config: MqttConfig, environment: Mapping[str, str]) -> str | None:
    """Return the password from systemd's credential or the password file, None without either.

    Raises EdgehomeError when the file is missing, readable by others, or not text.
    """
    directory = environment.get("CREDENTIALS_DIRECTORY")
    credential = Path(directory) / CREDENTIAL if directory else None
    path = credential if credential and credential.exists() else config.password_file
    if path is None:
        return None
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(4096).decode().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise EdgehomeError(
            "password_file_unreadable",
            f"The broker's password cannot be read from {path}: {error}.",
            "Put the password there, readable by the service's user only (mode 0600).",
        ) from None
    if path is not credential and mode & 0o077:
        raise EdgehomeError(
            "password_file_exposed",
            f"Others can read the password file {path} (mode {mode & 0o777:04o}).",
            f"Run: chmod 600 {path}",
        )
    return content


def anonymous(config: MqttConfig) -> Problem | None:
    """Return the problem of a broker that lets everybody in, unless the file says it is meant.

    A problem and no refusal: a home is not left unwatched for it.
    """
    if config.username or config.anonymous:
        return None
    return Problem(
        "broker_anonymous",
        f"The broker {config.host}:{config.port} is used without a password: whoever is in this "
        "network can disarm this node and forge its alerts.",
        "Give the node a user of its own, docs/how-to/security.md, and set mqtt.username; "
        "if it is meant, say so with mqtt.anonymous: true.",
    )


def tls_context(config: MqttConfig) -> ssl.SSLContext:
    """Return a context that verifies the chain and the host's name.

    Raises EdgehomeError when the authority's file is missing or is none.
    """
    try:
        context = ssl.create_default_context(cafile=config.ca_file)
    except OSError as error:
        raise EdgehomeError(
            "ca_file_unreadable",
            f"The certificate authority {config.ca_file} cannot be used: {error}.",
            "Set mqtt.ca_file to the PEM file of the home's own authority.",
        ) from None
    if config.ca_file:
        # From Python 3.13 on the default is also strict about extensions that authorities made
        # at home with openssl do not have. The chain and the name are checked all the same.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def unreachable(config: MqttConfig, why: str) -> Problem:
    """Return the problem of a broker that does not answer."""
    return Problem(
        "broker_unreachable",
        f"No connection to the broker {config.host}:{config.port}: {why}.",
        "Check that it runs and that mqtt.host, mqtt.port and mqtt.tls are right; "
        "alerts are kept meanwhile.",
    )


def failure(config: MqttConfig, error: Exception) -> Problem:
    """Return the problem of an attempt to connect, or a connection, that ended like this."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return untrusted(config, error)
    if isinstance(error, ssl.SSLError):
        return no_tls(config, error)
    if isinstance(error, OSError):
        return unreachable(config, str(error))
    return unreachable(config, f"what answers there does not speak MQTT ({error!r})")


def refusal(config: MqttConfig, reason: int, name: str) -> Problem:
    """Return the problem of a broker that answers and does not let us in."""
    if reason in UNSUPPORTED_VERSION:
        remedy = "Use a broker that speaks MQTT 5, such as Mosquitto 2."
    elif reason in BAD_CREDENTIALS:
        remedy = (
            "Check mqtt.username and what is in mqtt.password_file; of the service: "
            "sudo ./install.sh --password-file FILE."
        )
    else:
        remedy = "See the broker's log; edgehome keeps trying."
    message = f"The broker {config.host}:{config.port} refused the connection: {name}."
    return Problem("broker_refused", message, remedy)


def untrusted(config: MqttConfig, error: ssl.SSLCertVerificationError) -> Problem:
    """Return the problem of a certificate that does not verify."""
    why, remedy = error.verify_message.rstrip("."), "Check mqtt.ca_file and the broker's log."
    if error.verify_code == NOT_YET_VALID:
        # A Pi has no battery behind its clock: it boots in the past and waits for a time server.
        why = f"it is not yet valid, and this device's clock says {time.strftime('%Y-%m-%d %H:%M')}"
        remedy = (
            "Wait until the clock is right, it is tried again; else enable time synchronisation: "
            "timedatectl set-ntp true."
        )
    elif error.verify_code == EXPIRED:
        why = f"it has expired by this device's clock, {time.strftime('%Y-%m-%d %H:%M')}"
        remedy = "Check the clock, then renew the broker's certificate."
    elif error.verify_code in WRONG_NAME:
        why = f"it is not for the name or address {config.host}"
        remedy = "Set mqtt.host to the name in the certificate, or make one for this name."
    elif error.verify_code in UNKNOWN_ISSUER:
        why = f"its issuer is not trusted here ({why})"
        remedy = "Set mqtt.ca_file to the PEM file of the authority that signed it."
    return Problem(
        "broker_certificate", f"The certificate of {config.host} is refused: {why}.", remedy
    )


def no_tls(config: MqttConfig, error: ssl.SSLError) -> Problem:
    """Return the problem of a port on which no TLS is spoken, or none that we can."""
    return Problem(
        "broker_no_tls",
        f"What answers on {config.host}:{config.port} does not speak TLS with us: "
        f"{error.reason or error}.",
        "Set mqtt.port to the broker's TLS port, usually 8883; without TLS there, mqtt.tls: false.",
    )


def taken_over() -> Problem:
    """Return the problem of two devices that push each other off the broker."""
    return Problem(
        "client_id_taken",
        "Another client with this device's id connects to the broker.",
        "Give each edgehome its own device.id.",
    )


def unstable(config: MqttConfig) -> Problem:
    """Return the problem of a broker that ends every connection soon after accepting it."""
    return Problem(
        "connection_unstable",
        f"The broker {config.host}:{config.port} ends each connection soon after accepting it.",
        "See the broker's log: its access list may forbid something, or another client uses "
        "this device's id.",
    )


def judge(config: MqttConfig, problem: Problem | None, short_lives: int) -> Problem | None:
    """Return the problem of a connection that ended, after so many short ones in a row."""
    if problem and problem.code == "broker_unreachable" and short_lives > SHORT_LIVES:
        return unstable(config)
    return problem


def comes_and_goes(problem: Problem | None) -> bool:
    """Say whether a problem outlasts the next connection, which will be a short one too."""
    return problem is not None and problem.code in {"client_id_taken", "connection_unstable"}
