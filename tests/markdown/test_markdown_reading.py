"""Status files as people keep them: the sample, and what an editor, a system or a hand makes of it."""

from __future__ import annotations

import textwrap
from datetime import date
from pathlib import Path

import pytest
from localfirst_schema.errors import ValidationError

from localfirst.markdown.document import SECTIONS, Heading, StatusDocument, accounted_lines
from localfirst.markdown.parse import parse
from localfirst.markdown.source import read_source
from localfirst.markdown.write import render

SAMPLE = Path(__file__).parents[1] / "data" / "project_status.md"

EXAMPLE = """\
# Project Status

## Vendors (2 total)
- vendor_1: operational (10/12 tests passed, 2 skipped) [Excel, CSV] v1.2.3
- vendor_2: broken (5/10 tests passed, 0 skipped) [PDF, OCR] v2.0.1

## Deployments (1 total)
### 2025-10-01 - PR #100
- Commit: 0123456789abcdef0123456789abcdef01234567
- Work Items: #T001, #T002
- Vendors: vendor_1, vendor_2
- Tests: 45 passed, 0 failed
- Constitutional Compliance: ✓

## Future Enhancements (1 total)
- Enhancement A (Priority: High, Q1 2026)

## Session Prompts (1 total)
### Session 2025-10-01
---
session_id: sess_001
token_budget: 50000
---
Prompt content…
"""


@pytest.fixture(scope="module")
def text() -> str:
    return read_source(SAMPLE)


@pytest.fixture(scope="module")
def sample(text: str) -> StatusDocument:
    return parse(text)


def said(document: StatusDocument) -> dict[str, object]:
    return {section: getattr(document, section) for section in SECTIONS}


def test_the_example_of_the_contract_is_written_exactly_as_it_is_read() -> None:
    document = parse(EXAMPLE)
    assert render(document) == EXAMPLE
    assert not document.kept
    assert not document.problems
    deployment = document.deployments[0]
    assert deployment.deployed_on == date(2025, 10, 1)
    assert deployment.pr_number == 100
    assert deployment.work_item_refs == ("T001", "T002")
    assert deployment.vendor_names == ("vendor_1", "vendor_2")
    assert deployment.tests == {"passed": 45, "failed": 0}
    assert deployment.constitutional_compliance is True
    session = document.sessions[0]
    assert (session.session_id, session.token_budget, session.prompt) == ("sess_001", 50000, "Prompt content…")


def test_the_sample_is_read_whole(sample: StatusDocument, text: str) -> None:
    assert [len(getattr(sample, section)) for section in SECTIONS] == [45, 12, 9, 25, 0]
    filled = {number for number, line in enumerate(text.split("\n"), 1) if line.strip()}
    assert accounted_lines(sample) >= filled
    assert parse(render(sample)) == sample


def test_the_sample_s_problems_are_named_by_line(sample: StatusDocument) -> None:
    assert [(problem.line, problem.code) for problem in sample.problems] == [(5, "heading_count"), (249, "front_matter")]
    assert sample.problems[0].message == "the heading says 46, there are 45"


def test_what_the_sample_s_people_wrote_is_kept_with_its_place(sample: StatusDocument) -> None:
    kept = [(block.line, block.place, block.section, block.after) for block in sample.kept]
    assert kept == [
        (3, "outside", None, None),
        (26, "line", "vendors", "Silverline Matrix"),
        (52, "section end", "vendors", None),
        (395, "outside", "sessions", None),
    ]
    assert sample.kept[1].text.strip() == "<- waiting for the new remittance layout, see mail of Sept 12"
    assert sample.kept[3].text.startswith("## Team notes\nPager rota")


def test_odd_lines_of_the_sample_are_understood(sample: StatusDocument) -> None:
    vendors = {vendor.name: vendor for vendor in sample.vendors}
    kestrel = vendors["Kestrel of Ohio"]
    assert kestrel.operational is True
    assert kestrel.test_results == {"passing": 30, "total": 30}
    assert kestrel.format_support == {"excel": True, "csv": True, "pdf": False, "ocr": False}
    assert kestrel.extractor_version == "1.4"
    fernhill = vendors["Fernhill"]
    assert (fernhill.test_results, fernhill.format_support, fernhill.extractor_version) == (None, None, None)
    assert sample.deployments[3].commit_hash == "2080f2a"
    assert sample.deployments[3].pr_title == "Retry flaky downloads"
    assert sample.deployments[6].constitutional_compliance is False
    assert sample.enhancements[5].title == "Broker-level splits (depends on reconciliation)"
    assert sample.enhancements[6].target_quarter == "Q2 2026"
    assert sample.enhancements[8].title == "Idea without a date: vendor scorecards"
    assert sample.enhancements[8].priority is None


def test_a_heading_inside_a_prompt_stays_in_it(sample: StatusDocument) -> None:
    prompt = sample.sessions[5].prompt
    assert prompt is not None
    assert prompt.endswith(
        "## Not a heading of the file, but of the prompt\n- [ ] re-run with --strict\n"
        "```python\nprint('--- still the prompt ---')\n```"
    )


def test_malformed_front_matter_is_kept_verbatim(sample: StatusDocument) -> None:
    session = sample.sessions[9]
    assert session.front_matter is None
    assert session.malformed_text == "session_id: [sess_010\ntoken_budget: 50000"
    assert session.prompt is not None
    assert session.prompt.startswith("Bring the Harbor Care extractor")
    assert session.malformed_text in render(sample)


def test_front_matter_has_json_types(sample: StatusDocument) -> None:
    assert sample.sessions[0].front_matter == {
        "session_id": "sess_001",
        "token_budget": 20000,
        "schema_version": "1.0",
        "title": "Work on Alder Payroll",
        "vendors_affected": ["Alder Payroll", "Amber Life"],
        "estimated_total_hours": 2.5,
    }


def test_line_ends_and_byte_order_mark_do_not_matter_and_are_written_again(sample: StatusDocument, text: str) -> None:
    document = parse("\ufeff" + text.replace("\n", "\r\n"))
    assert said(document) == said(sample)
    written = render(document)
    assert written.startswith("\ufeff# Project Status\r\n")
    assert written.count("\n") == written.count("\r\n")
    assert said(parse(text.replace("\n", "\r"))) == said(sample)


@pytest.mark.parametrize("indent", ["  ", "    ", "\t", "        "])
def test_an_indented_file_says_the_same(sample: StatusDocument, text: str, indent: str) -> None:
    assert said(parse(textwrap.indent(text, indent))) == said(sample)


def test_sections_may_come_in_any_order(sample: StatusDocument, text: str) -> None:
    head, *rest = text.split("\n## ")
    sections, notes = ["## " + part for part in rest if not part.startswith(("Not a", "Team"))], "## Team notes\nx"
    sections[3] = text[text.index("## Session Prompts") : text.index("## Team notes")]
    document = parse("\n\n".join([head, *reversed(sections), notes]))
    assert said(document) == said(sample)
    assert document.layout.sections == ("sessions", "enhancements", "deployments", "vendors")
    assert parse(render(document)).layout == document.layout


def test_sections_without_counts_or_headings_are_found() -> None:
    bare = EXAMPLE.replace(" (2 total)", "").replace(" (1 total)", "")
    assert said(parse(bare)) == said(parse(EXAMPLE))
    lost = EXAMPLE.replace("## Deployments (1 total)\n", "").replace("## Session Prompts (1 total)\n", "")
    assert said(parse(lost)) == said(parse(EXAMPLE))


@pytest.mark.parametrize("section", ["Vendors (2 total)", "Deployments (1 total)", "Future Enhancements (1 total)"])
def test_a_missing_section_takes_nothing_else_with_it(section: str) -> None:
    start = EXAMPLE.index(f"## {section}")
    document = parse(EXAMPLE[:start] + EXAMPLE[EXAMPLE.index("\n## ", start) + 1 :])
    assert sum(len(getattr(document, name)) for name in SECTIONS) == 5 - int(section.split("(")[1][0])
    assert not document.kept


def test_a_wrong_count_is_a_problem_and_nothing_else() -> None:
    document = parse(EXAMPLE.replace("(2 total)", "(7 total)"))
    assert said(document) == said(parse(EXAMPLE))
    assert [problem.message for problem in document.problems] == ["the heading says 7, there are 2"]
    assert Heading(line=3, text="## Vendors (7 total)", section="vendors", count=7) in document.headings


def test_status_words_that_are_not_ours_stay_as_written() -> None:
    vendors = parse("## Vendors\n- Alder: Planned\n- **Birch**: deprecated [PDF]\n- Note: nothing here\n").vendors
    assert [(v.name, v.operational, v.status_text) for v in vendors] == [
        ("Alder", None, "Planned"),
        ("Birch", None, "deprecated"),
    ]


def test_a_second_line_of_a_vendor_is_kept() -> None:
    document = parse("## Vendors\n- Alder: operational\n- Alder: broken\n")
    assert [vendor.operational for vendor in document.vendors] == [True]
    assert [block.text for block in document.kept] == ["- Alder: broken"]
    assert [problem.code for problem in document.problems] == ["duplicate"]


def test_lines_of_a_deployment_that_say_more_are_kept() -> None:
    document = parse(
        "## Deployments\n### 2025-02-30 - PR #9\n- Commit: unknown\n- Reviewer: Ann\n- Constitutional Compliance: ✗ (waived)\n"
    )
    deployment = document.deployments[0]
    assert (deployment.deployed_on, deployment.date_text, deployment.commit_hash) == (None, "2025-02-30", None)
    assert deployment.constitutional_compliance is False
    assert sorted(block.text.strip() for block in document.kept) == ["(waived)", "- Commit: unknown\n- Reviewer: Ann"]


def test_fenced_headings_are_part_of_the_prompt_and_forgotten_fences_hide_nothing() -> None:
    fenced = EXAMPLE + "```\n## Vendors (1 total)\n- x: broken\n### Session 2025-01-01\n---\n---\n```\n"
    assert [len(getattr(parse(fenced), section)) for section in SECTIONS] == [2, 1, 1, 1, 0]
    forgotten = EXAMPLE + "```\n### Session 2025-01-01\n---\n---\nx\n"
    assert len(parse(forgotten).sessions) == 2


@pytest.mark.parametrize(
    ("front_matter", "reason"),
    [
        ("a: &x 1\nb: *x", "anchors"),
        ("a: !!python/object:os.system x", "tags"),
        ("a: 1\na: 2", "twice"),
        ("[" * 5000, ""),
        ("a: " + "[" * 40 + "]" * 40, "nested"),
        ("- a\n- b", "keys and values"),
        ("a: " + "x" * 70_000, "longer"),
    ],
)
def test_front_matter_that_could_do_harm_is_refused_and_kept(front_matter: str, reason: str) -> None:
    document = parse(f"## Session Prompts\n### Session 2025-01-01\n---\n{front_matter}\n---\nprompt\n")
    session = document.sessions[0]
    assert session.front_matter is None
    assert session.malformed_text == front_matter
    assert session.malformed is not None
    assert reason in session.malformed
    assert session.prompt == "prompt"


def test_values_of_front_matter_are_what_they_look_like() -> None:
    values = (
        parse("### Session 2025-01-01\n---\nday: 2025-01-01\nat: 1:30\nno: 010\nyes_: yes\nn: ~\nbig: 50_000\nx: 1e999\n---\n")
        .sessions[0]
        .front_matter
    )
    assert values == {
        "day": "2025-01-01", "at": "1:30", "no": "010", "yes_": True, "n": None, "big": 50000, "x": "1e999",
    }  # fmt: skip


def test_front_matter_that_is_never_closed_is_part_of_the_prompt() -> None:
    document = parse("### Session 2025-01-01\n---\nsession_id: x\nDo it.\n\n### Session 2025-01-02\n---\na: 1\n---\nb\n")
    assert [session.prompt for session in document.sessions] == ["---\nsession_id: x\nDo it.", "b"]
    assert [(problem.line, problem.code) for problem in document.problems] == [(2, "front_matter")]
    assert said(parse(render(document))) == said(document)


@pytest.mark.parametrize(
    ("content", "constraint"),
    [(b"# Project\n\0", "NUL byte (line 2)"), (b"# Project\n\n\xff", "UTF-8 (line 3"), ("ü".encode("utf-16"), "NUL")],
)
def test_a_file_that_is_no_text_is_refused(tmp_path: Path, content: bytes, constraint: str) -> None:
    path = tmp_path / "status.md"
    path.write_bytes(content)
    with pytest.raises(ValidationError) as caught:
        read_source(path)
    assert caught.value.details["field"] == "file"
    assert constraint in caught.value.details["constraint"]


def test_a_file_that_is_not_there_is_an_operating_system_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_source(tmp_path / "missing.md")
