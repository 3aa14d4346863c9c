#!/bin/bash
# make_image.sh BASE CHECKOUT IMAGE: the base with this checkout installed by its own install.sh, as
# a disk; kernel and first file system beside it as IMAGE.kernel and IMAGE.initrd. Needs root.
set -euo pipefail
base=$1 checkout=$2 image=$3
here=$(dirname "$(readlink -f "$0")")
pi=$here/../pi
root=$image.root

rm -rf --one-file-system "$root"
cp -a --reflink=auto "$base" "$root"
cp /etc/resolv.conf "$root/etc/"
if [[ -e /etc/ssl/certs/ca-certificates.crt ]]; then
    cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
fi
cp -a "$checkout" "$root/srv/edgehome"

# The heaps are the kernel's own; the library only paces the virtual camera, and holds it up.
"$pi/dress_root.sh" "$root" KERNEL_HEAPS
# As Raspberry Pi OS has it.
cat >"$root/etc/udev/rules.d/60-dma-heap.rules" <<'RULES'
SUBSYSTEM=="dma_heap", GROUP="video", MODE="0660"
SUBSYSTEM=="dma_heap", KERNEL=="system", SYMLINK+="dma_heap/vidbuf_cached"
RULES
install -D -m 0644 "$here/camera.conf" \
    "$root/etc/systemd/system/edgehome.service.d/10-camera.conf"
cp "$here/scenario.service" "$root/etc/systemd/system/"
# A network of random weights as Google's converter writes it: as large and as slow as the real one.
xz -dc "$here/../movinet/originals/a0.dynamic.tflite.xz" >"$root/srv/google.tflite"
# shellcheck disable=SC2016  # the inner shell expands it
unshare --mount --propagation private sh -ec '
mount -t proc proc "$0/proc"
mount --bind /dev "$0/dev"
exec chroot "$0" env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    HOME=/root PIP_CERT=/etc/ssl/certs/ca-certificates.crt sh -ec "
/srv/edgehome/install.sh
edgehome models import /srv/google.tflite --to /etc/edgehome/models >/dev/null
/usr/bin/python3 /srv/edgehome/tests/pi/make_pictures.py \
    /srv/edgehome/models/clips/porch-day-walk.mp4 /usr/local/share/camera-pictures 1.25
systemctl enable --quiet scenario mosquitto
systemctl disable --quiet edgehome"
' "$root"

cp "$root"/boot/vmlinuz-* "$image.kernel"
cp "$root"/boot/initrd.img-* "$image.initrd"
rm -rf "$root/var/cache/apt" "$root/var/lib/apt/lists"
mke2fs -q -t ext4 -d "$root" -r 1 "$image.part" 4G
rm -rf --one-file-system "$root"
mv "$image.part" "$image"
