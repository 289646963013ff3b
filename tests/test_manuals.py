"""Manual pages and completions are those of parsers and schema, and the programs that read them agree."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from acmd.cli.grammar import Usage, grammar
from acmd.cli.main import COMMANDS, command_parser
from acmd.cli.manual import generated
from acmd.cli.roff import escape, inline, page
from acmd.errors import AcmdError
from tests.tree import ROOT, tracked

PAGES = ("docs/man/acmd.8", "docs/man/acmctl.8", "docs/man/acmd.toml.5")
LIMIT_S = 60
FENCE = re.compile(r"^```(?:sh|console)?\n(.*?)^```", re.DOTALL | re.MULTILINE)
INLINE = re.compile(r"`(acmd [^`\n]+)`")
WILD = re.compile(r"[\[|<{…]|\.\.\.|COMMAND|\$\(")


def complete(words: str) -> set[str]:
    """What a real bash offers for the last of these words."""
    script = (
        f"source packaging/completions/acmd.bash; COMP_WORDS=({words}); "
        'COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _acmd; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    said = subprocess.run(
        ["bash", "--norc", "-c", script],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )
    assert not said.stderr
    return set(said.stdout.split())


def test_generated_files_are_up_to_date() -> None:
    """Pages and completions are what parsers and schema say now; else: python -m acmd.cli.manual."""
    for name, text in generated().items():
        assert (ROOT / name).read_text(encoding="utf-8") == text, f"{name}: python -m acmd.cli.manual"


@pytest.mark.parametrize("name", PAGES)
def test_man_renders_without_a_warning(name: str) -> None:
    """groff formats each page without a warning, and no Markdown is left in what a reader sees."""
    if shutil.which("groff") is None:
        pytest.skip("groff is not there (Debian: groff-base)")
    command = ["groff", "-man", "-Kutf8", "-Tutf8", "-P-cbou", "-ww", str(ROOT / name)]
    said = subprocess.run(command, check=True, capture_output=True, text=True, timeout=LIMIT_S)
    assert not said.stderr
    assert "**" not in said.stdout
    assert "](" not in said.stdout


@pytest.mark.parametrize("name", PAGES)
def test_mandoc_has_nothing_to_say(name: str) -> None:
    """mandoc's lint finds nothing but the missing date, which would be another one with each build."""
    if shutil.which("mandoc") is None:
        pytest.skip("mandoc is not there (Debian: mandoc)")
    command = ["mandoc", "-T", "lint", "-W", "warning", str(ROOT / name)]
    said = subprocess.run(command, check=False, capture_output=True, text=True, timeout=LIMIT_S)
    assert [line for line in said.stdout.splitlines() if "missing date" not in line] == []


def test_every_command_is_in_the_manual() -> None:
    """acmd(8) has each command and each of its options."""
    text = (ROOT / "docs/man/acmd.8").read_text()
    for usage in grammar():
        assert f'.SS "acmd {escape(usage.name)}' in text
        for option in usage.options:
            assert escape(option.names[-1]) in text, f"{usage.name} {option.names}"


def test_roff_is_quoted() -> None:
    """Dots at a line's start, backslashes and quotes come out as they were typed."""
    assert inline("`.a` \\n 'x'") == "\\fB\\&.a\\fR \\en \\(aqx\\(aq"
    assert ".SH NAME\nx \\- y\n" in page("x", 8, "M", "## NAME\n\nx - y\n")


# ---------------------------------------------------------------- completions


def test_bash_completes_commands_and_options() -> None:
    """A real bash offers commands, a command's options, actions and choices, and nothing for free text."""
    assert {"status", "switchover", "--config"} <= complete("acmd ''")
    assert complete("acmd sw") == {"switchover"}
    assert complete("acmd switchover --t") == {"--to", "--timeout"}
    assert complete("acmd --config x.toml status --j") == {"--json"}
    assert complete("acmd config sh") == {"show"}
    assert complete("acmd service res") == {"restart", "resume"}
    assert complete("acmd check --group st") == {"storage"}
    assert complete("acmd switchover --reason ''") == set()


def test_bash_offers_every_option() -> None:
    """Whatever a parser takes by a long name, bash offers."""
    text = (ROOT / "packaging/completions/acmd.bash").read_text()
    for usage in grammar():
        line = next(line for line in text.splitlines() if line.strip().startswith(f"{usage.name})"))
        offered = set(shlex.split(line.split("=", 1)[1])[0].split())
        assert {option.names[-1] for option in usage.options} <= offered, usage.name


def test_bash_offers_what_acmctl_takes(tmp_path: Path) -> None:
    """Its options, and files where one is named."""
    (tmp_path / "backups").mkdir()
    script = (
        f"source {ROOT}/packaging/completions/acmctl.bash; "
        'COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _acmctl; printf "%s\\n" "${COMPREPLY[@]}"'
    )

    def offers(*words: str) -> set[str]:
        line = ["bash", "--norc", "-c", script, "bash", "acmctl", *words]
        said = subprocess.run(line, check=True, capture_output=True, text=True, cwd=tmp_path, timeout=LIMIT_S)
        return set(said.stdout.split())

    assert {"-i", "-s", "-d", "-e", "-D", "-E", "-b", "-v", "--keep", "--limit"} <= offers("-")
    assert offers("-b", "") == {"backups"}
    assert offers("-b", "backups", "--keep", "") == set()


def test_zsh_reads_its_file() -> None:
    """zsh finds no mistake in its files."""
    if shutil.which("zsh") is None:
        pytest.skip("zsh is not there (Debian: zsh)")
    for name in ("_acmd", "_acmctl"):
        file = str(ROOT / "packaging/completions" / name)
        said = subprocess.run(
            ["zsh", "-n", file], check=False, capture_output=True, text=True, timeout=LIMIT_S
        )
        assert (said.returncode, said.stderr) == (0, "")


def test_fish_completes(tmp_path: Path) -> None:
    """A real fish offers a command's options and choices."""
    if shutil.which("fish") is None:
        pytest.skip("fish is not there (Debian: fish)")
    file = ROOT / "packaging/completions/acmd.fish"

    def offers(line: str) -> set[str]:
        script = f"source {file}; source {file.with_name('acmctl.fish')}; complete -C '{line}'"
        said = subprocess.run(
            ["fish", "--no-config", "-c", script],
            check=True,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
        )
        return {offer.split("\t")[0] for offer in said.stdout.splitlines()}

    assert offers("acmd sw") == {"switchover"}
    assert {"--to", "--timeout"} <= offers("acmd switchover --t")
    assert offers("acmd service resu") == {"resume"}
    assert {"-i", "-D", "--keep"} <= offers("acmctl -")


# ---------------------------------------------------------------- commands in documents


def spoken(document: Path) -> list[str]:
    """Every command line of acmd that a document shows as code."""
    text = document.read_text(encoding="utf-8")
    blocks = [line for block in FENCE.findall(text) for line in block.splitlines()]
    lines = [re.sub(r"^(?:[#$] |\w+[#$] )", "", line.strip()) for line in blocks]
    return [line for line in lines if line.startswith("acmd ")] + INLINE.findall(text)


def names() -> dict[str, Usage]:
    return {usage.name: usage for usage in grammar()}


@pytest.mark.parametrize("document", [p for p in tracked() if p.suffix == ".md"], ids=lambda p: p.name)
def test_commands_in_documents_parse(document: Path) -> None:
    """Each `acmd ...` in a document is a command line that acmd takes; of patterns the options exist."""
    usages = names()
    for line in spoken(document):
        words = shlex.split(line, comments=True)[1:]
        while words and words[0] in {"-c", "--config"}:
            words = words[2:]
        if not words or not words[0].islower() or words[0].startswith("-"):
            continue
        assert words[0] in COMMANDS, f"{document.name}: {line}: no such command"
        usage = usages[words[0]]
        known = {name for part in (usage, *usage.actions) for option in part.options for name in option.names}
        said = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", " ".join(words)))
        assert said <= known, f"{document.name}: {line}: {said - known}"
        if document.parent == ROOT / "docs" and "```" in document.read_text() and not WILD.search(line):
            complete_line(document, line, words)


def complete_line(document: Path, line: str, words: list[str]) -> None:
    """A line of a fence has to parse as it stands; in running text a command may go without its arguments."""
    if f"\n{line}" not in document.read_text():
        return
    try:
        command_parser(words[0])[1].parse_args(words[1:])
    except AcmdError as error:
        pytest.fail(f"{document.name}: {line}: {error}")
