#!/bin/bash
# Installs edgehome on a Raspberry Pi, or shows and tests it on any Debian. `./install.sh --help`.
set -euo pipefail
umask 022

readonly prefix=/opt/edgehome config=/etc/edgehome state=/var/lib/edgehome
readonly launcher=/usr/local/bin/edgehome units=/etc/systemd/system
readonly unit=$units/edgehome.service reboot=edgehome-reboot trial=edgehome-trial
readonly drop_in=$unit.d/10-coral.conf

# Exit statuses, as sysexits.h has them, and as `--help` tells them.
readonly wrong_usage=64 no_input=66 no_packages=69 taken_back=70 unfit_machine=71 not_up=75
readonly not_root=77

usage() {
    cat <<'HELP'
Usage: sudo ./install.sh [--model FILE] [--password-file FILE] [--video] [--coral]
                         [--wheels FOLDER]
       sudo ./install.sh --rollback
       sudo ./install.sh --uninstall [--purge]
       ./install.sh --download FOLDER [--for 3.11|3.12|3.13]
       ./install.sh --demo [ARGUMENT...]
       ./install.sh --test [ARGUMENT...]

With none of the words below: installs edgehome as a systemd service, or repairs or upgrades what
is there. An existing /etc/edgehome/config.yaml is never touched. A new release that does not become
healthy is taken back within a minute, and the one before runs again.
  --model FILE          another model than the one in the box: a published MoViNet-stream
                        .tflite file, which is imported, or a compiled one with its manifest
  --password-file FILE  a file that holds the MQTT broker's password
  --video               also install PyAV, for RTSP and USB cameras and for video files
                        (always done where there is no Pi camera software, or once it was asked for)
  --coral               let the service use a Coral Edge TPU
  --wheels FOLDER       take the Python packages from there; with the Debian packages in place no
                        network is needed
  --download FOLDER     fill such a folder, for a Raspberry Pi and for this machine, and for each
                        Python that edgehome runs on, or for the one after --for
  --rollback            back to the release before this one
  --uninstall           remove all of it, except /etc/edgehome and /var/lib/edgehome
  --purge               with --uninstall: these too

In the checkout, in a .venv of its own, as any user (root only where packages are missing):
  --demo                show an alert on its way from a video to a broker, then stop;
                        arguments go to scripts/demo.py, for example --clip FILE
  --test                run every check and test; arguments go to pytest, for example -k outbox

Exit status: 0 done; 64 wrong option; 66 a named file is missing or refused; 69 packages could
not be had; 70 the new release was taken back, the one before runs; 71 this machine cannot run
edgehome; 75 installed, but the service is not up; 77 needs root; with --demo and --test otherwise
that of the demo or of the tests.
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
    [[ -z $wheels ]] || files+=(--no-index --find-links "$wheels")
    for name in "$@"; do files+=(--requirement "requirements/$name.txt"); done
    say "installing locked Python packages: $*"
    "$venv/bin/python" -m pip install --quiet --no-input --disable-pip-version-check \
        --require-hashes --no-deps --only-binary :all: "${files[@]}" ||
        fail $no_packages "pip could not install the locked packages." \
            "Read its message above; is the network${wheels:+ or $wheels} there? Then run this again."
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

# One at a time: two would remove each other's half-built releases.
take_turn() {
    mkdir -p $prefix
    exec 9<$prefix
    flock --nonblock 9 ||
        fail $not_up "Another install.sh is at work." "Wait for it, then run this again."
}

is_installed() {
    [[ $(dpkg-query --show --showformat '${db:Status-Abbrev}' "$1" 2>/dev/null) == ?i* ]]
}

install_system_packages() {
    local package missing=()
    for package in python3-venv python3-numpy procps; do
        is_installed $package || missing+=("$package")
    done
    [[ -n $wheels && ${#missing[@]} == 0 ]] || apt_update
    if has_candidate python3-picamera2; then
        is_installed python3-picamera2 || missing+=(python3-picamera2)
    elif ! is_installed python3-picamera2; then
        say "no Pi camera here: that needs Raspberry Pi OS, whose apt has python3-picamera2;" \
            "RTSP and USB cameras work: name yours in $config/config.yaml, camera.source"
        video=yes
    fi
    # An upgrade takes nothing away: a camera may need what was asked for once.
    [[ -z $(find $prefix/venv/lib -maxdepth 3 -path '*/site-packages/av' 2>/dev/null) ]] || video=yes
    ((${#missing[@]} == 0)) || apt_install "${missing[@]}"
    can_make_venv /usr/bin/python3 ||
        fail $unfit_machine "This system's Python is $(/usr/bin/python3 -V 2>&1)." \
            "edgehome runs on 3.11 to 3.13: Debian or Raspberry Pi OS, Bookworm or Trixie."
}

# What puts a release in place and takes it back: it outlives each of them.
install_trial() {
    install -m 0755 systemd/trial.sh $prefix/trial.sh.new
    mv -T $prefix/trial.sh.new $prefix/trial.sh
    install -m 0644 systemd/$trial.{path,service} $units/
}

# Gives a release from before there were trials what belongs to it: unit, model and schema.
adopt_old_release() {
    local old=$prefix/venv/share/edgehome file
    [[ -d $prefix/venv && ! -d $old && -e $unit ]] || return 0
    rm -rf "$old.new"
    mkdir -p "$old.new/systemd" "$old.new/models/heads"
    cp $unit $units/$reboot.{path,service} "$old.new/systemd/"
    cp $config/config.schema.json "$old.new/"
    (cd models && printf '%s\n' edgehome-a0.{tflite,json} heads/*.json) | while read -r file; do
        [[ ! -f $config/models/$file ]] || cp "$config/models/$file" "$old.new/models/$file"
    done
    mv -T "$old.new" "$old"
    readlink $prefix/venv >$prefix/proven
}

# Builds a complete new release beside the old one; nothing that runs is touched. It gets its name
# when it is whole.
build_release() {
    local locks=(runtime) site version whole
    rm -rf $prefix/releases/*.new
    version=$(sed -n 's/^__version__ = "\(.*\)"/\1/p' edgehome/__init__.py)
    whole=$prefix/releases/$version-$(date -u +%Y%m%dT%H%M%SZ)
    [[ ! -e $whole ]] || whole+=.$RANDOM # a Pi's clock may tell the same second twice
    release=$whole.new
    trap 'rm -rf "$release"' EXIT
    say "building $whole"
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
    { installed_edgehome --help >/dev/null &&
        "$release/bin/python" -P -c 'import ai_edge_litert.interpreter'; } ||
        fail $unfit_machine "The new release does not run; what was installed before still does." \
            "Read the message above."
    complete_release
    mv -T "$release" "$whole"
    release=$whole
}

# Puts with a release all that goes and comes back with it: the service's units, schema and model.
complete_release() {
    local share=$release/share/edgehome
    mkdir -p "$share/systemd"
    install -m 0644 systemd/edgehome.service systemd/$reboot.{path,service} "$share/systemd/"
    install -m 0644 config.schema.json "$share/"
    say "trying the model in the box"
    installed_edgehome models import models/edgehome-a0.tflite --to "$share/models" >/dev/null ||
        fail $unfit_machine "The model in the box does not run on this machine." \
            "Read the message above; is the checkout complete?"
    chmod -R go=rX "$share"
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

# Imports the model that was asked for. It is tried on this machine first, and kept with its hash:
# the service refuses any other file there.
import_model() {
    local told
    [[ -n $model ]] || return 0
    say "importing the model $model"
    told=$(installed_edgehome models import "$model" --to $config/models) ||
        fail $no_input "The model $model was refused; nothing else was changed." \
            "Read the message above."
    imported=models/$(basename "${told##*model: }")
    printf '%s' "${told%Use it*}"
}

open_for_coral() {
    [[ -n $coral ]] || return 0
    install -D -m 0644 systemd/coral.conf $drop_in
    # A group that does not exist would keep the service from starting.
    for group in plugdev apex; do
        ! getent group $group >/dev/null || echo "SupplementaryGroups=$group" >>$drop_in
    done
}

# Hands the new release over to its trial, which goes on whatever becomes of us.
start_release() {
    write_launcher $prefix/venv $launcher
    sync --file-system $prefix
    trap - EXIT
    if [[ ! -d /run/systemd/system ]]; then
        $prefix/trial.sh take "${release#"$prefix/"}"
        say "systemd does not run here: the service is installed, but not started"
        return
    fi
    say "starting the service"
    ask_trial "${release#"$prefix/"}"
    await_trial
    say "edgehome runs: $(systemctl show --property StatusText --value edgehome)"
    if [[ -n $(sed -n 's/^previous=//p' $prefix/trial 2>/dev/null) ]]; then
        say "it is on trial for another minute: if it does not stay healthy, the release before" \
            "comes back; see journalctl --unit $trial"
    fi
}

# Asks for a trial of a release, or for the way `back`.
ask_trial() {
    local under_way=''
    rm -f $prefix/verdict
    systemctl daemon-reload
    systemctl enable --quiet --now $trial.path
    ! systemctl is-active --quiet $trial.service || under_way=yes
    echo "$1" >$prefix/next.new
    mv -T $prefix/next.new $prefix/next
    # Without one under way the path unit starts it.
    [[ -z $under_way ]] || systemctl restart $trial.service
}

# Waits until the release on trial is ready, or the trial is over; ends if that went wrong.
await_trial() {
    local verdict='' seconds
    for ((seconds = 0; seconds < 180; seconds++)); do
        [[ ! -e $prefix/verdict ]] || break
        [[ -e $prefix/next ]] || ! grep -qx ready=yes $prefix/trial 2>/dev/null || return 0
        sleep 1
    done
    verdict=$(cat $prefix/verdict 2>/dev/null || echo "failed: its trial has no end")
    [[ $verdict != proven ]] || return 0
    journalctl --unit edgehome --lines 20 --no-pager --output cat >&2
    [[ $verdict != back:* ]] ||
        fail $taken_back "The new release was taken back: ${verdict#back: }. The one before runs." \
            "Its last words are above; journalctl --unit edgehome --unit $trial has all."
    fail $not_up "edgehome is installed, but its service did not start: ${verdict#failed: }." \
        "Its last words are above; put that right, then run: sudo systemctl restart edgehome"
}

install_all() {
    require_root "Installing" "[--model FILE]"
    take_turn
    install_system_packages
    install_trial
    adopt_old_release
    build_release
    import_model
    add_user
    install_configuration
    open_for_coral
    start_release
    say "done. Edit $config/config.yaml, then: sudo systemctl reload edgehome." \
        "Anything unclear: sudo edgehome doctor"
}

roll_back() {
    require_root "Going back" "--rollback"
    take_turn
    [[ -s $prefix/previous || -e $prefix/trial ]] ||
        fail $no_input "There is no release to go back to." \
            "One is kept when an upgrade has proven itself, until the next one."
    ask_trial back
    while [[ ! -e $prefix/verdict ]]; do sleep 0.5; done
    [[ $(<$prefix/verdict) == back:* ]] ||
        fail $no_input "There is no release to go back to." "The one that runs goes on."
    systemctl start edgehome ||
        fail $not_up "The release before is in place, but its service did not start." \
            "See journalctl --unit edgehome."
    say "back: $(basename "$(readlink $prefix/venv)") runs"
}

# Fills a folder with wheels, as any user, on any machine.
download() {
    local python tools
    install_missing
    python=$(find_python) || fail $unfit_machine "No Python from 3.11 to 3.13 was found." \
        "Debian 12, Debian 13 and Raspberry Pi OS of the same names have one."
    tools=$(mktemp -d)
    # shellcheck disable=SC2064  # it is known now, and out of scope later
    trap "rm -rf '$tools'" EXIT
    "$python" -m venv "$tools"
    "$tools/bin/python" scripts/download_wheels.py "$wheels" ${for_python:+--for "$for_python"} ||
        fail $no_packages "Not all wheels could be had." \
            "Read the message above; is the network there? Then run this again."
    say "$wheels is ready: sudo ./install.sh --wheels $wheels"
}

uninstall() {
    require_root "Removing" "--uninstall"
    take_turn
    if [[ -d /run/systemd/system ]]; then
        say "stopping the service"
        # The trial first: it would start what is being stopped.
        for name in $trial.path $trial.service edgehome.service $reboot.path; do
            [[ ! -e $units/$name ]] || systemctl disable --quiet --now "$name"
        done
    fi
    say "removing $prefix, $launcher, the units and the user"
    rm -rf $prefix $launcher $units/{$reboot,$trial}.{path,service} $unit $drop_in
    [[ ! -d $config ]] || find $config -type l -lname "$prefix/*" -delete
    rmdir $unit.d 2>/dev/null || true
    if [[ -d /run/systemd/system ]]; then
        systemctl daemon-reload
        systemctl reset-failed edgehome $trial.service 2>/dev/null || true
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
    model='' imported='' password_file='' video='' coral='' purge='' wheels='' for_python=''
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
        --wheels | --download)
            (($# > 1)) || fail $wrong_usage "$1 needs a folder." "Try --help."
            if [[ $1 == --download ]]; then
                action=download
            else
                [[ -d $2 ]] || fail $no_input "There is no folder $2." \
                    "Make one with: ./install.sh --download FOLDER"
            fi
            wheels=$(readlink -m "$2")
            shift
            ;;
        --for)
            [[ ${2:-} =~ ^3\.1[1-3]$ ]] || fail $wrong_usage "--for needs 3.11, 3.12 or 3.13." \
                "Try --help."
            for_python=$2
            shift
            ;;
        --video) video=yes ;;
        --coral) coral=yes ;;
        --rollback) action=roll_back ;;
        --uninstall) action=uninstall ;;
        --purge) purge=yes ;;
        *) fail $wrong_usage "There is no option $1." "Try --help." ;;
        esac
        shift
    done
    [[ -z $purge || $action == uninstall ]] ||
        fail $wrong_usage "--purge goes with --uninstall." "Try --help."
    [[ -z $for_python || $action == download ]] ||
        fail $wrong_usage "--for goes with --download." "Try --help."
    cd "$here"
    [[ $action == uninstall ]] || require_64_bit
    case ${1:-} in
    --demo) shift && demo "$@" ;;
    --test) shift && run_tests "$@" ;;
    *) $action ;;
    esac
}

main "$@"
