#!/bin/bash
# A release on trial: puts it in place, watches it, and goes back to the one before if it does not
# become healthy. Root's, and no part of any release; the unit edgehome-trial runs it for as long as
# there is a file `next` (what install.sh asks for) or `trial` (how far it is), so neither the end
# of install.sh nor a reboot ends a trial. It may be killed anywhere: it goes on from these.
set -euo pipefail

readonly prefix=/opt/edgehome config=/etc/edgehome state=/var/lib/edgehome
readonly units=/etc/systemd/system note=rollback.json

# Seconds at work without a break after which a release has proven itself: two watchdog periods,
# each of them fed by new frames, or by a fault that was told.
readonly proven_s=60
# Seconds after which a release that is not ready, or not ready again, has failed.
readonly patience_s=45
readonly bad_ends=3
readonly asked="you asked for it"

say() { printf '%s\n' "$*"; }

# Seconds since the boot: a Pi's wall clock jumps.
uptime_s() {
    local up
    read -r up _ </proc/uptime
    echo "${up%.*}"
}

# Reads the trial: `new` and `previous` are folders below $prefix, `previous` may be empty; `failed`
# says why the new one is to go.
read_trial() {
    local key value
    new='' previous='' attempts=0 ready='' failed=''
    while IFS='=' read -r key value; do
        case $key in
        new | previous | attempts | ready | failed) printf -v "$key" %s "$value" ;;
        esac
    done <"$prefix/trial"
}

write_trial() {
    printf '%s\n' "new=$new" "previous=$previous" "attempts=$attempts" "ready=$ready" \
        "failed=$failed" >"$prefix/trial.new"
    sync "$prefix/trial.new"
    mv -T "$prefix/trial.new" "$prefix/trial"
}

# Makes a trial of what install.sh asks for: a release, or `back`, to the one before.
accept_next() {
    local next
    next=$(<$prefix/next)
    new=$(readlink $prefix/venv || true) previous=''
    if [[ -e $prefix/trial ]]; then
        read_trial
        # The one to go back to stays the one that has proven itself, if one has.
        if [[ -n $ready && $next != back && $previous != "$(cat $prefix/proven 2>/dev/null)" ]]; then
            previous=$new
        fi
    elif [[ $next == back ]]; then
        previous=$(cat $prefix/previous 2>/dev/null || true)
    fi
    previous=${previous:-$new}
    attempts=0 ready='' failed=''
    if [[ $next == back ]]; then failed=$asked; else new=$next; fi
    write_trial
    rm $prefix/next
}

keep() {
    printf '%s' "$2" >"$prefix/$1.new"
    mv -T "$prefix/$1.new" "$prefix/$1"
}

link() {
    ln -sfn "$1" "$2.new"
    mv -T "$2.new" "$2"
}

# Makes a release the one that runs: program, model and schema by one rename, the units after it.
take() {
    local share=$prefix/venv/share/edgehome file
    link "$1" $prefix/venv
    mkdir -p $config
    for file in "$share"/systemd/*; do
        cp "$file" "$units/${file##*/}.new"
        mv -T "$units/${file##*/}.new" "$units/${file##*/}"
    done
    (cd "$share/models" && find . -type f -printf '%P\n') | while read -r file; do
        mkdir -p "$(dirname "$config/models/$file")"
        link "$share/models/$file" "$config/models/$file"
    done
    link "$share/config.schema.json" $config/config.schema.json
    # Of a model, or a head, that this release does not have.
    find $config/models -xtype l -lname "$prefix/*" -delete
}

# Ends a trial: `settle VERDICT`, for whoever waits for it.
settle() {
    keep verdict "$1"
    rm -f $prefix/trial
}

remove_others() {
    local folder
    for folder in "$prefix"/releases/* "$prefix"/release.*; do
        case ${folder#"$prefix/"} in
        "$new" | "$previous" | *.new) ;;
        *) rm -rf "$folder" ;;
        esac
    done
}

approve() {
    say "$(basename "$new") has proven itself"
    keep previous "$previous"
    keep proven "$new"
    rm -f $state/$note
    remove_others
    settle proven
}

# Leaves a note for the release that comes back. The folder is the service's: what root wrote there
# could be led elsewhere by a link, so it is the service's user who writes.
leave_note() {
    # shellcheck disable=SC2016  # the inner shell expands them
    printf '{"version": "%s", "reason": "%s"}\n' "$(basename "$new")" "$failed" |
        setpriv --reuid=edgehome --regid=edgehome --clear-groups \
            sh -c 'umask 077; cat >"$1.new" && mv -T "$1.new" "$1"' sh $state/$note ||
        say "<4>no note for Home Assistant could be left in $state"
}

go_back() {
    say "<3>$(basename "$new") is taken back: $failed"
    if [[ -z $previous || $previous == "$new" || ! -x $prefix/$previous/bin/python ]]; then
        say "<3>there is no release before it to go back to: see journalctl --unit edgehome"
        settle "failed: $failed"
        return
    fi
    # At once: what hangs would take all the time that it has to stop.
    systemctl kill --signal=KILL edgehome 2>/dev/null || true
    systemctl stop edgehome || true
    # The bad starts were not those of the release that comes back.
    rm -f $state/starts.json
    take "$previous"
    [[ $failed == "$asked" ]] || leave_note
    rm -f $prefix/previous
    systemctl daemon-reload
    systemctl start --no-block edgehome
    say "<4>$(basename "$previous") runs again"
    settle "back: $failed"
    [[ -z $new ]] || rm -rf "${prefix:?}/$new"
}

fail() {
    failed=$1
    write_trial
    go_back
}

start() {
    systemctl stop edgehome 2>/dev/null || true
    take "$new"
    systemctl daemon-reload
    systemctl enable --quiet edgehome edgehome-reboot.path
    systemctl start edgehome-reboot.path
    systemctl reset-failed edgehome 2>/dev/null || true
    systemctl start --no-block edgehome
}

# Watches until the release has proven itself or failed.
watch() {
    local began_s now_s since_s='' run='' key value
    local -A unit
    began_s=$(uptime_s)
    while sleep 1; do
        while IFS='=' read -r key value; do unit[$key]=$value; done < <(
            systemctl show edgehome --property LoadState --property ActiveState --property Result \
                --property SubState --property NRestarts --property InvocationID \
                --property ExecMainStatus)
        now_s=$(uptime_s)
        [[ -n ${unit[LoadState]:-} ]] || continue # systemd was too busy to answer
        if [[ ${unit[LoadState]} != loaded ]]; then
            fail "systemd does not take its unit"
        elif [[ ${unit[SubState]} == *-watchdog || ${unit[Result]} == watchdog ]]; then
            fail "it hung"
        elif [[ ${unit[ActiveState]} == failed ]]; then
            fail "it ended with status ${unit[ExecMainStatus]}"
        elif ((unit[NRestarts] >= bad_ends)); then
            fail "it ended unexpectedly $bad_ends times"
        elif [[ ${unit[ActiveState]} == inactive ]]; then
            since_s='' # somebody stopped it: that says nothing
            sleep 10
            began_s=$(uptime_s)
            continue
        elif [[ ${unit[ActiveState]} == @(active|reloading) ]]; then
            began_s=$now_s # ended or restarted later, it has as long again to be ready
            if [[ -z $since_s || $run != "${unit[InvocationID]}" ]]; then
                since_s=$now_s run=${unit[InvocationID]}
                [[ -n $ready ]] || { ready=yes && write_trial; }
            fi
            ((now_s - since_s >= proven_s)) || continue
            approve
        elif ((now_s - began_s >= patience_s)); then
            fail "it was not ready, or not ready again, after $patience_s seconds"
        else
            continue
        fi
        return
    done
}

run_trial() {
    cd $prefix
    [[ ! -e next ]] || accept_next
    [[ -e trial ]] || return 0
    read_trial
    if [[ -n $failed ]]; then
        go_back
    elif [[ ! -x $prefix/$new/bin/python ]]; then
        say "<3>there is no release $new; the one that runs goes on"
        settle "failed: it is not there"
    elif ((attempts >= bad_ends)); then
        fail "its trial was cut off $bad_ends times"
    else
        attempts=$((attempts + 1))
        write_trial
        say "$(basename "$new") is on trial"
        start
        watch
    fi
}

case ${1:-} in
take) # where no systemd runs, and so no trial
    new=$2 previous=''
    take "$new"
    remove_others
    ;;
*) run_trial ;;
esac
