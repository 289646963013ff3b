"""What presets come to, with and without overrides, in one cluster and in two tiers."""

from __future__ import annotations

import pytest

from acmd.config.model import Config, HttpProbe, MysqlProbe, RestartBudget, SystemdService
from acmd.config.presets import PRESETS
from acmd.config.show import as_plain, as_text
from tests.unit.configs import loaded

ALL = 'services = ["APACHE", "ORCHESTRATOR", "MYSQL"]\n'
NODE = '[node]\naddress = "192.0.2.11"\n'


def service(config: Config, name: str) -> SystemdService:
    found = next(entry for entry in config.services if entry.name == name)
    assert isinstance(found, SystemdService)
    return found


def test_all_that_an_aspera_user_writes() -> None:
    """Three names and an address: what ACM ran, where ACM ran it; publishing waits to be asked for."""
    config = loaded(ALL + NODE).config
    assert {entry.name: entry.runs_on for entry in config.services} == {
        "APACHE": "all",
        "ORCHESTRATOR": "all",
        "MYSQL": "active",
    }
    assert {entry.name: entry.critical for entry in config.services} == {
        "APACHE": False,
        "ORCHESTRATOR": False,
        "MYSQL": True,
    }
    assert service(config, "APACHE").units == ("aspera_httpd.service",)
    assert service(config, "ORCHESTRATOR").units == (
        "AsperaOrchestrator.service",
        "orchestrator_asctl.service",
    )
    mysql = service(config, "MYSQL")
    assert (mysql.kind, mysql.preset, mysql.units) == ("systemd", "MYSQL", ("aspera_mysqld.service",))
    assert mysql.data_directories == ("/opt/aspera/common/mysql/data",) == config.fitness.directories
    assert mysql.restart == RestartBudget(5, 300, 1, 30)
    assert (config.publish.enabled, config.publish.services_to_restart) == (False, ("ORCHESTRATOR",))
    assert config.publish.file == config.database.file == "/opt/aspera/orchestrator/config/database.yml"
    assert config.publish.section == config.database.section == "production"
    assert (config.interlock.mysql, config.interlock.port) == (True, 0)
    assert config.cluster.tier == ""


def test_probes_of_presets() -> None:
    """Apache by HTTP on both ports, MySQL by a log-in and whether it can be written."""
    config = loaded(ALL).config
    http, https = service(config, "APACHE").probes
    assert isinstance(http, HttpProbe)
    assert isinstance(https, HttpProbe)
    assert [(http.name, http.port, http.tls), (https.name, https.port, https.tls)] == [
        ("http", 80, False),
        ("https", 443, True),
    ]
    assert 302 in http.status
    assert service(config, "MYSQL").probes == (
        MysqlProbe(
            name="mysql",
            kind="mysql",
            interval_s=10,
            timeout_s=10,
            fail_after=3,
            recover_after=1,
            host="127.0.0.1",
            port=0,
            socket="",
            must_be_writable=True,
            defaults_file="",
            user="",
            password_file="",
        ),
    )


def test_order_is_among_services_of_one_placement() -> None:
    """MYSQL, ORCHESTRATOR, APACHE in that order; but what runs everywhere waits for nothing elsewhere."""
    config = loaded(ALL).config
    after = {entry.name: entry.after for entry in config.services}
    assert after == {"MYSQL": (), "ORCHESTRATOR": ("MYSQL",), "APACHE": ("ORCHESTRATOR",)}
    before = {entry.name: config.started_before(entry) for entry in config.services}
    assert before == {"MYSQL": (), "ORCHESTRATOR": (), "APACHE": ("ORCHESTRATOR",)}
    everywhere = loaded(f'{ALL}[[service]]\nname = "ORCHESTRATOR"\nruns_on = "active"\n').config
    assert everywhere.started_before(service(everywhere, "ORCHESTRATOR")) == ("MYSQL",)
    assert everywhere.started_before(service(everywhere, "APACHE")) == ()


def test_tiers() -> None:
    """In two tiers nothing waits for or publishes the other; each has a name of its own."""
    application = loaded(f'services = ["APACHE", "ORCHESTRATOR"]\n{NODE}').config
    assert [entry.after for entry in application.services] == [("ORCHESTRATOR",), ()]
    assert (application.cluster.tier, application.publish.enabled) == ("application", False)
    assert application.interlock.mysql is False
    mysql = loaded(f'services = ["MYSQL"]\n{NODE}').config
    assert (mysql.cluster.tier, mysql.publish.enabled, mysql.interlock.mysql) == ("mysql", False, True)
    assert mysql.database.file == "/etc/acmd/database.yml", "no Orchestrator is there to have one"
    assert loaded('services = ["MYSQL"]\n[cluster]\ntier = "db"\n').config.cluster.tier == "db"
    assert loaded('services = ["MYSQL"]\n[cluster]\ntier = ""\n').config.cluster.tier == ""


OVERRIDES = """
[[service]]
name = "MYSQL"
unit = "mariadb"
runs_on = "all"
critical = true
after = []
requires = []
start_timeout_s = 1
stop_timeout_s = 2
data_directories = ["/srv/mysql"]
probe = []
[service.restart]
max_restarts = 1
"""


def test_every_value_of_a_preset_can_be_overridden() -> None:
    """A table of the same name wins, value by value; what depends on them follows."""
    config = loaded(ALL + NODE + OVERRIDES).config
    assert service(config, "MYSQL") == SystemdService(
        name="MYSQL",
        kind="systemd",
        preset="MYSQL",
        runs_on="all",
        critical=True,
        after=(),
        requires=(),
        start_timeout_s=1,
        stop_timeout_s=2,
        restart=RestartBudget(1, 300, 1, 30),
        data_directories=("/srv/mysql",),
        probes=(),
        units=("mariadb.service",),
    )
    assert (config.publish.enabled, config.interlock.mysql) == (False, False)
    assert config.fitness.directories == ("/srv/mysql",)


def test_a_preset_as_another_kind() -> None:
    """Another kind keeps what every kind has, and drops the preset's unit."""
    config = loaded(f'{ALL}[[service]]\nname = "MYSQL"\nkind = "sysv"\nscript = "aspera_mysqld"\n').config
    mysql = next(entry for entry in config.services if entry.name == "MYSQL")
    assert mysql.kind == "sysv"
    assert mysql.start_timeout_s == 600
    assert [probe.kind for probe in mysql.probes] == ["mysql"]


def test_a_preset_under_another_name() -> None:
    """Order and restarts follow the preset to the name that its service has."""
    config = loaded(
        f'services = ["APACHE", "ORCHESTRATOR"]\n{NODE}[[service]]\nname = "database"\npreset = "MYSQL"\n'
    ).config
    assert service(config, "database").units == ("aspera_mysqld.service",)
    assert service(config, "ORCHESTRATOR").after == ("database",)
    assert config.publish.services_to_restart == ("ORCHESTRATOR",)
    assert config.cluster.tier == ""


def test_a_service_that_only_has_the_name_of_a_preset() -> None:
    """Without an entry in services and without preset, a name is a name."""
    (entry,) = loaded('[[service]]\nname = "MYSQL"\ncommand = ["/usr/bin/m"]\n').config.services
    assert (entry.kind, entry.preset, entry.probes) == ("command", "", ())


def test_publishing_is_asked_for() -> None:
    """A file of the vendor's is changed only where the configuration says so."""
    assert loaded(f"{ALL}{NODE}").config.publish.enabled is False
    assert loaded(f"{ALL}{NODE}[publish]\nenabled = true\n").config.publish.enabled is True


def test_show_says_what_a_preset_came_to() -> None:
    """Each value has its origin: the preset, the file that overrides it, or the default."""
    options = as_plain(loaded(f'{ALL}[[service]]\nname = "MYSQL"\nstop_timeout_s = 9\n'))["options"]
    mysql = 'service["MYSQL"]'
    assert options[f"{mysql}.unit"] == {
        "value": ["aspera_mysqld.service"],
        "from": "preset MYSQL",
        "line": None,
    }
    assert options[f"{mysql}.stop_timeout_s"] == {"value": 9, "from": "file", "line": 4}
    assert options[f'{mysql}.probe["mysql"].must_be_writable']["from"] == "preset MYSQL"
    assert options[f'{mysql}.probe["mysql"].port']["from"] == "database.port"
    assert options['service["APACHE"].probe["https"].port']["from"] == "preset APACHE"
    assert options['service["APACHE"].requires']["from"] == "default"
    assert options["services"] == {"value": ["APACHE", "ORCHESTRATOR", "MYSQL"], "from": "file", "line": 1}


@pytest.mark.parametrize("text", [ALL, ALL + NODE, ALL + NODE + OVERRIDES, 'services = ["MYSQL"]\n'])
def test_show_of_presets_means_the_same(text: str) -> None:
    """What `show` prints loads to the same values."""
    first = loaded(text)
    assert loaded(as_text(first)).config == first.config


@pytest.mark.parametrize("preset", PRESETS)
def test_each_preset_is_complete(preset: str) -> None:
    """Each preset is a whole service by itself, whatever else there is."""
    (entry,) = loaded(f'services = ["{preset}"]\n').config.services
    assert (entry.name, entry.preset, entry.after) == (preset, preset, ())
