"""What a search is restricted to, as SQL over the places of the index."""

from __future__ import annotations

from typing import NamedTuple

_FAMILIES = {"typescript": ("typescript", "tsx")}
_SPOKEN = {"golang": "go", "c#": "csharp", "objective-c": "objc"}
_GLOBBED = "f.path GLOB ?"


class Scope(NamedTuple):
    """Restrictions; None where there is none."""

    repository_id: int | None = None
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
        if self.repository_id is not None:
            conditions.append("f.repository_id = ?")
            values.append(self.repository_id)
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
    """The index's name of a language, from that name, another usual one, or the ending of its files (``py``)."""
    from localfirst.code_index.chunking.languages import language_of

    name = given.strip().lower().lstrip(".")
    if name in _SPOKEN:
        return _SPOKEN[name]
    by_ending = language_of(f"x.{name}", "")
    return name if by_ending == "text" else by_ending


def as_sqlite(glob: str) -> list[str]:
    """The patterns of SQLite's GLOB (whose ``*`` crosses ``/``) that stand for one of a shell's.

    ``src/*.py`` and ``src/**/*.py`` both find ``src/a/b.py``; a pattern without ``/`` is one of names in any folder, one
    that ends with ``/`` is a folder.
    """
    pattern = glob.removeprefix("./").removeprefix("/")
    if pattern.endswith("/"):
        pattern += "*"
    collapsed = pattern.replace("**/", "*").replace("**", "*")
    found = [collapsed]
    if "**/" in pattern:
        found.append(pattern.replace("**/", ""))
    if "/" not in pattern:
        found.append(f"*/{collapsed}")
    return list(dict.fromkeys(found))
