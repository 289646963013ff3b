"""What PyPy 3.9 lacks of Python 3.11, as far as the core and the simulation need it.

Imported first by the launcher; does nothing under CPython 3.11 and later.
"""

from __future__ import annotations

import dataclasses
import enum
import sys
from typing import Any

if sys.version_info < (3, 11):

    class _StrEnum(str, enum.Enum):
        """`enum.StrEnum` as far as it is used here."""

        def __str__(self) -> str:
            return str(self.value)

        def __format__(self, spec: str) -> str:
            return format(str(self.value), spec)

    enum.StrEnum = _StrEnum  # type: ignore[misc,assignment,unused-ignore]

    _dataclass: Any = dataclasses.dataclass

    def _tolerant(cls: Any = None, **options: Any) -> Any:
        options.pop("slots", None)
        options.pop("kw_only", None)
        return _dataclass(cls, **options) if cls is not None else _dataclass(**options)

    dataclasses.dataclass = _tolerant
