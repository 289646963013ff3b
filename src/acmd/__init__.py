"""acmd: one active node out of several, decided on a shared directory."""

from __future__ import annotations

__version__ = "0.1.0"
