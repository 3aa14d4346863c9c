"""install.sh on a bare, booted Debian: set EDGEHOME_TEST_SYSTEM=1; about two minutes a suite.

Needs root, mmdebstrap, systemd-container and a package mirror. Kept in order: each test finds the
machine as the one before left it, as a home does.
"""

from __future__ import annotations

import json
import lzma
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from machine import Machine, copy_checkout, make_base, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.skipif("EDGEHOME_TEST_SYSTEM" not in os.environ, reason="EDGEHOME_TEST_SYSTEM=1"),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can boot a machine"),
    *(
        pytest.mark.skipif(shutil.which(tool) is None, reason=f"no {tool} here")
        for tool in ("mmdebstrap", "systemd-nspawn", "nsenter")
    ),
]

CHECKOUT = "/srv/edgehome"
BOX = "/etc/edgehome/models/edgehome-a0.tflite"
PUBLISHED = Path(__file__).parents[1] / "movinet" / "originals" / "a0.dynamic.tflite.xz"
"""A network of random weights, in a file as Google's converter writes it."""
PASSWORD = "correct horse"
CONFIG = """\
device: {name: Hall, id: hall}
camera: {source: /srv/clip.mp4}
rules:
  - {name: Visitor, when: person, above: 0.3, for: 1s, repeat_interval: 10s}
mqtt: {host: 127.0.0.1, username: hall}
alerts: {limit: 1000}
"""

STAND_IN = """\
Package: python3-picamera2
Version: 1
Architecture: all
Maintainer: nobody <nobody@localhost>
Description: stand-in
"""
MAKE_REPOSITORY = """
set -e
mkdir -p /srv/stand-in/DEBIAN /srv/stand-in/usr/lib/python3/dist-packages/picamera2 /srv/repository
cp /srv/control /srv/stand-in/DEBIAN/
touch /srv/stand-in/usr/lib/python3/dist-packages/picamera2/__init__.py
cd /srv/repository
dpkg-deb --build /srv/stand-in package.deb >/dev/null
{ cat /srv/control; echo "Filename: ./package.deb"; echo "Size: $(stat -c %s package.deb)"
  echo "SHA256: $(sha256sum package.deb | cut -d ' ' -f 1)"; } >Packages
echo 'deb [trusted=yes] file:/srv/repository ./' >/etc/apt/sources.list.d/stand-in.list
"""


@pytest.fixture(scope="module", params=["bookworm", "trixie"])
def machine(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    rendered: Path,
) -> Iterator[Machine]:
    folder = tmp_path_factory.mktemp(request.param)
    with Machine(make_base(request.param), folder) as booted:
        copy_checkout(booted.root / CHECKOUT.removeprefix("/"))
        srv = booted.root / "srv"
        (srv / "google.tflite").write_bytes(lzma.decompress(PUBLISHED.read_bytes()))
        shutil.copy(rendered / "room-day-fight.mp4", srv / "clip.mp4")
        yield booted
    shutil.rmtree(folder / "root")


def install(machine: Machine, arguments: str = "") -> str:
    return machine.run(f"{CHECKOUT}/install.sh {arguments}").stdout


def releases(machine: Machine) -> list[str]:
    return machine.run("ls -d /opt/edgehome/release.*").stdout.split()


def retained(machine: Machine, topic: str) -> dict[str, object]:
    """Return what the broker keeps on the topic: a JSON object, or an empty one if nothing."""
    command = f"mosquitto_sub -h 127.0.0.1 -u hall -P '{PASSWORD}' -t '{topic}' -C 1 -W 2"
    message: dict[str, object] = json.loads(machine.run(command, check=False).stdout or "{}")
    return message


def await_alert(machine: Machine, *, other_than: object = None) -> dict[str, object]:
    """Return the last alert as soon as there is one with another id."""

    def last() -> dict[str, object]:
        return retained(machine, "edgehome/hall/alert/last")

    wait_until(lambda: last().get("id", other_than) != other_than, "a new alert")
    return last()


def test_after_the_installation_the_service_is_ready_without_a_camera(machine: Machine) -> None:
    told = install(machine)
    assert "Raspberry Pi OS" in told, "a plain Debian has no Pi camera, and it must say so"
    assert machine.show("ActiveState") == "active"
    assert machine.run("systemctl is-enabled edgehome").stdout.strip() == "enabled"
    assert machine.run("edgehome --version").stdout
    assert "edgehome-a0.tflite" in machine.run("edgehome models list").stdout
    assert "good" in machine.run(f"edgehome bench --selftest --model {BOX}").stdout
    wait_until(lambda: "no camera" in machine.journal().lower() or "picamera2" in machine.journal(),
               "the honest word about the camera")  # fmt: skip


def test_systemd_ignores_no_line_of_the_unit(machine: Machine) -> None:
    verified = machine.run("systemd-analyze verify --man=no edgehome.service edgehome-reboot.path")
    assert "edgehome" not in verified.stderr
    exposure = machine.run("systemd-analyze security --no-pager --threshold=16 edgehome")
    assert "edgehome.service" in exposure.stdout


def test_the_distributions_numpy_is_used(machine: Machine) -> None:
    code = "import numpy; print(numpy.__file__)"
    used = machine.run(f"/opt/edgehome/venv/bin/python -c '{code}'").stdout
    assert used.startswith("/usr/lib/python3/"), used


def test_it_runs_as_its_own_user_and_writes_nowhere_else(machine: Machine) -> None:
    process = machine.show("MainPID")
    owner = machine.run(f"ps -o user= -p {process}", check=False).stdout.strip()
    owner = owner or machine.run(f"stat -c %U /proc/{process}").stdout.strip()
    assert owner == "edgehome"
    mode = machine.run("stat -c '%U %a' /var/lib/edgehome").stdout.split()
    assert mode == ["edgehome", "700"]
    seen_by_it = f"nsenter -t {process} -m"  # as root: not even root could
    for forbidden in ("/etc/edgehome/x", "/opt/edgehome/x", "/var/log/x", "/usr/x"):
        refused = machine.run(f"{seen_by_it} touch {forbidden}", check=False)
        assert "Read-only file system" in refused.stderr, forbidden
    machine.run(f"{seen_by_it} touch /var/lib/edgehome/x && rm /var/lib/edgehome/x")


def test_a_killed_service_is_back_in_seconds(machine: Machine) -> None:
    before = machine.show("MainPID")
    machine.run("systemctl kill -s KILL --kill-who=main edgehome")
    wait_until(
        lambda: (
            machine.show("MainPID") not in {before, "0"} and machine.show("ActiveState") == "active"
        ),
        "a new main process",
    )
    assert machine.show("NRestarts") == "1"


def test_an_alert_reaches_a_broker_that_wants_a_password(machine: Machine) -> None:
    machine.run("apt-get install -qq -y --no-install-recommends mosquitto mosquitto-clients")
    machine.run(
        "cd /etc/mosquitto && touch passwd && "
        f"mosquitto_passwd -b passwd hall '{PASSWORD}' && chown mosquitto passwd && "
        "printf 'listener 1883 127.0.0.1\\npassword_file /etc/mosquitto/passwd\\n' "
        ">conf.d/home.conf && systemctl restart mosquitto"
    )
    (machine.root / "etc/edgehome/config.yaml").write_text(CONFIG)
    (machine.root / "srv/password").write_text(PASSWORD + "\n")
    install(machine, "--password-file /srv/password")
    assert await_alert(machine)["label"] == "person"
    assert PASSWORD not in machine.journal()


def test_reload_takes_a_new_config_and_keeps_the_process(machine: Machine) -> None:
    before = machine.show("MainPID")
    config = machine.root / "etc/edgehome/config.yaml"
    config.write_text(CONFIG.replace("name: Hall", "name: Corridor"))
    machine.run("systemctl reload edgehome")

    def announced() -> bool:
        device = retained(machine, "homeassistant/device/hall/config")["dev"]
        return isinstance(device, dict) and device["name"] == "Corridor"

    wait_until(announced, "the new name in the discovery message")
    assert machine.show("MainPID") == before


def test_a_wrong_config_does_not_leave_the_home_unwatched(machine: Machine) -> None:
    config = machine.root / "etc/edgehome/config.yaml"
    before = await_alert(machine)["id"]
    config.write_text(CONFIG.replace("for: 1s", "for: 1"))
    machine.run("systemctl restart edgehome")
    assert machine.show("ActiveState") == "active"
    assert "config.yaml:4" in machine.journal()
    assert await_alert(machine, other_than=before)["label"] == "person"
    config.write_text(CONFIG)


def test_without_the_password_file_it_starts_all_the_same(machine: Machine) -> None:
    machine.run("rm /etc/edgehome/mqtt-password && systemctl restart edgehome")
    assert machine.show("ActiveState") == "active"


def test_installing_again_repairs_and_keeps_what_is_the_owners(machine: Machine) -> None:
    config = machine.root / "etc/edgehome/config.yaml"
    config.write_text(CONFIG + "# mine\n")
    before = releases(machine)
    machine.run("rm -r /opt/edgehome/venv/lib/python3*/site-packages/paho")
    install(machine)
    assert config.read_text().endswith("# mine\n")
    assert machine.show("ActiveState") == "active"
    assert machine.run("stat -c '%U %a' /etc/edgehome/mqtt-password").stdout.split()[1] == "600"
    after = releases(machine)
    assert len(after) == 1
    assert after != before


def test_a_published_model_is_imported_and_the_line_to_set_is_told(machine: Machine) -> None:
    config = machine.root / "etc/edgehome/config.yaml"
    before = config.read_text()
    told = install(machine, "--model /srv/google.tflite")
    assert "  model: models/google-edgehome.tflite" in told
    assert config.read_text() == before
    verified = machine.run("edgehome models verify /etc/edgehome/models/google-edgehome.tflite")
    assert "runs one frame" in verified.stdout
    config.write_text(before + "recognizer: {model: models/google-edgehome.tflite}\n")
    assert "nor a label of the model" in machine.run("edgehome check", check=False).stderr
    config.write_text(before)


def test_a_failed_upgrade_leaves_the_old_release_running(machine: Machine) -> None:
    before, process = releases(machine), machine.show("MainPID")
    lock = machine.root / CHECKOUT.removeprefix("/") / "requirements" / "runtime.txt"
    text = lock.read_text()
    lock.write_text(text.replace("sha256:", "sha256:0000"))
    failed = machine.run(f"{CHECKOUT}/install.sh", check=False)
    lock.write_text(text)
    assert failed.returncode == 69
    assert releases(machine) == before
    assert machine.show("MainPID") == process


def test_where_apt_has_the_pi_camera_it_is_used_and_av_left_alone(machine: Machine) -> None:
    # A stand-in from a local repository: Raspberry Pi's own cannot be had everywhere.
    (machine.root / "srv" / "control").write_text(STAND_IN)
    machine.run(MAKE_REPOSITORY)
    told = install(machine)
    assert "python3-picamera2" in told
    assert "Raspberry Pi OS" not in told
    python = "/opt/edgehome/venv/bin/python"
    assert machine.run(f"{python} -c 'import picamera2; print(picamera2.__file__)'").stdout
    assert machine.run(f"{python} -c 'import av'", check=False).returncode != 0
    install(machine, "--video")
    machine.run(f"{python} -c 'import av, picamera2'")


def test_after_uninstalling_only_config_and_state_are_left(machine: Machine) -> None:
    def left() -> list[str]:
        places = "/opt /etc /usr/local /var/lib /run/systemd /home"
        found = machine.run(f"find {places} -xdev -iname '*edgehome*' -prune").stdout.split()
        return sorted(found)

    install(machine, "--uninstall")
    assert left() == ["/etc/edgehome", "/var/lib/edgehome"]
    assert machine.run("getent passwd edgehome", check=False).returncode != 0
    assert machine.run("systemctl cat edgehome", check=False).returncode != 0
    install(machine, "--uninstall")  # a second time is not an error
    install(machine, "--uninstall --purge")
    assert left() == []
