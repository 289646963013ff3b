"""Services of kind systemd against a real one: the tests are in `inside_systemd.py`, and run on a host."""

from __future__ import annotations

from tests.hosts.host import Host


def test_units_over_dbus(host: Host) -> None:
    """Every test of inside_systemd.py passes on a host with a real systemd."""
    said = host.run_pytest("tests/hosts/inside_systemd.py", timeout_s=300).stdout
    assert " passed" in said
    assert "skipped" not in said
    print(said)


def test_the_gate_of_units(host: Host) -> None:
    """Every test of inside_gate.py passes on a host with a real systemd."""
    said = host.run_pytest("tests/hosts/inside_gate.py", timeout_s=300).stdout
    assert " passed" in said
    assert "skipped" not in said


def test_probes_of_real_servers(host: Host) -> None:
    """Every test of inside_mariadb.py passes with Debian's MariaDB and Apache."""
    said = host.run_pytest("tests/hosts/inside_mariadb.py", timeout_s=300).stdout
    assert " passed" in said
    assert "skipped" not in said
