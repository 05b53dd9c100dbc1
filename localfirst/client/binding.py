"""Carries out what was found of a directory's replica, at the first start there: the mark, the user's table, what is taken in.

A start at which nothing is new ends with the first look: nothing is locked, read or written for it.
"""

from __future__ import annotations

import logging
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import apsw
from localfirst_schema.errors import InvalidStateError
from localfirst_schema.identifiers import project_id
from localfirst_schema.project_key import is_one_project

from localfirst.git.mark import read_mark, write_mark
from localfirst.git.place import repository_at
from localfirst.replica.opening import open_replica
from localfirst.settings import Settings
from localfirst.settings.place import name_in, name_of_default
from localfirst.settings.placing import directory_of, placed, state_of
from localfirst.settings.projects import TABLE, Projects
from localfirst.settings.registry import Registry
from localfirst.settings.replicas_folder import folder

if TYPE_CHECKING:
    from localfirst.replica.recovery.take_in import TakenIn

logger = logging.getLogger("localfirst.client.binding")

REMOTE_CHANGED = "remote_changed"


class Bound(NamedTuple):
    """The settings that are in force, and what the user should know of what was done."""

    settings: Settings
    words: tuple[str, ...] = ()


def bind(settings: Settings) -> Bound:
    """Has the directory use its replica from now on. Raises UnavailableError; nothing has changed then."""
    if settings.placing is None or settings.placing.is_settled:
        return Bound(settings)
    repository = repository_at(settings.root) if settings.placing.place.git is not None else None
    with Registry(TABLE).changing() as content:
        projects = Projects(content)
        if projects.is_new:
            register_present(projects)
        place = directory_of(settings.root, repository, projects)
        placing = placed(place, settings.placing.names, projects)
        found = placing.found
        words = list(filter(None, (_take_in(projects, one, placing.replica, found.name) for one in found.takes_in)))
        if place.copy_of is not None and found.name is None:
            words.append(_words_of_copy(place.copy_of, read_mark(place.copy_of), projects))
        projects.put_name(found.replica, found.name, shared=found.is_shared)
        if repository is None:
            projects.put_root(found.replica, settings.root)
        if repository is not None and found.binds:
            mark = place.mark if projects.repository(place.mark) is not None else write_mark(repository)
            if mark is not None:
                projects.put_repository(mark, repository.common, found.replica)
        placing = placing._replace(is_settled=True, found=found._replace(takes_in=()))
    return Bound(settings._replace(replica=placing.replica, project=found.name, placing=placing), tuple(words))


def _words_of_copy(git: Path, mark: str | None, projects: Projects) -> str:
    known = projects.repository(mark)
    file = f"; `localfirst import {folder() / known.replica}` brings in what is there" if known is not None else ""
    return f"This repository is a copy of {git}, which keeps its items. It has its own from now on{file}."


def register_present(projects: Projects) -> None:
    """Notes the replicas that earlier versions have put where their projects' names lead. Of two of one project the one that
    was used last is the project's."""
    projects.content.setdefault("replicas", {})
    present = [path for path in folder().glob("*.sqlite3") if path.is_file()]
    for path in sorted(present, key=lambda path: path.stat().st_mtime_ns):
        name = name_in(path)
        if name is not None and name_of_default(Path(), name) == path.name:
            projects.put_name(path.name, name)


def note_name(settings: Settings, name: str) -> None:
    """The server knows the project by another name: that one leads to the replica too."""
    placing = settings.placing
    if placing is None:
        return
    replica, is_shared = placing.found.replica, placing.found.is_shared
    present = Projects(Registry(TABLE).read())
    if present.name_of(replica) == name and (not is_shared or present.named(name) == replica):
        return
    with Registry(TABLE).changing() as content:
        Projects(content).put_name(replica, name, shared=is_shared)


def words_of_remote(settings: Settings) -> str | None:
    """What to do where the git remote names another project; None where it does not."""
    placing = settings.placing
    if placing is None or not placing.found.remote_changed or placing.names.by_git is None or settings.project is None:
        return None
    if is_one_project(placing.names.by_git, settings.project):
        return None  # the server has given the replica this name
    return _in_words(placing.names.by_git, settings.project)


def words_of_other_name(settings: Settings, name: str, its_id: str) -> str | None:
    """The same where the user has named the replica's file, and its project turns out to have this name and this id.

    Raises InvalidStateError where he has named another project as well. One is not another for a name that it was given later:
    the id of a project follows from its first name, and stays.
    """
    project = settings.project
    if settings.placing is not None or project is None or is_one_project(name, project):
        return None
    if settings.named_by_user:
        if project_id(project) == its_id:
            return (
                f"The project {project!r}, which LOCALFIRST_PROJECT or a settings file names, is called {name!r} now: work goes"
                f" on in it, with everything that is there. Write {name!r} there."
            )
        raise InvalidStateError(
            f"the replica at {settings.replica} belongs to the project {name!r}, not to {project!r}; set LOCALFIRST_REPLICA"
            " to another file, or LOCALFIRST_PROJECT to the right name.",
            project=name,
        )
    return _in_words(project, name)


def _in_words(remote: str, project: str) -> str:
    return (
        f"The git remote names the project {remote!r} now; work goes on in {project!r}, with everything that is there."
        f" `localfirst init --project {remote}` moves it."
    )


def _take_in(projects: Projects, name: str, target: Path, project: str | None) -> str | None:
    """Takes one of the user's own replicas in; it is kept beside the other. Says what came, if anything did."""
    source = folder() / name
    with closing(open_replica(target, project)) as replica:
        done = taken_in(source, replica, target)
    projects.put_taken(name, target.name, state_of(source))
    logger.info("%s has taken in %s: %s", target.name, name, done)
    if done.is_nothing:
        return None
    return (
        f"The replica {source.name} belongs to this project: {done.rows} rows and {done.changes} changes came from it. It is"
        " kept, as it was."
    )


def taken_in(source: Path, replica: apsw.Connection, target: Path) -> TakenIn:
    """Takes in a replica of this user's own, after a copy of the one that takes it in was made."""
    from localfirst_schema import timestamps

    from localfirst.replica.backup import back_up
    from localfirst.replica.recovery.reports import NO_MARKS
    from localfirst.replica.recovery.take_in import take_in

    with closing(open_replica(source, None)) as other:
        back_up(replica, target.with_name(f"{target.name}.before-taking-in-{timestamps.now().translate(NO_MARKS)}"))
        return take_in(other, replica)
