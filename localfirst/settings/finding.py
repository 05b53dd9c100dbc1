"""Which replica a directory uses: the decision, as a table of cases. Nothing is written here.

===========================  ======================================  ==================================================
the repository's mark        its name                                the replica
===========================  ======================================  ==================================================
known; no name yet           none                                    the one of the mark
known; no name yet           a new one                               the one of the mark, which gets the name
known; no name yet           that of another replica                 the other one, which takes in that of the mark
known; named                 none, the same, or a former one         the one of the mark
known; named                 another one, from the git remote        the one of the mark (`remote_changed`)
known; named                 another one, given by the user          that of the name, for this time
not known                    that of a replica                       that one
not known                    a new one                               that of the path, which gets the name; else a new one
not known, or no repository  none                                    that of the path
===========================  ======================================  ==================================================

A mark counts where the user's table knows it and the repository that it was given to is not elsewhere: in a copy it is no key.
Wherever a name is given and there is an unnamed replica of the path as well, that one is taken in.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from localfirst_schema.project_key import is_one_project

from localfirst.settings.place import possible_names
from localfirst.settings.projects import Projects


class Names(NamedTuple):
    """What a project is called, by whom.

    Attributes:
        given: by the user, or by a file that he has allowed.
        is_files: whether it is such a file that says it.
        by_git: by the remote.
        by_checkout: by a file that was not allowed, where that counts.
    """

    given: str | None = None
    is_files: bool = False
    by_git: str | None = None
    by_checkout: str | None = None


class Directory(NamedTuple):
    """Where somebody works.

    Attributes:
        git: the common directory of its repository; None where there is none.
        mark: the repository's, if it counts.
        copy_of: the common directory of the repository that this one is a copy of, if that is still in its place.
    """

    root: Path
    git: Path | None
    mark: str | None
    copy_of: Path | None = None


class Folder(NamedTuple):
    """What can be asked about the replicas' folder, by a file's name."""

    exists: Callable[[str], bool]
    name_in: Callable[[str], str | None]
    state: Callable[[str], list[int]]
    """Something that is another one when the file was written to."""


class Found(NamedTuple):
    """The decision.

    Attributes:
        replica: the file's name.
        name: the project's; None while it has none.
        takes_in: files whose content belongs to the project and is not in the replica yet.
        binds: whether the repository uses this replica from now on.
        is_shared: whether other directories of this name are led to it.
        remote_changed: the git remote names another project.
    """

    replica: str
    name: str | None
    takes_in: tuple[str, ...] = ()
    binds: bool = True
    is_shared: bool = True
    remote_changed: bool = False


def find(place: Directory, names: Names, projects: Projects, folder: Folder) -> Found:
    """The table above."""
    found = _found(place, names, projects, folder)
    # A program that had it open may have written to a file after it was taken in.
    again = (name for name, state in projects.taken_by(found.replica) if folder.state(name) != state)
    return found._replace(takes_in=(*found.takes_in, *again))


def _found(place: Directory, names: Names, projects: Projects, folder: Folder) -> Found:
    known = projects.repository(place.mark)
    if known is None:
        return _unmarked(place, names, projects, folder)
    wanted = names.given or names.by_git
    bound, name = known.replica, projects.name_of(known.replica)
    if wanted is None:
        if name is None and names.by_checkout is not None:
            return Found(bound, names.by_checkout, is_shared=False)
        return Found(bound, name, is_shared=name is not None and projects.named(name) == bound)
    there = _replica_named(place, wanted, projects, folder)
    if name is None:
        if there in (None, bound):
            return _with_others(Found(bound, wanted), projects)
        return _with_others(Found(there, projects.name_of(there) or wanted, (bound,)), projects)
    if there == bound or is_one_project(name, wanted):
        return _with_others(Found(bound, name, is_shared=there in (None, bound)), projects)
    if names.given is not None:
        return _unmarked(place, names, projects, folder)._replace(binds=False)
    return Found(bound, name, remote_changed=True)


def is_settled(place: Directory, found: Found, projects: Projects) -> bool:
    """Whether the user's table says all that already."""
    if found.takes_in or not projects.is_known(found.replica):
        return False
    if found.name is not None and (
        projects.name_of(found.replica) is None or (found.is_shared and projects.named(found.name) != found.replica)
    ):
        return False
    if place.git is None or not found.binds:
        return True
    known = projects.repository(place.mark)
    return known is not None and (known.replica, known.git) == (found.replica, str(place.git))


def _unmarked(place: Directory, names: Names, projects: Projects, folder: Folder) -> Found:
    wanted = names.given or names.by_git
    own = _of_path(place, projects, folder)
    own_name = None if own is None else _name(own, projects, folder)
    if wanted is None:
        if own is None:
            return Found(_new(place, None, projects, folder), names.by_checkout, is_shared=False)
        return Found(own, own_name or names.by_checkout, is_shared=own_name is not None and projects.named(own_name) == own)
    there = _replica_named(place, wanted, projects, folder)
    if own is None or own == there or (own_name is not None and not (names.is_files and is_one_project(own_name, wanted))):
        return _with_others(_of_name(there, place, wanted, projects, folder), projects)
    if own_name is not None:  # the checkout's file has named it before it was allowed
        return Found(own, own_name, is_shared=there is None)
    if there is None:
        return _with_others(Found(own, wanted), projects)
    return _with_others(_of_name(there, place, wanted, projects, folder)._replace(takes_in=(own,)), projects)


def _of_name(there: str | None, place: Directory, wanted: str, projects: Projects, folder: Folder) -> Found:
    if there is None:
        return Found(_new(place, wanted, projects, folder), wanted)
    return Found(there, projects.name_of(there) or wanted)


def _replica_named(place: Directory, wanted: str, projects: Projects, folder: Folder) -> str | None:
    """The replica of this name; also one that stands where an earlier version has put it."""
    there = projects.named(wanted)
    if there is not None:
        return there
    usual = next(possible_names(place.root, wanted))
    if not folder.exists(usual) or projects.now(usual) != usual:
        return None
    name = _name(usual, projects, folder)
    return usual if name is None or is_one_project(name, wanted) else None


def _name(replica: str, projects: Projects, folder: Folder) -> str | None:
    return projects.name_of(replica) if projects.is_known(replica) else folder.name_in(replica)


def _with_others(found: Found, projects: Projects) -> Found:
    """With what earlier versions kept under another spelling of the name."""
    assert found.name is not None
    others = tuple(one for one in projects.others_named(found.replica, found.name) if one not in found.takes_in)
    return found._replace(takes_in=found.takes_in + others)


def _of_path(place: Directory, projects: Projects, folder: Folder) -> str | None:
    """The replica that was begun in this directory, and is no other's by now."""
    for name in possible_names(place.root, None):
        if not folder.exists(name) and not projects.is_known(name):
            return None
        if _is_free(place, name, projects):
            return projects.now(name)
    return None


def _new(place: Directory, wanted: str | None, projects: Projects, folder: Folder) -> str:
    return next(
        name
        for name in possible_names(place.root, wanted)
        if not folder.exists(name) and not projects.is_known(name) and _is_free(place, name, projects)
    )


def _is_free(place: Directory, name: str, projects: Projects) -> bool:
    """Whether no repository of another place uses it: one that was here and has moved has taken it along."""
    here = str(place.root / ".git") if place.git is None else str(place.git)
    return all(git == here for git in projects.holders(name))
