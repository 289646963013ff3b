"""What acmd refuses, on hosts: one clear error with its remedy, and the exit code that is documented.

Many command lines, one after the other, on one cluster; what is refused changes nothing there.
"""

from __future__ import annotations

from tests.hosts.refusals import ORDERS, PASSIVE, USAGE, Refusal
from tests.hosts.refused import Site, all_right, call, wrong
from tests.hosts.refused_files import CONFIGS, LOADED


def test_command_lines_that_cannot_be_understood(refusing: Site) -> None:
    """Exit code 64, one error that names the argument and its value, and nothing is asked of anybody."""
    all_right(refusing.alpha, USAGE)


def test_orders_that_are_refused(refusing: Site) -> None:
    """Exit code 1 and why; the remedy is what makes it work; lease and service are as before."""
    refusing.settle()
    before = refusing.cluster.status(refusing.alpha)["epoch"]
    starts = len(refusing.cluster.runs())
    for one in ORDERS:
        text = wrong(refusing.alpha, one)
        if one.before:
            refusing.settle()
        assert not text, text
    all_right(refusing.beta, PASSIVE)
    refusing.settle()
    assert refusing.cluster.status(refusing.alpha)["epoch"] == before
    assert len(refusing.cluster.runs()) <= starts + 3  # stopped and started twice, and restarted, as ordered


def test_configurations_that_are_refused(refusing: Site) -> None:
    """The same words from each command, with file and line; nothing is made, and no pipe is waited for."""
    host = refusing.alpha
    for table, commands in ((CONFIGS, ("status", "init", "nodes", "run")), (LOADED, ("init", "run"))):
        for number, (name, (made, says, remedy)) in enumerate(table.items()):
            host.exec(f"cd /root; rm -rf x.toml; umask 077; {made}")
            for words in {commands[0], commands[number % len(commands)]}:
                text = wrong(host, Refusal(f"timeout 20 acmd --config /root/x.toml {words}", says, remedy, 1))
                assert not text, f"{name}: {text}"
            if table is LOADED:
                checked = call(host, "acmd --config /root/x.toml config check")
                assert (checked.returncode, says in checked.stdout) == (1, True), name
    host.exec("cd /root; rm -rf x.toml; cp good x.toml; chmod 666 x.toml; chmod o-w /root/x.toml")
    assert call(host, "acmd -c /root/x.toml config show").returncode == 0
    host.exec("rm /root/x.toml")


def test_a_report_without_a_configuration(refusing: Site) -> None:
    """Then above all: it says what it had to guess, and holds what is wrong with the file."""
    host = refusing.alpha
    host.exec("cd /root; echo '[' > broken.toml")
    done = call(
        host,
        "cd /root; acmd --config broken.toml report -o r.tgz && tar xzOf r.tgz --wildcards '*check.txt'",
    )
    assert done.returncode == 0
    assert (
        "WARN the configuration cannot be read, so default places were looked at: broken.toml:1"
        in done.stdout
    )
    assert "KO   broken.toml" in done.stdout
    host.exec("rm /root/r.tgz /root/broken.toml")


def test_setup_that_is_refused(refusing: Site) -> None:
    """What would be refused is not written; the error names the value, and no draft that is gone."""
    before = refusing.alpha.read("/etc/acmd/acmd.toml")
    for words, says in (
        ("--services NOPE", 'services[0] = "NOPE": is not a preset'),
        ("--address 192.0.2.1", 'node.address = "192.0.2.1": is not an address of this host'),
        ("--name a/b", 'node.name = "a/b": may hold only letters'),
        ("--directory relative", 'cluster.directory = "relative": must be an absolute path'),
    ):
        done = call(refusing.alpha, f"acmd setup --force --yes --no-check {words}")
        assert done.returncode == 1
        assert f"nothing was written, since it would be refused: {says}" in done.stderr
        assert "draft" not in done.stderr
    assert refusing.alpha.read("/etc/acmd/acmd.toml") == before
    assert refusing.alpha.exec("ls /etc/acmd").stdout.split() == ["acmd.toml"]
