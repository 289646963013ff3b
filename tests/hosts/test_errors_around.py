"""Commands on hosts where what is around them is odd: outputs, ^C, users, sockets, disks, environment."""

from __future__ import annotations

import json

import pytest

from tests.hosts.host import Host
from tests.hosts.refusals import Refusal
from tests.hosts.refused import Site, call, wrong
from tests.hosts.witness import wait_for

SHOWS = ("status", "nodes", "history", "events", "logs", "config show", "timing")
FULL = "standard output cannot be written: no space left on device"
INTERRUPTED = """
import signal, subprocess, sys, time
process = subprocess.Popen(sys.argv[2:], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
time.sleep(float(sys.argv[1]))
process.send_signal(signal.SIGINT)
out, said = process.communicate(timeout=30)
sys.stderr.write(said)
sys.exit({-2: 130}.get(process.returncode, process.returncode))
"""
TERMINAL = """
import os, pty, sys
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[2], sys.argv[2:])
os.write(terminal, sys.argv[1].encode())
try:
    while piece := os.read(terminal, 4096):
        sys.stdout.write(piece.decode(errors="replace"))
except OSError:
    pass
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""
ANSWERS = """
import os, socket, subprocess, sys, threading
answer, words = sys.argv[1].encode(), sys.argv[2:]
os.makedirs("/run/acmd/other", exist_ok=True)
path = "/run/acmd/other/control.sock"
if os.path.exists(path):
    os.unlink(path)
listener = socket.socket(socket.AF_UNIX)
listener.bind(path)
listener.listen()
def serve():
    while True:
        client, _ = listener.accept()
        if answer != b"never":
            client.recv(65536)
            client.sendall(answer)
            client.close()
        else:
            kept.append(client)
kept = []
threading.Thread(target=serve, daemon=True).start()
done = subprocess.run(words, capture_output=True, text=True)
sys.stdout.write(done.stdout)
sys.stderr.write(done.stderr)
sys.exit(done.returncode)
"""
OPERATIONS = (
    *("getattr", "lookup", "mkdir", "opendir", "readdir", "create", "open", "read", "write", "fsync"),
    *("link", "fsyncdir", "unlink", "rename"),
)
ODD = (
    *({"LC_ALL": value} for value in ("", "C", "POSIX", "xx_XX.nonsense")),
    *({"TERM": value} for value in ("", "dumb", "nonsense", "xterm-256color")),
    *({"COLUMNS": value} for value in ("0", "1", "-5", "abc", "100000")),
    *({"TZ": value} for value in ("", "Nowhere/Land", ":")),
    {"LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
    {"NO_COLOR": "1"},
    {"HOME": ""},
    {"NOTIFY_SOCKET": "/nowhere/notify"},
    {"ACMD_CONFIG": ""},
    {"ACMD_EPOCH": "abc", "ACMD_UNIT": "nonsense"},
    {"INVOCATION_ID": "x", "JOURNAL_STREAM": "x"},
)


def code_of(host: Host, words: str, out: str) -> tuple[int, str]:
    """The exit code of a command with its output led elsewhere, and what it said on standard error."""
    done = call(host, f"{words} {out}; echo code $? >&2" if "|" not in out else words + out)
    said, _, code = done.stderr.rpartition("code ")
    return int(code), said


def test_outputs_that_take_nothing(refusing: Site) -> None:
    """Closed, full, or with a reader that is gone: no traceback, and the exit code is the command's own."""
    refusing.settle()
    host = refusing.alpha
    for words in SHOWS:
        usual = call(host, f"acmd {words}")
        code, said = code_of(host, f"acmd {words}", ">&-")
        assert (code, said) == (usual.returncode, usual.stderr), words
        code, said = code_of(host, f"acmd {words}", ">/dev/full")
        assert (code, FULL in said, said.count("acmd: ")) == (1, True, 1), f"{words}: {said}"
        done = call(host, f"(acmd {words}; echo $? > /root/code) | true; cat /root/code")
        assert (done.stdout.strip(), done.stderr) in {(str(usual.returncode), usual.stderr), ("0", "")}, words
    for out in (">&-", ">/dev/full", "2>&-", "2>/dev/full", "<&- >&- 2>&-"):
        done = call(host, f"(acmd bogus {out}; echo $? > /root/code); cat /root/code")
        assert done.stdout.strip().endswith("64"), out


def test_an_order_is_followed_without_a_reader(refusing: Site) -> None:
    """Its output is a pipe that nobody reads, or a full disk: the exit code says all the same how it went."""
    refusing.settle()
    done = call(refusing.alpha, "(acmd switchover; echo $? > /root/code) | true; cat /root/code")
    assert (done.stdout.strip(), done.stderr) == ("0", "")
    assert refusing.cluster.status(refusing.beta)["role"] == "active"
    wait_for(lambda: refusing.cluster.status(refusing.alpha)["role"] == "passive", 20, "alpha is passive")
    done = call(refusing.beta, "acmd switchover --to alpha >/dev/full")
    assert (done.returncode, "standard output cannot be written" in done.stderr) == (0, True)
    assert "it goes on" in done.stderr
    refusing.settle()


@pytest.mark.parametrize(
    ("after_s", "words"),
    [
        *((at_s, "status") for at_s in (0.04, 0.07, 0.1)),
        *((at_s, "config check") for at_s in (0.1, 0.3)),
        (0.8, "status --watch"),
        (0.8, "events --follow"),
        (0.5, "check"),
        (0.5, "timing"),
    ],
)
def test_interrupted(refusing: Site, after_s: float, words: str) -> None:
    """^C at any moment: 130 (unless it was done by then), nothing said."""
    line = ["python3", "-c", INTERRUPTED, str(after_s), "acmd", *words.split()]
    done = refusing.alpha.exec(line, check=False)
    assert done.returncode in {130, 0, 1}
    python_itself = "init_import_site" in done.stderr or "<frozen" in done.stderr  # before our first line
    assert python_itself or "Traceback" not in done.stderr, done.stderr


def test_interrupted_in_the_middle(refusing: Site) -> None:
    """Whether an order was given is said not to be known; half a report is taken away."""
    refusing.settle()
    host = refusing.alpha
    host.shared.fail("delay", "link", seconds=3.0)
    try:
        line = ["python3", "-c", INTERRUPTED, "1.5", "acmd", "disable", "--node", "beta"]
        done = host.exec(line, check=False)
    finally:
        host.shared.clear()
        wait_for(lambda: host.exec("acmd enable --node beta", check=False).returncode == 0, 20, "enabled")
    assert done.returncode == 130, done.stderr
    assert "acmd: whether that was ordered is not known; `acmd status` shows it" in done.stderr
    line = ["python3", "-c", INTERRUPTED, "0.8", "acmd", "report", "-o", "/root/half.tgz"]
    assert host.exec(line, check=False).returncode == 130
    assert host.exec("test ! -e /root/half.tgz", check=False).returncode == 0


def test_an_odd_environment(refusing: Site) -> None:
    """Whatever the environment says: the same exit code, and a page on the terminal."""
    refusing.settle()
    host = refusing.alpha
    host.exec("acmd disable --node beta --reason \"$(printf 'r\\303\\251seau\\nzwei \\377 \\033[2J')\"")
    shown = refusing.cluster.status(host)["maintenance"]["nodes"]["beta"]["reason"]
    assert shown == "r\u00e9seau zwei \ufffd \ufffd[2J"
    for odd in ODD:
        done = call(host, "acmd nodes", **odd)
        assert (done.returncode, done.stderr) == (0, ""), odd
        done = host.exec(["python3", "-c", TERMINAL, "", "acmd", "status"], check=False, env=odd)
        assert (done.returncode, "Traceback" in done.stdout, "beta" in done.stdout) == (1, False, True), odd
    host.exec(["acmd", "enable", "--node", "beta"])
    assert call(host, "acmd status", ACMD_CONFIG="/nowhere").returncode == 1
    refusing.settle()


def test_a_long_reason_is_cut(refusing: Site) -> None:
    """An order is not refused for its reason; 200 characters of it are kept, which is said."""
    refusing.settle()
    done = call(
        refusing.alpha, "acmd disable --node beta --reason \"$(head -c 90000 /dev/zero | tr '\\0' x)\""
    )
    assert (done.returncode, done.stderr) == (0, "acmd: of the reason the first 200 characters are kept\n")
    shown = refusing.cluster.status(refusing.alpha)["maintenance"]["nodes"]["beta"]["reason"]
    assert shown == "x" * 200
    refusing.alpha.exec(["acmd", "enable", "--node", "beta"])


def test_a_terminal_asks(refusing: Site) -> None:
    """What is not typed exactly changes nothing: exit code 1."""
    for words, typed in (
        ("confirm-off beta", "yes"),
        ("forget beta", "no"),
        ("detach", ""),
        ("fence beta", "b"),
    ):
        line = ["python3", "-c", TERMINAL, f"{typed}\n", "acmd", *words.split()]
        done = refusing.alpha.exec(line, check=False)
        assert (done.returncode, "acmd: nothing was done" in done.stdout) == (1, True), done.stdout


def test_users(refusing: Site) -> None:
    """Who may not is told whom it takes, with nothing changed; a member of the group may ask and order."""
    refusing.settle()
    host = refusing.alpha
    for words in (
        "status",
        "nodes",
        "history",
        "switchover",
        "disable --all",
        "service stop witness",
        "events",
    ):
        done = call(host, f"acmd {words}", user="mallory")
        assert (done.returncode, done.stdout) == (1, ""), words
        assert "may not be used by this user\n  -> use root, or a member of the socket's group" in done.stderr
    for words, says, remedy in (
        ("check --fix --yes", "only root may mend this host", "run it as root"),
        ("migrate --apply", "only root may change this host", "run it as root"),
        ("setup --force --yes --no-check", "acmd.toml.draft cannot be written: permission denied", "again"),
    ):
        done = call(host, f"acmd {words}", user="mallory")
        assert (done.returncode, says in done.stderr, remedy in done.stderr) == (1, True, True), done.stderr
    assert call(host, "acmd nodes", user="eva").returncode == 0
    said = call(host, "acmctl -b", user="eva").stderr
    assert said == "acmctl: a backup reads the login of MySQL, which is root's\n  -> run it as root\n"
    assert "there is no node 'x'" in call(host, "acmd disable --node x", user="eva").stderr
    done = call(host, "cd /tmp && acmd report -o r.tgz; rm -f r.tgz", user="mallory")
    assert "WARN history.json could not be had" in done.stdout, done.stderr
    error = json.loads(call(host, "acmd nodes --json", user="mallory").stdout)
    assert error["remedy"] == "use root, or a member of the socket's group"
    refusing.settle()


def test_sockets(refusing: Site) -> None:
    """Nobody there is exit code 3; somebody else, or a daemon that does not answer, is 1 and says which."""
    host = refusing.alpha
    host.exec("sed 's/^.cluster.$/[cluster]\\nname = \"other\"/' /root/good > /root/other.toml")
    nobody = Refusal(
        "acmd -c /root/other.toml nodes", "no acmd daemon runs for this cluster", "systemctl start acmd", 3
    )
    for made in (
        "true",
        "mkdir -p /run/acmd/other; touch /run/acmd/other/control.sock",
        "rm /run/acmd/other/control.sock; python3 -c 'import socket; "
        's = socket.socket(socket.AF_UNIX); s.bind("/run/acmd/other/control.sock")\'',
    ):
        host.exec(made)
        assert not wrong(host, nobody), made
    for answer, says in (
        ("hello\\n", "what answers on /run/acmd/other/control.sock is not an acmd daemon"),
        ("[]\\n", "is not an acmd daemon"),
        ("", "the daemon closed /run/acmd/other/control.sock without an answer"),
        ("never", "the daemon did not answer within 2 s"),
    ):
        words = "status" if answer == "never" else "nodes"
        line = [
            "python3",
            "-c",
            ANSWERS,
            answer.replace("\\n", "\n"),
            "acmd",
            "-c",
            "/root/other.toml",
            words,
        ]
        done = host.exec(line, check=False)
        assert (done.returncode, says in done.stderr, "  -> " in done.stderr) == (1, True, True), done.stderr
    host.exec("rm -rf /run/acmd/other /root/other.toml")


def test_a_full_disk(refusing: Site) -> None:
    """A report that has no room is taken away; a service's hold that cannot be kept is not given."""
    refusing.settle()
    host = refusing.alpha
    host.exec("mkdir -p /mnt/small; mount -t tmpfs -o size=4k tmpfs /mnt/small")
    try:
        no_room = Refusal(
            "acmd report -o /mnt/small/r.tgz", "r.tgz cannot be written: no space left", "room", 1
        )
        assert not wrong(host, no_room)
        assert host.exec("ls /mnt/small").stdout == ""
    finally:
        host.exec("umount /mnt/small")
    host.fill_disk("/run")
    try:
        done = call(host, "acmd service pause witness")
    finally:
        host.free_disk("/run")
    assert done.returncode == 1, done.stdout
    assert "no space left on device" in done.stderr.lower()
    assert "  -> " in done.stderr
    refusing.settle()
