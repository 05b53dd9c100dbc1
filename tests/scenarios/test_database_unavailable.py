"""Database unavailable: work goes on through an outage, reads come from what is left, and everything arrives afterwards."""

from __future__ import annotations

import psycopg
from gateway import Gateway
from reading.world import STATUS_FILE, git
from waiting import until

from scenarios.conftest import Join, NewLaptop


def test_database_unavailable(new_laptop: NewLaptop, join: Join, gateway: Gateway, database_url: str) -> None:
    laptop = new_laptop("a", gateway.url)
    agent = join(laptop)
    vendor = agent.call("create_vendor", name="Alder")
    item = agent.create("Mend the parser")
    agent.call("sync_now")
    assert agent.call("query_vendor_status", name="Alder")["data_source"] == "postgresql"

    gateway.flowing.clear()
    read = agent.call("query_vendor_status", name="Alder")
    assert read["data_source"] == "sqlite_cache"
    assert {"database_unavailable", "using_fallback_cache"} <= set(read["warnings"])
    assert read["cache_age_minutes"] < 30
    # A word that was under way when the line froze may still come after that read; then the server counts as there once more.
    until(lambda: not agent.call("sync_status")["online"], 10, "the outage is known")
    written = agent.call("update_vendor_status", name="Alder", version=vendor["version"], operational=False)
    assert (written["wrote_to_cache"], written["wrote_to_markdown"], written["pending_sync"]) == (True, True, True)
    assert written["warnings"] == ["database_unavailable"]
    assert "- Alder: broken" in (laptop.project / STATUS_FILE).read_text()
    again = agent.call("query_vendor_status", name="Alder")
    assert (again["operational"], again["version"]) == (False, 2)
    assert "pending_local_changes" in again["warnings"]
    unseen = "00000000-0000-4000-8000-000000000001"
    blind = agent.call("update_work_item", id=unseen, version=7, status="completed")
    assert (blind["partial"], blind["pending_sync"], blind.get("title")) == (True, True, None)
    kept = agent.call("query_work_item", id=unseen)
    assert (kept["partial"], kept["status"], kept["version"], kept.get("title")) == (True, "completed", 8, None)
    assert "database_unavailable" in kept["warnings"]
    status = agent.call("sync_status")
    assert (status["online"], status["pending_mutations"]) == (False, 2)

    gateway.flowing.set()
    until(lambda: agent.call("sync_status")["pending_mutations"] == 0, 15, "the queue is empty")
    with psycopg.connect(database_url) as server:
        query = "SELECT operational, version FROM localfirst.vendor_extractors WHERE name = 'Alder'"
        assert server.execute(query).fetchone() == (False, 2)
    until(
        lambda: agent.call("query_vendor_status", name="Alder")["data_source"] == "postgresql", 15, "the server answers reads"
    )
    assert agent.call("query_vendor_status", name="Alder")["operational"] is False
    [conflict] = agent.call("list_conflicts")["conflicts"]
    assert (conflict["id"], conflict["fields"]) == (unseen, ["status"]), "a change of what nobody has is not lost"
    assert agent.read(item)["version"] == 1


def test_without_database_and_replica_git_and_then_the_file_answer(new_laptop: NewLaptop, join: Join) -> None:
    laptop = new_laptop("b", "postgresql://nobody@127.0.0.1:1/nowhere")
    laptop.replica.parent.write_text("in the way")
    file = laptop.project / STATUS_FILE
    file.write_text("## Vendors (1 total)\n- Alder: operational\n")
    agent = join(laptop)
    answer = agent.call("query_vendor_status", name="Alder")
    assert answer["data_source"] == "markdown_file"
    assert answer["warnings"] == ["database_unavailable", "using_markdown_fallback"]
    git(laptop.project, "init", "-q")
    git(laptop.project, "add", STATUS_FILE)
    git(laptop.project, "commit", "-q", "-m", "status")
    file.unlink()
    answer = agent.call("query_vendor_status", name="Alder")
    assert answer["data_source"] == "git_history"
    assert answer["warnings"] == ["database_unavailable", "using_git_history_fallback"]
    assert agent.refused("create_vendor", name="Birch").kind == "UnavailableError"
