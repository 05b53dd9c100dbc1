"""Every reading tool answers in each of the sixteen combinations of layers, and says where from."""

from __future__ import annotations

from itertools import compress, product
from pathlib import Path

import pytest
from localfirst_schema.errors import NotFoundError, UnavailableError

from reading.world import LAYERS, SOURCE, Reader, World

COMBINATIONS = [tuple(compress(LAYERS, there)) for there in product((1, 0), repeat=len(LAYERS))]
WARNINGS = {
    "postgresql": set(),
    "replica": {"database_unavailable", "using_fallback_cache"},
    "git": {"database_unavailable", "using_git_history_fallback"},
    "markdown": {"database_unavailable", "using_markdown_fallback"},
}


@pytest.mark.parametrize("present", [c for c in COMBINATIONS if c], ids="+".join)
def test_every_tool_answers_from_the_first_layer_there_is(world: World, tmp_path: Path, present: tuple[str, ...]) -> None:
    first = present[0]
    with Reader(world, world.place(tmp_path / "place", present)) as reader:
        for tool, answer in reader.answers().items():
            assert answer["data_source"] == SOURCE[first], tool
            assert set(answer["warnings"]) == WARNINGS[first], tool
        assert reader.ask("query_work_item", id=world.item)["title"] == "Mend the parser"
        assert reader.ask("list_vendors")["total_count"] == 2
        [deployment] = reader.ask("list_deployments")["items"]
        found = reader.ask("query_deployment", id=deployment["id"])
        assert (found["pr_number"], found["data_source"]) == (7, SOURCE[first])
        assert [vendor["name"] for vendor in found["affected_vendors"]] == ["Alder"]
        assert reader.ask("list_conflicts")["total_count"] == 0
        configuration = reader.ask("get_project_configuration")
        assert configuration["database_healthy"] is (first == "postgresql")
        status = reader.ask("sync_status")
        assert (status["online"], status["server"] is not None) == (first == "postgresql", True)
        with pytest.raises(NotFoundError):
            reader.ask("query_vendor_status", name="Nobody's")
        check_code(reader, present)


def check_code(reader: Reader, present: tuple[str, ...]) -> None:
    """The index and its jobs are the replica's; the team's index stands in for it, and nothing else does."""
    found = reader.code_found()
    if "replica" in present or "postgresql" in present:
        assert [one["symbol"] for one in found["results"]] == ["parse_header"]
        assert found["data_source"] == ("sqlite_cache" if "replica" in present else "postgresql")
        assert found["coverage"] == 1.0
        assert found["warnings"] == []
        assert found["index_warnings"] == ([] if "replica" in present else ["index_unavailable"])
        if "replica" not in present:
            unshared = reader.ask("search_code", query="parse header", language="rust")
            assert (unshared["results"], unshared["coverage"]) == ([], 0.0)
    else:
        assert (found["results"], found["coverage"], found["index_warnings"]) == ([], 0.0, ["index_unavailable"])
        assert found["warnings"] == ["database_unavailable", "using_markdown_fallback"]
    listed = reader.ask("list_indexing_jobs")
    if "replica" in present:
        assert [one["job_id"] for one in listed["jobs"]] == [reader.world.job]
        assert reader.ask("get_indexing_status", job_id=reader.world.job)["status"] == "completed"
    else:
        assert (listed["jobs"], listed["total_count"]) == ([], 0)
        assert listed["warnings"] != []
        with pytest.raises(UnavailableError, match="replica"):
            reader.ask("get_indexing_status", job_id=reader.world.job)


def test_with_no_layer_at_all_lists_are_empty_and_rows_unknown(world: World, tmp_path: Path) -> None:
    with Reader(world, world.place(tmp_path / "place", ())) as reader:
        questions = reader.questions()
        for tool in ("query_work_item", "get_history", "query_vendor_status"):
            with pytest.raises(UnavailableError, match="cannot be said whether this exists"):
                reader.ask(tool, **questions.pop(tool))
        for tool, arguments in questions.items():
            answer = reader.ask(tool, **arguments)
            assert not answer.get("items"), tool
            assert answer["warnings"] != [], tool
        for tool in ("list_conflicts", "get_project_configuration", "sync_status"):
            answer = reader.ask(tool)
            assert (answer["data_source"], answer["warnings"][0]) == ("markdown_file", "database_unavailable"), tool
        check_code(reader, ())
