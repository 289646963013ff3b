#!/bin/sh
# The first process of a guest: makes of the image the host that /bed/host.env describes, then becomes systemd.
# /bed is a directory of the machine (hostfs): the way in for acmd, the way out for what the witness stamps.
mount -t proc proc /proc
. /bed/host.env
mount --bind /bed/witness /witness
mount --bind -o ro /bed/repo /repo
# Once a disk: a wiped disk gets it again.
if [ "$(cat /etc/acmd-layer 2>/dev/null)" != "$ACMD_LAYER" ]; then
    cp -a /bed/acmd/. / && echo "$ACMD_LAYER" > /etc/acmd-layer
fi
echo "$MACHINE_ID" > /etc/machine-id
echo "$NAME" > /etc/hostname
cp /bed/hosts /etc/hosts
cp /repo/tests/uml/inside/bed-agent.service /etc/systemd/system/
mkdir -p /etc/systemd/system/sysinit.target.wants
ln -sf ../bed-agent.service /etc/systemd/system/sysinit.target.wants/
ip link set lo up
ip address add "$ADDRESS/24" brd + dev vec0
ip link set vec0 up
ip address add "$MANAGE/24" dev vec1
ip link set vec1 up
if [ "$ROLE" = store ]; then
    mkdir -p /export/shared /export/acm
    chmod 777 /export/shared /export/acm
    for number in 1 2; do
        set -- /export/shared /export/acm
        eval "echo \"\${$number} $SUBNET.0/24(rw,sync,no_root_squash,no_subtree_check,fsid=$number)\""
    done > /etc/exports
    ln -sf /lib/systemd/system/nfs-server.service /etc/systemd/system/multi-user.target.wants/
    rm -f /etc/systemd/system/proc-fs-nfsd.mount /etc/systemd/system/run-rpc_pipefs.mount
else
    always="_netdev,nofail,x-systemd.mount-timeout=infinity,retry=10000"
    {
        echo "store:/export/shared /shared nfs vers=$NFS,$DATA_OPTIONS,$always 0 0"
        echo "store:/export/acm /shared/acm nfs vers=$NFS,$ACM_OPTIONS,$always 0 0"
    } > /etc/fstab
    ln -sf /lib/systemd/system/remote-fs.target /etc/systemd/system/multi-user.target.wants/
fi
# UML's own watchdog would ask for a program on the machine; softdog is /dev/watchdog1 beside it.
rm -f /dev/watchdog /dev/watchdog0
[ -z "$SOFTDOG_MARGIN_S" ] || modprobe softdog "soft_margin=$SOFTDOG_MARGIN_S"
umount /proc
exec /lib/systemd/systemd
