"""Titles of a file that no store takes (more than one line, nothing to be seen) become titles, and nothing of them is lost."""

from __future__ import annotations

import pytest
from localfirst_schema.types import Title
from pydantic import TypeAdapter

from localfirst.markdown.document import Enhancement, Session, WorkItem
from localfirst.markdown.stored.as_written import UNTITLED
from localfirst.markdown.stored.enhancement import enhancement_columns
from localfirst.markdown.stored.session import session_columns
from localfirst.markdown.stored.work_item import work_item_columns

ODD = ["a\nb", "tab\there", " ", "\n", "\x1b[31mred", "x\u0085y", "\u3000", "x" * 300 + "\n"]
_door = TypeAdapter[str](Title)


@pytest.mark.parametrize("title", ODD)
def test_a_title_from_a_file_passes_the_door_and_is_kept_as_it_was_written(title: str) -> None:
    item = work_item_columns(WorkItem(title=title), [])
    session = session_columns(Session(record={"title": title}), [])
    enhancement = enhancement_columns(Enhancement(title=title))
    for stored in (item, session, enhancement):
        assert _door.validate_python(stored.columns["title"]) == stored.columns["title"]
    assert item.columns["metadata"]["title_as_written"] == title
    assert session.columns["metadata"]["title_as_written"] == title
    assert [(one.field, one.as_written) for one in enhancement.mapped if one.field == "title"] == [("title", title)]


def test_what_shows_nothing_is_called_untitled() -> None:
    assert work_item_columns(WorkItem(title=" \t"), []).columns["title"] == UNTITLED


@pytest.mark.parametrize("prompt", ["# Do:\tthis\nand that", "\x07\n\t\nDo: this"])
def test_a_session_is_called_by_the_first_line_of_its_prompt_that_shows_anything(prompt: str) -> None:
    stored = session_columns(Session(prompt=prompt), [])
    assert stored.columns["title"] == "Do: this"
    assert "title_as_written" not in stored.columns["metadata"]
