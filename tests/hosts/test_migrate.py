"""Two hosts with a made-up ACM that cron starts each minute, brought to acmd node by node, and back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.hosts.bed import Bed
from tests.hosts.cluster import ACMD, Cluster, install_units, prop, renew
from tests.hosts.host import Host
from tests.hosts.image import Template
from tests.hosts.witness import wait_for

COMMON = "SERVICES=('ORCHESTRATOR')\nMYSQL_USER='root'\nMYSQL_PWD='s3cr3t'\n"
MANAGER = """#!/bin/sh
# starts what is stopped; the node that the status file names touches it
systemctl start orchestrator_asctl.service
status=/opt/aspera/acm/run/acm4orchestrator.status
[ -e "$status" ] || echo "$1" > "$status"
[ "$(cat "$status")" != "$1" ] || touch "$status"
"""
UNIT = "[Service]\nExecStart=/bin/sleep 100000\n[Install]\nWantedBy=multi-user.target\n"
ORCHESTRATOR = "orchestrator_asctl.service"
CRONTAB = "/var/spool/cron/crontabs/root"
FILES = f"sha256sum {CRONTAB} /etc/logrotate.conf; find /etc/systemd/system /etc/rsyslog.d /etc/acmd -ls | \
awk '{{print $3, $5, $6, $11, $12, $13}}' | grep -v acmd.service | sort; stat -c '%a %u %g' {CRONTAB}"


@pytest.fixture
def pair_with_acm(template: Template) -> Iterator[Bed]:
    """ACM serves on both hosts; acmd is installed and was never started."""
    with Bed(["alpha", "beta"], template=template) as bed:
        shared = bed.shared / "acm"
        for name in ("bin", "run", "config"):
            (shared / name).mkdir(parents=True)
        (shared / "bin/acmcommon").write_text(COMMON)
        (shared / "bin/acm4orchestrator").write_text(MANAGER)
        (shared / "bin/acm4orchestrator").chmod(0o755)
        for host in bed.hosts:
            install_units(host)
            host.exec("mkdir -p /opt/aspera /etc/acmd && ln -s /shared/acm /opt/aspera/acm")
            host.push(f"/etc/systemd/system/{ORCHESTRATOR}", UNIT)
            host.exec(f"systemctl daemon-reload && systemctl enable {ORCHESTRATOR}")
            line = f"* * * * * /opt/aspera/acm/bin/acm4orchestrator {host.address} >/dev/null 2>&1\n"
            host.exec(["crontab", "-"], stdin=line.encode())
        bed.hosts[0].exec(["/opt/aspera/acm/bin/acm4orchestrator", bed.hosts[0].address])
        yield bed
        renew(bed)


def migrate(host: Host, *words: str) -> tuple[int, str]:
    """`acmd migrate` on a host."""
    done = host.exec([ACMD, "migrate", *words], timeout_s=240, check=False)
    return done.returncode, done.stdout + done.stderr


def test_there_and_back(pair_with_acm: Bed) -> None:
    """Passive node, active node, passive node: never two managers, services run on; then all is as before."""
    active, passive = pair_with_acm.hosts
    cluster = Cluster(pair_with_acm)
    before = [host.exec(FILES).stdout for host in (active, passive)]
    code, said = migrate(passive, "--apply")
    assert code == 1, said
    assert "acmd is not started here yet" in said
    assert prop(passive, "ActiveState") == "inactive"
    code, said = migrate(active, "--apply")
    assert code == 0, said
    wait_for(lambda: cluster.status(active).get("role") == "active", 60, f"active; {cluster.says()}")
    code, said = migrate(passive, "--apply")
    assert code == 0, said
    wait_for(lambda: cluster.status(passive).get("role") == "passive", 60, f"passive; {cluster.says()}")
    assert prop(active, "ActiveState", ORCHESTRATOR) == "active"

    code, said = migrate(passive, "--undo")
    assert code == 1, said
    assert "acm4orchestrator" in passive.exec(["cat", CRONTAB]).stdout
    assert passive.exec(["grep", "-c", "^[*]", CRONTAB], check=False).stdout.strip() == "0"
    assert migrate(active, "--undo")[0] == 0
    assert migrate(passive, "--undo")[0] == 0
    assert [host.exec(FILES).stdout for host in (active, passive)] == before
    wait_for(lambda: prop(active, "ActiveState", ORCHESTRATOR) == "active", 90, "cron's ACM starts it again")
