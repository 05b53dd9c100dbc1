"""What reads cost while the server is away, beside the same reads of a replica without a server; and how a freeze is met.

    .venv/bin/python tools/bench/offline_reads.py [--rounds 2000] [--freezes 5] [--commands 5] [--directory DIR]

Reads are those of a warm process (the operation itself, without the transport), in turn in one run: the ratio counts.
Freezes: a server that accepts and falls silent; the first read after it, and the next. Commands: whole runs of the CLI
against such a server.
"""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path
from typing import Any

from measure import figure, interleaved, table, timed
from place import own_folder

sys.path.insert(0, str(Path(__file__).parents[1]))

from seed import seed

from localfirst.client.session import Session
from localfirst.operations import call as by_name
from localfirst.settings import Settings, load

NOWHERE = "postgresql://nobody@127.0.0.1:1/nowhere"
READS: dict[str, dict[str, Any]] = {
    "query_vendor_status": {"name": "vendor_7"},
    "query_work_item": {},
    "list_work_items": {},
    "list_vendors": {},
    "generate_full_status": {},
}
PROGRAM = Path(sys.executable).with_name("localfirst")


def call(session: Session, tool: str, **arguments: Any) -> dict[str, Any]:
    """What a tool answers."""
    return by_name.call(session, tool, arguments)


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    for name, default in (("rounds", 2000), ("freezes", 5), ("commands", 5)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--directory", help="where the files are made (default: the current directory's disk)", default=".")
    arguments = parser.parse_args()
    with own_folder(arguments.directory) as folder:
        settings = seeded(folder)
        reads(settings, arguments.rounds)
        freezes(settings, arguments.freezes)
        commands(settings, arguments.commands)


def seeded(folder: Path) -> Settings:
    """The settings of a project of the usual size, without a server."""
    settings = load(folder, {"LOCALFIRST_REPLICA": str(folder / "replica.sqlite3"), "LOCALFIRST_PROJECT": "bench/reads"})
    settings = settings._replace(root=folder, markdown=folder / ".project_status.md")
    session = Session(settings)
    seed(partial(call, session), vendors=45, items=1200, deployments=50, enhancements=12)
    # As a replica that has sent everything: what waits would be reported in every answer.
    session.replica.execute("DELETE FROM outbox")
    session.replica.execute("UPDATE replica SET last_sync_at = created_at")
    session.close()
    return settings


def reads(settings: Settings, rounds: int) -> None:
    """The table of reads."""
    alone, away = Session(settings), Session(settings._replace(database_url=NOWHERE))
    assert away.link is not None
    assert not away.link.is_online()
    item = call(alone, "list_work_items", limit=1)["items"][0]["id"]
    rows = []
    for tool, given in READS.items():
        arguments = given or ({"id": item} if tool == "query_work_item" else {})
        assert "database_unavailable" in call(away, tool, **arguments)["warnings"]
        times = interleaved(
            {"alone": lambda: call(alone, tool, **arguments), "away": lambda: call(away, tool, **arguments)},  # noqa: B023 - called at once
            rounds if "list" not in tool and "status" not in tool[:16] else rounds // 4,
        )
        one, other = figure(times["alone"], 1e6), figure(times["away"], 1e6)
        rows.append((tool, one, other, f"{other.median / one.median:.2f}", f"{other.p95 / one.p95:.2f}"))
    print(table("Offline reads, microseconds", ("tool", "no server", "server away", "median ratio", "p95 ratio"), rows))
    alone.close()
    away.close()


class Silent:
    """A server that accepts connections and never says a word."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._accepted: list[socket.socket] = []
        self.url = f"postgresql://nobody@127.0.0.1:{self._listener.getsockname()[1]}/x?sslmode=disable&gssencmode=disable"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                self._accepted.append(self._listener.accept()[0])
            except OSError:
                return

    def close(self) -> None:
        """Ends all connections."""
        self._listener.close()
        for each in self._accepted:
            each.close()


def freezes(settings: Settings, count: int) -> None:
    """The first read against a silent server, and the one after it."""
    first, second = [], []
    for _ in range(count):
        server = Silent()
        Path(f"{settings.replica}.away").unlink(missing_ok=True)
        session = Session(settings._replace(database_url=server.url))
        first.append(timed(lambda: call(session, "list_vendors")))  # noqa: B023 - called at once
        second.append(timed(lambda: call(session, "list_vendors")))  # noqa: B023 - called at once
        session.close()
        server.close()
    rows = (("first", figure(first, 1e3)), ("next", figure(second, 1e3)))
    print(table("Reads against a server that accepts and is silent, milliseconds", ("read", "time"), rows))


def commands(settings: Settings, count: int) -> None:
    """Whole commands against a silent server, the first of which finds it out; beside the same without a server."""
    server = Silent()
    environment = {**os.environ, "LOCALFIRST_REPLICA": str(settings.replica), "LOCALFIRST_PROJECT": "bench/reads"}
    environment["LOCALFIRST_MARKDOWN"] = str(settings.markdown)
    silent = {**environment, "LOCALFIRST_DATABASE_URL": server.url}

    def run(given: dict[str, str], *arguments: str) -> None:
        subprocess.run([PROGRAM, *arguments], env=given, cwd=settings.root, check=True, capture_output=True)

    Path(f"{settings.replica}.away").unlink(missing_ok=True)
    rows: list[tuple[object, ...]] = [("the first: item list", f"{timed(lambda: run(silent, 'item', 'list')) * 1e3:,.0f}", "")]
    for words in (("item", "list"), ("item", "create", "x")):
        times = interleaved({"alone": lambda: run(environment, *words), "silent": lambda: run(silent, *words)}, count)  # noqa: B023 - called at once
        one, other = figure(times["alone"], 1e3), figure(times["silent"], 1e3)
        rows.append((" ".join(words), other, one))
    print(table("Commands, milliseconds", ("command", "silent server", "no server"), rows))
    server.close()


if __name__ == "__main__":
    main()
