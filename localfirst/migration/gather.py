"""Everything that one migration reads: the status file, and the session prompts that it has in files of their own."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from localfirst.markdown.document import StatusDocument
from localfirst.markdown.parse import parse
from localfirst.markdown.source import split_lines
from localfirst.migration.prompts import add_prompts, find_folder
from localfirst.status_rows.sources import Sources


class Gathered(NamedTuple):
    """The document, the lines that it was read from, and what is to be said about the files."""

    document: StatusDocument
    sources: Sources
    warnings: tuple[str, ...]


def gather(path: Path, text: str, prompts: Path | None) -> Gathered:
    """Reads the text of the file at `path` and, from the folder given or found, its prompts.

    Raises ValidationError for a folder or a prompt that is none, and OSError for one that cannot be read.
    """
    document = parse(text)
    sources = Sources(list(split_lines(text).lines))
    folder = find_folder(path, document, prompts)
    if folder is None:
        return Gathered(document, sources, ())
    document, warnings = add_prompts(document, sources, folder, path)
    return Gathered(document, sources, warnings)
