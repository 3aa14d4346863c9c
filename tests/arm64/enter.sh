#!/bin/bash
# enter.sh ROOT FOLDER [SOURCE PLACE]... -- COMMAND...: runs a command in ROOT, where FOLDER is /srv
# and each SOURCE is to be read in its PLACE. For `unshare --mount --pid --fork`: all mounts go with it.
set -euo pipefail

root=$1
mount -t proc proc "$root/proc"
mount --bind -o ro /sys "$root/sys"
mount --bind "$2" "$root/srv"
shift 2
while [[ $1 != -- ]]; do
    mount --bind -o ro "$1" "$root$2"
    shift 2
done
shift
exec chroot "$root" "$@"
