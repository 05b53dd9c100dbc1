"""A small change of a status file is verified line by line; what is not certainly harmless is read as a whole."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from localfirst.markdown.document import StatusDocument, Vendor, WorkItem
from localfirst.markdown.parse import parse
from localfirst.markdown.update import refreshed
from localfirst.markdown.verified import Refreshed, is_small_change

NOTES = (
    "# Ours\n\nAsk Ann.\n\n## Vendors (2 total)\nAgreed on Thursday.\n- Alder: operational   <- ask Ann\n- Birch: broken\n\n"
)
ITEMS = (
    "## Work Items (2 total)\n- [task] Mend the parser (active)   <- soon\n- [task] Write the tests (blocked)\n\n## Team\nX\n"
)
FENCE = "## Team\n```\nforgotten\n"


def both(text: str) -> Refreshed:
    """A text as it is written, and what it says."""
    read = parse(text)
    return refreshed(read, read)


def changed(before: Refreshed, **sections: Any) -> Refreshed:
    return refreshed(before.document, replace(before.document, **sections))


def vendors(document: StatusDocument, **values: Any) -> tuple[Vendor, ...]:
    first, *rest = document.vendors
    return (replace(first, **values), *rest)


def items(document: StatusDocument, **values: Any) -> tuple[WorkItem, ...]:
    first, *rest = document.work_items
    return (replace(first, **values), *rest)


@pytest.mark.parametrize(
    "values", [{"operational": False}, {"extractor_version": "2.0"}, {"test_results": {"passing": 1, "total": 2}}]
)
def test_a_changed_vendor_is_a_small_change(values: dict[str, object]) -> None:
    before = both(NOTES + ITEMS)
    after = changed(before, vendors=vendors(before.document, **values))
    assert after.text != before.text
    assert is_small_change(before, after)
    assert parse(after.text).vendors == after.document.vendors


@pytest.mark.parametrize(
    "values", [{"status": "completed"}, {"title": "## Vendors (3 total)"}, {"metadata": {"note": "```\n<!-- x -->"}}]
)
def test_a_changed_work_item_is_a_small_change(values: dict[str, object]) -> None:
    before = both(NOTES + ITEMS)
    after = changed(before, work_items=items(before.document, **values))
    read = parse(after.text)
    assert read.work_items == after.document.work_items
    if "title" not in values:  # a note that stands behind a title has nothing to follow when the title is another
        assert is_small_change(before, after)


def test_a_new_work_item_is_a_small_change_unless_a_fence_was_forgotten() -> None:
    for rest, is_small in ((ITEMS, True), (ITEMS + FENCE, False)):
        before = both(NOTES + rest)
        after = changed(before, work_items=(*before.document.work_items, WorkItem(title="One more")))
        assert is_small_change(before, after) is is_small
        assert parse(after.text).work_items == after.document.work_items


def test_nothing_else_is() -> None:
    before = both(NOTES + ITEMS)
    document = before.document
    assert not is_small_change(before, before), "nothing has changed"
    two = changed(before, vendors=vendors(document, operational=False), work_items=items(document, status="completed"))
    assert not is_small_change(before, two)
    assert not is_small_change(before, changed(before, enhancements=parse("## Future Enhancements\n- x\n").enhancements))
    unreported = Refreshed(before.text, replace(document, vendors=vendors(document, operational=False)))
    assert not is_small_change(before, unreported)


def test_a_line_that_says_something_else_is_not_harmless() -> None:
    before = both(NOTES + ITEMS)
    after = changed(before, vendors=vendors(before.document, operational=False))
    lying = Refreshed(after.text.replace("- Alder: broken", "- Alder: operational"), after.document)
    assert not is_small_change(Refreshed(before.text.replace("Alder: operational", "Alder: unknown"), before.document), lying)
    without_note = Refreshed(after.text.replace("   <- ask Ann", ""), after.document)
    assert not is_small_change(before, without_note)
