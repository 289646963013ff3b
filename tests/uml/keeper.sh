#!/bin/bash
# One boot of one guest, or several when it resets itself. Started by guest.py in a mount namespace of its own and in
# the switch's network namespace. Not in the guest's cgroup, and so not frozen with it.
set -eu
# Variables: NAME RUN REPO ACMD WITNESS IMAGE MEMORY_MB MAC SCHEDULE HOST_PROCS KEEP_PROCS AUTO_BOOT
for file in $KEEP_PROCS; do echo $$ > "$file"; done
mkdir -p "$RUN/bed/repo" "$RUN/bed/acmd" "$RUN/bed/witness" "$RUN/uml"
# All that a guest sees of the machine is $RUN/bed.
for part in "$REPO:repo" "$ACMD:acmd"; do
    mount --bind "${part%:*}" "$RUN/bed/${part##*:}"
    mount -o remount,bind,ro "$RUN/bed/${part##*:}"
done
mount --bind "$WITNESS" "$RUN/bed/witness"

while :; do
    status=0
    (
        for file in $HOST_PROCS; do echo $BASHPID > "$file"; done
        cd "$RUN"
        # ACMD_UML_SCHEDULE, as in "chrt -r 1 taskset -c 0": for a machine that others keep busy.
        # Root without a capability: enough for its own files and taps.
        exec $SCHEDULE env -i PATH=/usr/bin:/bin TMPDIR=/dev/shm HOME="$RUN" setpriv --bounding-set=-all --inh-caps=-all \
            --no-new-privs linux.uml "mem=${MEMORY_MB}M" "ubd0=$RUN/disk.img,$IMAGE" root=/dev/ubda rw \
            init=/opt/bed/init "hostfs=$RUN/bed" "uml_dir=$RUN/uml" "umid=$NAME" \
            "vec0:transport=tap,ifname=$NAME,mac=$MAC,depth=64,gro=1" "vec1:transport=tap,ifname=m-$NAME,depth=64,gro=1" \
            con=null con0=null,fd:1 ssl=null selinux=0 noreboot quiet panic=-1 systemd.show_status=no
    ) || status=$?
    echo "$status" >> "$RUN/exits"; echo "keeper: exit $status"
    rm -rf "$RUN/uml"
    # Killed is a power cut; anything else is a reset or a halt from inside.
    if [ "$status" = 137 ] || [ "$AUTO_BOOT" != 1 ]; then break; fi
done
