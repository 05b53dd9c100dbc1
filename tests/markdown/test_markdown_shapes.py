"""Ways in which older and hand-kept files say the same: one line each."""

from __future__ import annotations

from datetime import date

import pytest

from localfirst.markdown.document import Deployment, Enhancement, Session, StatusDocument, Vendor, WorkItem
from localfirst.markdown.outline import outline
from localfirst.markdown.parse import parse
from localfirst.markdown.write import render

EXCEL_AND_CSV = {"excel": True, "csv": True, "pdf": False, "ocr": False}
HALF = {"passing": 1, "total": 2}


@pytest.mark.parametrize(
    ("text", "vendor"),
    [
        ("- **A B**: operational (1/2 tests) [excel, csv]", Vendor(name="A B", operational=True)),
        ("- **A B**: operational\n  (1/2 tests)\n  [excel, csv]", Vendor(name="A B", operational=True)),
        ("- **A B** - ✅ OPERATIONAL, 1/2 tests passing [Excel, CSV]", Vendor(name="A B", operational=True)),
        ("- A B: ❌ 1/2 tests [excel, csv]", Vendor(name="A B", operational=False)),
        ("- A B: 🚧 In Development (1/2 tests) [excel, csv]", Vendor(name="A B", status_text="In Development")),
        ("### A B ✅\n- Tests: 1/2\n- Formats: Excel + CSV", Vendor(name="A B", operational=True)),
        ("### ❌ A B\n\n**Tests**: 1 of 2\n**Formats**: excel, csv", Vendor(name="A B", operational=False)),
        ("#### A B (retired)\n- **Tests:** 1/2\n- **Formats:** CSV and Excel", Vendor(name="A B", status_text="retired")),
        ("### A B: broken\n- Tests: (1/2)\n- Supported formats: [CSV, Excel]", Vendor(name="A B", operational=False)),
        ("### A B\n- State: **planned**\n- Tests: 1/2\n- Formats: csv/excel", Vendor(name="A B", status_text="planned")),
        ("|Vendor|Status|Tests|Formats|\n|:-|-|--|-:|\n|**A B**|✅|1/2|CSV, Excel|", Vendor(name="A B", operational=True)),
    ],
)  # fmt: skip
def test_a_vendor(text: str, vendor: Vendor) -> None:
    [read] = parse(f"## PRODUCTION CAPABILITIES\n{text}\n").vendors
    assert (read.name, read.operational, read.status_text) == (vendor.name, vendor.operational, vendor.status_text)
    assert (read.test_results, read.format_support) == (HALF, EXCEL_AND_CSV)


@pytest.mark.parametrize(
    "text",
    [
        "- **Status**: operational",
        "- Manifest compliance: ✅",
        "### Operational vendors (2)",
        "### Notes\n- Tests: 1/2",
        "**Overall**: ✅ 2/2",
        "| Vendor | Tests |\n|--|--|\n| A | 1/2 |",
        "| Name | Name |\n|--|--|\n| A | broken |",
    ],
)
def test_no_vendor_is_invented(text: str) -> None:
    document = parse(f"## PRODUCTION CAPABILITIES\n{text}\n")
    assert document.vendors == ()
    assert "\n".join(kept.text for kept in document.kept) == text


def test_what_stands_in_a_vendors_block_is_no_vendor() -> None:
    text = "## PRODUCTION CAPABILITIES\n### A ✅\n- Tests: 1/2\n- **Pipeline**: operational\n\n- B: broken\n"
    assert [vendor.name for vendor in parse(text).vendors] == ["A", "B"]


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("### 2025-10-04 - PR #7\n- **Title**: New layouts\n- **Commit**: `2080f2a`", "New layouts"),
        ("### 2025-10-04 00:00:00 UTC - PR #7\n- **Title**: New layouts\n- **Commit**: 2080f2a", "New layouts"),
        ("### New layouts (2025-10-04)\n- PR: #7\n- Commit: [2080f2a](https://example.org)", "New layouts"),
        ("### New layouts - PR #7 (2025-10-04)\n- Commit: `2080f2a`", "New layouts"),
        ("### PR #7: New layouts (2025-10-04)\nCommit: 2080f2a", "New layouts"),
        ("**New layouts** (2025-10-04)\n**PR**: 7\n**Commit**: 2080f2a (main)", "New layouts"),
        ("**Deployment**: New layouts\n**Date**: 2025-10-04\n**PR:** #7\n**Commit:** 2080f2a", "New layouts"),
        ("- 2025-10-04: PR #7 - New layouts\n  - Commit: 2080f2a", "New layouts"),
        ("| Date | PR | Commit | Title |\n|--|--|--|--|\n| 2025-10-04 | #7 | `2080f2a` | New layouts |", "New layouts"),
    ],
)
def test_a_deployment(text: str, title: str) -> None:
    [read] = parse(f"## LATEST DEPLOYMENT\n{text}\n").deployments
    assert (read.deployed_on, read.pr_number, read.commit_hash, read.pr_title) == (date(2025, 10, 4), 7, "2080f2a", title)


def test_the_sections_heading_may_be_the_deployments_title() -> None:
    [read] = parse("## 🚀 LATEST DEPLOYMENT: New layouts (2025-10-04)\n\n- PR: #7\n").deployments
    assert read == Deployment(deployed_on=date(2025, 10, 4), pr_number=7, pr_title="New layouts")


@pytest.mark.parametrize(
    ("text", "tests"),
    [
        ("unit: 150, integration: 30", {"unit": 150, "integration": 30}),
        ("45 passed, 0 failed", {"passed": 45, "failed": 0}),
        ("97/97 passing ✅", {"passing": 97, "total": 97}),
        ("42/45 tests passing (3 skipped)", {"passing": 42, "total": 45, "skipped": 3}),
        ("see the run", None),
    ],
)
def test_the_tests_of_a_deployment(text: str, tests: dict[str, int] | None) -> None:
    document = parse(f"## Deployments\n### 2025-10-04 - PR #7\n- **Tests**: {text}\n")
    assert document.deployments[0].tests == tests
    assert bool(document.kept) is (tests is None)


@pytest.mark.parametrize(
    "text",
    [
        "- [P1] Sort it out (Q1 2026)",
        "- P1: Sort it out - Q1 2026",
        "1. **P1** Sort it out (2026-Q1)",
        "- **P1: Sort it out** (Q1 2026)",
        "- **[P1] Sort it out**, Q1 2026",
        "- Sort it out (P1, Q1 2026)",
        "- Sort it out (Priority: P1, Q1 2026)",
        "### P1: Sort it out\n- **Target**: Q1 2026",
        "### Sort it out (P1)\nTimeline: Q1 2026",
        "### 1. Sort it out\n- Priority: P1\n- Target quarter: Q1 2026",
        "### P1 - High\n- Sort it out (Q1 2026)",
        "**P1 (must have)**\n1. Sort it out - Target: Q1 2026",
        "P1:\n\n- **Sort it out** (Q1 2026)",
        "| Priority | Enhancement | Target |\n|--|--|--|\n| P1 | Sort it out | Q1 2026 |",
    ],
)
def test_an_enhancement(text: str) -> None:
    document = parse(f"## FUTURE ENHANCEMENTS\n{text}\n")
    assert document.enhancements == (Enhancement(title="Sort it out", priority="P1", target_quarter="Q1 2026"),)
    assert document.kept == ()


@pytest.mark.parametrize(
    ("text", "enhancement"),
    [
        ("- [x] Done already (P2)", Enhancement(title="Done already", priority="P2", status="completed")),
        ("- [ ] Some day", Enhancement(title="Some day", status="planned")),
        ("- [P2] **Export**: one table each", Enhancement(title="Export", priority="P2", description="one table each")),
        ("### Export (Priority: 3)\n\nA\n- b\n", Enhancement(title="Export", priority="3", description="A\n- b")),
        ("- P12 is a road", Enhancement(title="P12 is a road")),
        ("- **Bold** but plain", Enhancement(title="**Bold** but plain")),
    ],
)  # fmt: skip
def test_more_of_an_enhancement(text: str, enhancement: Enhancement) -> None:
    assert parse(f"## Future Enhancements\n{text}\n").enhancements == (enhancement,)


def test_a_work_item_below_another() -> None:
    text = "## Active Work Items (2)\n### P (project)\n- **Status**: active\n\n  ### T (x) (task)\n  - **Status**: done\n"
    assert parse(text).work_items == (
        WorkItem(title="P", item_type="project"),
        WorkItem(title="T (x)", item_type="task", status="done", parent_title="P"),
    )


@pytest.mark.parametrize(
    ("text", "sections"),
    [
        ("## PRODUCTION CAPABILITIES\n", ["vendors"]),
        ("## 🏭 PRODUCTION CAPABILITIES (4 live)\n", ["vendors"]),
        ("# PRODUCTION CAPABILITIES\n## x\n# FUTURE ENHANCEMENTS ✅\n", ["vendors", "enhancements"]),
        ("x\n\nPRODUCTION CAPABILITIES\n\nFUTURE ENHANCEMENTS\n", ["vendors", "enhancements"]),
        ("x\n\n**LATEST DEPLOYMENT**\n", ["deployments"]),
        ("x\n\nLATEST DEPLOYMENT:\n=====\n", ["deployments"]),
        ("x\nLATEST DEPLOYMENT\n", []),
        ("x\n\nLATEST DEPLOYMENTS were late\n", []),
        ("x\n\nVENDORS\n", []),
        ("```\n## LATEST DEPLOYMENT\n```\n", []),
    ],
)
def test_headings_in_capitals(text: str, sections: list[str]) -> None:
    found = outline(text.split("\n")).headings
    assert [heading.section for heading in found if heading.section] == sections


def test_capitals_in_a_prompt_are_the_prompts() -> None:
    prompt = "Read this.\n\nLATEST DEPLOYMENT\n-----------------\n\n# FUTURE ENHANCEMENTS\n- [P1] x\n\nOLD NOTES HERE\n"
    stored = StatusDocument(sessions=(Session(date=date(2025, 1, 1), prompt=prompt),) * 2)
    assert parse(render(stored)) == stored


@pytest.mark.parametrize("words", ["FUTURE ENHANCEMENTS", "LATEST DEPLOYMENT", "DEPLOYMENTS"])
def test_a_date_that_looks_like_a_heading_in_capitals_is_none(words: str) -> None:
    stored = StatusDocument(deployments=(Deployment(date_text=words, pr_number=1, pr_title="x"),))
    assert parse(render(stored)) == stored


def test_malformed_front_matter_that_ends_like_a_session_begins_is_no_session() -> None:
    stored = StatusDocument(sessions=(Session(malformed_text="0\n### SESSION", prompt=None),))
    assert parse(render(stored)) == stored
