"""The lowest layer: Debian, made by mmdebstrap from wherever this machine gets its own packages."""

from __future__ import annotations

import re
import subprocess
import tempfile
from pathlib import Path

from tests.hosts.recipe import SUITE, Recipe

BUILD_TIMEOUT_S = 1800


class ImageError(Exception):
    """A layer could not be built; the message names the log that tells why."""


def run(command: list[str], log: Path, stdin: str | None = None) -> None:
    """Run a step of a build, its words into `log`; ImageError with the last of them when it fails."""
    with log.open("a") as out:
        out.write("$ " + " ".join(command) + "\n")
        out.flush()
        done = subprocess.run(
            command,
            input=stdin,
            text=True,
            stdout=out,
            stderr=subprocess.STDOUT,
            timeout=BUILD_TIMEOUT_S,
            check=False,
        )
    if done.returncode != 0:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        raise ImageError(
            f"{command[0]} ended with {done.returncode} while building a layer; see {log}\n{tail}"
        )


def _apt_sources(suite: str) -> str:
    """The machine's own apt sources for `suite`, so that the template comes from wherever this machine's
    does.
    """
    files = [Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))]
    one_line: list[str] = []
    for path in files:
        if not path.is_file():
            continue
        if path.suffix == ".sources":
            one_line += _deb822(path.read_text(), suite)
        else:
            wanted = re.compile(rf"^\s*deb\s.*\s{suite}(-updates|-security)?\s")
            one_line += [line.strip() for line in path.read_text().splitlines() if wanted.match(line)]
    if not one_line:
        raise ImageError(
            f"no apt source for {suite} in /etc/apt; the bed's hosts are made of Debian {suite} packages"
        )
    return "\n".join(one_line) + "\n"


def _deb822(text: str, suite: str) -> list[str]:
    lines: list[str] = []
    for stanza in re.split(r"\n\s*\n", text):
        fields = dict(re.findall(r"^([A-Za-z-]+):[ \t]*(.*)$", stanza, flags=re.MULTILINE))
        suites = [name for name in fields.get("Suites", "").split() if name.split("-")[0] == suite]
        if "deb" not in fields.get("Types", "").split() or fields.get("Enabled", "yes").lower() == "no":
            continue
        signed = fields.get("Signed-By", "")
        option = f"[signed-by={signed}] " if signed.startswith("/") else ""
        for uri in fields.get("URIs", "").split():
            lines += [f"deb {option}{uri} {name} {fields.get('Components', 'main')}" for name in suites]
    return lines


def build_base(recipe: Recipe, target: Path, log: Path) -> None:
    """Fill the empty directory `target` with a Debian made by `recipe`."""
    apt_options = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=True).stdout
    carried = [line for line in apt_options.splitlines() if re.match(r'Acquire::[^ ]+ "[^"]+";', line)]
    with tempfile.TemporaryDirectory() as scratch:
        customize = Path(scratch, "customize.sh")
        customize.write_text(recipe.customize)
        hooks = [f'sh {customize} "$1"', f'chroot "$1" systemctl mask {" ".join(recipe.masked)}']
        hooks.append(f'chroot "$1" systemctl disable {" ".join(recipe.disabled)}')
        command = ["mmdebstrap", "--mode=root", "--variant=minbase", "--format=directory"]
        command += ["--include=" + ",".join(recipe.packages)]
        command += ["--dpkgopt=path-exclude=/usr/share/man/*", "--dpkgopt=path-exclude=/usr/share/doc/*"]
        command += [
            '--aptopt=APT::Install-Recommends "false"',
            *[f"--aptopt={line.rstrip(';')}" for line in carried],
        ]
        command += [f"--customize-hook={hook}" for hook in hooks]
        run([*command, recipe.suite, str(target), "-"], log, stdin=_apt_sources(recipe.suite))


def download(packages: tuple[str, ...], base: Path, scratch: Path, log: Path) -> Path:
    """Packages that `base` lacks, with what they need, from where this machine gets its own: their files."""
    for name in ("lists/partial", "archives/partial"):
        (scratch / name).mkdir(parents=True)
    scratch.chmod(0o755)
    (scratch / "sources.list").write_text(_apt_sources(SUITE))
    options = {
        "Dir::State::Lists": scratch / "lists",
        "Dir::State::status": base / "var/lib/dpkg/status",
        "Dir::Cache": scratch,
        "Dir::Cache::archives": scratch / "archives",
        "Dir::Etc::SourceList": scratch / "sources.list",
        "Dir::Etc::SourceParts": "-",
        "APT::Sandbox::User": "root",
        "APT::Install-Recommends": "false",
    }
    apt = ["apt-get", "-q", "-y", *(f"-o{key}={value}" for key, value in options.items())]
    run([*apt, "update"], log)
    run([*apt, "--download-only", "install", *packages], log)
    return scratch / "archives"
