"""Documents, lock files and sources stay in step with one another; promises about size are measured."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import acmd
from tests.tree import ROOT, tracked

LINES_A_FILE = 300
LINES_A_FUNCTION = 60

# Path, or path:function, that may be longer; each with the reason why splitting it would read worse.
LONGER_FILES: dict[str, str] = {}
LONGER_FUNCTIONS: dict[str, str] = {}

# Where somebody's machine shows through: scratch directories, homes, package registries.
MACHINE = re.compile(r"(?<![\w./-])/root/\.|/home/(?!user\b)\w+/|--(?:extra-)?index-url[ =]")
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"```.*?```|`[^`\n]+`", re.DOTALL)
OUR_PATH = re.compile(r"(?:src|tests|docs|tools|bench|requirements|etc|packaging|\.ci)/[\w./-]*")
PINNED = re.compile(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)")


def documents() -> list[Path]:
    return [path for path in tracked() if path.suffix == ".md"]


def sources() -> list[Path]:
    return [path for path in tracked() if path.suffix == ".py" and path.is_relative_to(ROOT / "src")]


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


# ---------------------------------------------------------------- documents


def test_no_machine_shows_through() -> None:
    """No tracked file names a directory of somebody's machine or a package registry's host."""
    found = []
    for path in tracked():
        text = path.read_bytes().decode(errors="replace")
        found += [
            f"{name_of(path)}:{number}: {line.strip()[:100]}"
            for number, line in enumerate(text.splitlines(), 1)
            if MACHINE.search(line)
        ]
    assert not found, "\n".join(found)


def headings(document: Path) -> set[str]:
    """The anchors that a reader of the rendered page can jump to."""
    lines = re.sub(r"```.*?```", "", document.read_text(), flags=re.DOTALL).splitlines()
    titles = (line.lstrip("#").strip().lower() for line in lines if line.startswith("#"))
    return {re.sub(r"[^\w\- ]", "", title).replace(" ", "-") for title in titles}


def test_links_between_files_resolve() -> None:
    """Every link from a Markdown page to a file or heading of the repository leads somewhere."""
    broken = []
    for document in documents():
        for match in LINK.finditer(CODE.sub("", document.read_text())):
            target, _, anchor = (match[1] or match[2]).partition("#")
            if re.match(r"[a-z]+:", target):
                continue
            leads_to = (document.parent / target) if target else document
            if not leads_to.exists():
                broken.append(f"{name_of(document)}: {target} does not exist")
            elif anchor and leads_to.suffix == ".md" and anchor not in headings(leads_to):
                broken.append(f"{name_of(document)}: {target or name_of(document)} has no heading #{anchor}")
    assert not broken, "\n".join(broken)


def test_make_commands_of_the_documents_exist() -> None:
    """Every `make TARGET` in a document is a target of the Makefile; the README leads with demo and test."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    for document in documents():
        code = " ".join(CODE.findall(document.read_text()))
        said = set(re.findall(r"\bmake ([a-z]+)\b", code))
        assert said <= targets, f"{name_of(document)} names make targets that do not exist: {said - targets}"
    readme = (ROOT / "README.md").read_text()
    assert "make demo" in readme
    assert "make test" in readme


def test_paths_in_documents_exist() -> None:
    """Every file or directory of the repository that a document names in code is there."""
    gone = []
    for document in documents():
        for code in re.findall(
            r"`([^`\n]+)`", re.sub(r"```.*?```", "", document.read_text(), flags=re.DOTALL)
        ):
            if OUR_PATH.fullmatch(code) and not (ROOT / code).exists():
                gone.append(f"{name_of(document)}: {code}")
    assert not gone, "\n".join(gone)


def test_version_is_in_the_changelog() -> None:
    """The changelog's newest entries belong to the version that the package reports, or are unreleased."""
    entries = re.findall(r"^## \[([^\]]+)\]", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)
    assert entries[0] in {"Unreleased", acmd.__version__}


def test_decisions_are_numbered_and_have_a_status() -> None:
    """docs/adr/ has no gap, the index lists all, and each record has its status and its three parts."""
    records = sorted((ROOT / "docs/adr").glob("[0-9]*.md"))
    assert [int(record.name[:4]) for record in records] == list(range(1, len(records) + 1))
    index = (ROOT / "docs/adr/README.md").read_text()
    for record in records:
        text = record.read_text()
        assert re.search(r"^Status: (proposed|accepted|superseded by )", text, re.MULTILINE), record.name
        for part in ("## Context", "## Decision", "## Consequences"):
            assert part in text, f"{record.name} lacks {part!r}"
        assert f"({record.name})" in index, f"docs/adr/README.md does not list {record.name}"


# ---------------------------------------------------------------- sources


def test_files_are_short() -> None:
    """No source file is longer than 300 lines, except for a reason that is written down."""
    long = {name_of(path): len(path.read_text().splitlines()) for path in sources()}
    long = {name: lines for name, lines in long.items() if lines > LINES_A_FILE}
    assert long.keys() == LONGER_FILES.keys(), f"longer than {LINES_A_FILE} lines: {long}"


def functions(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.end_lineno is not None:
            yield f"{name_of(path)}:{node.name}", node.end_lineno - node.lineno + 1


def test_functions_are_short() -> None:
    """No function in the sources is longer than 60 lines, except for a reason that is written down."""
    long = {name: lines for path in sources() for name, lines in functions(path) if lines > LINES_A_FUNCTION}
    assert long.keys() == LONGER_FUNCTIONS.keys(), f"longer than {LINES_A_FUNCTION} lines: {long}"


def imports(path: Path) -> set[str]:
    """The top-level names of all modules that a file imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add("." if node.level else (node.module or "").partition(".")[0])
    return found


def modules_of_acmd(path: Path) -> set[str]:
    """The packages of acmd, two levels deep, that a file imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        found |= {".".join(name.split(".")[:2]) for name in names if name.partition(".")[0] == "acmd"}
    return found


def test_guard_is_standard_library_only() -> None:
    """The dead man's switch imports only the standard library: nothing that could be missing or slow."""
    parts = sorted((ROOT / "src/acmd/guard").glob("*.py"))
    assert parts
    for part in parts:
        assert imports(part) <= sys.stdlib_module_names | {"acmd"}, part
        assert modules_of_acmd(part) <= {"acmd.guard"}, part


# ---------------------------------------------------------------- lock files


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def wanted(groups: dict[str, Any], group: str) -> Iterator[Requirement]:
    for entry in groups[group]:
        if isinstance(entry, str):
            yield Requirement(entry)
        else:
            yield from wanted(groups, entry["include-group"])


def locked(name: str) -> dict[str, str]:
    lines = (ROOT / f"requirements/{name}.txt").read_text().splitlines()
    pins = (PINNED.match(line) for line in lines)
    return {canonicalize_name(pin[1]): pin[2] for pin in pins if pin}


def test_locks_fit_the_ranges() -> None:
    """Each range of pyproject.toml is met by its lock file; a forgotten `make lock` is noticed here."""
    groups = project()["dependency-groups"]
    runtime = [Requirement(text) for text in project()["project"]["dependencies"]]
    for name in [*groups, "runtime", "all"]:
        pins = locked(name)
        for requirement in runtime if name in {"runtime", "all"} else wanted(groups, name):
            version = pins.get(canonicalize_name(requirement.name))
            assert version is not None, f"requirements/{name}.txt lacks {requirement}: make lock"
            assert requirement.specifier.contains(version), (
                f"requirements/{name}.txt: {requirement} but {version}"
            )


def test_locks_agree_and_carry_hashes() -> None:
    """All lock files hold the same versions, each with hashes, and none says where packages come from."""
    everything = locked("all")
    for path in sorted((ROOT / "requirements").glob("*.txt")):
        text = path.read_text()
        assert locked(path.stem).items() <= everything.items(), f"{path.name} differs from all.txt: make lock"
        assert "://" not in text, f"{path.name} names an address"
        for entry in re.split(r"\n(?=\w)", text):
            if PINNED.match(entry):
                assert "--hash=sha256:" in entry, f"{path.name}: {entry.splitlines()[0]} has no hash"
