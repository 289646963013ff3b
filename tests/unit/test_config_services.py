"""Kinds of services and probes: what their tables come to."""

from __future__ import annotations

from acmd.config.agreement import configured_tier_mismatch, differences
from acmd.config.model import (
    CommandProbe,
    HttpProbe,
    MysqlProbe,
    OcfService,
    SystemdService,
    SysvService,
    TcpProbe,
)
from acmd.config.show import as_text
from tests.unit.configs import loaded

UNIT = '[[service]]\nname = "web"\nkind = "systemd"\nunit = ["web", "httpd.service", "app@1.service"]\n'
AGENT = """
[[service]]
name = "address"
kind = "ocf"
agent = "ocf:heartbeat:IPaddr2"
parameters = { ip = "192.0.2.10", cidr_netmask = "24" }
parameter_files = { password = "/etc/acmd/pw" }
monitor_interval_s = 2
"""
PROBES = """
[[service.probe]]
kind = "tcp"
port = 8080
[[service.probe]]
kind = "http"
tls = true
path = "/login"
text = "welcome"
[[service.probe]]
kind = "http"
name = "plain"
[[service.probe]]
kind = "http"
[[service.probe]]
kind = "mysql"
[[service.probe]]
kind = "mysql"
user = "other"
password_file = "/etc/acmd/other"
port = 3307
[[service.probe]]
kind = "command"
command = ["/usr/bin/true"]
[database]
port = 3308
defaults_file = "/etc/acmd/my.cnf"
"""


def test_units() -> None:
    """A unit, or candidates in their order; a missing suffix is .service."""
    (web,) = loaded(UNIT).config.services
    assert isinstance(web, SystemdService)
    assert web.units == ("web.service", "httpd.service", "app@1.service")
    assert (web.start_timeout_s, web.stop_timeout_s) == (90, 30)
    (one,) = loaded('[[service]]\nname = "w"\nkind = "systemd"\nunit = "a.b"\n').config.services
    assert isinstance(one, SystemdService)
    assert one.units == ("a.b.service",), "what follows a dot need not be a suffix"


def test_scripts() -> None:
    """A name means the script in /etc/init.d; the unit that systemd makes of it has its name."""
    (web,) = loaded('[[service]]\nname = "web"\nkind = "sysv"\nscript = "aspera_httpd"\n').config.services
    assert isinstance(web, SysvService)
    assert (web.script, web.unit) == ("/etc/init.d/aspera_httpd", "aspera_httpd.service")
    assert (web.start_timeout_s, web.monitor_timeout_s) == (60, 5)


def test_agents() -> None:
    """All limits are those of the meta-data unless given."""
    (address,) = loaded(AGENT).config.services
    assert isinstance(address, OcfService)
    assert (address.provider, address.agent_type) == ("heartbeat", "IPaddr2")
    assert address.parameters == {"ip": "192.0.2.10", "cidr_netmask": "24"}
    assert address.parameter_files == {"password": "/etc/acmd/pw"}
    assert (address.start_timeout_s, address.stop_timeout_s, address.monitor_timeout_s) == (0, 0, 0)
    assert address.monitor_interval_s == 2


def test_probes() -> None:
    """Each kind has its values, names that tell them apart, and credentials from where they are named."""
    (web,) = loaded(UNIT + PROBES).config.services
    tcp, https, plain, third, mysql, other, command = web.probes
    assert [probe.name for probe in web.probes] == [
        "tcp",
        "http",
        "plain",
        "http-3",
        "mysql",
        "mysql-2",
        "command",
    ]
    assert isinstance(tcp, TcpProbe)
    assert (tcp.host, tcp.port, tcp.interval_s, tcp.timeout_s) == ("127.0.0.1", 8080, 10, 5)
    assert isinstance(https, HttpProbe)
    assert isinstance(plain, HttpProbe)
    assert (https.port, https.path, https.text, https.status) == (443, "/login", "welcome", (200,))
    assert (plain.port, third.kind) == (80, "http")
    assert isinstance(mysql, MysqlProbe)
    assert isinstance(other, MysqlProbe)
    assert (mysql.port, mysql.defaults_file, mysql.user) == (3308, "/etc/acmd/my.cnf", "")
    assert (other.port, other.defaults_file, other.user) == (3307, "", "other")
    assert other.password_file == "/etc/acmd/other"
    assert isinstance(command, CommandProbe)
    assert command.command == ("/usr/bin/true",)


def test_show_of_every_kind_means_the_same() -> None:
    """What `show` prints loads to the same values; files that hold secrets are named, not masked."""
    first = loaded(UNIT + PROBES + AGENT)
    text = as_text(first)
    assert loaded(text).config == first.config
    assert "/etc/acmd/other" in text


def test_a_reload_of_probes_is_refused_by_name() -> None:
    """Limits of any kind may change; units and probes may not."""
    old = loaded(UNIT).config
    assert differences(old, loaded(f"{UNIT}stop_timeout_s = 7\n").config) == (
        ["service[web].stop_timeout_s"],
        [],
    )
    new = loaded(
        '[[service]]\nname = "web"\nkind = "systemd"\nunit = "x"\n[[service.probe]]\nkind = "mysql"\n'
    )
    assert differences(old, new.config) == ([], ["service[web].unit", "service[web].probe[mysql]"])


def test_a_directory_of_another_tier() -> None:
    """It is refused by name, in both directions."""
    mysql = loaded('services = ["MYSQL"]\n').config
    assert configured_tier_mismatch(mysql, "mysql") is None
    assert str(configured_tier_mismatch(mysql, "application")) == (
        "/opt/aspera/acm/acmd was initialised for the tier 'application', and this node is of the tier "
        "'mysql'; it does not start\n  -> give cluster.directory of this tier in acmd.toml; should they "
        'belong together, set cluster.tier = "application"'
    )
    assert str(configured_tier_mismatch(mysql, "")) == (
        "/opt/aspera/acm/acmd was initialised for a cluster without tiers, and this node is of the tier "
        "'mysql'; it does not start\n  -> give cluster.directory of this tier in acmd.toml; should they "
        'belong together, set cluster.tier = ""'
    )
    assert "this node is of no tier" in str(configured_tier_mismatch(loaded("").config, "mysql"))
