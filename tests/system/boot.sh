#!/bin/bash
# boot.sh ROOT NAME WHEELS: boots systemd in ROOT as a container that shares the host's network, with
# the folder WHEELS in /srv.
# A cgroup2 tree of its own, in a mount namespace of its own: so it also runs where the host still
# uses cgroup v1 or has no systemd at all. Runs until the container powers off.
set -euo pipefail

# shellcheck disable=SC2016  # the inner shell expands them
exec unshare --mount --propagation private bash -euc '
umount -R /sys/fs/cgroup
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mkdir -p "/sys/fs/cgroup/$1"
echo $$ >"/sys/fs/cgroup/$1/cgroup.procs"
exec systemd-nspawn --quiet --directory="$0" --machine="$1" --boot --register=no --keep-unit \
    --console=pipe --bind-ro="$2:/srv/wheels"
' "$1" "$2" "$3" </dev/null
