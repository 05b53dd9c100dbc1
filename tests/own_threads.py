"""The threads of the program that live in this process."""

from __future__ import annotations

import threading

OF_THE_PROGRAM = "localfirst-"
"""How their names begin."""


def own_threads() -> list[str]:
    """Their names."""
    return sorted(thread.name for thread in threading.enumerate() if thread.name.startswith(OF_THE_PROGRAM))
