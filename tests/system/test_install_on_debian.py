"""install.sh on a bare, booted Debian, and the service that it leaves there."""

from __future__ import annotations

import lzma
from pathlib import Path
from typing import TYPE_CHECKING

from camera_package import offer_camera, plug_in
from machine import CHECKOUT, Machine, wait_until

if TYPE_CHECKING:
    from home import Home

BOX = "/etc/edgehome/models/edgehome-a0.tflite"
PUBLISHED = Path(__file__).parents[1] / "movinet" / "originals" / "a0.dynamic.tflite.xz"
"""A network of random weights, in a file as Google's converter writes it."""
PYTHON = "/opt/edgehome/venv/bin/python"


def test_after_the_installation_the_service_is_ready_without_a_camera(machine: Machine) -> None:
    if machine.suite == "trixie":
        offer_camera(machine)
        told = machine.install()
        assert "python3-picamera2" in told
    else:
        told = machine.install()
        assert "Raspberry Pi OS" in told, "a plain Debian has no Pi camera, and it must say so"
    assert machine.show("ActiveState") == "active"
    assert machine.run("systemctl is-enabled edgehome").stdout.strip() == "enabled"
    assert machine.run("edgehome --version").stdout
    assert "edgehome-a0.tflite" in machine.run("edgehome models list").stdout
    assert "good" in machine.run(f"edgehome bench --selftest --model {BOX}").stdout
    wait_until(lambda: "no camera" in machine.journal().lower() or "picamera2" in machine.journal(),
               "the honest word about the camera")  # fmt: skip


def test_systemd_ignores_no_line_of_the_unit(machine: Machine) -> None:
    units = "edgehome.service edgehome-reboot.path edgehome-trial.path edgehome-trial.service"
    verified = machine.run(f"systemd-analyze verify --man=no {units}")
    assert "edgehome" not in verified.stderr
    exposure = machine.run("systemd-analyze security --no-pager --threshold=16 edgehome")
    assert "edgehome.service" in exposure.stdout


def test_the_distributions_numpy_is_used(machine: Machine) -> None:
    code = "import numpy; print(numpy.__file__)"
    used = machine.run(f"{PYTHON} -c '{code}'").stdout
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


def test_an_alert_reaches_a_broker_outside_that_wants_a_password(home: Home) -> None:
    machine = home.machine
    if machine.suite == "trixie":
        plug_in(machine, "/srv/clip.mp4")
    home.config_file.write_text(home.config)
    (machine.root / "srv/password").write_text(home.PASSWORD + "\n")
    machine.install("--wheels /srv/wheels --password-file /srv/password")
    assert home.await_alert()["label"] == "person"
    assert home.PASSWORD not in machine.journal()


def test_reload_takes_a_new_config_and_keeps_the_process(home: Home) -> None:
    machine = home.machine
    before = machine.show("MainPID")
    home.config_file.write_text(home.config.replace("name: Hall", "name: Corridor"))
    machine.run("systemctl reload edgehome")

    def announced() -> bool:
        last = home.listener.heard("homeassistant/device/hall/config")[-1]
        return bool(last.json["dev"]["name"] == "Corridor")

    wait_until(announced, "the new name in the discovery message")
    assert machine.show("MainPID") == before


def test_a_wrong_config_does_not_leave_the_home_unwatched(home: Home) -> None:
    machine = home.machine
    home.config_file.write_text(home.config.replace("for: 1s", "for: 1"))
    machine.run("systemctl restart edgehome")
    assert machine.show("ActiveState") == "active"
    assert "config.yaml:4" in machine.journal()
    assert home.await_alert()["label"] == "person"
    home.config_file.write_text(home.config)


def test_without_the_password_file_it_starts_all_the_same(machine: Machine) -> None:
    machine.run("mv /etc/edgehome/mqtt-password /root/ && systemctl restart edgehome")
    assert machine.show("ActiveState") == "active"
    machine.run("mv /root/mqtt-password /etc/edgehome/ && systemctl restart edgehome")


def test_installing_again_repairs_without_a_network_and_keeps_what_is_the_owners(
    home: Home,
) -> None:
    machine = home.machine
    (machine.root / "srv" / "google.tflite").write_bytes(lzma.decompress(PUBLISHED.read_bytes()))
    home.config_file.write_text(home.config + "# mine\n")
    before = machine.release()
    machine.run("rm -r /opt/edgehome/venv/lib/python3*/site-packages/paho")
    # A network namespace of its own, with nothing in it.
    command = "install.sh --wheels /srv/wheels --model /srv/google.tflite"
    told = machine.run(f"unshare --net {CHECKOUT}/{command}").stdout
    assert home.config_file.read_text().endswith("# mine\n")
    assert "  model: models/google-edgehome.tflite" in told, "the line to set"
    assert machine.show("ActiveState") == "active"
    assert machine.run("stat -c '%U %a' /etc/edgehome/mqtt-password").stdout.split()[1] == "600"
    assert machine.release() != before
    assert home.await_alert()["label"] == "person"


def test_a_published_model_that_was_imported_runs_and_check_knows_its_labels(home: Home) -> None:
    machine = home.machine
    verified = machine.run("edgehome models verify /etc/edgehome/models/google-edgehome.tflite")
    assert "runs one frame" in verified.stdout
    home.config_file.write_text(
        home.config + "recognizer: {model: models/google-edgehome.tflite}\n"
    )
    assert "nor a label of the model" in machine.run("edgehome check", check=False).stderr
    home.config_file.write_text(home.config)


def test_a_failed_upgrade_leaves_the_old_release_running(machine: Machine) -> None:
    before, process = machine.release(), machine.main_process()
    lock = machine.root / CHECKOUT.removeprefix("/") / "requirements" / "runtime.txt"
    text = lock.read_text()
    lock.write_text(text.replace("sha256:", "sha256:0000"))
    failed = machine.run(f"{CHECKOUT}/install.sh --wheels /srv/wheels", check=False)
    lock.write_text(text)
    assert failed.returncode == 69
    assert machine.release() == before
    assert not machine.run("ls -d /opt/edgehome/releases/*.new", check=False).stdout
    assert machine.show("MainPID") == process


def test_where_apt_has_the_pi_camera_it_is_used_and_an_upgrade_takes_nothing_away(
    machine: Machine,
) -> None:
    if machine.suite == "bookworm":  # an empty stand-in: picamera2 needs a libcamera newer than its
        offer_camera(machine)
        assert "Raspberry Pi OS" not in machine.install("")
    machine.run(f"{PYTHON} -c 'import picamera2'")
    own = machine.run("ls /opt/edgehome/venv/lib/python3*/site-packages").stdout.split()
    # On Debian 12 the first installation found no Pi camera, and the service watches a video.
    assert ("av" in own) is (machine.suite == "bookworm")
