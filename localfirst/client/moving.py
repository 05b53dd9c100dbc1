"""A project that has a name gets another one, since somebody says so: `localfirst init --project NEW`.

It is the same project with a new name where nobody has the name yet: same id, same replica, nothing sent again. Where somebody
has it, everything is copied into that project by the engine's own rules, and the old one is left as it is.
"""

from __future__ import annotations

from contextlib import closing
from typing import NamedTuple

from localfirst_schema.errors import InvalidStateError, UnavailableError
from localfirst_schema.project_key import is_one_project

from localfirst.client.binding import taken_in
from localfirst.git.place import repository_at
from localfirst.replica.connection import connect, immediate
from localfirst.replica.local_store import ReplicaStore
from localfirst.replica.opening import open_replica
from localfirst.settings import Settings
from localfirst.settings.finding import Names
from localfirst.settings.place import name_in
from localfirst.settings.placing import Placing, directory_of, placed
from localfirst.settings.projects import TABLE, Projects
from localfirst.settings.registry import Registry


class Moved(NamedTuple):
    """What became of the project. `is_copy`: the old one is left, in the file `left`."""

    old: str
    new: str
    is_copy: bool
    left: str | None = None

    @property
    def words(self) -> str:
        """The same for people."""
        if not self.is_copy:
            return f"The project {self.old!r} is called {self.new!r} now."
        return (
            f"There is a project {self.new!r} already: everything of {self.old!r} was copied into it, and {self.old!r} is left"
            f" as it was, in {self.left}."
        )


def move(settings: Settings, name: str) -> Moved | None:
    """Has the repository's project be the one of this name; None where it is that already, or had no name yet.

    Raises UnavailableError, and InvalidStateError where the user has named the file of another project; nothing has changed
    then.
    """
    placing = settings.placing
    if placing is None:
        _check_named_file(settings, name)
        return None
    if settings.project is None or is_one_project(settings.project, name):
        return None
    with Registry(TABLE).changing() as content:
        projects = Projects(content)
        there = _of_name(placing, name, projects)
        is_free = there.found.replica == placing.found.replica or not there.replica.exists()
        if is_free and _is_free_on_the_server(settings, name):
            _rename(settings, name)
            projects.put_name(placing.found.replica, name)
            return Moved(settings.project, name, is_copy=False)
        with closing(open_replica(there.replica, name)) as replica:
            taken_in(settings.replica, replica, there.replica)
        projects.put_name(there.found.replica, there.found.name or name)
        _lead_to(settings, there.found.replica, projects)
        return Moved(settings.project, name, is_copy=True, left=settings.replica.name)


def _check_named_file(settings: Settings, name: str) -> None:
    """Whoever names the file works in its project, whatever a name says: writing another one down would change nothing."""
    known = name_in(settings.replica)
    if known is not None and not is_one_project(known, name):
        raise InvalidStateError(
            f"the replica at {settings.replica}, which LOCALFIRST_REPLICA names, belongs to the project {known!r}, not to"
            f" {name!r}: set LOCALFIRST_REPLICA to another file, or to none, first.",
            project=known,
        )


def _of_name(placing: Placing, name: str, projects: Projects) -> Placing:
    """Where the project of this name is, or would be."""
    return placed(placing.place._replace(mark=None), Names(given=name, is_files=True), projects)


def _is_free_on_the_server(settings: Settings, name: str) -> bool:
    """Whether the project has the name there now, or is not there; False: it is another one's. Raises UnavailableError."""
    with closing(ReplicaStore(connect(settings.replica))) as local:
        known = local.known_server()
        if known.known() is None:
            return True  # it has met no server yet; when it does, it is looked up by its name of then
        if settings.database_url is None:
            raise UnavailableError(
                "the project is on a server, which has to learn its new name: set LOCALFIRST_DATABASE_URL first.",
                cause="settings",
            )
        from localfirst_sync.postgres.connection import close_quietly
        from localfirst_sync.postgres.connection import connect as connect_to
        from localfirst_sync.postgres.rename import find, rename
        from localfirst_sync.postgres.store import PostgresStore

        with closing(PostgresStore(settings.database_url, local.identity(), known)) as store:
            store.head()  # whether it is the replica's server, and how the project is called there
        connection = connect_to(settings.database_url)
        try:
            me = local.identity()
            there = find(connection, name)
            if there is None:
                rename(connection, me.project_name, name)
            return there is None or there[0] == me.project_id
        finally:
            close_quietly(connection)


def _rename(settings: Settings, name: str) -> None:
    with closing(open_replica(settings.replica, name)) as replica, immediate(replica):
        replica.execute("UPDATE replica SET project_name = ?", (name,))


def _lead_to(settings: Settings, replica: str, projects: Projects) -> None:
    repository = repository_at(settings.root)
    place = directory_of(settings.root, repository, projects)
    if place.mark is not None and place.git is not None:
        projects.put_repository(place.mark, place.git, replica)
