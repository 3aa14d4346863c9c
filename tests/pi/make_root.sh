#!/bin/sh
# make_root.sh DIR: Debian 13 with libcamera 0.7.1 (from backports: its `virtual` camera works with
# picamera2, that of 0.4 does not), picamera2 from PyPI and pytest. Needs root, mmdebstrap and pip.
set -eu
root=$1
mirror=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.sources 2>/dev/null |
    grep -E '^(URIs:|deb )' | grep -Eom1 'https?://[^ ]*/debian/?( |$)' || true)
[ -n "$mirror" ] || { echo "make_root.sh: apt names no mirror of Debian" >&2; exit 69; }
python=${PYTHON:-python3}

wheels=$(mktemp -d)
trap 'rm -rf "$wheels"' EXIT
"$python" -m pip download --quiet --no-deps --only-binary=:all: --dest "$wheels" \
    --python-version 3.13 --platform manylinux2014_x86_64 --platform manylinux_2_28_x86_64 \
    picamera2==0.3.38 simplejpeg==1.9.0 videodev2==0.0.4

rm -rf "$root.part" "$root"
packages=python3,python3-numpy,python3-av,python3-pytest
# What picamera2 imports, wanted or not.
packages=$packages,python3-prctl,python3-piexif,python3-libarchive-c,python3-pil
packages=$packages,python3-jsonschema,python3-tqdm
packages=$packages,python3-libcamera/trixie-backports,libcamera-ipa/trixie-backports
mmdebstrap --quiet --architectures=amd64 --variant=minbase --include="$packages" \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    trixie "$root.part" "deb $mirror trixie main" "deb $mirror trixie-backports main"

mkdir -p "$root.part/opt/site" "$root.part/opt/edgehome" "$root.part/opt/camera"
for wheel in "$wheels"/*.whl; do
    "$python" -m zipfile -e "$wheel" "$root.part/opt/site"
done
mv "$root.part" "$root"
