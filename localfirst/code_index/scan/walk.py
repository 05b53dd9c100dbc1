"""The files of a tree that git does not list: a walk of our own with nested .gitignore.

Left out beside what the ignore files and the repository's own list of exclusions name: what version control keeps for itself
(of a linked work tree and a submodule `.git` is a file), directories that programs fill (node_modules, virtual environments,
caches), each reported. Links to directories are listed as links, never entered. A repository inside
is reported apart, for its own git to list.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from localfirst.code_index.scan.ignore import IgnoreFiles, excluded_by
from localfirst.code_index.scan.rules import FILLED_DIRECTORIES, STORE_DIRECTORIES
from localfirst.code_index.skipped import Skipped, SkipRule

_MARKS = ("pyvenv.cfg", "CACHEDIR.TAG")
"""Files that mark a virtual environment or a cache, whatever the directory's name."""


def walk(root: Path, look: Callable[[], None] = lambda: None) -> tuple[list[str], list[str], list[Skipped]]:
    """Paths relative to `root` of everything but directories, of repositories inside, and what was left out.

    `look` is called for each directory, and may raise. `root` may be a repository itself, one that its own git did not list; it
    is walked all the same.
    """
    ignored = IgnoreFiles(root, (".gitignore",), excluded_by(root))
    paths: list[str] = []
    repositories: list[str] = []
    skipped: list[Skipped] = []
    base = os.fspath(root)
    waiting = [""]
    while waiting:
        directory = waiting.pop()
        look()
        place = f"{base}/{directory}" if directory else base
        try:
            with os.scandir(place) as scanned:
                entries = list(scanned)
        except FileNotFoundError:
            continue
        except OSError as error:
            skipped.append(Skipped(directory, SkipRule.UNREADABLE, error.strerror or str(error)))
            continue
        names = {entry.name for entry in entries}
        if directory and ".git" in names:
            repositories.append(directory)
            continue
        if directory and not names.isdisjoint(_MARKS):
            skipped.append(Skipped(directory, SkipRule.FILLED, "marked as an environment or a cache"))
            continue
        prefix = directory + "/" if directory else ""
        for entry in entries:
            path = prefix + entry.name
            if entry.name in STORE_DIRECTORIES:
                continue
            if not entry.is_dir(follow_symlinks=False):
                if not ignored.ignores_file(path):
                    paths.append(path)
            elif ignored.ignores_directory(path):
                continue
            elif entry.name in FILLED_DIRECTORIES:
                skipped.append(Skipped(path, SkipRule.FILLED, entry.name))
            else:
                waiting.append(path)
    return paths, repositories, skipped
