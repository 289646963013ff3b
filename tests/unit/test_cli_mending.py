"""`acmd check --fix`: what is shown, what is asked, and that nothing is left half-done."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest

from acmd.checks.crontab import CHECK_MARKER
from acmd.checks.finding import Fix
from acmd.checks.logs import rotated
from acmd.checks.texts import LOG, LOGROTATE_TEXT, RSYSLOG_TEXT
from acmd.cli.mending import mend
from tests.tree import ROOT

RULE = Fix(file="/etc/rule", before=None, after="new\n", proof=("true",))


class Terminal(io.StringIO):
    """Somebody who answers."""

    def isatty(self) -> bool:
        """At a keyboard."""
        return True


def test_the_packages_rules() -> None:
    """What `--fix` and `acmd migrate` write is what the packages place."""
    assert (ROOT / "etc/rsyslog.d/acmd.conf").read_text() == RSYSLOG_TEXT
    assert (ROOT / "etc/logrotate.d/acmd").read_text() == LOGROTATE_TEXT


@pytest.mark.parametrize("path", sorted((ROOT / "etc/logrotate.d").iterdir()), ids=lambda path: path.name)
def test_rules_of_logrotate_are_understood(path: Path) -> None:
    """Each variant names the log, and nothing else."""
    assert LOG in rotated(path.read_text())


def test_other_rules_of_logrotate() -> None:
    """Several names, quotes, wildcards; scripts and comments are no names."""
    text = '/a /b\n# /no {\n/c* {\n postrotate\n  /no {\n endscript\n}\nweekly\n"/d" { daily }\n/e\n{\n}\n'
    assert rotated(text) == ["/a", "/b", "/c*", "/d", "/e"]


def test_a_file_is_shown_and_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As a diff; owner and mode of what was there stay."""
    at = tmp_path / "etc/rule"
    assert mend(RULE, ask=False, root=tmp_path)
    assert at.read_text() == "new\n"
    at.chmod(0o640)
    assert mend(Fix(("true",), "/etc/rule", "new\n", "newer\n"), ask=False, root=tmp_path)
    assert (at.read_text(), at.stat().st_mode & 0o777) == ("newer\n", 0o640)
    said = capsys.readouterr().out
    assert "fix: /etc/rule\n     --- /dev/null\n     +++ /etc/rule\n" in said
    assert "fix: /etc/rule, then true\n" in said
    assert "     -new\n     +newer\n" in said
    assert [path.name for path in at.parent.iterdir()] == ["rule"]


@pytest.mark.parametrize("before", [None, "old\n"])
def test_a_file_that_is_not_liked_is_put_back(tmp_path: Path, before: str | None) -> None:
    """The command that was to follow is not run either."""
    at, mark = tmp_path / "etc/rule", tmp_path / "mark"
    at.parent.mkdir()
    if before is not None:
        at.write_text(before)
    fix = Fix(("touch", str(mark)), "/etc/rule", before, "new\n", proof=("false",))
    assert not mend(fix, ask=False, root=tmp_path)
    assert (at.read_text() if at.exists() else None) == before
    assert not mark.exists()


def test_a_file_that_changed_meanwhile(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Somebody edits it while the question stands: it is left alone; so is a symbolic link."""
    at = tmp_path / "etc/rule"
    at.parent.mkdir()
    at.write_text("other\n")
    assert not mend(RULE, ask=False, root=tmp_path)
    assert at.read_text() == "other\n"
    assert "was changed meanwhile" in capsys.readouterr().out
    at.unlink()
    at.symlink_to(tmp_path / "else")
    assert not mend(RULE, ask=False, root=tmp_path)
    assert "is a symbolic link" in capsys.readouterr().out
    assert not (tmp_path / "else").exists()


def test_what_only_a_person_can_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--yes` does not answer it; a person's yes does, and nothing else."""
    at = tmp_path / "etc/rule"
    fix = replace(RULE, question="ACM is not needed any more")
    for stdin, done in ((io.StringIO("y\n"), False), (Terminal("\n"), False), (Terminal("yes\n"), True)):
        monkeypatch.setattr("sys.stdin", stdin)
        assert mend(fix, ask=False, root=tmp_path) is done
        assert at.exists() is done
    assert "left as it is: it needs your word, on a terminal, that ACM" in capsys.readouterr().out


def test_a_command_is_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No, nothing and the end of input leave everything as it is."""
    mark = tmp_path / "mark"
    for said, done in (("n\n", False), ("", False), ("y\n", True)):
        monkeypatch.setattr("sys.stdin", Terminal(said))
        assert mend(Fix(("touch", str(mark))), ask=True) is done
        assert mark.exists() is done


def test_the_marker_is_a_comment() -> None:
    """For every cron."""
    assert CHECK_MARKER.startswith("#")
