"""Reads a status file: `parse` takes any text and never raises.

Each section's reader says which lines its entries were read from; every other line that is not blank is kept, word
for word, with the place where it stood. So no line can be lost by not being understood.

Older and hand-kept files have blocks and tables where the format has lines: they are read where they stand, entry by entry.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

from localfirst.markdown.capitals import is_in_capitals
from localfirst.markdown.deployment import Block as DeploymentBlock
from localfirst.markdown.deployment import read_deployment
from localfirst.markdown.document import SECTIONS, Heading, Layout, Problem, SectionName, StatusDocument
from localfirst.markdown.outline import Outline, outline
from localfirst.markdown.sections.deployments import Deployments
from localfirst.markdown.sections.enhancements import Enhancements
from localfirst.markdown.sections.page import Page
from localfirst.markdown.sections.sessions import Sessions
from localfirst.markdown.sections.vendors import Vendors
from localfirst.markdown.sections.work_items import WorkItems
from localfirst.markdown.session import Block as SessionBlock
from localfirst.markdown.session import read_session
from localfirst.markdown.source import Source, split_lines
from localfirst.markdown.work_item import WorkItemLine, read_work_item


class Readers(NamedTuple):
    """How the entries that a file may have very many of are read; a caller may put a memory before them."""

    work_item: Callable[[str], WorkItemLine | None] = read_work_item
    session: Callable[[Sequence[str]], SessionBlock] = read_session
    deployment: Callable[[Sequence[str]], DeploymentBlock | None] = read_deployment


PLAIN = Readers()


def parse(text: str, readers: Readers = PLAIN) -> StatusDocument:
    """What the text says. `problems` lists what a person should look at; nothing in the text is lost."""
    source = split_lines(text)
    plan = outline(source.lines)
    page = Page(source.lines, plan)
    vendors, enhancements = Vendors(page), Enhancements(page)
    deployments = Deployments(page, readers.deployment)
    sessions = Sessions(page, readers.session)
    work_items = WorkItems(page, readers.work_item)
    for region in plan.regions:
        match region.kind:
            case "foreign":
                page.keep_whole(region)
            case "vendors":
                vendors.read(region)
            case "deployments":
                deployments.read(region)
            case "enhancements":
                enhancements.read(region)
            case "sessions":
                sessions.read(region)
            case "work_items":
                work_items.read(region)
    document = StatusDocument(
        vendors=tuple(vendors.entries),
        deployments=tuple(deployments.entries),
        enhancements=tuple(enhancements.entries),
        sessions=tuple(sessions.entries),
        work_items=tuple(work_items.entries),
        kept=tuple(sorted(page.kept, key=lambda kept: kept.line)),
        headings=tuple(plan.headings),
        layout=_layout(source, plan),
    )
    problems = [*page.problems, *_wrong_counts(document)]
    return replace(document, problems=tuple(sorted(problems, key=lambda problem: problem.line)))


def _layout(source: Source, plan: Outline) -> Layout:
    """How the file is laid out; a blank text is laid out like a new file."""
    if not any(line.strip() for line in source.lines):
        return Layout(newline=source.newline, byte_order_mark=source.byte_order_mark)
    titles = [heading.text for heading in plan.headings if heading.section is None]
    sections = dict.fromkeys(region.kind for region in plan.regions if region.kind != "foreign")
    first = {heading.section: heading for heading in reversed(plan.headings)}
    own = [heading for heading in first.values() if heading.count is None and is_in_capitals(heading.text)]
    return Layout(
        headings=tuple((heading.section, heading.text) for heading in own if heading.section is not None),
        title=titles[0] if titles else None,
        sections=tuple(sections),
        newline=source.newline,
        byte_order_mark=source.byte_order_mark,
    )


def _wrong_counts(document: StatusDocument) -> list[Problem]:
    """One problem for each section whose headings claim another number than was found."""
    claimed: dict[SectionName, list[Heading]] = {}
    for heading in document.headings:
        if heading.section is not None and heading.count is not None:
            claimed.setdefault(heading.section, []).append(heading)
    problems = []
    for section in SECTIONS:
        headings = claimed.get(section, [])
        claim = sum(heading.count or 0 for heading in headings)
        found = len(getattr(document, section))
        if headings and claim != found:
            message = f"the heading says {claim}, there are {found}"
            problems.append(Problem(line=headings[0].line, code="heading_count", message=message))
    return problems
