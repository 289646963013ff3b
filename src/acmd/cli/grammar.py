"""What can be typed after `acmd`, read out of the parsers: the manual and the completions are made of it."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass

from acmd.cli.main import COMMANDS, command_parser


@dataclass(frozen=True, slots=True)
class Argument:
    """An option, or an argument by position. `value` stands for its value, empty if it has none."""

    names: tuple[str, ...]  # empty: by position
    value: str
    choices: tuple[str, ...]
    about: str
    required: bool
    is_file: bool
    may_lack_value: bool  # an option that also stands alone

    @property
    def shown(self) -> str:
        """The value as a person reads it."""
        value = self.value or "|".join(self.choices)
        return f"[{value}]" if self.may_lack_value else value


@dataclass(frozen=True, slots=True)
class Usage:
    """One command with its arguments; `actions` are commands of its own, as of `acmd config`."""

    name: str
    about: str
    synopsis: str
    arguments: tuple[Argument, ...]
    actions: tuple[Usage, ...]

    @property
    def options(self) -> tuple[Argument, ...]:
        """Those with a name."""
        return tuple(argument for argument in self.arguments if argument.names)

    @property
    def words(self) -> tuple[str, ...]:
        """What may stand at the first position, as far as that is known."""
        chosen = [word for argument in self.arguments if not argument.names for word in argument.choices]
        return (*(action.name for action in self.actions), *chosen)


def grammar(commands: Mapping[str, tuple[str, str]] = COMMANDS) -> list[Usage]:
    """Every command, in the order of the help text."""
    return [
        usage_of(name, help_line, command_parser(name, commands)[1])
        for name, (_, help_line) in commands.items()
    ]


def usage_of(name: str, about: str, parser: argparse.ArgumentParser) -> Usage:
    """What one parser takes."""
    arguments: list[Argument] = []
    actions: list[Usage] = []
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            help_lines = {choice.dest: choice.help or "" for choice in action._choices_actions}
            actions += [usage_of(word, help_lines.get(word, ""), sub) for word, sub in action.choices.items()]
        elif action.help != argparse.SUPPRESS:
            arguments.append(_argument(parser, action))
    return Usage(name, about, _synopsis(parser), tuple(arguments), tuple(actions))


def _synopsis(parser: argparse.ArgumentParser) -> str:
    """The usage line, the same in every version of Python: made here, since argparse's own differs."""
    words = [parser.prog]
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            words.append(f"{{{'|'.join(action.choices)}}} ...")
        elif action.help != argparse.SUPPRESS and not {"-h", "-c"} & {*action.option_strings}:
            shown = _argument(parser, action)
            word = " ".join(part for part in (shown.names[-1] if shown.names else "", shown.shown) if part)
            words.append(word if shown.required else f"[{word}]")
    return " ".join(words)


def _argument(parser: argparse.ArgumentParser, action: argparse.Action) -> Argument:
    choices = tuple(map(str, action.choices or ()))
    metavar = action.metavar if isinstance(action.metavar, str) else ""
    value = "" if action.nargs == 0 else metavar or "|".join(choices) or action.dest.upper()
    return Argument(
        names=tuple(action.option_strings),
        value=value,
        choices=choices,
        about=_about(parser, action),
        required=action.required if action.option_strings else action.nargs not in {"?", "*"},
        is_file=metavar in {"FILE", "DIRECTORY", "DIR", "PATH"},
        may_lack_value=bool(action.option_strings) and action.nargs == "?",
    )


def _about(parser: argparse.ArgumentParser, action: argparse.Action) -> str:
    if isinstance(action, argparse._HelpAction):
        return "say what there is, and end"
    if not action.help:
        return ""
    return action.help % {**vars(action), "prog": parser.prog}
