"""Two tiers as two clusters: the application on every node, MySQL and its address on the active one."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.hosts.bed import Bed
from tests.hosts.cluster import ACMD, renew
from tests.hosts.host import Host
from tests.hosts.image import Template
from tests.hosts.network import SUBNET
from tests.hosts.pages import Pages
from tests.hosts.site import DATABASE, YML, Site
from tests.hosts.witness import wait_for

VIP = f"{SUBNET}.200"
TIERS = ("db", "app")
PAGE = "howto/tiers.md"
TAKEOVER_S = 14.7 + 1 + 1 + 20  # W + h + 1 s, and InnoDB's recovery
# What is called otherwise here than at an Orchestrator's site.
MYSQL = 'name = "MYSQL"\n'
APP = """
[[service]]
name = "APACHE"
unit = "apache2.service"
probe = []

[[service]]
name = "ORCHESTRATOR"
unit = "orchestrator.service"
"""


@pytest.fixture
def site(template: Template) -> Iterator[Site]:
    """Two hosts, with both tiers as tiers.md has them on each, not started."""
    with Bed(["a", "b"], template=template) as bed:
        made = Site(bed, profile="standard")
        made.prepare()
        pages = Pages(bed)
        pages.here["/srv/"] = "/shared/"
        for host in bed.hosts:
            host.push(DATABASE, YML.replace("10.9.9.9", VIP), 0o640)
            host.push("/etc/acmd/database.yml", YML, 0o600)
            host.exec(f"ln -s {ACMD} /usr/local/bin/")
        assert pages.files(PAGE, "a", "b") == [f"/etc/acmd/{tier}.toml" for tier in TIERS]
        for host in bed.hosts:
            texts = [host.read(f"/etc/acmd/{tier}.toml") for tier in TIERS]
            db, app = (text.replace(f'"{SUBNET}.1"', f'"{host.address}"') for text in texts)
            host.push("/etc/acmd/db.toml", db.replace(MYSQL, f'{MYSQL}unit = "mariadb.service"\n'))
            host.push("/etc/acmd/app.toml", app + APP)
        pages.follow(PAGE, heading="Start")
        yield made
        renew(bed)


def role(host: Host, tier: str) -> str:
    """What a tier's daemon says."""
    said = host.exec([ACMD, "--config", f"/etc/acmd/{tier}.toml", "status", "--json"], check=False).stdout
    return str(json.loads(said).get("role"))


def says(site: Site) -> str:
    """For a failed assertion."""
    words = "journalctl -q -n 25 -o cat -u 'acmd@*' -u 'acmd-guard@*'"
    return "\n".join(
        f"{host.name}:\n{host.exec(words, check=False).stdout}" for host in site.bed.hosts if host.is_on()
    )


def has_address(host: Host) -> bool:
    """Whether the virtual address is there."""
    return f" {VIP}/" in host.exec(["ip", "-4", "addr"]).stdout


def test_two_tiers(site: Site) -> None:
    """Rows come from both applications by MySQL's address, and go on after a power loss; none is lost."""
    first, second = site.bed.hosts
    for tier in TIERS:
        wait_for(lambda tier=tier: role(first, tier) == "active", 30, says(site))  # type: ignore[misc]
    site.wait_rows(first, second)
    assert site.active_units(first) == {"APACHE", "ORCHESTRATOR", "MYSQL"}
    assert site.active_units(second) == {"APACHE", "ORCHESTRATOR"}
    assert (has_address(first), has_address(second)) == (True, False)
    first.power_off()
    site.wait_rows(second, timeout_s=TAKEOVER_S)
    assert has_address(second)
    assert site.lost(second) == set()
    for tier in TIERS:
        second.exec(["systemctl", "stop", f"acmd@{tier}"], timeout_s=90)
    assert site.active_units(second) == set()
    assert not has_address(second)
    wrong = second.read("/etc/acmd/app.toml").replace("/acmd/app", "/acmd/db")
    second.push("/etc/acmd/wrong.toml", wrong)
    refused = second.exec([ACMD, "--config", "/etc/acmd/wrong.toml", "run"], check=False, timeout_s=60)
    assert "/shared/acmd/db was initialised for the tier 'mysql'" in refused.stderr
