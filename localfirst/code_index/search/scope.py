"""What a search is restricted to, as SQL over the places of the index."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import NamedTuple

from localfirst_schema.errors import ValidationError

MOST_GLOBS = 64
"""So many patterns may come of the braces of one."""

_ESCAPED = re.compile(r"\\([*?\[\]\\])")
_BRACES = re.compile(r"\{([^{}]*,[^{}]*)\}")
_FAMILIES = {"typescript": ("typescript", "tsx")}
_SPOKEN = {"golang": "go", "c#": "csharp", "objective-c": "objc"}
_GLOBBED = "f.path GLOB ?"


class Scope(NamedTuple):
    """Restrictions; None where there is none."""

    repositories: tuple[int, ...] | None = None
    """Of the work trees of one repository at most one: what they share has a file in each of them."""

    language: str | None = None
    path_glob: str | None = None
    folder: str | None = None
    """Relative to the repository's root."""

    @property
    def is_everything(self) -> bool:
        """Whether nothing is left out."""
        return self == Scope()

    def where(self) -> tuple[str, list[str | int]]:
        """A condition on `code_files AS f`, and the values in it."""
        conditions: list[str] = []
        values: list[str | int] = []
        if self.repositories is not None:
            conditions.append(f"f.repository_id IN ({', '.join('?' * len(self.repositories))})")
            values += self.repositories
        if self.language is not None:
            family = _FAMILIES.get(self.language, (self.language,))
            conditions.append(f"f.language IN ({', '.join('?' * len(family))})")
            values += family
        if self.path_glob is not None:
            globs = as_sqlite(self.path_glob)
            conditions.append(f"({' OR '.join([_GLOBBED] * len(globs))})")
            values += globs
        if self.folder is not None:
            conditions.append("f.path >= ? AND f.path < ?")
            values += [f"{self.folder}/", f"{self.folder}0"]  # 0 is the character after /
        return " AND ".join(conditions) or "1", values


def language_named(given: str) -> str:
    """The index's name of a language, from that name, another usual one, or the ending of its files (``py``).

    Raises ValidationError, with the names there are.
    """
    from localfirst.code_index.chunking.languages import LANGUAGES, language_of

    name = given.strip().lower().lstrip(".")
    if name in _SPOKEN:
        return _SPOKEN[name]
    if name in LANGUAGES:
        return name
    by_ending = language_of(f"x.{name}", "")
    if by_ending != "text":
        return by_ending
    known = ", ".join(sorted(LANGUAGES))
    raise ValidationError(
        "language",
        "must be a language of the index, or the ending of its files",
        f"language {given} is unknown: give one of {known}, or an ending like py.",
        known=sorted(LANGUAGES),
    )


def as_sqlite(glob: str) -> list[str]:
    """The patterns of SQLite's GLOB (whose ``*`` crosses ``/``) that stand for one of a shell's.

    ``src/*.py`` and ``src/**/*.py`` both find ``src/a/b.py``; a pattern without ``/`` is one of names in any folder, one
    that ends with ``/`` is a folder. ``*.{py,go}`` is two patterns. A backslash makes ``* ? [ ]`` or a backslash stand for
    itself. Raises ValidationError for very many.
    """
    patterns = [one for plain in _without_braces(glob) for one in _of_plain(plain)]
    return list(dict.fromkeys(patterns))


def deepest(roots: list[str]) -> int:
    """How many of these directories the same file may lie in: 1 where none is within another."""
    inside = set(roots)
    return max((1 + sum(str(parent) in inside for parent in PurePath(root).parents) for root in roots), default=1)


def _without_braces(glob: str) -> list[str]:
    """``a{b,c}`` → ``ab``, ``ac``, from the innermost braces outwards; what is no such choice stays as it is."""
    waiting, found = [glob], []
    while waiting:
        pattern = waiting.pop()
        choice = _BRACES.search(pattern)
        if choice is None:
            found.append(pattern)
        else:
            waiting += [pattern[: choice.start()] + one + pattern[choice.end() :] for one in choice[1].split(",")]
        if len(found) + len(waiting) > MOST_GLOBS:
            raise ValidationError("path_glob", f"must not stand for more than {MOST_GLOBS} patterns: give fewer braces")
    return sorted(set(found))


def _of_plain(glob: str) -> list[str]:
    pattern = _ESCAPED.sub(r"[\1]", glob.removeprefix("./").removeprefix("/"))
    if pattern.endswith("/"):
        pattern += "*"
    collapsed = pattern.replace("**/", "*").replace("**", "*")
    found = [collapsed]
    if "**/" in pattern:
        found.append(pattern.replace("**/", ""))
    if "/" not in pattern:
        found.append(f"*/{collapsed}")
    return found
