"""The program's commands, each in a process of its own, which is forked from one that has loaded the program already.

For tests of what commands do; how the program starts is the matter of others. A command has its own arguments, environment,
directory, output and end, as one that a shell has started; what it spares is to load Python and the libraries again, which is
most of what a small command takes.
"""

from __future__ import annotations

import gc
import io
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path

MESSAGE_MAX = 1 << 18
END_S = 10.0

LOADED = (
    "localfirst.client.opening", "localfirst.client.moving", "localfirst.operations.registry", "localfirst.log",
    "localfirst.replica.local_store", "localfirst.replica.recovery.take_in", "localfirst.replica.backup",
    "localfirst_sync.loop", "localfirst_sync.postgres.store", "localfirst_sync.postgres.probe", "rich.table", "filelock",
)  # fmt: skip
"""Beside the commands themselves."""


class WarmProgram:
    """One command at a time, for one thread."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    def run(
        self, arguments: Sequence[str], *, cwd: Path, env: Mapping[str, str], timeout: float
    ) -> subprocess.CompletedProcess[str]:
        """Runs a command to its end. Raises `subprocess.TimeoutExpired`; the command is killed then."""
        control = self._started()
        with tempfile.TemporaryFile("w+", encoding="utf-8") as out, tempfile.TemporaryFile("w+", encoding="utf-8") as err:
            request = json.dumps({"arguments": list(arguments), "cwd": str(cwd), "env": dict(env)}).encode()
            socket.send_fds(control, [request], [out.fileno(), err.fileno()])
            control.settimeout(timeout)
            try:
                answer = control.recv(64)
            except TimeoutError:
                self.close()
                raise subprocess.TimeoutExpired(["localfirst", *arguments], timeout) from None
            if not answer:
                raise ChildProcessError("the process that commands are forked from has ended")
            for file in (out, err):
                file.seek(0)
            return subprocess.CompletedProcess(["localfirst", *arguments], int(answer), out.read(), err.read())

    def close(self) -> None:
        """Ends the process, and the command that it may be at."""
        process, self._process = self._process, None
        if self._control is not None:
            self._control.close()
            self._control = None
        if process is not None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(END_S)

    def _started(self) -> socket.socket:
        if self._control is None:
            ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with its:
                self._process = subprocess.Popen(
                    [sys.executable, "-P", __file__, str(its.fileno())],
                    stdin=subprocess.DEVNULL,
                    pass_fds=[its.fileno()],
                    start_new_session=True,
                )
            self._control = ours
        return self._control


def _serve(control: socket.socket) -> None:
    """Forks a process for each command; returns in that process alone, where the command is to be run."""
    while True:
        request, descriptors, _, _ = socket.recv_fds(control, MESSAGE_MAX, 2)
        if not request:
            sys.exit(0)
        child = os.fork()
        if child == 0:
            control.close()
            _become(**json.loads(request), out=descriptors[0], err=descriptors[1])
            return
        for descriptor in descriptors:
            os.close(descriptor)
        control.send(str(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])).encode())


def _become(arguments: list[str], cwd: str, env: dict[str, str], out: int, err: int) -> None:
    for descriptor, place in ((out, 1), (err, 2)):
        os.dup2(descriptor, place)
        os.close(descriptor)
    sys.stdout = _text(1, "strict")
    sys.stderr = _text(2, "backslashreplace")
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    sys.argv = ["localfirst", *arguments]


def _text(descriptor: int, errors: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.FileIO(descriptor, "w", closefd=False), encoding="utf-8", errors=errors, write_through=True)


if __name__ == "__main__":
    from localfirst.__main__ import main
    from localfirst.cli.app import COMMANDS

    for module in (*COMMANDS.values(), *LOADED):
        import_module(module)
    gc.freeze()
    _serve(socket.socket(fileno=int(sys.argv[1])))
    main()
