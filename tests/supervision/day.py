"""A day of one laptop: it is filled, sends, fetches, loses its server and gets it back; threads do it."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from end_to_end.proxy import Proxy
from localfirst_sync.loop import SyncLoop
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from reading.world import call
from waiting import until

from localfirst.client.server_link import ServerLink
from localfirst.client.session import Session
from localfirst.code_index.worker import keeper
from localfirst.operations import archiving_schedule
from localfirst.settings import load

PROJECT = "team/supervised"
GOES_ON_WITHIN_S = 10.0

THREADS = {"localfirst-sync", "localfirst-job-keeper", "localfirst-archiving"}
"""Those that live as long as a session of a server's does."""


class Said:
    """What the program says of failures while it is watched.

    Attributes:
        last_errors: each value that the loop's and the link's `last_error` had.
        online_with_error: whether the loop claimed to be online when it said why it had failed.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.last_errors: list[str] = []
        self.online_with_error: list[str] = []
        said = self

        def take(loop: SyncLoop, words: str | None) -> None:
            loop.__dict__["last_error"] = words
            if words is not None:
                said.last_errors.append(words)
                if loop.online and "unexpectedly" in words:
                    said.online_with_error.append(words)

        could_not_begin = ServerLink._could_not_begin

        def take_of_link(link: ServerLink, words: str) -> None:
            could_not_begin(link, words)
            said.last_errors.append(words)

        reported = property(lambda loop: loop.__dict__.get("last_error"), take)
        monkeypatch.setattr(SyncLoop, "last_error", reported, raising=False)
        monkeypatch.setattr(ServerLink, "_could_not_begin", take_of_link)


class Day:
    """One laptop, in a folder of its own, of the one project in a database."""

    def __init__(self, folder: Path, url: str, proxy: Proxy) -> None:
        folder.mkdir()
        self._url, self._proxy = url, proxy
        through = make_conninfo(url, host="127.0.0.1", port=proxy.port, sslmode="disable", gssencmode="disable")
        environment = {
            "LOCALFIRST_REPLICA": str(folder / "replica.db"),
            "LOCALFIRST_PROJECT": PROJECT,
            "LOCALFIRST_DATABASE_URL": through,
        }
        self._settings = load(folder, environment)._replace(root=folder, markdown=folder / ".project_status.md")
        self._session: Session | None = None

    def pass_by(self) -> None:
        """All of it. Fails where something takes longer than it may."""
        self._proxy.become("open")
        session = self._session = Session(self._settings)
        try:
            assert session.link is not None
            session.services.close_with(keeper.keep(self._settings).stop)
            schedule = archiving_schedule.keep(self._settings, session.link.wake, first_after_s=0.02, every_s=0.2)
            session.services.close_with(schedule.stop)
            self._both_ways("morning")
            call(session, "create_work_item", item_type="task", title="Old", created_at="2020-01-01T00:00:00Z")
            self._outage()
            self._both_ways("evening")
            call(session, "list_work_items")
            alive = {thread.name for thread in threading.enumerate()}
            assert alive >= THREADS, "a thread has ended"
        finally:
            self._proxy.become("open")
            session.close()

    def _both_ways(self, when: str) -> None:
        """What is written here gets there, and the other way round."""
        assert self._session is not None
        here, there = (f"{when} {uuid.uuid4().hex}" for _ in range(2))
        call(self._session, "create_work_item", item_type="task", title=here)
        self._goes_on(lambda: self._at_server("SELECT EXISTS (SELECT FROM localfirst.work_items WHERE title = %s)", here))
        project = "(SELECT id FROM localfirst.projects WHERE name = %s)"
        self._at_server(
            f"INSERT INTO localfirst.work_items (project_id, item_type, title) VALUES ({project}, 'task', %s) RETURNING true",
            PROJECT,
            there,
        )
        self._goes_on(lambda: self._here("SELECT EXISTS (SELECT 1 FROM work_items WHERE title = ?)", there))

    def _outage(self) -> None:
        """Both sides change one title while they cannot see each other; afterwards both know that they did."""
        assert self._session is not None
        item = call(self._session, "create_work_item", item_type="task", title="Contested")
        self._goes_on(lambda: self._at_server("SELECT EXISTS (SELECT FROM localfirst.work_items WHERE id = %s)", item["id"]))
        self._proxy.become("cut", lose=True)
        call(self._session, "update_work_item", id=item["id"], version=1, title="Mine")
        self._at_server("UPDATE localfirst.work_items SET title = 'Theirs' WHERE id = %s RETURNING true", item["id"])
        self._goes_on(
            lambda: self._session is not None and self._session.link is not None and self._is_away(self._session.link)
        )
        self._proxy.become("open")
        conflict = "SELECT EXISTS (SELECT 1 FROM conflicts WHERE entity_id = ?) AND NOT EXISTS (SELECT 1 FROM outbox)"
        self._goes_on(lambda: self._here(conflict, item["id"]))

    @staticmethod
    def _is_away(link: ServerLink) -> bool:
        return link.is_known_away()

    def _goes_on(self, condition: Callable[[], Any]) -> None:
        until(condition, GOES_ON_WITHIN_S, "syncing to go on")

    def _here(self, query: str, *values: object) -> Any:
        assert self._session is not None
        return self._session.replica.execute(query, values).get

    def _at_server(self, query: str, *values: object) -> Any:
        with psycopg.connect(self._url, autocommit=True) as server:
            found = server.execute(query.encode(), values).fetchone()
        return found is not None and found[0]


def proxy_to(url: str) -> Proxy:
    """A line to a database that can be cut."""
    given = conninfo_to_dict(url)
    return Proxy(Path(f"{given['host']}/.s.PGSQL.{given.get('port') or 5432}"), seed=1)
