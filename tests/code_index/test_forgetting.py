"""Forgetting a repository leaves nothing of it, and everything of the others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from localfirst_schema.errors import InvalidStateError, NotFoundError, ValidationError
from waiting import until

from code_index.indexing import Indexed, module, write
from code_index.searching import FILES, Searched
from code_index.workers import no_worker_left
from localfirst.client.session import Session
from localfirst.code_index.jobs import table
from localfirst.code_index.jobs.states import JobState
from localfirst.code_index.jobs.transition import move
from localfirst.code_index.store import repositories
from localfirst.code_index.store.consistency import check
from localfirst.code_index.store.files import LARGE
from localfirst.code_index.store.forgetting import forget
from localfirst.operations.registry import BY_NAME, OPERATIONS
from localfirst.replica.connection import immediate
from localfirst.settings import Settings, load


def call(session: Session, operation: str, **arguments: Any) -> dict[str, Any]:
    found = BY_NAME[operation]
    return found.run(session, found.arguments.model_validate(arguments))


def forgotten(indexed: Indexed, root: Path) -> None:
    known = repositories.find(indexed.connection, root)
    assert known is not None
    forget(indexed.connection, known.repository_id, lambda: None)


def sizes(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir() if "-vectors-" in file.name)


@pytest.fixture
def other(tmp_path: Path) -> Path:
    other = (tmp_path / "other").resolve()
    other.mkdir()
    return other


def test_the_others_keep_what_they_share_with_it(indexed: Indexed, root: Path, other: Path) -> None:
    write(root, FILES | {"large.py": module([f"function_{number}" for number in range(LARGE + 20)])})
    write(other, {"parser.py": FILES["src/parser.py"]})
    indexed.run(other)
    before = indexed.counts()
    indexed.run(root)
    assert indexed.count("code_places") > LARGE
    forgotten(indexed, root)
    assert indexed.counts() == before
    assert check(indexed.connection) == []
    searched = Searched(indexed)
    assert set(searched.paths("parse_header")) == {"parser.py"}
    assert searched.answer("CloseConnection")["coverage"] == 1.0
    searched.close()


def test_words_of_what_was_forgotten_are_no_longer_in_the_file(indexed: Indexed, root: Path, other: Path) -> None:
    write(root, {"a.py": "def xylophonist(player):\n    return player\n"})
    write(other, {"b.py": "def violinist(player):\n    return player\n"})
    indexed.run(root)
    indexed.run(other)
    blocks = "SELECT count(*) FROM code_words_data WHERE instr(block, ?)"
    assert indexed.connection.execute(blocks, (b"xylophonist",)).get == 1
    forgotten(indexed, root)
    assert indexed.connection.execute(blocks, (b"xylophonist",)).get == 0
    assert indexed.connection.execute(blocks, (b"violinist",)).get == 1


def test_with_the_last_repository_the_index_is_as_it_began(indexed: Indexed, root: Path) -> None:
    empty = indexed.counts()
    write(root, FILES)
    indexed.run(root)
    forgotten(indexed, root)
    assert indexed.counts() == empty
    assert indexed.count("code_repositories") == 0
    assert indexed.count("code_models") == 0
    assert indexed.connection.execute("SELECT count(*) FROM sqlite_schema WHERE name LIKE 'code_vectors_%'").get == 0
    indexed.run(root)
    assert check(indexed.connection) == []
    searched = Searched(indexed)
    assert searched.symbols("parse_header")[0] == "parse_header"
    searched.close()


def published(session: Session, *roots: Path) -> None:
    for root in roots:
        call(session, "index_repository", repo_path=str(root))
    is_unpublished = "SELECT EXISTS (SELECT 1 FROM index_jobs WHERE to_publish = 1)"
    until(lambda: not session.replica.execute(is_unpublished).get, 30, "all are on the server")


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    shelf = (tmp_path / "shelf" / "dup").resolve()
    write(shelf, {"a.py": "def cellist(player):\n    return player\n"})
    return shelf


@pytest.fixture
def wall(tmp_path: Path) -> Path:
    wall = (tmp_path / "wall" / "dup").resolve()
    write(wall, {"a.py": "def violinist(player):\n    return player\n"})
    return wall


@pytest.fixture
def session(tmp_path: Path, database_url: str) -> Iterator[Session]:
    replica = tmp_path / "data" / "replica.sqlite3"
    settings: Settings = load(
        tmp_path,
        {"LOCALFIRST_REPLICA": str(replica), "LOCALFIRST_PROJECT": "team/board", "LOCALFIRST_DATABASE_URL": database_url},
    )
    opened = Session(settings)
    with no_worker_left(replica):
        yield opened
    opened.close()


def test_jobs_vector_file_and_what_only_this_replica_had_shared_go_too(
    session: Session, root: Path, other: Path, database_url: str
) -> None:
    write(root, FILES)
    write(other, {"b.py": "def violinist(player):\n    return player\n"})
    published(session, root, other)
    folder = session.settings.replica.parent
    assert call(session, "search_code", query="violinist")["results"]
    assert sizes(folder) != []
    done = call(session, "forget_index", repository=root.name)
    assert (done["files_removed"], done["jobs_removed"], done["on_server"]) == (len(FILES), 1, "removed")
    with psycopg.connect(database_url) as server:
        names = server.execute("SELECT name FROM localfirst.code_repositories").fetchall()
    assert names == [("other",)]
    assert [one["symbol"] for one in call(session, "search_code", query="violinist")["results"]] == ["violinist"]
    assert "parse_header" not in str(call(session, "search_code", query="parse_header")["results"])
    call(session, "forget_index", repository=str(other))
    assert sizes(folder) == []
    assert call(session, "list_indexing_jobs")["total_count"] == 0
    assert call(session, "search_code", query="violinist")["index_warnings"] == ["index_missing"]


def test_two_repositories_of_one_directory_name_are_two_to_the_team(session: Session, shelf: Path, wall: Path) -> None:
    published(session, shelf, wall)

    def found(query: str, **more: str) -> list[tuple[str, str]]:
        results = call(session, "search_code", query=query, scope="team", **more)["results"]
        return [(one["symbol"], one["repository"]) for one in results]

    cellist, violinist = found("cellist")[0], found("violinist")[0]
    assert (cellist[0], violinist[0]) == ("cellist", "violinist")
    assert cellist[1] != violinist[1]
    assert found("player", repo_path=str(shelf)) == [cellist]
    assert found("player", repo_path=str(wall)) == [violinist]
    assert call(session, "forget_index", repository=str(shelf))["on_server"] == "removed"
    assert found("player") == [violinist]


def test_what_two_of_one_name_had_published_together_goes_with_the_last_of_them(
    session: Session, shelf: Path, wall: Path, database_url: str
) -> None:
    published(session, shelf, wall)
    old = f"{str(session.replica.execute('SELECT replica_id FROM replica').get)[:8]}/dup"
    # As an earlier version had left it: one name and one tree for both.
    session.replica.execute("UPDATE code_repositories SET shared_key = ?", (old,))
    with psycopg.connect(database_url) as server:
        server.execute("DELETE FROM localfirst.code_repositories")
        server.execute(
            "INSERT INTO localfirst.code_repositories (project_id, repository, name)"
            " SELECT id, %s, 'dup' FROM localfirst.projects",
            (old,),
        )
    published(session, shelf)
    assert old in names_on(database_url)
    published(session, wall)
    assert old not in names_on(database_url)
    assert len(names_on(database_url)) == 2


def names_on(url: str) -> list[str]:
    with psycopg.connect(url) as server:
        return [str(name) for (name,) in server.execute("SELECT repository FROM localfirst.code_repositories")]


def test_it_is_refused_while_a_job_is_at_it_and_for_what_nobody_knows(indexed: Indexed, root: Path, other: Path) -> None:
    write(root, FILES)
    indexed.run(root)
    replica = Path(indexed.connection.filename)
    session = Session(load(replica.parent, {"LOCALFIRST_REPLICA": str(replica)}))
    with immediate(indexed.connection):
        job, _ = table.create_or_join(indexed.connection, root, root.name, force=False, estimated_seconds=1)
    with pytest.raises(InvalidStateError, match=job.job_id):
        call(session, "forget_index", repository=str(root))
    assert indexed.count("code_files") == len(FILES)
    move(indexed.connection, job.job_id, JobState.CANCELLED)
    with pytest.raises(NotFoundError, match=f"indexed are {root.name}"):
        call(session, "forget_index", repository="nobody's")
    twin = other / root.name
    write(twin, {"a.py": "x = 1\n"})
    indexed.run(twin)
    with pytest.raises(ValidationError, match="several repositories"):
        call(session, "forget_index", repository=root.name)
    assert call(session, "forget_index", repository=str(twin))["name"] == root.name
    assert call(session, "forget_index", repository=root.name)["on_server"] == "none"
    session.close()


def test_no_tool_of_an_agents_forgets() -> None:
    assert "forget_index" not in {operation.name for operation in OPERATIONS}


def test_many_small_files_that_are_deleted_at_once_all_go(indexed: Indexed, root: Path) -> None:
    write(root, {f"m{number}.py": module([f"f_{number}_{one}" for one in range(12)], 10) for number in range(150)})
    indexed.run(root)
    for file in list(root.iterdir())[:-1]:
        file.unlink()
    indexed.run(root)
    assert indexed.count("code_files") == 1


def test_it_is_forgotten_also_where_the_copy_of_the_vectors_cannot_be_taken_away(indexed: Indexed, root: Path) -> None:
    write(root, FILES)
    indexed.run(root)
    replica = Path(indexed.connection.filename)
    session = Session(load(replica.parent, {"LOCALFIRST_REPLICA": str(replica)}))
    in_the_way = replica.with_name(f"{replica.name}-vectors-odd")
    in_the_way.mkdir()  # a folder cannot be unlinked
    done = call(session, "forget_index", repository=str(root))
    assert done["success"]
    assert done["warnings"] == ["follow_up_failed"]
    assert indexed.count("code_files") == 0
    session.close()
