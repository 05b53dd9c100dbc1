"""A directory in which the real program is run, with a home, a replica and an environment of its own."""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from warm_program import WarmProgram

PROGRAM = (sys.executable, "-m", "localfirst")
TIMEOUT_S = 60


@cache
def _warm() -> WarmProgram:
    opened = WarmProgram()
    atexit.register(opened.close)
    return opened


@dataclass
class Done:
    """A command that has ended."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The only line of standard output, as JSON."""
        assert self.out.count("\n") == 1, self
        return json.loads(self.out)


@dataclass
class Shell:
    """Runs `localfirst` in `directory / "project"`."""

    directory: Path
    more: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.project.mkdir(parents=True, exist_ok=True)

    @property
    def project(self) -> Path:
        """The directory of the project."""
        return self.directory / "project"

    @property
    def replica(self) -> Path:
        """The replica's file."""
        return self.directory / "data" / "replica.sqlite3"

    def environment(self) -> dict[str, str]:
        """The whole environment: nothing of the developer's own settings."""
        home = self.directory / "home"
        home.mkdir(exist_ok=True)
        kept = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG", "LC_ALL", "SYSTEMROOT")}
        places = {f"XDG_{name}_HOME": str(home / name.lower()) for name in ("DATA", "STATE", "CACHE", "CONFIG")}
        ours = {"HOME": str(home), "LOCALFIRST_REPLICA": str(self.replica), "LOCALFIRST_CLIENT": "ann", "COLUMNS": "140"}
        return kept | places | ours | self.more

    def start(self, *arguments: str, **more: Any) -> subprocess.Popen[str]:
        """Starts a command and does not wait for it."""
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL}
        return subprocess.Popen([*PROGRAM, *arguments], cwd=self.project, env=self.environment(), text=True, **(streams | more))

    def run(self, *arguments: str, typed: str | None = None) -> Done:
        """Runs a command to its end, whatever that is; `typed` is its standard input.

        It is forked from a loaded program where nothing is typed and nobody else may be at it: see `warm_program`.
        """
        if typed is None and hasattr(os, "fork") and threading.current_thread() is threading.main_thread():
            ended = _warm().run(arguments, cwd=self.project, env=self.environment(), timeout=TIMEOUT_S)
            done = Done(ended.returncode, ended.stdout, ended.stderr)
        else:
            process = self.start(*arguments, stdin=subprocess.PIPE)
            out, err = process.communicate(typed, timeout=TIMEOUT_S)
            done = Done(process.returncode, out, err)
        assert "Traceback" not in done.out + done.err, done.err
        return done

    def ok(self, *arguments: str, typed: str | None = None) -> Done:
        """The same for a command that has to succeed."""
        done = self.run(*arguments, typed=typed)
        assert done.status == 0, done
        return done

    def json(self, *arguments: str) -> Any:
        """The result of a command that has to succeed."""
        return self.ok(*arguments, "--json").json

    def error(self, *arguments: str) -> Any:
        """The error of a command that has to fail."""
        done = self.run(*arguments, "--json")
        assert (done.status, done.err) == (1, ""), done
        return done.json

    def item(self, title: str, *arguments: str) -> str:
        """Creates a work item and returns its id."""
        return str(self.json("item", "create", title, *arguments)["id"])
