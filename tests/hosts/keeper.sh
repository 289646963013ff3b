#!/bin/bash
# One boot of one host, or several when it resets itself: mounts its disk and runs its systemd. Started by host.py in
# a mount namespace of its own, so that everything mounted here is gone when the last process of it is.
#
# Outlives the host's SIGKILL by milliseconds only, and is not in the host's cgroup: a frozen host's keeper is not.
set -eu
# Variables: NAME MACHINE_ID ADDRESS RUN DISK LOWER NETNS HOST_PROCS KEEP_PROCS INIT_SCOPE SHARED REPO FAULTFS PYTHON
# AUTO_BOOT WITNESS
for file in $KEEP_PROCS; do echo $$ > "$file"; done
mkdir -p "$RUN/disk" "$RUN/root" "$RUN/shared"
# nspawn keeps directories here by the host's name; the machine's own must not see them.
mkdir -p /run/systemd/nspawn
mount -t tmpfs tmpfs /run/systemd/nspawn
mount -o loop,noatime "$DISK" "$RUN/disk"
mkdir -p "$RUN/disk/upper" "$RUN/disk/work"
mount -t overlay overlay -o "lowerdir=$LOWER,upperdir=$RUN/disk/upper,workdir=$RUN/disk/work,index=off" "$RUN/root"
# The machine id is written before the boot: an empty one would make systemd enable what the template disabled.
echo "${MACHINE_ID//-/}" > "$RUN/root/etc/machine-id"
echo "$NAME" > "$RUN/root/etc/hostname"
cp "$RUN/hosts" "$RUN/root/etc/hosts"

share() {
    if [ -z "$FAULTFS" ]; then
        mount --bind "$SHARED" "$RUN/shared"
        return
    fi
    # The host's view of shared storage, its kernel's client so to say: outside of its cgroup, and never older than
    # the boot, since a reset drops what the client had in flight.
    rm -f "$RUN/faultfs.sock"
    (cd "$REPO" && exec $PYTHON -m tests.faultfs "$SHARED" "$RUN/shared" --control "$RUN/faultfs.sock") \
        >> "$RUN/faultfs.log" 2>&1 &
    echo $! > "$RUN/faultfs.pid"
    for _ in $(seq 500); do mountpoint -q "$RUN/shared" && return; sleep 0.02; done
    echo "tests.faultfs did not mount $RUN/shared in 10 s; see $RUN/faultfs.log"
    exit 1
}
unshare_storage() {
    if [ -n "$FAULTFS" ]; then
        stop_faultfs
        rm -f "$RUN/faultfs.pid"
    fi
    umount -l "$RUN/shared"
}
stop_faultfs() { kill -KILL "$(cat "$RUN/faultfs.pid")" 2>/dev/null || true; }

mkfifo "$RUN/pause" 2>/dev/null || true
pause() { read -r -t 0.05 _ <> "$RUN/pause" || true; } # Without a fork: this runs as long as the host does.
watch_storage() {
    # A server that was dead before the reset is dead after it; it has to answer until the container has its mounts.
    local leader=
    until read -r leader < "$INIT_SCOPE/cgroup.procs" && [ -n "$leader" ]; do pause; done 2>/dev/null
    [ ! -e "$RUN/stalled" ] || kill -STOP "$(cat "$RUN/faultfs.pid")"
    # A reset ends at once whatever waits for storage. Here the end of PID 1 would wait for waiters in D for ever: when
    # it has no memory any more, their file system goes.
    while [ -e "/proc/$leader/exe" ]; do pause; done
    stop_faultfs
}

sysrq=()
# The machine's own: nspawn makes it read-only; where it exists it is also covered, so that no one can find it.
[ -e /proc/sysrq-trigger ] && sysrq=(--inaccessible=/proc/sysrq-trigger)
card() { ip -n "$NETNS" link set host0 "$1"; }
power_on_card() {
    # A reset forgets addresses, routes and packet filters; the namespace that stands for the card would not.
    ip netns exec "$NETNS" nft flush ruleset
    ip -n "$NETNS" address flush dev host0
    ip -n "$NETNS" address add "$ADDRESS/24" brd + dev host0
    ip -n "$NETNS" link set lo up
    card up
}

while :; do
    status=0
    power_on_card
    share
    watcher=
    if [ -n "$FAULTFS" ]; then
        watch_storage &
        watcher=$!
    fi
    (
        for file in $HOST_PROCS; do echo $BASHPID > "$file"; done
        # Also outside of the container in its network: else its /sys/class/net would show the machine's cards.
        export SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1
        exec nsenter --net="/run/netns/$NETNS" systemd-nspawn -q -D "$RUN/root" -M "$NAME" --hostname="$NAME" \
            --uuid="$MACHINE_ID" --boot --register=no --keep-unit --network-namespace-path="/run/netns/$NETNS" \
            --resolv-conf=off --timezone=off --link-journal=no --console=pipe \
            --capability=CAP_NET_ADMIN,CAP_IPC_LOCK --drop-capability=CAP_SYS_MODULE,CAP_SYS_TIME \
            --bind="$RUN/shared:/shared" --bind="$WITNESS:/witness" --bind=/dev/fuse --bind-ro="$REPO:/repo" "${sysrq[@]}"
    ) || status=$?
    card down # A host that is off answers neither ARP nor ping.
    [ -z "$watcher" ] || kill "$watcher" 2>/dev/null || true
    unshare_storage
    echo "$status" >> "$RUN/exits"
    # 133: the host asked for a reset of itself. What it had not synced is lost only with `lose_cache`.
    if [ "$status" != 133 ] || [ "$AUTO_BOOT" != 1 ]; then break; fi
done
