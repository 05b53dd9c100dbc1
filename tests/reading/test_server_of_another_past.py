"""A server that was set back gives numbers again: an equal number is no equal state."""

from __future__ import annotations

from pathlib import Path

import psycopg

from localfirst.client.session import Session
from localfirst.settings import load
from reading.world import call


def test_an_equal_number_with_another_tag_is_not_level_while_the_pull_fails(database_url: str, tmp_path: Path) -> None:
    settings = load(
        tmp_path,
        {
            "LOCALFIRST_DATABASE_URL": database_url,
            "LOCALFIRST_REPLICA": str(tmp_path / "replica.db"),
            "LOCALFIRST_PROJECT": "team/another-past",
        },
    )
    session = Session(settings)
    try:
        call(session, "create_vendor", name="Fir")
        assert session.link is not None
        assert session.link.sync(30) is not None
        assert call(session, "list_vendors")["data_source"] == "postgresql"
        with psycopg.connect(database_url, autocommit=True) as server:
            server.execute("UPDATE localfirst.project_heads SET tag = tag + 1")
            server.execute("ALTER TABLE localfirst.history RENAME TO history_that_cannot_be_read")
        found = call(session, "list_vendors")
        assert found["data_source"] == "sqlite_cache"
        assert "using_fallback_cache" in found["warnings"]
        assert [one["name"] for one in found["items"]] == ["Fir"]
    finally:
        session.close()
