"""What a store says, written and read again, is what the store said."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from fuzz.round_trip import assert_round_trip
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markdown.markdown_documents import (
    HOSTILE,
    deployments,
    documents,
    enhancements,
    objects,
    plain,
    sessions,
    texts,
    vendors,
    work_items,
)

from localfirst.markdown.comment import same
from localfirst.markdown.document import Enhancement, Session, StatusDocument, Vendor
from localfirst.markdown.front_matter import read_front_matter, write_front_matter
from localfirst.markdown.write import render

slow = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


@given(documents)
@slow
def test_a_document_written_and_read_again_is_the_same(document: StatusDocument) -> None:
    assert_round_trip(document)


@pytest.mark.parametrize(
    ("section", "entries"),
    [
        ("vendors", vendors),
        ("deployments", deployments),
        ("enhancements", enhancements),
        ("sessions", sessions),
        ("work_items", work_items),
    ],
)
@given(data=st.data())
@slow
def test_an_entry_written_and_read_again_is_the_same(section: str, entries: Any, data: st.DataObject) -> None:
    sections: dict[str, Any] = {section: (data.draw(entries),)}
    assert_round_trip(StatusDocument(**sections))


@given(st.lists(st.builds(Session, date=st.dates(), prompt=texts), max_size=5).map(tuple))
@slow
def test_prompts_do_not_reach_into_each_other(found: tuple[Session, ...]) -> None:
    assert_round_trip(StatusDocument(sessions=found))


@pytest.mark.parametrize("first", HOSTILE)
def test_no_two_prompts_or_names_mix(first: str) -> None:
    for second in HOSTILE:
        prompts = (f"{first}\nx", f"a\n{second}", f"{first}\n{second}", f"{second}\nb", first, second)
        names = dict.fromkeys((f"{first}x", f"a{second}", f"{first} {second}"))
        assert_round_trip(
            StatusDocument(
                vendors=tuple(Vendor(name=name, operational=True) for name in names),
                enhancements=tuple(Enhancement(title=name, priority="high") for name in names),
                sessions=tuple(Session(date=date(2025, 1, 1), prompt=prompt) for prompt in prompts),
            )
        )


@given(objects)
@slow
def test_front_matter_written_is_read_back_or_declined(values: dict[str, Any]) -> None:
    lines = write_front_matter(values)
    if lines is not None:
        assert same(read_front_matter("\n".join(lines)).values, values)


@given(st.dictionaries(plain, st.integers(0, 10**15) | plain | st.booleans() | st.lists(plain), max_size=5))
@slow
def test_ordinary_front_matter_is_written_as_yaml(values: dict[str, Any]) -> None:
    assert write_front_matter(values) is not None


@given(plain, st.booleans())
@slow
def test_ordinary_content_needs_no_comment(name: str, operational: bool) -> None:
    support = {"excel": True, "csv": True, "pdf": False, "ocr": False}
    vendor = Vendor(
        name=name,
        operational=operational,
        test_results={"passing": 10, "total": 12, "skipped": 2},
        format_support=support,
        extractor_version="1.2.3",
    )
    status = "operational" if operational else "broken"
    expected = f"- {name}: {status} (10/12 tests passed, 2 skipped) [Excel, CSV] v1.2.3"
    assert render(StatusDocument(vendors=(vendor,))).split("\n")[3] == expected
