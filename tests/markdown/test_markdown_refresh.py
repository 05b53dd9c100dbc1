"""Refreshing a status file from the store, and putting it on the disk."""

from __future__ import annotations

import errno
import os
import stat
import time
from dataclasses import replace
from pathlib import Path

import pytest

from localfirst.markdown.document import SECTIONS, Enhancement, Session, StatusDocument, Vendor, WorkItem
from localfirst.markdown.parse import parse
from localfirst.markdown.update import QUARANTINE, only_in, refresh, write_file
from localfirst.markdown.write import render

SAMPLE = (Path(__file__).parents[1] / "data" / "project_status.md").read_text(encoding="utf-8")


def of_the_store(document: StatusDocument) -> StatusDocument:
    """The document as a store would give it: without what people wrote and without malformed sessions."""
    sessions = tuple(session for session in document.sessions if session.malformed_text is None)
    return StatusDocument(
        vendors=document.vendors,
        deployments=document.deployments,
        enhancements=document.enhancements,
        sessions=tuple(replace(session, front_matter_text=None) for session in sessions),
        work_items=document.work_items,
    )


def test_a_refresh_of_the_sample_changes_only_what_was_wrong_or_oddly_written() -> None:
    refreshed = refresh(SAMPLE, of_the_store(parse(SAMPLE)))
    before, after = SAMPLE.split("\n"), refreshed.split("\n")
    assert len(before) == len(after)
    changed = [(one, other) for one, other in zip(before, after, strict=True) if one != other]
    assert changed == [
        ("## Vendors (46 total)", "## Vendors (45 total)"),
        (
            "-   Kestrel of Ohio :  Operational  (30 / 30 tests passed)  [excel,csv]   v1.4",
            "- Kestrel of Ohio: operational (30/30 tests passed) [Excel, CSV] v1.4",
        ),
        ("- OCR confidence scores (Priority: Medium, 2026-Q2)", "- OCR confidence scores (Priority: Medium, Q2 2026)"),
    ]


def test_a_new_file_has_the_contract_s_sections() -> None:
    assert refresh(None, StatusDocument()) == (
        "# Project Status\n\n## Vendors (0 total)\n\n## Deployments (0 total)\n\n"
        "## Future Enhancements (0 total)\n\n## Session Prompts (0 total)\n"
    )
    assert refresh("\ufeff \r\n", StatusDocument()) == refresh(None, StatusDocument())


def test_work_items_have_a_section_of_their_own() -> None:
    item = WorkItem(title="Fix the parser", status="blocked", id="5f0c", version=3, metadata={"blocked_reason": "mail"})
    text = refresh(SAMPLE, StatusDocument(work_items=(item,)))
    assert "## Work Items (1 total)\n- [task] Fix the parser (blocked) <!-- localfirst: {" in text
    assert parse(text).work_items == (item,)


def test_a_note_stays_with_its_vendor_and_a_block_under_its_entry() -> None:
    text = "## Vendors (2 total)\n- A: operational  <- call Ann\n  see mail\n- B: broken\n\nList ends.\n\n## Rota\nodd weeks\n"
    vendors = (Vendor(name="New", operational=True), Vendor(name="A", operational=False), Vendor(name="C", operational=True))
    assert refresh(text, StatusDocument(vendors=vendors)) == (
        "## Vendors (3 total)\n- New: operational\n- A: broken  <- call Ann\n  see mail\n- C: operational\n\n"
        "List ends.\n\n## Rota\nodd weeks\n"
    )


def test_what_stood_under_an_entry_that_is_gone_moves_to_the_end_of_its_section() -> None:
    text = "## Vendors (2 total)\n- A: operational  <- call Ann\n  see mail\n- B: broken\n\n## Deployments (0 total)\n"
    refreshed = refresh(text, StatusDocument(vendors=(Vendor(name="B", operational=False),)))
    assert refreshed == ("## Vendors (1 total)\n- B: broken\n\n  <- call Ann\n\n  see mail\n\n## Deployments (0 total)\n")


def test_the_order_of_sections_and_the_line_ends_are_kept() -> None:
    text = "# Ours\r\n\r\n## Future Enhancements\r\n- X\r\n\r\n## Vendors\r\n- A: broken\r\n"
    refreshed = refresh(text, replace(parse(text), sessions=(Session(prompt="p"),)))
    assert refreshed.replace("\r\n", "\n") == (
        "# Ours\n\n## Future Enhancements (1 total)\n- X\n\n## Vendors (1 total)\n- A: broken\n\n"
        '## Session Prompts (1 total)\n### Session\n---\n# localfirst: {"front_matter": null}\n---\np\n'
    )
    assert refreshed.count("\r\n") == refreshed.count("\n")


def test_a_malformed_session_that_the_store_does_not_hold_is_kept_where_it_stood() -> None:
    document = parse(SAMPLE)
    refreshed = parse(refresh(SAMPLE, of_the_store(document)))
    assert refreshed.sessions == document.sessions
    assert refreshed.problems[-1].code == "front_matter"
    stored = tuple(
        replace(session, malformed_text=None, front_matter={"session_id": "sess_010"}) if session.malformed_text else session
        for session in document.sessions
    )
    assert parse(refresh(SAMPLE, replace(document, sessions=stored))).sessions == stored


def test_kept_text_that_would_change_the_meaning_is_quoted_at_the_end() -> None:
    text = "# Project Status\n\n## Ideas\n```\n\n## Enhancements\n- A\n- A: B\n  - B (Priority: Low)\n"
    document = StatusDocument(
        enhancements=(Enhancement(title="A"),),
        sessions=(Session(front_matter={}, prompt="```\nx\n```"), Session(front_matter={}, prompt="```\ny\n```")),
    )
    refreshed = refresh(text, document)
    read = parse(refreshed)
    assert [getattr(read, section) for section in SECTIONS] == [getattr(document, section) for section in SECTIONS]
    assert QUARANTINE in refreshed
    assert "> ## Ideas\n> ```" in refreshed
    assert refresh(refreshed, document) == refreshed


def test_entries_that_only_the_file_has_can_be_asked_for() -> None:
    existing = parse("## Vendors\n- A: operational\n- B: broken\n\n## Enhancements\n- X\n")
    stored = StatusDocument(vendors=(Vendor(name="A", operational=False),))
    assert only_in(existing, stored) == [existing.vendors[1], existing.enhancements[0]]


def test_a_refresh_after_one_change_among_1200_work_items_is_quick() -> None:
    items = tuple(
        WorkItem(title=f"Work item {number}", id=f"id-{number}", version=1, metadata={"priority": "high"})
        for number in range(1200)
    )
    document = replace(of_the_store(parse(SAMPLE)), work_items=items)
    text = refresh(SAMPLE, document)
    times = []
    for version in range(2, 8):
        items = (replace(items[0], version=version), *items[1:])
        started = time.thread_time()
        text = refresh(text, replace(document, work_items=items))
        times.append(time.thread_time() - started)
    assert parse(text).work_items == items
    assert min(times) < 0.05


def test_render_keeps_what_parse_kept() -> None:
    document = parse(SAMPLE)
    assert parse(render(document)) == document


def test_a_new_file_is_private_and_an_existing_one_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / ".project_status.md"
    write_file(path, "é\n")
    assert path.read_bytes() == "é\n".encode()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o664)
    write_file(path, "two\r\n")
    assert path.read_bytes() == b"two\r\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o664
    assert os.listdir(tmp_path) == [path.name]  # noqa: PTH208


def test_a_link_is_followed_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    target = tmp_path / "folder" / "real.md"
    target.write_text("one\n")
    link = tmp_path / "link.md"
    link.symlink_to(target)
    write_file(link, "two\n")
    assert link.is_symlink()
    assert target.read_text() == "two\n"
    dangling = tmp_path / "dangling.md"
    dangling.symlink_to(tmp_path / "folder" / "new.md")
    write_file(dangling, "three\n")
    assert (tmp_path / "folder" / "new.md").read_text() == "three\n"


def test_what_is_no_regular_file_is_left_alone(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for path in (fifo, tmp_path):
        with pytest.raises(OSError, match="regular") as caught:
            write_file(path, "x")
        assert caught.value.errno == errno.EINVAL
    with pytest.raises(FileNotFoundError):
        write_file(tmp_path / "missing" / "x.md", "x")


def test_a_failure_leaves_the_old_file_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "status.md"
    path.write_text("old\n")

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="space") as caught:
        write_file(path, "new\n")
    assert caught.value.errno == errno.ENOSPC
    assert path.read_text() == "old\n"
    assert [entry.name for entry in tmp_path.iterdir()] == ["status.md"]


HAND_KEPT = (Path(__file__).parents[1] / "data" / "hand_kept" / "project_status.md").read_text(encoding="utf-8")


def test_a_hand_kept_file_keeps_its_headings_and_its_prose_when_it_is_refreshed() -> None:
    document = parse(HAND_KEPT)
    refreshed = refresh(HAND_KEPT, document)
    lines = refreshed.split("\n")
    for line in HAND_KEPT.split("\n"):
        if line.startswith(("# ", "## ", "> ")) or line in ("### The small ones", "### Someday", "What went well:"):
            assert line in lines
    assert QUARANTINE not in refreshed
    assert [getattr(parse(refreshed), section) for section in SECTIONS] == [getattr(document, section) for section in SECTIONS]
    assert refresh(refreshed, document) == refreshed


def test_headings_that_are_capitals_alone_stay_and_still_end_each_other() -> None:
    text = (
        "PROJECT STATUS\n==============\n\nPRODUCTION CAPABILITIES\n-----------------------\n- A: operational\n\n"
        "FUTURE ENHANCEMENTS\n\n- P1: B\n\nOPERATIONAL PROCEDURES\n\n- Restart the worker\n"
    )
    document = StatusDocument(
        vendors=(Vendor(name="A", operational=False),), enhancements=(Enhancement(title="C", priority="high"),)
    )
    refreshed = refresh(text, document)
    assert refreshed == (
        "PROJECT STATUS\n==============\n\nPRODUCTION CAPABILITIES\n-----------------------\n- A: broken\n\n"
        "FUTURE ENHANCEMENTS\n- C (Priority: High)\n\nOPERATIONAL PROCEDURES\n\n- Restart the worker\n"
    )
    assert parse(refreshed).enhancements == document.enhancements
