"""The threads of the program that live in this process."""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Collection

OF_THE_PROGRAM = "localfirst-"
"""How their names begin."""


def own_threads(others: Collection[threading.Thread] = ()) -> list[str]:
    """Their names, but for those of `others`."""
    return sorted(
        thread.name for thread in threading.enumerate() if thread.name.startswith(OF_THE_PROGRAM) and thread not in others
    )


def what_they_do() -> str:
    """Where each of them is."""
    frames = sys._current_frames()
    return "\n".join(
        f"{thread.name}:\n{''.join(traceback.format_stack(frames[thread.ident]))}"
        for thread in threading.enumerate()
        if thread.name.startswith(OF_THE_PROGRAM) and thread.ident in frames
    )
