"""What a write costs while the server is away (replica and status file), beside the same write without a server.

    .venv/bin/python tools/bench/outage_write.py [--rounds 200] [--directory DIR]

45 vendors, 1 200 work items, 50 deployments (tools/seed.py); the status file once as the program writes it, once with notes
that people have put between its lines. Each round makes one `update_work_item` of each kind, in turn.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from measure import figure, interleaved, table
from place import own_folder

sys.path.insert(0, str(Path(__file__).parents[1]))

from seed import seed

from localfirst.client.session import Session
from localfirst.operations import call as by_name
from localfirst.settings import load

NOWHERE = "postgresql://nobody@127.0.0.1:1/nowhere"


def call(session: Session, tool: str, **arguments: Any) -> dict[str, Any]:
    """What a tool answers."""
    return by_name.call(session, tool, arguments)


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--directory", help="where the files are made (default: the current directory's disk)", default=".")
    arguments = parser.parse_args()
    with own_folder(arguments.directory) as folder:
        measure(folder, arguments.rounds)


def measure(folder: Path, rounds: int) -> None:
    """The table for so many rounds."""
    writers: dict[str, Callable[[], Any]] = {}
    sessions = []
    seeded(folder / "seeded").close()
    for name, url in (("no server, no status file", None), ("server away", NOWHERE), ("server away, notes by hand", NOWHERE)):
        place = folder / name.replace(" ", "-").replace(",", "")
        shutil.copytree(folder / "seeded", place)
        session = opened(place, url)
        if "notes" in name:
            put_notes(session.settings.markdown)
        sessions.append(session)
        writers[name] = writer(session)
    times = interleaved(writers, rounds)
    middle = figure(times["no server, no status file"], 1e3).median
    rows = [
        (name, displayed, f"{displayed.median / middle:.2f}")
        for name, displayed in ((n, figure(t, 1e3)) for n, t in times.items())
    ]
    print(table("A write during an outage", ("update_work_item", "milliseconds", "ratio"), rows))
    for session in sessions:
        session.close()


def seeded(folder: Path) -> Session:
    """A session on a new project of the usual size."""
    folder.mkdir()
    session = opened(folder, None)
    seed(partial(call, session), vendors=45, items=1200, deployments=50, enhancements=12)
    return session


def opened(folder: Path, url: str | None) -> Session:
    """A session on the project in `folder`; with a server that is known to be away the status file is written."""
    settings = load(folder, {"LOCALFIRST_REPLICA": str(folder / "replica.sqlite3"), "LOCALFIRST_PROJECT": "bench/outage"})
    session = Session(settings._replace(root=folder, markdown=folder / ".project_status.md", database_url=url))
    if session.link is not None:
        assert not session.link.is_online()
        call(session, "create_vendor", name="first write")
    return session


def put_notes(file: Path) -> None:
    """A note behind every tenth line of a vendor, two paragraphs between sections, and a section of a person's own."""
    lines = []
    for number, line in enumerate(file.read_text().split("\n")):
        lines.append(f"{line}   <- ask Ann" if line.startswith("- vendor_") and number % 10 == 0 else line)
        if line.startswith("## "):
            lines += ["", "What stands here was agreed on Thursday; see the minutes."]
    file.write_text("\n".join([*lines, "", "## Team notes", "", "Thursdays at ten.", ""]))


def writer(session: Session) -> Callable[[], Any]:
    """Updates one item after the other."""
    rnd = random.Random(2)
    items = [
        item["id"]
        for offset in range(0, 1200, 100)
        for item in call(session, "list_work_items", limit=100, offset=offset)["items"]
        if item["item_type"] == "task"
    ]
    versions = dict.fromkeys(items, 1)

    def write() -> None:
        item = rnd.choice(items)
        metadata = {"note": f"changed to {rnd.random()}"}
        done = call(session, "update_work_item", id=item, version=versions[item], metadata=metadata)
        assert done["wrote_to_markdown"] is (session.link is not None)
        versions[item] = done["version"]

    return write


if __name__ == "__main__":
    main()
