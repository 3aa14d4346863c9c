#!/bin/sh
# dress_root.sh DIR [MACRO...]: put into a Debian 13 with picamera2 what stands in for a Pi's camera.
# In every Python of that system picamera2 then finds libcamera's virtual camera, which shows the
# JPEGs of /usr/local/share/camera-pictures in turn, each four times. Programs that use it need
# LD_PRELOAD=/usr/local/lib/virtual-camera.so; its first lines say what else there is to set.
# MACROs are given to the compiler, see there. Needs gcc.
set -eu
root=$1
shift
here=$(cd "$(dirname "$0")" && pwd)
packages=$root/usr/lib/python3/dist-packages

cp -R "$here"/virtual/* "$packages/"
rm -rf "$packages/__pycache__"
mkdir -p "$root/usr/local/share/camera-pictures" "$root/usr/local/lib"
cp "$here/virtual.yaml" "$root/usr/share/libcamera/pipeline/virtual/virtual.yaml"
for macro in "$@"; do set -- "$@" "-D$macro"; shift; done
gcc -O1 -Wall -Werror -shared -fPIC "$@" -o "$root/usr/local/lib/virtual-camera.so" \
    "$here/dma_heap_shim.c" -ldl
