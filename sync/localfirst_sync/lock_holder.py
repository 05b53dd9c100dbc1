"""Who holds a lock file: the process writes itself into it, so that whoever waits can say for whom, and if it was stopped.

A stopped process (SIGSTOP, Ctrl-Z) keeps the kernel's lock and may never go on. Others can tell where the platform tells the
state of processes (`/proc`, or `ps` on other Unix systems); elsewhere nobody is known to be stopped.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import NamedTuple

_PROC = Path("/proc")
_PS_S = 1.0


class Holder(NamedTuple):
    """A process: its number, and when it was started, by the platform's own clock (None: not known), since numbers return."""

    pid: int
    started: str | None

    def is_stopped(self) -> bool:
        """Whether the process is there and was stopped."""
        found = _state(self.pid)
        if found is None:
            return False
        state, started = found
        return state.startswith("T") and self.started in (None, started)


def note_holder(path: Path) -> None:
    """Writes this process into a lock file that it has just locked; where that cannot be done, nobody learns who holds it."""
    pid = os.getpid()
    with suppress(OSError), path.open("r+b") as file:
        file.write(f"{pid} {_own_start(pid) or '-'}\n".encode().ljust(_WIDTH))


_WIDTH = 64
"""Every record overwrites all of the one before."""


def read_holder(path: Path) -> Holder | None:
    """Who has written itself into a lock file; None if that cannot be read."""
    try:
        with path.open("rb") as file:
            pid, started = file.read(_WIDTH).split()
        return Holder(int(pid), None if started == b"-" else started.decode())
    except (OSError, ValueError):
        return None


@cache
def _own_start(pid: int) -> str | None:
    """When this process was started."""
    return start_of(pid)


def start_of(pid: int) -> str | None:
    """When a process was started, where asking costs no process of its own; None where there is none of that number."""
    found = _state_in_proc(pid)
    return None if found is None else found[1]


def _state(pid: int) -> tuple[str, str | None] | None:
    """A process's state, as one letter of `ps`, and its start; None where there is no such process, or nobody can say."""
    return _state_in_proc(pid) if _PROC.is_dir() else _state_by_ps(pid)


def _state_in_proc(pid: int) -> tuple[str, str] | None:
    """From `/proc/PID/stat`: behind the name in brackets (which may hold anything) the state is the first field, the start
    the twentieth."""
    try:
        fields = (_PROC / str(pid) / "stat").read_bytes().rpartition(b")")[2].split()
        return fields[0].decode(), fields[19].decode()
    except (OSError, IndexError):
        return None


def _state_by_ps(pid: int) -> tuple[str, None] | None:
    if sys.platform == "win32":
        return None
    try:
        done = subprocess.run(  # noqa: S603
            ["/bin/ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, timeout=_PS_S, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return None
    state = done.stdout.strip()
    return (state, None) if state else None
