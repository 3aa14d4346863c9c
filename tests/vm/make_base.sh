#!/bin/bash
# make_base.sh DIR: a Debian 13 that boots with its own kernel and systemd, with the camera stack of
# tests/pi, and a broker. Needs root, mmdebstrap, pip and a mirror.
set -euo pipefail
base=$1
here=$(dirname "$(readlink -f "$0")")

"$here/../pi/make_root.sh" "$base.part" linux-image-amd64 initramfs-tools zstd udev kmod \
    systemd-sysv dbus mosquitto mosquitto-clients python3-venv procps ca-certificates xz-utils
# Only the modules that find the disk: a small first file system boots in seconds.
mkdir -p "$base.part/etc/initramfs-tools/conf.d"
echo MODULES=list >"$base.part/etc/initramfs-tools/conf.d/modules"
printf 'virtio_pci\nvirtio_blk\next4\n' >"$base.part/etc/initramfs-tools/modules"
# shellcheck disable=SC2016  # the inner shell expands it
unshare --mount --propagation private sh -ec '
mount -t proc proc "$0/proc"
mount --bind /dev "$0/dev"
exec chroot "$0" update-initramfs -u
' "$base.part"
mv "$base.part" "$base"
