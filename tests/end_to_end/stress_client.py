"""One client of a stress run: a real session that works by chance, and writes down what it was answered is written.

    python -m end_to_end.stress_client NAME SEED JOURNAL        (settings come from the environment)

It works between the lines ``go`` and ``hold`` on its standard input, and says ``held`` after each ``hold``, when it has
stopped. Each act goes into the journal when its operation has returned: what stands there was acknowledged. It is made to be
killed at any moment.
"""

from __future__ import annotations

import json
import logging
import os
import random
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw
from simulation import workload
from simulation.album import Album

from localfirst.client.session import Session
from localfirst.replica.act import Act
from localfirst.settings import load

PAUSE_S = 0.03


class Desk:
    """What `workload` works at: a session, its replica, and what somebody has read there."""

    def __init__(self, session: Session, name: str) -> None:
        self.desk = session
        self.name = name
        self.seen: list[tuple[str, str, int, dict[str, Any]]] = []
        self.album = Album()  # empty: a process does not know what others were displayed, so what it goes back to is not judged

    @property
    def connection(self) -> apsw.Connection:
        """The replica, which a session may open anew."""
        return self.desk.replica


class Orders:
    """What the parent says, read in a thread.

    Attributes:
        go: whether there is work to be done.
        has_ended: nobody is there any more.
    """

    def __init__(self) -> None:
        self.go = False
        self._holds = 0
        self.has_ended = False
        self._confirmed = 0
        self._changed = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in sys.stdin:
            with self._changed:
                self.go = line.strip() == "go"
                self._holds += not self.go
                self._changed.notify_all()
        with self._changed:
            self.has_ended = True
            self._changed.notify_all()

    def confirm(self) -> None:
        """Says that each ``hold`` so far was heard, one by one."""
        while self._confirmed < self._holds:
            self._confirmed += 1
            print("held", flush=True)

    def wait(self) -> None:
        """Until there is another order."""
        with self._changed:
            self._changed.wait_for(lambda: self.go or self.has_ended or self._confirmed < self._holds)


def note_acts(written: list[dict[str, Any]]) -> None:
    """From here on every change of an act that has ended well is put into `written`."""
    record, act = Act._record, Session.act

    def noting(self: Any, entity: str, row_id: str, base_version: int, version: int, fields: Any) -> None:
        record(self, entity, row_id, base_version, version, fields)
        if "noted" not in vars(self):  # nobody was answered with it: a renewal of a claim
            return
        self.noted.append({"entity": entity, "id": row_id, "by": self.by, "at": self.at, "version": version})

    @contextmanager
    def noted(self: Session, *by: str | None, is_shared: bool = True) -> Iterator[Act]:
        with act(self, *by, is_shared=is_shared) as open_act:
            changes: list[dict[str, Any]] = []
            vars(open_act)["noted"] = changes
            yield open_act
        written.extend(changes)

    Act._record = noting  # type: ignore[method-assign]
    Session.act = noted  # type: ignore[method-assign]


def main() -> None:
    """Works until it is killed, or its standard input ends."""
    logging.basicConfig(format="%(asctime)s %(name)s %(message)s", level=logging.WARNING)
    logging.getLogger("localfirst.sync").setLevel(logging.DEBUG)
    name, seed, journal = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    dice = random.Random(seed)
    written: list[dict[str, Any]] = []
    note_acts(written)
    session = Session(load(Path.cwd(), dict(os.environ)))
    session.client_name = name
    desk: Any = Desk(session, name)
    orders = Orders()
    print("ready", flush=True)
    with journal.open("a") as acknowledged:
        while not orders.has_ended:
            orders.confirm()
            if not orders.go:
                orders.wait()
                continue
            written.clear()
            if dice.random() < 0.2:
                workload.look(desk, dice)
            elif workload.work(desk, dice, dice.randrange(10**9), []):
                acknowledged.write("".join(f"{json.dumps(one)}\n" for one in written))
                acknowledged.flush()
            time.sleep(dice.uniform(0, 2 * PAUSE_S))
    session.close()


if __name__ == "__main__":
    main()
