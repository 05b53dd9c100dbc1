"""Generated status documents, as hostile as a store can hold them."""

from __future__ import annotations

from datetime import date
from typing import Any
from unicodedata import normalize

from hypothesis import strategies as st

from localfirst.markdown.document import Deployment, Enhancement, Session, StatusDocument, Vendor, WorkItem

HOSTILE = [
    "---", "```", "```python", "~~~", "````", "## Vendors (3 total)", "## Deployments", "## Team notes", "# Title",
    "### Session 2025-10-01", "### Session x", "### 2025-10-01 - PR #1", "- a: operational", "- b (Priority: High)",
    "(Priority: High, Q1 2026)", "(Q1 2026)", ": broken", "operational", "(1/2 tests passed)", "[Excel]", "v1.2",
    "<!-- localfirst: {} -->", "<!-- localfirst: prompt -->", "<!-- localfirst: prompt end -->", "# localfirst: {}",
    "<!--", "-->", "session_id: x", "key: [", "yes", "null", "1:30", "010", "2025-10-01", "PR #7", "#T1", ", ", ",",
    "\n", "\n\n", "\r\n", "\r", "\t", " ", "    ", "\u2028", "\x85", "\x0c", "\u200f", "\u202e", "\u00a0", "\ufeff", "😀",
    "**", "`", "\\", '"', "'", "(active)", "[task]", "✓", "&a *a", "> ", "...", "%YAML 1.1", "|", "{", "}", "é", "e\u0301",
]  # fmt: skip

words = st.lists(st.sampled_from(HOSTILE) | st.text(max_size=8), max_size=6).map("".join)
texts = st.text(max_size=40) | words | st.lists(words, max_size=8).map("\n".join)
names = texts.filter(bool)
plain = st.from_regex(r"[A-Z][a-z]{1,8}( [A-Z][a-z]{1,8})?", fullmatch=True)
labels = names | plain
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
objects: st.SearchStrategy[dict[str, Any]] = st.dictionaries(texts, json_values, max_size=4)
counts = st.integers(0, 500) | st.integers(0, 2**62)
days = st.dates(date(1, 1, 1))
maybe_objects: st.SearchStrategy[dict[str, Any]] = st.just({}) | objects


def optional(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """The strategy's values, and None."""
    return st.none() | strategy


vendors = st.builds(
    Vendor,
    name=labels,
    operational=optional(st.booleans()),
    status_text=optional(texts),
    test_results=optional(
        st.fixed_dictionaries({"passing": counts, "total": counts}, optional={"skipped": counts})
        | st.dictionaries(labels, counts, max_size=3)
    ),
    format_support=optional(
        st.fixed_dictionaries({name: st.booleans() for name in ("excel", "csv", "pdf", "ocr")})
        | st.dictionaries(labels, st.booleans(), max_size=3)
    ),
    extractor_version=optional(st.from_regex(r"[0-9]\.[0-9]{1,2}\.[0-9]", fullmatch=True) | texts),
    metadata=maybe_objects,
    record=maybe_objects,
)
deployments = st.builds(
    Deployment,
    deployed_on=optional(days),
    deployed_at=optional(st.just("2025-10-01T12:30:00Z") | texts),
    date_text=optional(texts),
    pr_number=optional(counts),
    pr_title=optional(labels),
    commit_hash=optional(st.just("2080f2a") | st.just("ab" * 20) | texts),
    work_item_refs=st.lists(labels, max_size=3).map(tuple),
    vendor_names=st.lists(labels, max_size=3).map(tuple),
    tests=optional(st.dictionaries(st.sampled_from(["passed", "failed", "skipped"]) | labels, counts, max_size=3)),
    constitutional_compliance=optional(st.booleans()),
    metadata=maybe_objects,
    record=maybe_objects,
)
enhancements = st.builds(
    Enhancement,
    title=labels,
    priority=optional(st.sampled_from(["high", "medium", "low", "P1", "2"]) | texts),
    target_quarter=optional(st.sampled_from(["Q1 2026", "2026-Q1"]) | texts),
    status=optional(st.sampled_from(["planned", "approved"]) | texts),
    description=optional(texts),
    requires_constitutional_principles=optional(st.booleans()),
    record=maybe_objects,
)
sessions = st.builds(
    Session,
    date=optional(days),
    date_text=st.none() | texts,
    front_matter=optional(objects | st.fixed_dictionaries({"session_id": plain, "token_budget": counts})),
    malformed_text=st.none() | st.none() | st.just("session_id: [x\ntoken_budget: 1") | texts,
    prompt=optional(texts | st.lists(plain, min_size=1, max_size=3).map("\n".join)),
    record=maybe_objects,
)
work_items = st.builds(
    WorkItem,
    title=labels,
    item_type=st.sampled_from(["project", "session", "task", "research"]) | texts,
    status=st.sampled_from(["active", "completed", "blocked"]) | texts,
    id=optional(st.uuids().map(str) | names),
    parent_id=optional(st.uuids().map(str)),
    version=optional(counts),
    branch_name=optional(texts),
    commit_hash=optional(texts),
    pr_number=optional(counts),
    metadata=maybe_objects,
    record=maybe_objects,
)


def some(strategy: st.SearchStrategy[Any], **options: Any) -> st.SearchStrategy[tuple[Any, ...]]:
    """A few values, in any order."""
    return st.lists(strategy, max_size=4, **options).map(tuple)


_documents = st.builds(
    StatusDocument,
    vendors=some(vendors, unique_by=lambda vendor: normalize("NFC", vendor.name)),
    deployments=some(deployments),
    enhancements=some(enhancements),
    sessions=some(sessions),
    work_items=some(work_items),
)


@st.composite
def _any_document(draw: st.DrawFn) -> StatusDocument:
    """Has a short name of its own: as it is built it would fill pages of a failure's report."""
    document: StatusDocument = draw(_documents)
    return document


documents = _any_document()
