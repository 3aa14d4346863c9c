"""An apt repository like Raspberry Pi OS's: python3-picamera2, and a libcamera that goes with it.

picamera2 is the real one, from PyPI, in a Debian package; libcamera is Debian's own, from
backports: its virtual camera works with picamera2. What Raspberry Pi builds cannot be had here.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING

from machine import CHECKOUT, ROOT, Machine, mirror

if TYPE_CHECKING:
    from pathlib import Path

PI = ROOT / "tests" / "pi"
WHEELS = ("picamera2==0.3.38", "simplejpeg==1.9.0", "videodev2==0.0.4")
CONTROL = """\
Package: python3-picamera2
Version: 0.3.38
Architecture: all
Maintainer: nobody <nobody@localhost>
Depends: python3-libcamera (>= 0.7), libcamera-ipa, python3-numpy, python3-av, python3-pil,
 python3-prctl, python3-piexif, python3-libarchive-c, python3-jsonschema, python3-tqdm
Description: picamera2
"""
STAND_IN = CONTROL.partition("Depends")[0] + "Description: stand-in\n"
PINNED = "Package: *libcamera*\nPin: release n=trixie-backports\nPin-Priority: 600\n"
MAKE_REPOSITORY = """
set -e
mkdir -p /srv/repository
cd /srv/repository
dpkg-deb --build /srv/package package.deb >/dev/null
{ cat /srv/package/DEBIAN/control; echo "Filename: ./package.deb"
  echo "Size: $(stat -c %s package.deb)"
  echo "SHA256: $(sha256sum package.deb | cut -d ' ' -f 1)"; } >Packages
echo 'deb [trusted=yes] file:/srv/repository ./' >/etc/apt/sources.list.d/camera.list
"""
DROP_IN = """\
[Service]
Environment=LD_PRELOAD=/usr/local/lib/virtual-camera.so LIBCAMERA_LOG_LEVELS=*:ERROR
Environment=EDGEHOME_SHIM_FPS=20 EDGEHOME_SHIM_STALL=/run/stall
# Behind the walls libcamera looks for cameras in sysfs, and gives up where the kernel has no media.
TemporaryFileSystem=/sys/bus:ro
BindReadOnlyPaths=/srv/no-media:/sys/bus/media/devices
"""


def offer_camera(machine: Machine) -> None:
    """Let apt have the camera's packages: on Debian 13 the real ones, on 12 an empty stand-in."""
    package = machine.root / "srv" / "package"
    python = package / "usr" / "lib" / "python3" / "dist-packages"
    (package / "DEBIAN").mkdir(parents=True)
    if machine.suite == "trixie":
        (package / "DEBIAN" / "control").write_text(CONTROL)
        _unpack_wheels(python, machine.root / "srv" / "camera-wheels")
        apt = machine.root / "etc" / "apt"
        source = f"deb {mirror()} trixie-backports main\n"
        (apt / "sources.list.d" / "backports.list").write_text(source)
        (apt / "preferences.d" / "libcamera").write_text(PINNED)
    else:
        (package / "DEBIAN" / "control").write_text(STAND_IN)
        (python / "picamera2").mkdir(parents=True)
        (python / "picamera2" / "__init__.py").touch()
    machine.run(MAKE_REPOSITORY)


def _unpack_wheels(target: Path, folder: Path) -> None:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder]
    command += ["--only-binary=:all:", "--python-version", "3.13"]
    command += ["--platform", "manylinux2014_x86_64", "--platform", "manylinux_2_28_x86_64"]
    subprocess.run([*command, *WHEELS], check=True)
    for wheel in folder.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(target)


def plug_in(machine: Machine, clip: str) -> None:
    """Give a Debian 13 with picamera2 a virtual camera that shows a clip over and over."""
    subprocess.run([PI / "dress_root.sh", machine.root], check=True, env=dict(os.environ))
    pictures = "/usr/local/share/camera-pictures"
    machine.run(f"python3 {CHECKOUT}/tests/pi/make_pictures.py {clip} {pictures} 5")
    (machine.root / "srv" / "no-media").mkdir()
    drop_in = machine.root / "etc/systemd/system/edgehome.service.d/20-camera.conf"
    drop_in.parent.mkdir(exist_ok=True)
    drop_in.write_text(DROP_IN)
    machine.run("systemctl daemon-reload")
    shutil.rmtree(machine.root / "srv" / "camera-wheels", ignore_errors=True)
