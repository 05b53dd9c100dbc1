"""A project that has a name gets another one, since somebody says so: `localfirst init --project NEW`.

It is the same project with a new name where nobody has the name yet: same id, same replica, nothing sent again. Where somebody
has it, everything is copied into that project by the engine's own rules, and the old one is left as it is.
"""

from __future__ import annotations

from contextlib import closing
from typing import NamedTuple

from localfirst_schema.project_key import is_one_project

from localfirst.binding import taken_in
from localfirst.git.place import repository_at
from localfirst.registry import Registry
from localfirst.replica.connection import immediate
from localfirst.replica.replica import open_replica
from localfirst.settings import Settings
from localfirst.settings.finding import Names
from localfirst.settings.placing import Placing, directory_of, placed
from localfirst.settings.projects import TABLE, Projects


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

    Raises UnavailableError; nothing has changed then.
    """
    placing = settings.placing
    if placing is None or settings.project is None or is_one_project(settings.project, name):
        return None
    with Registry(TABLE).changing() as content:
        projects = Projects(content)
        there = _of_name(placing, name, projects)
        if there.found.replica == placing.found.replica or not there.replica.exists():
            _rename(settings, name)
            projects.put_name(placing.found.replica, name)
            return Moved(settings.project, name, is_copy=False)
        with closing(open_replica(there.replica, name)) as replica:
            taken_in(settings.replica, replica, there.replica)
        projects.put_name(there.found.replica, there.found.name or name)
        _lead_to(settings, there.found.replica, projects)
        return Moved(settings.project, name, is_copy=True, left=settings.replica.name)


def _of_name(placing: Placing, name: str, projects: Projects) -> Placing:
    """Where the project of this name is, or would be."""
    return placed(placing.place._replace(mark=None), Names(given=name, is_files=True), projects)


def _rename(settings: Settings, name: str) -> None:
    with closing(open_replica(settings.replica, name)) as replica, immediate(replica):
        replica.execute("UPDATE replica SET project_name = ?", (name,))


def _lead_to(settings: Settings, replica: str, projects: Projects) -> None:
    repository = repository_at(settings.root)
    place = directory_of(settings.root, repository, projects)
    if place.mark is not None and place.git is not None:
        projects.put_repository(place.mark, place.git, replica)
