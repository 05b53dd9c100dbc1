"""The process's standard descriptors, taken over for the protocol while it is served.

A stray `print`, or a child process that writes to its inherited output, would corrupt the stream between client and
server. So the two pipes are moved to private descriptors; descriptor 0 becomes the null device and descriptor 1 a copy
of standard error for as long as the server runs.
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from collections.abc import Iterator

STDIN = 0
STDOUT = 1
STDERR = 2
PIPE_BYTES = 1 << 19


@contextlib.contextmanager
def claimed_stdio() -> Iterator[tuple[int, int]]:
    """Yield private descriptors `(input, output)` of the client's pipes; put everything back on the way out.

    The private descriptors are not inherited by children. Raises `OSError` when standard input or output is closed.
    """
    with contextlib.suppress(ValueError, OSError, AttributeError):
        sys.stdout.flush()
    _ensure_open(STDERR)
    with contextlib.ExitStack() as undo:
        source = _moved(STDIN, os.open(os.devnull, os.O_RDONLY), undo)
        target = _moved(STDOUT, os.dup(STDERR), undo)
        yield source, target


def widen(descriptor: int) -> None:
    """Let a pipe hold `PIPE_BYTES`, where the system can: a list of fifty items is then written at once, not in turns."""
    if sys.platform == "linux":
        import fcntl

        # Not a pipe, or more than this user may have: it works as it is.
        with contextlib.suppress(OSError):
            fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, PIPE_BYTES)


@contextlib.contextmanager
def never_blocking(descriptor: int) -> Iterator[None]:
    """Make writes to a pipe or a socket return at once when it is full.

    Files and terminals are left alone: they always take what is written, and a terminal's flags are shared with the
    shell that started the program.
    """
    mode = os.fstat(descriptor).st_mode
    if os.get_blocking(descriptor) and (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):
        os.set_blocking(descriptor, False)
        try:
            yield
        finally:
            os.set_blocking(descriptor, True)
    else:
        yield


def _moved(standard: int, replacement: int, undo: contextlib.ExitStack) -> int:
    """Move `standard` to a private descriptor and put `replacement` in its place until `undo` runs."""
    private = os.dup(standard)
    undo.callback(os.close, private)
    os.dup2(replacement, standard)
    undo.callback(os.dup2, private, standard)
    os.close(replacement)
    return private


def _ensure_open(descriptor: int) -> None:
    """Without this a private copy could land on a closed standard descriptor, and so under a stray `print`."""
    try:
        os.fstat(descriptor)
    except OSError:
        null = os.open(os.devnull, os.O_WRONLY)
        if null != descriptor:
            os.dup2(null, descriptor)
            os.close(null)
