"""`localfirst search`: code by what it does, by words or by name."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from localfirst import terminal
from localfirst.cli import options
from localfirst.cli.command import Result, command, given

if TYPE_CHECKING:
    from rich.text import Text

_WORDS = {
    "index_missing": "nothing is indexed here yet: `localfirst index PATH` does it",
    "index_unavailable": "this machine's index cannot be read at the moment: `localfirst doctor` says why",
    "index_incomplete": "the index is not whole ({coverage:.1%})",
    "files_unreadable": "some files could not be read: `localfirst jobs show ID` of the last of `localfirst jobs` names them",
    "repository_gone": "a repository's directory is gone, this is what was in it: `localfirst index --forget PATH` forgets it",
    "index_behind": "{files_behind} files have changed since they were indexed: `localfirst index PATH` catches up",
    "chunks_left_out": "texts on the server that somebody has changed were left out (localfirst doctor names them)",
    "work_tree_not_indexed": "another work tree was searched, since this one is not indexed: `localfirst index PATH` does it",
    "searched_by_words_alone": "only words were compared, not their meaning",
}


def search(
    words: Annotated[list[str], typer.Argument(metavar="QUERY...", help="Words, a name, or what the code does.")],
    repo: Annotated[str | None, typer.Option("--repo", "-r", metavar="PATH", help="Only this repository or directory.")] = None,
    language: Annotated[str | None, typer.Option("--language", "-l", metavar="NAME", help="Only this language.")] = None,
    path: Annotated[str | None, typer.Option("--path", "-p", metavar="GLOB", help="Only files like 'src/*.py'.")] = None,
    full: Annotated[bool, typer.Option("--full", help="Whole functions instead of their best lines.")] = False,
    team: Annotated[bool, typer.Option("--team", help="All repositories that the team has shared, from the server.")] = False,
    limit: options.Limit = None,
    as_json: options.AsJson = False,
) -> None:
    """Find code in the indexed repositories, best first."""
    with command(as_json=as_json) as this:
        result = this.run(
            "search_code",
            query=" ".join(words),
            full_content=full,
            scope="team" if team else "local",
            **given(
                repo_path=str(Path(repo).expanduser().absolute()) if repo is not None else None,
                language=language,
                path_glob=path,
                limit=limit,
            ),
        )
        this.answer(result, partial(_view, frozenset(" ".join(words).lower().split())))


def _view(wanted: frozenset[str], result: Result) -> None:
    from localfirst.code_index.words import words_in

    wanted = wanted | frozenset(words_in(" ".join(wanted)).split())
    for found in result["results"]:
        terminal.out().print(_place(found), soft_wrap=True)
        terminal.out().print(_content(found, wanted), soft_wrap=True)
        terminal.out().print()
    if not result["results"]:
        terminal.say("Nothing found.")
    for code in result["index_warnings"]:
        words = _WORDS[code].format(**result)
        terminal.note(f"{words[0].upper()}{words[1:]}.")


def _place(found: dict[str, Any]) -> Text:
    """``path:line  symbol``, with a link where the file is on this machine."""
    from rich.style import Style
    from rich.text import Text

    root = found["repository_path"]
    displayed = terminal.clean(_from_here(root, found["file_path"]) + f":{found['start_line']}")
    link = (Path(root) / found["file_path"]).as_uri() if root else None
    line = Text(displayed, style=Style(color="magenta", bold=True, link=link))
    if found["symbol"]:
        line.append("  " + terminal.clean(found["symbol"]), style="cyan")
    line.append(f"  {found['repository'] if not root else found['language']}", style="dim")
    return line


def _from_here(root: str | None, path: str) -> str:
    """The path as one would type it here: relative where the file is below this directory."""
    if root is None:
        return path
    whole = Path(root) / path
    here = Path.cwd()
    return str(whole.relative_to(here)) if whole.is_relative_to(here) else str(whole)


def _content(found: dict[str, Any], wanted: frozenset[str]) -> Text:
    """The lines with their numbers; words of the query stand out."""
    import re

    from rich.text import Text

    from localfirst.code_index.words import parts

    width = len(str(found["end_line"]))
    displayed = Text()
    for number, line in enumerate(found["content"].split("\n"), found["start_line"]):
        displayed.append(f"{number:>{width}} ", style="dim")
        row = Text(terminal.clean(line))
        for match in re.finditer(r"[^\W_]\w*", row.plain):
            if wanted.intersection(parts(match[0])):
                row.stylize("bold yellow", *match.span())
        displayed.append(row)
        displayed.append("\n")
    displayed.right_crop(1)
    return displayed


def register(app: typer.Typer) -> None:
    """Adds the command to the program."""
    app.command("search")(search)
