"""Every trap that doctor knows, in a made-up tree of files; and that it is silent without one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from edgehome.doctor import Finding, access, board, camera, examination, service, software, storage
from edgehome.doctor.unit import Unit, loosened, read_unit, startable

UNIT = Path(__file__).resolve().parents[1] / "systemd" / "edgehome.service"
PI_4, PI_5 = "Raspberry Pi 4 Model B Rev 1.5", "Raspberry Pi 5 Model B Rev 1.0"
PASSWD = "root:x:0:0:root:/root:/bin/sh\nedgehome:x:990:980::/:/usr/sbin/nologin\n"
GROUP = "root:x:0:\nvideo:x:44:\nrender:x:106:\nplugdev:x:46:\nedgehome:x:980:\n"

Tree = Callable[[dict[str, str]], Path]


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """Write files below a root, and return it; a text that begins with -> is a link."""

    def write(files: dict[str, str]) -> Path:
        for name, text in files.items():
            file = tmp_path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            if text.startswith("->"):
                file.symlink_to(text.removeprefix("->"))
            else:
                file.write_text(text, encoding="utf-8")
        return tmp_path

    return write


def only(findings: Iterable[Finding], part: str, state: str, *words: str) -> Finding:
    """Return the one finding, which must be this and say these words; a poor one has a remedy."""
    (finding,) = findings
    assert (finding.part, finding.state) == (part, state), finding
    assert [word for word in words if word not in f"{finding.message} {finding.remedy}"] == []
    assert finding.remedy or state == "good"
    return finding


def silent(*sources: Iterable[Finding]) -> None:
    assert [finding for source in sources for finding in source] == []


def installed_unit(root: Path, **drop_ins: str) -> Unit:
    """Install the unit that ships, with drop-ins by name, and return what is read of it."""
    units = root / "etc/systemd/system"
    (units / "edgehome.service.d").mkdir(parents=True, exist_ok=True)
    (units / "edgehome.service").write_bytes(UNIT.read_bytes())
    for name, text in drop_ins.items():
        (units / f"edgehome.service.d/{name}.conf").write_text(f"[Service]\n{text}\n")
    unit = read_unit(root)
    assert unit
    return unit


# --- Python and its packages


def test_a_venv_that_hides_the_systems_packages_is_told_with_what_is_installed(tree: Tree) -> None:
    root = tree({"venv/pyvenv.cfg": "home = /usr/bin\ninclude-system-site-packages = false\n"})
    absent = only(software.environment(root, root / "venv", "pi"), "environment", "bad")
    assert "that apt installs" in absent.message
    (root / "usr/lib/python3/dist-packages/picamera2").mkdir(parents=True)
    found = only(software.environment(root, root / "venv", "pi"), "environment", "bad")
    assert "the system's picamera2" in found.message
    silent(software.environment(root, root / "venv", "rtsp://10.0.0.2/1"))


def test_a_venv_of_another_python_than_the_systems_is_told(tree: Tree) -> None:
    good = "home = /usr/bin\ninclude-system-site-packages = true\nversion = 3.11.2\n"
    root = tree({
        "venv/pyvenv.cfg": good.replace("3.11.2", "3.13.1"),
        "usr/bin/python3": "->python3.11",
        "usr/lib/python3/dist-packages/picamera2/x": "",
    })  # fmt: skip
    only(software.environment(root, root / "venv", "pi"), "environment", "bad", "3.13", "3.11")
    (root / "venv/pyvenv.cfg").write_text(good)
    silent(software.environment(root, root / "venv", "pi"))


def test_a_system_without_picamera2_is_told_what_to_install(tree: Tree) -> None:
    root = tree({"venv/pyvenv.cfg": "include-system-site-packages = true\n"})
    only(software.environment(root, root / "venv", "pi"), "environment", "bad", "python3-picamera2")


@pytest.mark.parametrize(
    ("system", "ours", "fits"),
    [
        ("1.24.2.egg-info", "2.4.6", False),
        ("2.2.4.dist-info", "1.26.4", False),
        ("2.2.4.dist-info", "2.1.0", False),
        ("1.24.2.egg-info", "1.26.4", True),
        ("2.2.4.dist-info", "2.2.4", True),
        ("", "2.4.6", True),
    ],
)
def test_a_numpy_that_apts_packages_were_not_built_for_is_told(
    tree: Tree, system: str, ours: str, fits: bool
) -> None:
    root = tree({f"opt/venv/lib/python3.11/site-packages/numpy-{ours}.dist-info/x": ""})
    if system:
        tree({f"usr/lib/python3/dist-packages/numpy-{system}/x": ""})
    found = software.numpy(root, root / "opt/venv/lib/python3.11/site-packages", "pi")
    if fits:
        silent(found)
    else:
        remedy = only(found, "numpy", "bad", "numpy.dtype size changed", ours).remedy
        assert remedy.startswith(f"{root}/opt/venv/bin/python -m pip uninstall numpy")


def test_an_old_runtime_and_two_side_by_side_are_told(tree: Tree) -> None:
    root = tree({"site/tflite_runtime-2.14.0.dist-info/x": ""})
    only(software.runtime(root / "site"), "runtimes", "poor", "tflite-runtime 2.14.0 is old")
    tree({"site/ai_edge_litert-2.3.0.dist-info/x": ""})
    only(software.runtime(root / "site"), "runtimes", "poor", "beside ai-edge-litert 2.3.0")
    (root / "site/tflite_runtime-2.14.0.dist-info/x").unlink()
    (root / "site/tflite_runtime-2.14.0.dist-info").rmdir()
    silent(software.runtime(root / "site"))
    tree({"other/ai_edge_litert-1.4.0.dist-info/x": ""})
    only(software.runtime(root / "other"), "runtimes", "bad", "1.4.0")


def test_a_processor_that_the_runtime_cannot_see_is_told(tree: Tree) -> None:
    root = tree({"proc/cpuinfo": "processor\t: 0\nFeatures\t: fp asimd\n"})
    silent(software.processor(root, ""))
    only(software.processor(root, "pid"), "processor", "bad", "ProcSubset=pid")
    (root / "proc/cpuinfo").unlink()
    only(software.processor(root, ""), "processor", "poor", "/proc/cpuinfo")


def test_a_32_bit_system_is_told_also_on_a_64_bit_kernel() -> None:
    silent(software.bits("aarch64", 64), software.bits("x86_64", 64))
    only(software.bits("aarch64", 32), "system", "bad", "32-bit on aarch64")
    only(software.bits("armv7l", 32), "system", "bad", "64-bit Raspberry Pi OS")


def test_a_python_that_edgehome_is_not_made_for_is_told() -> None:
    only(software.python((3, 9, 2), "/usr/bin/python3"), "python", "poor", "3.9.2")
    only(software.python((3, 13, 0), "/usr/bin/python3"), "python", "good")


# --- the unit


def test_the_unit_that_ships_is_not_complained_of(tree: Tree) -> None:
    root = tree({"opt/edgehome/venv/bin/python": "", "opt/edgehome/current/venv/bin/python": ""})
    unit = installed_unit(root)
    silent(loosened(unit), startable(root, unit, ["root", "edgehome"]))


def test_drop_ins_that_loosen_the_unit_are_told_by_name(tree: Tree) -> None:
    unit = installed_unit(tree({}), override="User=root\nWatchdogSec=0", coral="IPAddressDeny=")
    found = only(loosened(unit), "drop-ins", "poor", "User=root in override.conf", "WatchdogSec=0")
    assert "IPAddressDeny= in coral.conf" in found.message


def test_a_pattern_of_device_paths_and_private_devices_are_told(tree: Tree) -> None:
    glob = installed_unit(tree({}), override="DeviceAllow=/dev/video* rw")
    only(loosened(glob), "drop-ins", "bad", "/dev/video* allows nothing", "char-video4linux")
    private = installed_unit(tree({}), override="PrivateDevices=yes")
    only(loosened(private), "drop-ins", "bad", "PrivateDevices=yes")


def test_a_unit_whose_program_or_user_is_not_there_is_told(tree: Tree) -> None:
    root = tree({})
    unit = installed_unit(root)
    only(startable(root, unit, ["edgehome"]), "service", "bad", "203/EXEC")
    program = unit.last("ExecStart").split()[0]
    tree({program.lstrip("/"): ""})
    only(startable(root, unit, ["root"]), "service", "bad", "217/USER", "edgehome")


RUNS = {
    "LoadState": "loaded", "ActiveState": "active", "SubState": "running",
    "UnitFileState": "enabled", "NRestarts": "0", "StatusText": "away, 5 frames a second",
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "state", "words"),
    [
        ({}, "good", "5 frames a second"),
        ({"LoadState": "not-found"}, "poor", "./install.sh"),
        ({"ActiveState": "inactive"}, "poor", "systemctl start edgehome"),
        ({"ActiveState": "failed", "ExecMainStatus": "78"}, "bad", "its configuration is wrong"),
        ({"ActiveState": "failed", "ExecMainStatus": "217"}, "bad", "its user is not there"),
        ({"NRestarts": "7"}, "poor", "restart it 7 times"),
        (
            {"ActiveState": "activating", "SubState": "auto-restart", "ExecMainStatus": "216"},
            "bad",
            "a group of it is not there",
        ),
    ],
)
def test_how_systemd_sees_the_service_is_told(
    change: dict[str, str], state: str, words: str
) -> None:
    only(service.service(RUNS | change), "service", state, words)


def test_a_service_that_is_not_enabled_or_not_reloaded_is_told_beside_how_it_runs() -> None:
    changed = RUNS | {"UnitFileState": "disabled", "NeedDaemonReload": "yes"}
    found = list(service.service(changed))
    assert [finding.state for finding in found] == ["good", "poor", "poor"]
    assert "systemctl enable edgehome" in found[1].remedy
    assert "daemon-reload" in found[2].remedy
    silent(service.service({}))


def test_the_last_error_of_the_log_is_told() -> None:
    log = "ERROR edgehome.a: first\nINFO edgehome.b: fine\nERROR edgehome.c: last\nINFO d: x\n"
    only(service.last_error(lambda *_: log), "log", "poor", "edgehome.c: last")
    silent(service.last_error(lambda *_: "INFO a: b\n"), service.last_error(lambda *_: None))


def test_what_a_run_before_this_one_logged_is_not_told_any_more() -> None:
    logs = {"_SYSTEMD_INVOCATION_ID=2f": "INFO a: b\n", "--unit": "ERROR a: of an earlier run\n"}
    silent(service.last_error(lambda *words: "2f\n" if words[1] == "show" else logs[words[1]]))


# --- who may open the camera, and who has it


def test_a_service_user_outside_the_group_video_is_told_even_to_root(tree: Tree) -> None:
    root = tree({"etc/passwd": PASSWD, "etc/group": GROUP})
    unit = installed_unit(root, override="SupplementaryGroups=")
    who = access.account(root, unit, 0, frozenset())
    assert who
    assert who.name == "edgehome"
    found = access.membership(root, who, accelerator=False)
    only(found, "group", "bad", "edgehome is not in the group video", "usermod -aG video edgehome")
    (root / "etc/group").write_text(GROUP.replace("video:x:44:", "video:x:44:edgehome"))
    who = access.account(root, unit, 0, frozenset())
    assert who
    silent(access.membership(root, who, accelerator=False))
    only(access.membership(root, who, accelerator=True), "group", "poor", "render and plugdev")


def test_the_units_own_group_line_counts_and_without_a_unit_the_asker_is_judged(
    tree: Tree,
) -> None:
    root = tree({"etc/passwd": PASSWD, "etc/group": GROUP})
    who = access.account(root, installed_unit(root), 0, frozenset())
    assert who
    silent(access.membership(root, who, accelerator=False))
    asker = access.account(root, None, 990, frozenset({980}))
    assert asker
    only(access.membership(root, asker, accelerator=False), "group", "bad", "edgehome")
    assert access.account(root, None, 0, frozenset({0})) is None
    dynamic = installed_unit(root, override="DynamicUser=yes\nUser=")
    who = access.account(root, dynamic, 0, frozenset())
    assert who
    assert "video" in who.groups


def test_devices_that_the_group_may_not_open_are_told_with_the_udev_rule(tree: Tree) -> None:
    root = tree({
        "etc/passwd": PASSWD, "etc/group": GROUP.replace("44", str(os.getegid())),
        "dev/video0": "", "dev/dma_heap/linux,cma": "",
    })  # fmt: skip
    (root / "dev/video0").chmod(0o660)
    (root / "dev/dma_heap/linux,cma").chmod(0o600)
    who = access.Account("edgehome", 990, frozenset({"video"}))
    found = only(access.devices(root, who), "devices", "bad", "/dev/dma_heap/linux,cma")
    assert "/dev/video0" not in found.message
    assert 'SUBSYSTEM=="dma_heap"' in found.remedy
    (root / "dev/dma_heap/linux,cma").chmod(0o660)
    silent(access.devices(root, who))


def test_whoever_has_the_camera_open_is_named_and_the_service_told_apart(tree: Tree) -> None:
    root = tree({
        "dev/media0": "", "dev/null": "",
        "proc/41/comm": "rpicam-vid\n", "proc/41/fd/3": "->/dev/media0",
        "proc/41/cgroup": "0::/user.slice\n",
        "proc/42/comm": "python\n", "proc/42/fd/7": "->/dev/media0",
        "proc/42/cgroup": "0::/system.slice/edgehome.service\n",
        "proc/43/comm": "sh\n", "proc/43/fd/0": "->/dev/null",
    })  # fmt: skip
    found = access.holders(root)
    assert [(holder.pid, holder.name, holder.device, holder.ours) for holder in found] == [
        (41, "rpicam-vid", "/dev/media0", False), (42, "python", "/dev/media0", True),
    ]  # fmt: skip
    assert access.holders(root, "/dev/video0") == []


# --- the camera, as firmware and kernel see it


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ("camera_auto_detect=1\n", None),
        ("camera_auto_detect=0\ndtoverlay=imx519\n", None),
        ("dtoverlay=vc4-kms-v3d\ndtoverlay=ov5647,cam0\n", None),
        ("# camera_auto_detect=1\ndtoverlay=vc4-kms-v3d\n", "write camera_auto_detect=1"),
        ("camera_auto_detect=0\n", "dtoverlay=imx519"),
        ("camera_auto_detect=1\nstart_x=1\n", "Remove start_x"),
    ],
)
def test_a_config_txt_that_keeps_the_camera_from_being_found_is_told(
    config: str, words: str | None
) -> None:
    found = camera.overlay("/boot/firmware/config.txt", config)
    if words is None:
        silent(found)
    else:
        only(found, "overlay", "bad", words, "/boot/firmware/config.txt")


def test_config_txt_is_found_where_bookworm_and_where_bullseye_have_it(tree: Tree) -> None:
    root = tree({"boot/config.txt": "start_x=1\n"})
    assert camera.boot_config(root) == ("/boot/config.txt", "start_x=1\n")
    tree({"boot/firmware/config.txt": "camera_auto_detect=1\n"})
    assert camera.boot_config(root)[0] == "/boot/firmware/config.txt"


@pytest.mark.parametrize("name", ["unicam-image", "rp1-cfe-csi2_ch0"])
def test_a_pi_whose_kernel_knows_no_camera_is_told_to_seat_the_cable(tree: Tree, name: str) -> None:
    root = tree({
        "proc/device-tree/model": PI_4 + "\0",
        "sys/class/video4linux/video13/name": "bcm2835-isp-output0\n",
    })  # fmt: skip
    only(camera.kernel_camera(root, "/boot/x"), "sensor", "bad", "ribbon cable", "/boot/x")
    tree({"sys/class/video4linux/video0/name": f"{name}\n"})
    silent(camera.kernel_camera(root, "/boot/x"))


def test_of_a_machine_that_is_no_pi_nothing_is_said_of_camera_ports(tree: Tree) -> None:
    root = tree({"proc/meminfo": "MemTotal: 8000000 kB\n", "boot/config.txt": "start_x=1\n"})
    silent(examination.camera_hardware(root, held=False))


def test_too_little_contiguous_memory_is_told_but_on_a_pi_5() -> None:
    small = "CmaTotal:  32768 kB\nCmaFree: 30000 kB\n"
    only(camera.contiguous(small, PI_4, "/boot/x", held=False), "cma", "poor", "cma-128", "32 MB")
    silent(camera.contiguous(small, PI_5, "/boot/x", held=False))
    used = "CmaTotal: 262144 kB\nCmaFree: 10240 kB\n"
    only(camera.contiguous(used, PI_4, "", held=False), "cma", "poor", "10 of 256 MB")
    silent(
        camera.contiguous(used, PI_4, "", held=True), camera.contiguous("", PI_4, "", held=False)
    )


# --- the board


@pytest.mark.parametrize(
    ("bits", "expected"),
    [
        (0x0, [("supply", "good")]),
        (0x1, [("supply", "bad")]),
        (0x50005, [("supply", "bad")]),
        (0x10000, [("supply", "poor")]),
        (0x50000, [("supply", "poor")]),
        (0x4, [("heat", "poor")]),
        (0xE0008, [("heat", "poor")]),
        (0x80000, [("heat", "poor")]),
        (None, []),
    ],
)
def test_supply_and_heat_are_told_as_they_are_and_else_as_they_were(
    bits: int | None, expected: list[tuple[str, str]]
) -> None:
    found = list(board.supply(bits))
    assert [(finding.part, finding.state) for finding in found] == expected
    past = bits is not None and not bits & 0xF and bool(bits)
    assert all(("since the start" in finding.message) is past for finding in found if bits)


def test_the_firmware_is_asked_by_vcgencmd_and_else_by_its_driver(tree: Tree) -> None:
    root = tree({"sys/devices/platform/soc/soc:firmware/get_throttled": "50000\n"})
    assert board.firmware_bits(root, lambda *_: "throttled=0x4\n") == 4
    assert board.firmware_bits(root, lambda *_: None) == 0x50000
    assert board.firmware_bits(root / "dev", lambda *_: None) is None


def test_a_processor_that_is_hot_is_told(tree: Tree) -> None:
    root = tree({"sys/class/thermal/thermal_zone0/temp": "82300\n"})
    only(board.heat(root), "heat", "poor", "82 °C")
    (root / "sys/class/thermal/thermal_zone0/temp").write_text("61000\n")
    silent(board.heat(root))


def test_little_memory_without_swap_and_memory_that_is_gone_are_told() -> None:
    zero = "MemTotal: 430000 kB\nMemAvailable: 210000 kB\nSwapTotal: {} kB\n"
    only(board.memory(zero.format(0)), "memory", "poor", "no swap", "rpi-swap")
    silent(board.memory(zero.format(400000)), board.memory(""))
    gone = "MemTotal: 8000000 kB\nMemAvailable: 30000 kB\nSwapTotal: 0 kB\n"
    only(board.memory(gone), "memory", "poor", "29 MB")


def test_a_processor_that_is_told_to_stay_slow_is_told(tree: Tree) -> None:
    file = "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"
    root = tree({file: "powersave\n"})
    only(board.governor(root), "governor", "poor", "ondemand")
    (root / file).write_text("ondemand\n")
    silent(board.governor(root))


def test_a_watchdog_that_nobody_feeds_is_told(tree: Tree) -> None:
    silent(board.watchdog(tree({})))
    root = tree({"dev/watchdog": "", "etc/systemd/system.conf": "#RuntimeWatchdogSec=off\n"})
    only(board.watchdog(root), "watchdog", "poor", "RuntimeWatchdogSec=10s")
    tree({"usr/lib/systemd/system.conf.d/40-rpi.conf": "[Manager]\nRuntimeWatchdogSec=1m\n"})
    silent(board.watchdog(root))
    tree({"etc/systemd/system.conf.d/x.conf": "[Manager]\nRuntimeWatchdogSec=off\n"})
    only(board.watchdog(root), "watchdog", "poor")
    tree({"sys/class/watchdog/watchdog0/state": "active\n"})
    silent(board.watchdog(root))


# --- the disk

MOUNTS = "/dev/mmcblk0p2 / ext4 {} 0 0\nproc /proc proc rw 0 0\n"
STATE = Path("/var/lib/edgehome")


def test_a_card_that_was_made_read_only_is_told(tree: Tree) -> None:
    root = tree({})
    mount = storage.mount_of(MOUNTS.format("ro,noatime,errors=remount-ro"), STATE)
    only(storage.mounted(root, mount, STATE), "disk", "bad", "read-only", "dmesg")
    silent(storage.mounted(root, storage.mount_of(MOUNTS.format("rw"), STATE), STATE))


def test_a_file_system_with_errors_is_told(tree: Tree) -> None:
    root = tree({"sys/fs/ext4/mmcblk0p2/errors_count": "3\n"})
    mount = storage.mount_of(MOUNTS.format("rw"), STATE)
    only(storage.mounted(root, mount, STATE), "disk", "poor", "3 errors", "forcefsck")
    (root / "sys/fs/ext4/mmcblk0p2/errors_count").write_text("0\n")
    silent(storage.mounted(root, mount, STATE))


def test_a_state_that_is_lost_at_a_reboot_is_told(tree: Tree) -> None:
    mounts = "overlayroot / overlay rw,lowerdir=/media/root-ro 0 0\n"
    mount = storage.mount_of(mounts, STATE)
    only(
        storage.mounted(tree({}), mount, STATE), "disk", "poor", "lost at a reboot", "raspi-config"
    )
    own = f"{mounts}/dev/sda1 {STATE} ext4 rw 0 0\n"
    silent(storage.mounted(tree({}), storage.mount_of(own, STATE), STATE))


def test_a_disk_without_room_for_bytes_or_for_files_is_told() -> None:
    only(storage.room(STATE, 9_000_000, 90_000, 100_000), "disk", "poor", "9 MB", "vacuum")
    only(storage.room(STATE, 9_000_000_000, 12, 100_000), "disk", "poor", "12 more files")
    only(storage.room(STATE, 9_000_000_000, 0, 0), "disk", "good")


def test_a_log_that_a_reboot_wipes_is_told_with_how_to_keep_it(tree: Tree) -> None:
    root = tree({"etc/systemd/journald.conf": "[Journal]\n#Storage=auto\n"})
    silent(storage.journal(root))  # no systemd runs
    (root / "run/systemd/system").mkdir(parents=True)
    only(storage.journal(root), "journal", "good", "in memory", "Storage=persistent")
    (root / "var/log/journal").mkdir(parents=True)
    silent(storage.journal(root))
    tree({"usr/lib/systemd/journald.conf.d/40-rpi-volatile-storage.conf": "Storage=volatile\n"})
    only(storage.journal(root), "journal", "good", "in memory")


# --- the whole


def test_a_whole_tree_in_which_all_is_well_gives_no_complaint(tree: Tree) -> None:
    root = tree({
        "proc/device-tree/model": PI_4, "boot/firmware/config.txt": "camera_auto_detect=1\n",
        "sys/class/video4linux/video0/name": "unicam-image\n",
        "proc/meminfo": "MemTotal: 4000000 kB\nMemAvailable: 3000000 kB\nSwapTotal: 0 kB\n"
        "CmaTotal: 524288 kB\nCmaFree: 400000 kB\n",
        "etc/passwd": PASSWD, "etc/group": GROUP,
    })  # fmt: skip
    silent(
        examination.camera_hardware(root, held=False), examination.machine(root, lambda *_: None)
    )


def test_no_program_that_hangs_or_fails_holds_doctor_up(monkeypatch: pytest.MonkeyPatch) -> None:
    from edgehome.doctor import ask

    monkeypatch.setattr(ask, "ANSWER_S", 0.2)
    assert ask.ask("sleep", "60") is None
    assert ask.ask("false") is None
    assert ask.ask("no-such-program-as-this") is None
    assert ask.ask("echo", "x") == "x\n"
