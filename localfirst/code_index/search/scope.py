"""What a search is restricted to, as SQL over the places of the index."""

from __future__ import annotations

from typing import NamedTuple

_GLOBBED = "f.path GLOB ?"


class Scope(NamedTuple):
    """Restrictions; None where there is none."""

    repository_id: int | None = None
    language: str | None = None
    path_glob: str | None = None

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
            conditions.append("f.language = ?")
            values.append(self.language)
        if self.path_glob is not None:
            globs = _as_sqlite(self.path_glob)
            conditions.append(f"({' OR '.join([_GLOBBED] * len(globs))})")
            values += globs
        return " AND ".join(conditions) or "1", values


def _as_sqlite(glob: str) -> list[str]:
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
