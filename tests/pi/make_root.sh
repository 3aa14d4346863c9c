#!/bin/sh
# make_root.sh DIR [PACKAGE...]: Debian 13 with libcamera 0.7.1 (from backports: its `virtual` camera
# works with picamera2, that of 0.4 does not), picamera2 from PyPI where apt puts it on a Pi, and
# pytest. What edgehome imports (the wheels of requirements/runtime.txt) is in /opt/node-packages,
# where nobody finds it unasked. Needs root, mmdebstrap and pip. PACKAGEs are Debian's.
set -eu
root=$1
shift
here=$(cd "$(dirname "$0")" && pwd)
mirror=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.sources 2>/dev/null |
    grep -E '^(URIs:|deb )' | grep -Eom1 'https?://[^ ]*/debian/?( |$)' || true)
[ -n "$mirror" ] || { echo "make_root.sh: apt names no mirror of Debian" >&2; exit 69; }
python=${PYTHON:-python3}

wheels=$(mktemp -d)
trap 'rm -rf "$wheels"' EXIT
download() {
    into=$1
    shift
    "$python" -m pip download --quiet --no-deps --only-binary=:all: --dest "$wheels/$into" \
        --python-version 3.13 --platform manylinux2014_x86_64 \
        --platform manylinux_2_27_x86_64 --platform manylinux_2_28_x86_64 "$@"
}
download system picamera2==0.3.38 simplejpeg==1.9.0 videodev2==0.0.4
download node --require-hashes -r "$here/../../requirements/runtime.txt"

rm -rf "$root.part" "$root"
packages=python3,python3-numpy,python3-av,python3-pytest
# What picamera2 imports, wanted or not.
packages=$packages,python3-prctl,python3-piexif,python3-libarchive-c,python3-pil
packages=$packages,python3-jsonschema,python3-tqdm
packages=$packages,python3-libcamera/trixie-backports,libcamera-ipa/trixie-backports
for package in "$@"; do packages=$packages,$package; done
mmdebstrap --quiet --architectures=amd64 --variant=minbase --include="$packages" \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    trixie "$root.part" "deb $mirror trixie main" "deb $mirror trixie-backports main"

mkdir -p "$root.part/opt/edgehome" "$root.part/opt/camera" "$root.part/opt/node-packages"
for wheel in "$wheels"/system/*.whl; do
    "$python" -m zipfile -e "$wheel" "$root.part/usr/lib/python3/dist-packages"
done
for wheel in "$wheels"/node/*.whl; do
    "$python" -m zipfile -e "$wheel" "$root.part/opt/node-packages"
done
mv "$root.part" "$root"
