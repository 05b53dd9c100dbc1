"""What the file generated from a store says, read and migrated again, is what the store said."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from localfirst_schema.values import fitting_line
from localfirst_schema.wire import Row, decode_json
from markdown.markdown_documents import documents, objects, plain, texts

from localfirst.markdown.document import StatusDocument
from localfirst.markdown.parse import parse
from localfirst.markdown.store import document_of
from localfirst.markdown.write import render
from migration.project_on_disk import SAMPLE, Project, call

SHAPES = [SAMPLE, *(SAMPLE.parent / shape / "project_status.md" for shape in ("generated", "hand_kept"))]

slow = settings(
    deadline=None,
    max_examples=50,
    suppress_health_check=list(HealthCheck),
)

storable = texts.map(lambda text: text.replace("\0", ""))
titles = (storable.map(lambda text: text[:200]) | plain).filter(bool)
names = titles.map(str.strip).filter(bool)
lines = titles.map(lambda text: fitting_line(text, "x"))
"""Titles as the door takes them."""


def clean(value: Any) -> Any:
    """The value without what no store can hold."""
    if isinstance(value, str):
        return value.replace("\0", "")
    if isinstance(value, list):
        return [clean(one) for one in value]
    if isinstance(value, dict):
        return {clean(key): clean(one) for key, one in value.items()}
    return value or 0.0 if isinstance(value, float) else value


unknown = objects.map(clean).map(lambda value: {f"x-{key}": one for key, one in value.items()})
counts = st.integers(0, 2**62)
commits = st.from_regex(r"[0-9a-f]{40}", fullmatch=True)


def metadata(**known: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Some of the known keys, and unknown ones."""
    return st.tuples(st.fixed_dictionaries({}, optional=known), unknown).map(lambda parts: parts[0] | parts[1])


vendors: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"name": names, "operational": st.booleans()},
    optional={
        "metadata": metadata(
            format_support=metadata(excel=st.booleans(), csv=st.booleans(), pdf=st.booleans(), ocr=st.booleans()),
            test_results=metadata(passing=counts, total=counts, skipped=counts),
            extractor_version=titles.map(lambda text: text[:50]),
            manifest_compliant=st.booleans(),
            notes=st.lists(storable, max_size=2) | storable,
        )
    },
)
deployments: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "metadata": metadata(
            pr_number=st.integers(1, 2**62),
            pr_title=titles,
            commit_hash=commits,
            commit_hash_as_written=storable | commits,
            test_summary=st.dictionaries(storable, counts, max_size=3),
            constitutional_compliance=st.booleans(),
            work_item_refs=st.lists(st.sampled_from(["T001", "T002", "no, title"]), max_size=2) | storable,
            vendor_names=st.just(["nobody we know"]) | storable,
        )
    },
    optional={
        "deployed_at": st.sampled_from(["2025-10-01", "2025-10-01T00:00:00.000001Z", "0001-01-01", "2025-10-01T23:59:59-05:00"])
    },
)
enhancements: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"title": lines},
    optional={
        "description": storable,
        "priority": st.sampled_from(["high", "medium", "low"]),
        "status": st.sampled_from(["planned", "approved", "implementing", "completed"]),
        "target_quarter": st.sampled_from(["Q1 2026", "Q4 0001"]),
        "requires_constitutional_principles": st.none() | st.lists(storable, max_size=2),
    },
)
front_matters = st.tuples(
    st.fixed_dictionaries(
        {},
        optional={"schema_version": storable, "session_id": storable, "token_budget": counts | storable, "title": storable},
    ),
    objects.map(clean),
).map(
    lambda parts: {
        key: value for key, value in (parts[1] | parts[0]).items() if key != "schema_version" or isinstance(value, str)
    }
)
columns = {
    "status": st.sampled_from(["active", "completed", "blocked"]),
    "branch_name": titles.map(lambda text: text[:100]),
    "commit_hash": commits,
    "pr_number": st.integers(1, 2**62),
    "created_at": st.sampled_from(["2025-10-01", "2025-10-01T12:00:00Z"]),
}
sessions: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"item_type": st.just("session"), "title": lines},
    optional={
        **columns,
        "metadata": metadata(
            token_budget=st.integers(1000, 1_000_000),
            prompts_count=counts,
            yaml_frontmatter=front_matters,
            prompt=storable,
            session_id=storable,
            frontmatter_text=storable,
            malformed_frontmatter=storable,
            date_as_written=st.none() | storable,
        ),
    },
)
tasks: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"item_type": st.sampled_from(["project", "task", "research"]), "title": lines},
    optional={**columns, "metadata": unknown},
)


@pytest.fixture(scope="module")
def empty_replica(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A replica without a row, to be copied: cheaper than making one each time."""
    project = Project(tmp_path_factory.mktemp("empty"))
    project.session().close()
    return project.replica


@pytest.fixture
def folders(empty_replica: Path) -> Iterator[Any]:
    """Makes new projects, each in a folder of its own."""
    with tempfile.TemporaryDirectory() as parent:

        def new() -> Project:
            project = Project(Path(tempfile.mkdtemp(dir=parent)))
            shutil.copy(empty_replica, project.replica)
            return project

        yield new


@slow
@given(data=st.data())
def test_store_to_text_to_store(folders: Any, data: st.DataObject) -> None:
    project: Project = folders()
    session = project.session()
    draw = data.draw
    vendor_rows = [
        call(session, "create_vendor", **one)
        for one in draw(st.lists(vendors, max_size=3, unique_by=lambda one: json.dumps(one["name"]).casefold()))
        if not _is_there(session, one["name"])
    ]
    items: list[dict[str, Any]] = []
    for one in draw(st.lists(sessions | tasks, max_size=5)):
        parents = [item for item in items if item["depth"] < 4]
        parent = draw(st.sampled_from([None, *parents])) if parents else None
        items.append(call(session, "create_work_item", **one, parent_id=parent and parent["id"]))
    for one in draw(st.lists(deployments, max_size=3)):
        ends: dict[str, Any] = {"vendor_ids": [row["id"] for row in vendor_rows if draw(st.booleans())]}
        ends["work_item_ids"] = [row["id"] for row in items if draw(st.booleans())]
        call(session, "record_deployment", **one, **ends)
    for one in draw(st.lists(enhancements, max_size=3)):
        call(session, "create_enhancement", **one)
    document = document_of(session.replica)
    session.close()
    text = render(document)
    assert_says(parse(text), document)

    copy: Project = folders()
    report = copy.migrate(text)
    assert report["success"], report["errors"]
    assert report["data_preservation_percentage"] == 100
    assert contents(copy) == contents(project), text


def _is_there(session: Any, name: str) -> bool:
    """Whether a vendor's name, normalised, is taken."""
    from localfirst_schema.errors import NotFoundError

    try:
        call(session, "query_vendor_status", name=name)
    except NotFoundError:
        return False
    return True


def assert_says(read: StatusDocument, document: StatusDocument) -> None:
    assert read.vendors == document.vendors
    assert read.deployments == document.deployments
    assert read.enhancements == document.enhancements
    assert read.sessions == document.sessions
    assert read.work_items == document.work_items
    assert read.kept == document.kept == ()


_AUDIT = {"version", "created_at", "updated_at", "created_by", "updated_by", "id", "deployment_id"}


def contents(project: Project) -> dict[str, Any]:
    """What the rows say: work items by their id, the rest by content; records and audit fields left out."""
    rows = project.rows()
    del rows["history"]
    rows["work_items"] = [row for row in rows["work_items"] if '"sha256"' not in row["metadata"]]
    result: dict[str, Any] = {row["id"]: {**_content(row), "created_at": row["created_at"]} for row in rows.pop("work_items")}
    deployments_by_id = {row["id"]: _content(row) for row in rows["deployment_events"]}
    for table, found in rows.items():
        result[table] = Counter(
            json.dumps([_content(row), deployments_by_id.get(row.get("deployment_id"))], sort_keys=True) for row in found
        )
    return result


def _content(row: Row) -> dict[str, Any]:
    content = {name: value for name, value in row.items() if name not in _AUDIT}
    for name in ("metadata", "requires_constitutional_principles"):
        if content.get(name) is not None:
            content[name] = decode_json(content[name])
    if "prompt" in (content.get("metadata") or {}) or row.get("item_type") == "session":
        # Its own layout of the front matter, which a store may hold although it says something else.
        content["metadata"].pop("frontmatter_text", None)
    return content


@slow
@given(document=documents)
def test_any_document_migrates_whole_or_is_refused_with_its_line(folders: Any, document: StatusDocument) -> None:
    project: Project = folders()
    report = project.migrate(render(document))
    if report["success"]:
        assert report["data_preservation_percentage"] == 100
        rows = project.rows()
        again = project.migrate()
        assert again["success"]
        assert again["rows_created"] == 0
        assert project.rows() == rows
    else:
        assert report["errors"][0] == "not_storable", report["errors"]
        assert report["errors"][1].startswith("line ")


@slow
@given(data=st.data())
def test_a_mangled_sample_migrates_whole(folders: Any, data: st.DataObject) -> None:
    lines = data.draw(st.sampled_from(SHAPES)).read_text().split("\n")
    for _ in range(data.draw(st.integers(1, 12))):
        at = data.draw(st.integers(0, len(lines) - 1))
        match data.draw(st.sampled_from(["drop", "repeat", "move", "insert", "indent"])):
            case "drop":
                del lines[at]
            case "repeat":
                lines.insert(at, lines[at])
            case "move":
                lines.insert(data.draw(st.integers(0, len(lines) - 1)), lines.pop(at))
            case "insert":
                lines.insert(at, data.draw(texts))
            case _:
                lines[at] = "    " + lines[at]
    project: Project = folders()
    report = project.migrate("\n".join(lines).replace("\0", ""))
    assert report["success"], report["errors"]
    assert report["data_preservation_percentage"] == 100
    rows = project.rows()
    assert project.migrate()["rows_created"] == 0
    assert project.rows() == rows


def test_a_migrated_file_is_generated_as_it_was(tmp_path: Path) -> None:
    """Apart from the order of the entries and what has no place in the format."""
    project = Project(tmp_path)
    project.migrate(SAMPLE.read_bytes())
    session = project.session()
    text = render(document_of(session.replica))
    session.close()
    generated = Counter(text.split("\n"))
    said = Counter(line for line in SAMPLE.read_text().split("\n") if line and not line.startswith("- Vendors: "))
    assert sorted((said - generated).keys()) == sorted(
        [
            "## Vendors (46 total)",
            "- Idea without a date: vendor scorecards",
            "- OCR confidence scores (Priority: Medium, 2026-Q2)",
            "-   Kestrel of Ohio :  Operational  (30 / 30 tests passed)  [excel,csv]   v1.4",
            next(line for line in said if line.startswith("- Silverline")),
            *parse(SAMPLE.read_text()).kept[0].text.split("\n"),
            *parse(SAMPLE.read_text()).kept[2].text.split("\n"),
            *parse(SAMPLE.read_text()).kept[3].text.split("\n"),
        ]
    )
