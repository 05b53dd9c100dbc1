"""A laptop: a home, a project directory and a replica of its own, with nothing inherited from the machine around it."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path

PROGRAM = Path(sys.executable).with_name("localfirst")


@dataclass(frozen=True)
class Laptop:
    """`more` adds to the environment of the programs that run on it; an empty value takes a variable away."""

    directory: Path
    more: dict[str, str] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        return self._made("home")

    @property
    def project(self) -> Path:
        return self._made("project")

    @property
    def replica(self) -> Path:
        return self.directory / "replica" / "here.db"

    @property
    def data(self) -> Path:
        return self.home / "data"

    @property
    def environment(self) -> dict[str, str]:
        given = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "XDG_DATA_HOME": str(self.data),
            "XDG_STATE_HOME": str(self.home / "state"),
            "XDG_CACHE_HOME": str(self.home / "cache"),
            "XDG_CONFIG_HOME": str(self.home / "config"),
            "XDG_RUNTIME_DIR": str(self.home / "run"),
            "LOCALFIRST_REPLICA": str(self.replica),
            **self.more,
        }
        return {name: value for name, value in given.items() if value}

    def _made(self, name: str) -> Path:
        path = self.directory / name
        path.mkdir(parents=True, exist_ok=True)
        return path
