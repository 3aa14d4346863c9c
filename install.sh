#!/bin/bash
# Installs edgehome on a Raspberry Pi, or shows and tests it on any Debian. `./install.sh --help`.
set -euo pipefail
umask 022

readonly prefix=/opt/edgehome config=/etc/edgehome state=/var/lib/edgehome
readonly launcher=/usr/local/bin/edgehome units=/etc/systemd/system
readonly unit=$units/edgehome.service reboot=edgehome-reboot
readonly drop_in=$unit.d/10-coral.conf

# Exit statuses, as sysexits.h has them, and as `--help` tells them.
readonly wrong_usage=64 no_input=66 no_packages=69 unfit_machine=71 not_up=75 not_root=77

usage() {
    cat <<'HELP'
Usage: sudo ./install.sh [--model FILE] [--password-file FILE] [--video] [--coral]
       sudo ./install.sh --uninstall [--purge]
       ./install.sh --demo [ARGUMENT...]
       ./install.sh --test [ARGUMENT...]

Without --demo, --test or --uninstall: installs edgehome as a systemd service, or repairs or
upgrades what is there. An existing /etc/edgehome/config.yaml is never touched.
  --model FILE          another model than the one in the box: a published MoViNet-stream
                        .tflite file, which is imported, or a compiled one with its manifest
  --password-file FILE  a file that holds the MQTT broker's password
  --video               also install PyAV, for RTSP and USB cameras and for video files
                        (always done where there is no Pi camera software)
  --coral               let the service use a Coral Edge TPU
  --uninstall           remove all of it, except /etc/edgehome and /var/lib/edgehome
  --purge               with --uninstall: these too

In the checkout, in a .venv of its own, as any user (root only where packages are missing):
  --demo                show an alert on its way from a video to a broker, then stop;
                        arguments go to scripts/demo.py, for example --clip FILE
  --test                run every check and test; arguments go to pytest, for example -k outbox

Exit status: 0 done; 64 wrong option; 66 a named file is missing or refused; 69 packages could
not be had; 71 this machine cannot run edgehome; 75 installed, but the service is not up; 77 needs
root; with --demo and --test otherwise that of the demo or of the tests.
HELP
}

say() { printf '==> %s\n' "$*"; }

# Tells what is wrong and what to do, and ends: `fail STATUS SENTENCE REMEDY`.
fail() {
    printf 'install.sh: %s\n            %s\n' "$2" "$3" >&2
    exit "$1"
}

require_64_bit() {
    # 64-bit kernels carry 32-bit systems too: Python's own word counts, where there is one.
    local machine bits
    machine=$(uname -m) bits=$(getconf LONG_BIT)
    [[ $machine =~ ^(aarch64|x86_64)$ && $bits == 64 ]] ||
        fail $unfit_machine "edgehome needs a 64-bit system; this is $machine with $bits bits." \
            "Write the 64-bit Raspberry Pi OS to the card; a Pi 3, 4, 5 or Zero 2 W can run it."
}

require_root() {
    ((EUID == 0)) || fail $not_root "$1 needs root." "Run: sudo ./install.sh $2"
}

# Installs Debian packages, which the system's own package manager keeps up to date.
apt_install() {
    local as_root=() attempt="apt-get install $*"
    command -v apt-get >/dev/null ||
        fail $unfit_machine "This is not a Debian system, and these are missing: $*." \
            "Install them in this system's own way, then run this again."
    if ((EUID != 0)); then
        command -v sudo >/dev/null ||
            fail $not_root "These packages are missing: $*." "As root, run: $attempt"
        as_root=(sudo)
    fi
    say "installing with apt: $*"
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 \
        install -qq -y --no-install-recommends "$@" >/dev/null ||
        fail $no_packages "apt could not install: $*." \
            "Read its message above; is the network there? Then run this again."
}

apt_update() {
    local as_root=()
    ((EUID == 0)) || as_root=(sudo)
    say "asking apt what there is"
    "${as_root[@]}" apt-get -o DPkg::Lock::Timeout=300 update -qq ||
        fail $no_packages "apt could not fetch its lists." "Is the network there?"
}

has_candidate() { [[ $(LC_ALL=C apt-cache policy "$1") =~ Candidate:\ [^\(] ]]; }

is_supported() {
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null
}

can_make_venv() { is_supported "$1" && "$1" -c 'import ensurepip, venv' 2>/dev/null; }

# Prints the Python that a .venv is made with: Debian's, or else a supported one on the PATH.
find_python() {
    local name path
    for name in /usr/bin/python3 python3.13 python3.12 python3.11; do
        path=$(command -v "$name") && can_make_venv "$path" && echo "$path" && return
    done
    return 1
}

# Installs locked dependencies: `pip_install VENV NAME...` with NAME from requirements/NAME.txt.
pip_install() {
    local venv=$1 name files=()
    shift
    for name in "$@"; do files+=(--requirement "requirements/$name.txt"); done
    say "installing locked Python packages: $*"
    "$venv/bin/python" -m pip install --quiet --no-input --disable-pip-version-check \
        --require-hashes --no-deps --only-binary :all: "${files[@]}" ||
        fail $no_packages "pip could not install the locked packages." \
            "Read its message above; is the network there? Then run this again."
}

site_packages() { "$1/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))'; }

# Writes the command `edgehome`: -P keeps the current folder, whoever may write there, out of it.
write_launcher() {
    printf '#!/bin/sh\nexec %s/bin/python -P -m edgehome "$@"\n' "$1" >"$2"
    chmod 0755 "$2"
}

# --- in the checkout -----------------------------------------------------------------------------

# Installs what is missing of Python and of the named programs, which are packages of that name.
install_missing() {
    local missing=() program
    find_python >/dev/null || missing+=(python3-venv)
    for program in "$@"; do
        PATH=$PATH:/usr/sbin command -v "$program" >/dev/null || missing+=("$program")
    done
    ((${#missing[@]})) || return 0
    if command -v apt-get >/dev/null && { ((EUID == 0)) || command -v sudo >/dev/null; }; then
        apt_update
    fi
    apt_install "${missing[@]}"
}

# Makes or refreshes .venv with the packages of requirements/NAME.txt: `prepare_checkout NAME...`.
prepare_checkout() {
    local python name stale=() locks=.venv/locks
    python=$(find_python) ||
        fail $unfit_machine "No Python from 3.11 to 3.13 was found." \
            "Debian 12, Debian 13 and Raspberry Pi OS of the same names have one."
    if [[ $("$python" -VV) != "$(cat $locks/python 2>/dev/null)" ]]; then
        say "making .venv with $python"
        "$python" -m venv --clear .venv
        mkdir $locks
    fi
    for name in "$@"; do
        cmp -s "requirements/$name.txt" "$locks/$name.txt" || stale+=("$name")
    done
    if ((${#stale[@]})); then
        pip_install .venv "${stale[@]}"
        for name in "${stale[@]}"; do cp "requirements/$name.txt" $locks/; done
    fi
    pwd >"$(site_packages .venv)/edgehome.pth"
    write_launcher "$PWD/.venv" .venv/bin/edgehome
    "$python" -VV >$locks/python
}

demo() {
    install_missing mosquitto
    prepare_checkout runtime numpy video
    say "running the demo"
    exec .venv/bin/python scripts/demo.py "$@"
}

run_tests() {
    install_missing mosquitto shellcheck
    prepare_checkout runtime numpy video dev
    say "running scripts/check"
    scripts/check
    say "running scripts/test"
    exec scripts/test "$@"
}

# --- on the system -------------------------------------------------------------------------------

install_system_packages() {
    local packages=(python3-venv python3-numpy procps)
    apt_update
    if has_candidate python3-picamera2; then
        packages+=(python3-picamera2)
    else
        say "no Pi camera here: that needs Raspberry Pi OS, whose apt has python3-picamera2;" \
            "RTSP and USB cameras work"
        video=yes
    fi
    apt_install "${packages[@]}"
    can_make_venv /usr/bin/python3 ||
        fail $unfit_machine "This system's Python is $(/usr/bin/python3 -V 2>&1)." \
            "edgehome runs on 3.11 to 3.13: Debian or Raspberry Pi OS, Bookworm or Trixie."
}

# Builds a complete new release beside the old one; nothing that runs is touched.
build_release() {
    local locks=(runtime) site
    mkdir -p $prefix
    release=$(mktemp -d $prefix/release.XXXXXX)
    trap 'rm -rf "$release"' EXIT
    chmod 0755 "$release"
    say "building $release"
    # The camera's Python binding is an apt package for the system's Python, so both are shared.
    /usr/bin/python3 -m venv --system-site-packages "$release"
    # apt's camera stack is built for apt's numpy: another one would break it.
    "$release/bin/python" -c 'import numpy' 2>/dev/null || locks+=(numpy)
    [[ -z $video ]] || locks+=(video)
    pip_install "$release" "${locks[@]}"
    # A plain copy: pure Python, no build step, no network.
    site=$(site_packages "$release")
    cp -R edgehome "$site/"
    find "$site/edgehome" -name __pycache__ -prune -exec rm -rf {} +
    chmod -R u=rwX,go=rX "$site/edgehome"
    "$release/bin/python" -m compileall -q "$site/edgehome"
    { "$release/bin/python" -P -m edgehome --help >/dev/null &&
        "$release/bin/python" -P -c 'import ai_edge_litert.interpreter'; } ||
        fail $unfit_machine "The new release does not run; what was installed before still does." \
            "Read the message above."
}

# Puts the new release in place of the old one, in a single rename.
switch_release() {
    ln -sfn "$(basename "$release")" $prefix/venv.new
    mv -T $prefix/venv.new $prefix/venv
    trap - EXIT
    write_launcher $prefix/venv $launcher
}

remove_old_releases() {
    find $prefix -maxdepth 1 -name 'release.*' ! -name "$(basename "$release")" \
        -exec rm -rf {} +
}

add_user() {
    if ! getent passwd edgehome >/dev/null; then
        say "adding the system user edgehome"
        useradd --system --user-group --no-create-home --home-dir $state \
            --shell /usr/sbin/nologin edgehome
    fi
}

install_configuration() {
    mkdir -p $config
    # For editors: the file's first line names it. It goes with the release, and is not yours.
    install -m 0644 config.schema.json $config/config.schema.json
    if [[ ! -e $config/config.yaml ]]; then
        say "writing $config/config.yaml; it is yours from now on"
        install -m 0640 config.yaml $config/config.yaml
        [[ -z $imported ]] || name_model
    elif [[ -n $imported ]] && ! grep -qF "$imported" $config/config.yaml; then
        say "$config/config.yaml is yours and was left alone; to watch with this model, set there:"
        printf '      recognizer:\n        model: %s\n' "$imported"
    fi
    # A camera's address may hold a password: the service and root read it, nobody else.
    chgrp edgehome $config/config.yaml
    if [[ -n $password_file ]]; then
        say "installing the broker's password"
        install -m 0600 "$password_file" $config/mqtt-password
    elif [[ ! -e $config/mqtt-password ]]; then
        install -m 0600 /dev/null $config/mqtt-password
    fi
}

# Names the imported model in the fresh configuration, if the rules there are on labels of its own.
name_model() {
    local new=$config/config.yaml.new
    sed "s|^  model: [^ ]*|  model: $imported|" config.yaml >$new
    if [[ $imported =~ ^[[:alnum:]/._-]+$ ]] && installed_edgehome check $new >/dev/null 2>&1; then
        install -m 0640 $new $config/config.yaml
    else
        say "config.yaml names the model in the box, because its rules are on that one's labels;" \
            "write your own, then set there: model: $imported"
    fi
    rm $new
}

installed_edgehome() { "$release/bin/python" -P -m edgehome "$@"; }

# Puts the model in the box where the service reads it, and the one that was asked for. Each is
# tried on this machine first, and kept with its hash: the service refuses any other file there.
install_models() {
    local told
    if [[ -n $model ]]; then
        say "importing the model $model"
        told=$(installed_edgehome models import "$model" --to $config/models) ||
            fail $no_input "The model $model was refused; nothing else was changed." \
                "Read the message above."
        imported=models/$(basename "${told##*model: }")
        printf '%s' "${told%Use it*}"
    fi
    say "installing the model in the box"
    installed_edgehome models import models/edgehome-a0.tflite --to $config/models >/dev/null ||
        fail $unfit_machine "The model in the box does not run on this machine." \
            "Read the message above; is the checkout complete?"
}

install_unit() {
    say "installing the service"
    install -m 0644 systemd/edgehome.service systemd/$reboot.{path,service} $units/
    if [[ -n $coral ]]; then
        install -D -m 0644 systemd/coral.conf $drop_in
        # A group that does not exist would keep the service from starting.
        for group in plugdev apex; do
            ! getent group $group >/dev/null || echo "SupplementaryGroups=$group" >>$drop_in
        done
    fi
}

# Starts the service and waits until it says that it is ready.
start_service() {
    if [[ ! -d /run/systemd/system ]]; then
        say "systemd does not run here: the service is installed, but not started"
        return
    fi
    systemctl daemon-reload
    systemctl enable --quiet edgehome $reboot.path
    systemctl start $reboot.path
    say "starting the service"
    if ! systemctl restart edgehome; then
        journalctl --unit edgehome --lines 20 --no-pager --output cat >&2
        fail $not_up "edgehome is installed, but its service did not start." \
            "Its last words are above; put that right, then run: sudo systemctl restart edgehome"
    fi
    say "edgehome runs: $(systemctl show --property StatusText --value edgehome)"
}

install_all() {
    require_root "Installing" "[--model FILE]"
    install_system_packages
    build_release
    install_models
    add_user
    install_configuration
    switch_release
    install_unit
    start_service
    remove_old_releases
    say "done. Edit $config/config.yaml, then: sudo systemctl reload edgehome." \
        "Anything unclear: edgehome doctor"
}

uninstall() {
    require_root "Removing" "--uninstall"
    if [[ -d /run/systemd/system && -e $unit ]]; then
        say "stopping the service"
        systemctl disable --quiet --now edgehome $reboot.path
    fi
    say "removing $prefix, $launcher, the unit and the user"
    rm -rf $prefix $launcher $unit $units/$reboot.{path,service} $drop_in
    rm -f $config/config.schema.json
    rmdir $unit.d 2>/dev/null || true
    if [[ -d /run/systemd/system ]]; then
        systemctl daemon-reload
        systemctl reset-failed edgehome 2>/dev/null || true
    fi
    # The user's number may be given to another service one day: nothing may still belong to it.
    for folder in $config $state; do
        [[ ! -d $folder ]] || chown -R root:root "$folder"
    done
    ! getent passwd edgehome >/dev/null || userdel edgehome
    if [[ -n $purge ]]; then
        say "removing $config and $state"
        rm -rf $config $state $unit.d
    fi
}

require_file() {
    [[ -f $2 ]] || fail $no_input "There is no file $2." "Name one that exists after $1."
}

main() {
    model='' imported='' password_file='' video='' coral='' purge=''
    local action=install_all here
    here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
    while (($#)); do
        case $1 in
        --help | -h) usage && exit ;;
        --demo | --test) break ;;
        --model | --password-file)
            (($# > 1)) || fail $wrong_usage "$1 needs a file." "Try --help."
            require_file "$1" "$2"
            [[ $1 != --model ]] || model=$(readlink -f "$2")
            [[ $1 != --password-file ]] || password_file=$(readlink -f "$2")
            shift
            ;;
        --video) video=yes ;;
        --coral) coral=yes ;;
        --uninstall) action=uninstall ;;
        --purge) purge=yes ;;
        *) fail $wrong_usage "There is no option $1." "Try --help." ;;
        esac
        shift
    done
    [[ -z $purge || $action == uninstall ]] ||
        fail $wrong_usage "--purge goes with --uninstall." "Try --help."
    cd "$here"
    [[ $action == uninstall ]] || require_64_bit
    case ${1:-} in
    --demo) shift && demo "$@" ;;
    --test) shift && run_tests "$@" ;;
    *) $action ;;
    esac
}

main "$@"
