"""The cluster managers that are measured side by side, each with the recommended configuration (etc/)."""

from __future__ import annotations

from bench.peers.acm import Acm
from bench.peers.acmd import Acmd, AcmdFast, AcmdFenced
from bench.peers.keepalived import Keepalived
from bench.peers.pacemaker import Pacemaker, PacemakerFenced
from bench.peers.patroni import Patroni
from bench.peers.peer import Peer
from bench.peers.sanlock import Sanlock

KINDS: tuple[type[Peer], ...] = (
    Acmd,
    AcmdFast,
    AcmdFenced,
    Keepalived,
    Pacemaker,
    PacemakerFenced,
    Patroni,
    Sanlock,
    Acm,
)
PEERS: dict[str, type[Peer]] = {peer.name: peer for peer in KINDS}
