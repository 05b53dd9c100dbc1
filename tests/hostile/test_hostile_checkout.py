"""Every tool and every command opens a checkout that tries everything; nothing of it succeeds, and all of them end."""

from __future__ import annotations

import json
import os
import queue
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import typer
from warm_program import WarmProgram

from hostile.trapped import TRAPS, Trapped
from localfirst.operations.registry import BY_NAME

PROGRAM = [sys.executable, "-m", "localfirst"]
ANSWER_S = 60.0

ID = str(uuid.uuid4())
COMMANDS = [
    "init",
    "item create A",
    "item list",
    "item ready",
    "item search A",
    f"item show {ID}",
    f"item history {ID}",
    f"item update {ID} --title B",
    f"item link {ID} {ID}",
    f"item unlink {ID} {ID}",
    f"item comment {ID} --body B",
    f"item comments {ID}",
    f"item claim {ID}",
    f"item release {ID}",
    f"item delete {ID}",
    f"item undelete {ID}",
    f"item revert {ID} 1",
    "vendor list",
    "vendor create v",
    "vendor show v",
    "vendor history v",
    "vendor update v --status broken",
    "deployment list",
    "deployment record",
    f"deployment show {ID}",
    "enhancement list",
    "enhancement create E",
    f"enhancement update {ID} --title B",
    "config show",
    "config set",
    "status",
    "archive",
    "sync",
    "conflicts list",
    f"conflicts show {ID}",
    f"conflicts resolve {ID} --mine",
    "index .",
    "search findable",
    "jobs list",
    f"jobs show {ID}",
    f"jobs cancel {ID}",
    "export",
    "doctor",
    "trust --show",
    "backup ../backup.sqlite3",
    "restore planted.sqlite3",
    "server migrate",
    "server grant nobody",
]
NEVER = {"demo", "mcp", "serve", "board"}
"""What has tests of its own: it serves until it is ended, or makes a project of its own."""

ARGUMENTS: dict[str, dict[str, Any]] = {
    "create_work_item": {"item_type": "task", "title": "A"},
    "create_vendor": {"name": "w"},
    "search_code": {"query": "findable"},
}


def commands() -> Iterator[str]:
    """Those above, and any other that there is, with an id for each argument that it must have."""
    from localfirst.cli import app

    tried = {" ".join(command.split(" ")[:size]) for command in COMMANDS for size in (1, 2)}

    def others(command: Any, name: str) -> Iterator[str]:
        if hasattr(command, "commands"):
            for key, one in command.commands.items():
                yield from others(one, f"{name} {key}".strip())
        elif name not in tried and name.split(" ")[0] not in NEVER:
            needed = sum(one.required and one.param_type_name == "argument" for one in command.params)
            yield " ".join([name, *[ID] * needed])

    yield from COMMANDS
    yield from others(typer.main.get_command(app.build(app.COMMANDS)), "")


@pytest.fixture
def trapped(tmp_path: Path) -> Iterator[Trapped]:
    trapped = Trapped(tmp_path)
    yield trapped
    trapped.close()


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """The user's own: a server that he has named and that is away, so that every layer is asked."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        away = reserved.getsockname()[1]
    (home := tmp_path / "home").mkdir()
    places = {f"XDG_{name}_HOME": str(home / name.lower()) for name in ("DATA", "STATE", "CACHE", "CONFIG")}
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "LOCALFIRST_PROJECT": "team/board",
        "LOCALFIRST_DATABASE_URL": f"postgresql://nobody@127.0.0.1:{away}/nowhere?connect_timeout=1",
        **places,
    }


def begun(arguments: Sequence[str], *, cwd: Path, env: Mapping[str, str], timeout: float) -> subprocess.CompletedProcess[str]:
    """Runs a command in a process that is begun for it, from Python's own start on."""
    return subprocess.run(
        [*PROGRAM, *arguments], cwd=cwd, env=env, capture_output=True, text=True, timeout=timeout, check=False
    )


def tried(
    trapped: Trapped, environment: dict[str, str], commands: Iterable[str], home: Path, run: Callable[..., Any] = begun
) -> None:
    """Runs commands in the checkout, one after the other, and judges what came of them."""
    said = []
    for command in commands:
        done = run(command.split(" "), cwd=trapped.root, env=environment, timeout=ANSWER_S)
        assert "Traceback" not in done.stderr, (command, done.stderr)
        said.append(done.stdout + done.stderr)
    trapped.judge("".join(said), home)


@pytest.mark.parametrize("trap", TRAPS)
def test_each_trap_alone(trap: str, environment: dict[str, str], tmp_path: Path) -> None:
    """What one of them does is not hidden by another."""
    with closing(Trapped(tmp_path, [trap])) as trapped:
        tried(trapped, environment, ["item create A", "status", "index .", "doctor"], tmp_path / "home")


def test_every_command_where_the_settings_of_the_checkout_were_allowed(
    environment: dict[str, str], program: WarmProgram, tmp_path: Path
) -> None:
    """Its server, which is away, is named by the user by now; its files and programs are as hostile as ever."""
    del environment["LOCALFIRST_DATABASE_URL"]
    traps = ["allowed settings" if trap == "settings" else trap for trap in TRAPS]
    with closing(Trapped(tmp_path, traps)) as trapped:
        allowed = subprocess.run(
            [*PROGRAM, "trust", "--json"], cwd=trapped.root, env=environment, capture_output=True, text=True, check=True
        )
        assert json.loads(allowed.stdout)["allowed"] is True
        others = (one for one in commands() if one != "trust --show")
        tried(trapped, environment, others, tmp_path / "home", program.run)
        assert (trapped.root / "planted.sqlite3").read_bytes().count(0) > 4000, "the replica is none of the checkout's"


def test_every_command(trapped: Trapped, environment: dict[str, str], program: WarmProgram, tmp_path: Path) -> None:
    tried(trapped, environment, commands(), tmp_path / "home", program.run)


def test_every_tool(trapped: Trapped, environment: dict[str, str], tmp_path: Path) -> None:
    server = subprocess.Popen(
        [*PROGRAM, "mcp"],
        cwd=trapped.root,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert server.stdin is not None
    assert server.stdout is not None
    assert server.stderr is not None
    answers: queue.Queue[str] = queue.Queue()
    errors: list[str] = []

    def put_answers() -> None:
        for line in server.stdout or ():
            answers.put(line)

    readers = [
        threading.Thread(target=put_answers),
        threading.Thread(target=lambda: errors.extend(server.stderr or ())),
    ]
    for reader in readers:
        reader.start()
    said = []
    try:
        client = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "pipe", "version": "1"}}
        calls: list[tuple[str, dict[str, Any]]] = [("initialize", client)]
        item = {"id": ID, "work_item_id": ID, "conflict_id": ID, "job_id": ID, "source_id": ID, "target_id": ID}
        for name in BY_NAME:
            accepted = BY_NAME[name].arguments.__annotations__ if hasattr(BY_NAME[name].arguments, "__annotations__") else {}
            given = {key: value for key, value in item.items() if key in accepted} | ARGUMENTS.get(name, {})
            if "repo_path" in accepted:
                given["repo_path"] = str(trapped.root)
            calls.append(("tools/call", {"name": name, "arguments": given}))
        for number, (method, parameters) in enumerate(calls):
            message = {"jsonrpc": "2.0", "id": number, "method": method, "params": parameters}
            server.stdin.write(json.dumps(message) + "\n")
            server.stdin.flush()
            deadline = time.monotonic() + ANSWER_S
            while True:
                line = answers.get(timeout=max(0.1, deadline - time.monotonic()))
                said.append(line)
                if json.loads(line).get("id") == number:
                    break
            if method == "initialize":
                server.stdin.write('{"jsonrpc": "2.0", "method": "notifications/initialized"}\n')
        server.stdin.close()
        assert server.wait(ANSWER_S) == 0
    finally:
        server.kill()
        server.wait()
        for reader in readers:
            reader.join()
        server.stdout.close()
        server.stderr.close()
    assert any("tools/call" in method for method, _ in calls)
    trapped.judge("".join(said + errors), tmp_path / "home")
