"""One user's machine: the program is run in its directories, and finds its replicas by itself."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from warm_program import WarmProgram

TIMEOUT_S = 60


@dataclass
class Machine:
    """A home, and directories beside it.

    Attributes:
        database_url: the server that the user has named; None: none.
        more: further variables of the environment.
    """

    folder: Path
    program: WarmProgram
    database_url: str | None = None
    more: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        (self.folder / "home").mkdir(parents=True)

    def environment(self) -> dict[str, str]:
        """The whole environment: nothing of the developer's own settings."""
        home = self.folder / "home"
        kept = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG", "LC_ALL", "SYSTEMROOT")}
        places = {f"XDG_{name}_HOME": str(home / name.lower()) for name in ("DATA", "STATE", "CACHE", "CONFIG")}
        server = {"LOCALFIRST_DATABASE_URL": self.database_url} if self.database_url else {}
        git = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_AUTHOR_NAME": "x", "GIT_AUTHOR_EMAIL": "x@x", "GIT_COMMITTER_NAME": "x"}
        return kept | places | {"HOME": str(home), "COLUMNS": "140", "GIT_COMMITTER_EMAIL": "x@x"} | git | server | self.more

    @property
    def replicas(self) -> Path:
        """The folder of the user's replicas."""
        return self.folder / "home" / "data" / "localfirst" / "replicas"

    def files(self) -> set[str]:
        """The names of the replicas."""
        return {path.name for path in self.replicas.glob("*.sqlite3")}

    def repository(self, name: str) -> Path:
        """A new repository with a commit."""
        place = self.folder / name
        self.git(self.folder, "init", "-q", "-b", "main", str(place))
        self.git(place, "commit", "-q", "--allow-empty", "-m", "first")
        return place

    def git(self, place: Path, *arguments: str) -> None:
        """Runs git."""
        subprocess.run(["git", *arguments], cwd=place, env=self.environment(), check=True, timeout=TIMEOUT_S)

    def run(self, place: Path, *arguments: str, **environment: str) -> Any:
        """Runs a command with `--json`, and gives what it says."""
        done = self.tried(place, *arguments, "--json", **environment)
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    def tried(self, place: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Runs a command to its end, whatever that is."""
        done = self.program.run(arguments, cwd=place, env=self.environment() | environment, timeout=TIMEOUT_S)
        assert "Traceback" not in done.stdout + done.stderr, done.stderr
        return done

    def create(self, place: Path, title: str, **environment: str) -> str:
        """Creates a task; returns its id."""
        return str(self.run(place, "item", "create", title, **environment)["id"])

    def titles(self, place: Path, **environment: str) -> set[str]:
        """The titles of all items that are seen there."""
        return {row["title"] for row in self.listed(place, **environment)["items"]}

    def listed(self, place: Path, **environment: str) -> Any:
        """The list of the items."""
        return self.run(place, "item", "list", "--limit", "100", **environment)
