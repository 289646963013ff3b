"""The file as YAML nodes with positions; ERB is blanked out, never evaluated."""

from __future__ import annotations

import re
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode

from acmd.drivers.database_yml.file import RESTORE, DatabaseYmlError

ERB = re.compile(r"<%(=?).*?%>", re.DOTALL)
TAB_AT_END = re.compile(r"\t+(?=[ \r\n]|$)")  # ruamel.yaml refuses it, Rails does not


class Document:
    """The section's node, with ERB blanked out; positions are the same as in the text."""

    def __init__(self, file: str, text: str, section: str) -> None:
        self._text = text
        blank = TAB_AT_END.sub(lambda tabs: " " * len(tabs[0]), ERB.sub(_blank, text))
        if not blank.strip():
            raise DatabaseYmlError(f"{file} is empty", RESTORE)
        try:
            root: Node | None = YAML(typ="rt", pure=True).compose(blank)
        except YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            line = f", line {mark.line + 1}" if mark is not None else ""
            # Neither the parser's snippet nor its text: they may show a password.
            raise DatabaseYmlError(f"{file} is not YAML{line}", RESTORE) from None
        if not isinstance(root, MappingNode):
            raise DatabaseYmlError(f"{file} has no sections", RESTORE)
        node = _value(root, section)
        if not isinstance(node, MappingNode):
            names = [str(key.value) for key, _ in root.value if isinstance(key, ScalarNode)]
            raise DatabaseYmlError(
                f"{file} has no section {section!r}, only {', '.join(names)}"
                if node is None
                else f"{file}: section {section!r} holds no settings",
                "Configure the section that Orchestrator uses.",
            )
        self._root = root
        self._node = node

    def after_key(self, key: str) -> int:
        """Where the key of the section ends: a value before that is an alias of another one."""
        names = [name for name, _ in self._node.value if isinstance(name, ScalarNode) and name.value == key]
        return int(names[-1].end_mark.index)

    def shape(self, but: ScalarNode | None) -> list[str]:
        """Everything that the file says, but for one value."""
        said: list[str] = []
        waiting: list[Any] = [self._root]
        seen: set[int] = set()
        while waiting:
            node = waiting.pop()
            if isinstance(node, tuple):
                waiting.extend(node)
            elif isinstance(node.value, list):
                if id(node) not in seen:  # an anchor may lead to itself
                    seen.add(id(node))
                    waiting.extend(node.value)
            elif node is not but:
                said.append(f"{node.tag} {node.value}")
        return said

    def own(self, key: str) -> ScalarNode | None:
        """The value that the section itself gives the key."""
        node = _value(self._node, key)
        return node if isinstance(node, ScalarNode) else None

    def find(self, key: str) -> ScalarNode | None:
        """The value that the section has, its own or one of a merged section."""
        return _find(self._node, key, 0)

    def original(self, node: ScalarNode) -> str:
        """How the value is written, quotes and ERB included."""
        return self._text[node.start_mark.index : node.end_mark.index]


def _blank(tag: re.Match[str]) -> str:
    """As long as the tag, so that positions stay: a word for a tag that gives a value, else nothing at all.

    Quotes, colons or line ends inside of a tag must not look like YAML.
    """
    return "E" * len(tag[0]) if tag[1] else re.sub(r"[^\r\n]", " ", tag[0])


def _find(mapping: MappingNode, key: str, depth: int) -> ScalarNode | None:
    node = _value(mapping, key)
    if isinstance(node, ScalarNode):
        return node
    if depth > 8:
        return None  # An anchor that merges itself.
    for merge, value in mapping.value:
        if isinstance(merge, ScalarNode) and merge.value == "<<":
            merged = [value] if isinstance(value, MappingNode) else getattr(value, "value", [])
            for other in merged:
                if isinstance(other, MappingNode) and (found := _find(other, key, depth + 1)) is not None:
                    return found
    return None


def _value(mapping: MappingNode, key: str) -> Any:
    """The last one with that key, as Rails' parser takes it."""
    found = [value for name, value in mapping.value if isinstance(name, ScalarNode) and name.value == key]
    return found[-1] if found else None
