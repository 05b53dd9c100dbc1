"""Whoever writes has a name that PostgreSQL takes: a wrong one is refused before anything is written, or made to fit."""

from __future__ import annotations

import json
from pathlib import Path

import psycopg
import pytest
from contract.agent import working
from contract.laptop import Laptop
from localfirst_schema.author import fitting_author
from localfirst_schema.errors import NotFoundError, ValidationError
from reading.world import call

from end_to_end.conftest import NewLaptop
from end_to_end.stores import replica_rows, server_rows
from localfirst.client.session import Session
from localfirst.settings import load


@pytest.mark.parametrize(
    ("name", "author"),
    [
        ("a\x00b", "ab"),
        ("\x1b[31mred\n", "[31mred"),
        ("n" * 300, "n" * 100),
        ("😀" * 101, "😀" * 100),
        ("x" * 99 + " y", "x" * 99),
        ("\x00 \t", None),
        ("", None),
    ],
)
def test_a_clients_own_name_is_made_to_fit_and_its_writes_are_accepted(
    name: str, author: str | None, new_laptop: NewLaptop, database_url: str
) -> None:
    laptop = new_laptop("a")
    with working(laptop, name) as agent:
        item = agent.call("create_work_item", item_type="task", title="x", detail="full")
        assert item["created_by"] == author
        agent.call("sync_now")
        assert agent.call("list_conflicts")["total_count"] == 0
    assert server_rows(database_url)["work_items"][item["id"]]["created_by"] == author
    assert replica_rows(laptop) == server_rows(database_url)


def test_what_no_json_can_carry_is_made_to_fit_as_well() -> None:
    assert fitting_author("a\udc80b") == "ab"


@pytest.mark.parametrize("name", ["C" * 101, "a\udcffb"])
def test_a_configured_name_that_the_server_would_refuse_is_named_before_anything_is_written(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValidationError) as refusal:
        load(tmp_path, {"LOCALFIRST_CLIENT": name})
    assert refusal.value.details["field"] == "LOCALFIRST_CLIENT"
    assert load(tmp_path, {"LOCALFIRST_CLIENT": "C" * 100}).client == "C" * 100


@pytest.mark.parametrize("setting", ["client", "project"])
def test_a_name_in_the_settings_file_is_held_to_the_same_rules(setting: str, tmp_path: Path) -> None:
    (tmp_path / ".localfirst.toml").write_text(f"{setting} = {json.dumps('a' + chr(0))}\n")
    with pytest.raises(ValidationError, match=r"must not contain the character U\+0000"):
        load(tmp_path, {})


def test_a_server_with_a_wrong_name_says_so_at_every_call(tmp_path: Path) -> None:
    with working(Laptop(tmp_path, {"LOCALFIRST_CLIENT": "C" * 101})) as agent:
        for _ in range(2):
            refusal = agent.invalid("LOCALFIRST_CLIENT", "create_work_item", item_type="task", title="x")
            assert "1 to 100 characters" in refusal.text
    assert not Laptop(tmp_path).replica.exists()


def test_an_act_is_not_begun_in_a_name_that_the_server_would_refuse(tmp_path: Path) -> None:
    session = Session(load(tmp_path, {"LOCALFIRST_REPLICA": str(tmp_path / "replica.db")}))
    for name in ("x" * 101, "a\x00", "\ud800"):
        with pytest.raises(ValidationError), session.act(name):
            pass
    assert call(session, "create_vendor", name="Alder")["version"] == 1
    session.close()


def test_a_claim_of_an_item_whose_creation_was_refused_finds_nothing(new_laptop: NewLaptop, database_url: str) -> None:
    laptop = new_laptop("a")
    with working(laptop) as agent:
        agent.call("sync_now")
    with psycopg.connect(database_url) as server:  # a rule that the door does not know
        server.execute("ALTER TABLE localfirst.work_items ADD CHECK (title <> 'unwanted')")
    session = Session(load(laptop.project, laptop.environment))
    assert session.link is not None
    try:
        item = call(session, "create_work_item", item_type="task", title="unwanted")["id"]
        with pytest.raises(NotFoundError):
            call(session, "claim_work_item", id=item, claimed_by="ann")
        with pytest.raises(NotFoundError):
            call(session, "claim_work_item", id=item, claimed_by="ann")
    finally:
        session.close()
