"""A checkout in which everything is a trap, beside files that nobody may read or write and programs that nobody may run."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path

from checkout.test_git import ORDERS, WHO

CANARY = "CANARY-7f3a-OF-THE-OUTSIDE"

TRAPS = (
    "orders to git",
    "status file elsewhere",
    "patterns",
    "links",
    "pipe",
    "large file",
    "planted replica",
    "lying .git",
    "settings",
)


class Trapped:
    """`root` is the checkout; `outside` what is none of its business; `mark` is there once a program of it has run."""

    def __init__(self, place: Path, traps: Sequence[str] = TRAPS) -> None:
        self.root, self.outside, self.mark = place / "project", place / "outside", place / "it-ran"
        self.program = place / "canary"
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.listening.setblocking(False)
        self.port = self.listening.getsockname()[1]
        self.program.write_text(f'#!/bin/sh\necho "$0 $*" >> {self.mark}\nexit 0\n')
        self.program.chmod(0o700)
        self._fill_outside()
        self._repository()
        for trap in traps:
            self._plant(trap)
        self._before = self._state()

    def _fill_outside(self) -> None:
        for name in ("status.md", "settings.toml", "code.py", "ignored"):
            path = self.outside / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(f"## Vendors\n- {CANARY}: operational\n")

    def _repository(self) -> None:
        self.root.mkdir()
        self._git("init", "-q")
        (self.root / ".project_status.md").write_text("## Vendors\n- of-the-history: operational\n")
        (self.root / "code.py").write_text("def findable():\n    return 1\n")
        self._git("add", ".")
        self._git("commit", "-qm", "Add it (#7)")

    def _plant(self, trap: str) -> None:
        root = self.root
        match trap:
            case "orders to git":
                self._orders()
            case "status file elsewhere":
                (root / ".project_status.md").unlink()
                (root / ".project_status.md").symlink_to("../outside/status.md")
            case "patterns":
                (root / ".gitignore").write_text("*a" * 12 + "b\n" + "**/a*/" * 10 + "b\n")
                (root / ".localfirstignore").write_text("*a" * 12 + "b\n" + "**/a*/" * 10 + "b\n")
                (root / ("a" * 230)).write_text("x = 1\n")
            case "links":
                (root / "linked.py").symlink_to("../outside/code.py")
                (root / "docs").symlink_to("../outside", target_is_directory=True)
            case "pipe":
                os.mkfifo(root / "pipe.py")
            case "large file":
                with (root / "large.py").open("wb") as file:
                    file.write(b"x = 1\n" * 10_000_000)
            case "planted replica":
                (root / "planted.sqlite3").write_bytes(b"SQLite format 3\0" + b"\0" * 4096)
            case "lying .git":
                (root / "nested").mkdir()
                (root / "nested" / ".git").write_text(f"gitdir: {self.outside}\n")
            case "settings":
                self._settings(self.port, server_url=f"http://127.0.0.1:{self.port}")
            case "allowed settings":
                with socket.create_server(("127.0.0.1", 0)) as reserved:
                    away = reserved.getsockname()[1]
                # Of a service for vectors that is away jobs wait to be there again: that is another matter.
                self._settings(away, embedding="builtin", embedding_url="")
            case _:
                raise LookupError(trap)

    def _orders(self) -> None:
        place = self.root.parent
        (place / "hooks").mkdir()
        for hook in ("post-index-change", "pre-commit", "reference-transaction", "post-checkout"):
            (place / "hooks" / hook).symlink_to(self.program)
        (place / "attributes").write_text("* diff=all filter=all merge=all\n")
        (place / "included").write_text(f"[core]\n\tfsmonitor = {self.program}\n")
        (self.root / ".gitattributes").write_text("* diff=all filter=all merge=all\n")
        with (self.root / ".git" / "config").open("a") as config:
            config.write(ORDERS.format(program=self.program, folder=place))

    def _settings(self, port: int, **more: str) -> None:
        settings = {
            "database_url": f"postgresql://user@127.0.0.1:{port}/db?connect_timeout=1",
            "replica": "planted.sqlite3",
            "markdown": "docs/status.md",
            "client": "impostor",
            "embedding": "openai:model",
            "embedding_url": f"http://127.0.0.1:{port}/v1",
            "embedding_requests_per_minute": "1000",
            "share_code": "yes",
            "archiving": "no",
            "read_from": "replica",
            **more,
        }
        (self.root / ".localfirst.toml").write_text("".join(f'{key} = "{value}"\n' for key, value in settings.items() if value))

    def _git(self, *arguments: str) -> None:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        environment = clean | WHO | {"GIT_CONFIG_GLOBAL": os.devnull}
        subprocess.run(["git", "-C", self.root, *arguments], check=True, capture_output=True, env=environment)

    def _state(self) -> dict[str, str]:
        return {path.name: path.read_text() for path in sorted(self.outside.iterdir())}

    def judge(self, said: str, *places: Path) -> None:
        """Fails if anything of what was tried has succeeded. `places`: where what was kept may hold nothing of the outside."""
        assert not self.mark.exists(), f"a program ran: {self.mark.read_text()}"
        assert self._state() == self._before, "something outside was written"
        assert CANARY not in said, "something outside was read"
        for place in places:
            for path in place.rglob("*"):
                if path.is_file() and not path.is_symlink():
                    assert CANARY.encode() not in path.read_bytes(), f"something outside was kept in {path}"
        try:
            self.listening.accept()
        except BlockingIOError:
            return
        raise AssertionError("a connection was made that the user did not name")

    def close(self) -> None:
        """Takes the large things away."""
        self.listening.close()
        shutil.rmtree(self.root, ignore_errors=True)
