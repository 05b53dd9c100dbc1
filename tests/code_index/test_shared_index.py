"""What one laptop has embedded, no other embeds again; and the server can search the team's repositories."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import apsw
import psycopg
import pytest
from daemon import daemon, token
from localfirst_schema.errors import UnavailableError
from localfirst_sync.postgres.connection import connect
from postgres import Server

from code_index.workers import repository
from localfirst.code_index.pipeline.files import index_files
from localfirst.code_index.pipeline.finish import finish
from localfirst.code_index.pipeline.plan import plan
from localfirst.code_index.pipeline.pool import Pool
from localfirst.code_index.pipeline.report import Done, Embedded
from localfirst.code_index.pipeline.vectors import embed_chunks
from localfirst.code_index.search.quantise import quantised
from localfirst.code_index.shared.server import SharedIndex, shared_index
from localfirst.code_index.shared.verified import verified
from localfirst.code_index.store.consistency import check
from localfirst.embedding.static import load
from localfirst.replica import set_aside
from localfirst.replica.connection import connect as open_file
from localfirst.replica.opening import open_replica
from localfirst.settings import Settings

REMOTE = "git@git.example:team/board.git"


class Report:
    """A run that nobody stops."""

    fetched = 0

    def should_stop(self) -> bool:
        return False

    def files_done(self, connection: apsw.Connection, done: Done) -> None:
        pass

    def chunks_queued(self, count: int) -> None:
        pass

    def chunks_done(self, connection: apsw.Connection, done: Embedded) -> None:
        self.fetched += done.fetched


class Counted:
    """The built-in model, counting the texts that it is given."""

    is_remote = True  # so that it is called here, not in a process of the pool
    model, dimensions = load().model, load().dimensions

    def __init__(self) -> None:
        self.texts = 0

    def embed(self, texts: Sequence[str]) -> Any:
        self.texts += len(texts)
        return load().embed(texts)


class Laptop:
    """A replica of the project, and a checkout of the team's repository."""

    def __init__(self, folder: Path, url: str, checkout: Callable[[Path], Path], token: str | None = None) -> None:
        """With a token `url` is a daemon's address, else PostgreSQL's own."""
        folder.mkdir()
        self.settings = Settings(
            root=folder, replica=folder / "r.sqlite3", markdown=folder / "s.md", project="team/board", client=None,
            database_url=url if token is None else None, read_from="server",
            server_url=None if token is None else url, server_token=token,
        )  # fmt: skip
        open_replica(self.settings.replica, "team/board").close()
        self.replica = open_file(self.settings.replica)
        self.checkout = checkout(folder / "checkout")
        self.provider = Counted()

    @property
    def shared(self) -> SharedIndex:
        found = shared_index(self.settings, self.replica)
        assert found is not None
        return found

    def index(self) -> Report:
        report = Report()
        with Pool(1) as pool, self.shared as shared:
            planned = plan(self.replica, self.checkout, "board")
            assert index_files(self.replica, pool, planned, report)
            assert embed_chunks(self.replica, pool, self.provider, report, shared)
            assert finish(self.replica, planned, report)
        assert check(self.replica) == []
        return report

    def publish(self) -> int:
        with self.shared as shared:
            return shared.publish(self.replica, self.checkout, "tester")

    def chunks(self) -> int:
        return int(self.replica.execute("SELECT count(*) FROM code_chunks").get)


def checked_out(folder: Path) -> Path:
    repository(folder, files=12)
    for arguments in (["init", "-q"], ["remote", "add", "origin", REMOTE]):
        subprocess.run(["git", *arguments], cwd=folder, check=True)
    return folder


@pytest.fixture(params=["direct", "daemon"])
def laptop(request: pytest.FixtureRequest, tmp_path: Path, database_url: str) -> Iterator[Callable[[str], Laptop]]:
    """Makes laptops, which reach the server in one way or the other."""
    made: list[Laptop] = []
    with ExitStack() as stack:
        is_direct = request.param == "direct"
        url = database_url if is_direct else stack.enter_context(daemon(database_url))
        secret = None if is_direct else token(database_url, "team/board")

        def make(name: str) -> Laptop:
            made.append(Laptop(tmp_path / name, url, checked_out, secret))
            return made[-1]

        yield make
        for one in made:
            one.replica.close()


def server_rows(url: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as server:
        return server.execute(query.encode()).fetchall()


def test_a_second_laptop_embeds_nothing_that_the_first_has_embedded(laptop: Callable[[str], Laptop], database_url: str) -> None:
    ann, bob = laptop("ann"), laptop("bob")
    ann.index()
    assert ann.provider.texts == ann.chunks() > 12
    assert ann.publish() == 12
    report = bob.index()
    assert bob.chunks() == ann.chunks()
    assert (bob.provider.texts, report.fetched) == (0, ann.chunks())
    for one in (ann, bob):
        vectors = [table for (table,) in one.replica.execute("SELECT name FROM sqlite_schema WHERE name = 'code_vectors_1'")]
        assert vectors == ["code_vectors_1"]
    assert _vectors(ann) == _vectors(bob)


def test_only_what_is_new_is_embedded_and_sent(laptop: Callable[[str], Laptop]) -> None:
    ann, bob = laptop("ann"), laptop("bob")
    ann.index()
    ann.publish()
    (bob.checkout / "new.py").write_text("def reconcile_ledger(entries):\n    return sorted(entries)\n")
    bob.index()
    assert bob.provider.texts == 1
    assert bob.publish() == 1
    assert bob.publish() == 0


def test_a_repository_whose_address_is_spelled_otherwise_is_the_same_one(
    laptop: Callable[[str], Laptop], database_url: str
) -> None:
    ann, bob = laptop("ann"), laptop("bob")
    for one, url in ((ann, "https://GitHub.com/O/N.git"), (bob, "ssh://git@ssh.github.com:443/o/n")):
        subprocess.run(["git", "remote", "set-url", "origin", url], cwd=one.checkout, check=True)
        one.index()
        one.publish()
    names = "SELECT repository FROM localfirst.code_repositories"
    assert server_rows(database_url, names) == [("github.com/o/n",)]
    # As it was published before names had keys.
    with psycopg.connect(database_url) as server:
        server.execute(
            "INSERT INTO localfirst.code_repositories (project_id, repository, name)"
            " SELECT project_id, 'github.com/O/N', name FROM localfirst.code_repositories"
        )
    ann.replica.execute("UPDATE code_repositories SET shared_key = 'github.com/O/N'")
    ann.publish()
    assert server_rows(database_url, names) == [("github.com/o/n",)]


def test_the_server_has_the_tree_that_was_published_last(laptop: Callable[[str], Laptop], database_url: str) -> None:
    ann = laptop("ann")
    ann.index()
    ann.publish()
    gone = next(ann.checkout.rglob("module_00003.py"))
    gone.unlink()
    changed = next(ann.checkout.rglob("module_00004.py"))
    changed.write_text("def only_one():\n    return 1\n")
    ann.index()
    assert ann.publish() == 1
    files = {path for (path,) in server_rows(database_url, "SELECT path FROM localfirst.code_files")}
    here = {path for (path,) in ann.replica.execute("SELECT path FROM code_files")}
    assert files == here
    places = "SELECT p.path, p.start_line, p.end_line, p.symbol, p.kind, c.chunk_hash FROM {} ORDER BY 1, 2, 3, 6"
    there = server_rows(
        database_url, places.format("localfirst.code_places p JOIN localfirst.code_chunks c USING (chunk_hash)")
    )
    mine = ann.replica.execute(
        "SELECT f.path, p.start_line, p.end_line, p.symbol, p.kind, c.chunk_hash FROM code_places p"
        " JOIN code_files f USING (file_id) JOIN code_chunks c USING (chunk_id) ORDER BY 1, 2, 3, 6"
    ).fetchall()
    assert there == mine


def test_what_an_interrupted_publication_had_sent_is_not_sent_again(
    laptop: Callable[[str], Laptop], database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from localfirst.code_index.shared import publish

    ann = laptop("ann")
    ann.index()
    monkeypatch.setattr(publish, "FILES", 5)
    whole = publish._send_files
    sent: list[Any] = []

    def cut_off(*arguments: Any) -> None:
        if len(sent) == 1:
            raise UnavailableError("the cable was pulled", cause="connection")
        sent.append(arguments)
        whole(*arguments)

    monkeypatch.setattr(publish, "_send_files", cut_off)
    with pytest.raises(UnavailableError):
        ann.publish()
    assert server_rows(database_url, "SELECT count(*) FROM localfirst.code_files") == [(5,)]
    monkeypatch.setattr(publish, "_send_files", whole)
    assert ann.publish() == 7
    assert server_rows(database_url, "SELECT count(*) FROM localfirst.code_files") == [(12,)]
    assert server_rows(database_url, "SELECT count(*) FROM localfirst.code_vectors") == [(ann.chunks(),)]


def test_without_the_server_everything_is_embedded_here_and_shared_later(
    laptop: Callable[[str], Laptop], database_url: str
) -> None:
    ann = laptop("ann")
    home = ann.settings
    is_direct = home.database_url is not None
    away = {"database_url": "postgresql://127.0.0.1:1/nowhere"} if is_direct else {"server_url": "http://127.0.0.1:1"}
    ann.settings = home._replace(**away)  # type: ignore[arg-type]  # texts
    ann.index()
    assert ann.provider.texts == ann.chunks()
    with pytest.raises(UnavailableError):
        ann.publish()
    ann.settings = home
    assert ann.publish() == 12
    assert server_rows(database_url, "SELECT count(*) FROM localfirst.code_vectors") == [(ann.chunks(),)]


def test_who_does_not_want_to_share_does_not(laptop: Callable[[str], Laptop]) -> None:
    ann = laptop("ann")
    assert shared_index(ann.settings._replace(share_code=False), ann.replica) is None
    assert shared_index(ann.settings._replace(database_url=None, server_url=None), ann.replica) is None


def test_the_server_finds_by_words_and_by_meaning(laptop: Callable[[str], Laptop], database_url: str) -> None:
    ann = laptop("ann")
    (ann.checkout / "ledger.py").write_text(
        'def reconcile_ledger(entries):\n    """Match payments with open invoices."""\n    return sorted(entries)\n'
    )
    ann.index()
    ann.publish()
    vector = quantised(load().embed(["match invoices with payments"]))[0].tobytes()
    with ann.shared as shared:
        by_words = shared.candidates(words=["reconciling", "ledgers"], model=None, vector=None)
        assert {found.path for found in by_words} == {"ledger.py"}
        assert by_words[0].text.startswith("def reconcile_ledger")
        assert (by_words[0].start_line, by_words[0].symbol, by_words[0].language) == (1, "reconcile_ledger", "python")
        near = shared.candidates(words=[], model=load().model, vector=vector)
        assert max(near, key=lambda found: found.cosine or 0).path == "ledger.py"
        assert shared.candidates(words=["ledger"], model=None, vector=None, language="go") == []
        assert shared.candidates(words=["ledger"], model=None, vector=None, repository="another") == []
        assert {found.repository for found in near} == {"git.example/team/board"}


def test_a_text_that_was_changed_under_its_hash_and_a_vector_of_another_length_are_left_out(
    laptop: Callable[[str], Laptop], database_url: str
) -> None:
    ann = laptop("ann")
    ann.index()
    ann.publish()
    with ann.shared as shared:
        (one, *rest) = shared.candidates(words=["account"], model=None, vector=None)
        others = {found.chunk_hash for found in rest} - {one.chunk_hash}
        assert others
        with psycopg.connect(database_url, autocommit=True) as server:
            change = "UPDATE localfirst.code_chunks SET text = 'account = 1  # run me' WHERE chunk_hash = %s"
            server.execute(change, (one.chunk_hash,))
            server.execute(
                "UPDATE localfirst.code_vectors SET embedding = embedding || '\\x01' WHERE chunk_hash = %s", (one.chunk_hash,)
            )
            if server.execute("SELECT to_regtype('halfvec') IS NOT NULL").fetchone() == (True,):
                server.execute(
                    "UPDATE localfirst.code_vectors SET searchable = '[1,2,3]' WHERE chunk_hash = %s", (one.chunk_hash,)
                )
        vector = quantised(load().embed(["the balance of an account"]))[0].tobytes()
        found = verified(ann.replica, shared.candidates(words=["account"], model=load().model, vector=vector))
    assert one.chunk_hash not in {sound.chunk_hash for sound in found}
    assert others <= {sound.chunk_hash for sound in found}
    assert [reported["id"] for reported in set_aside.summary(ann.replica)["first"]] == [one.chunk_hash.hex()]
    with psycopg.connect(database_url, autocommit=True) as server:
        server.execute("UPDATE localfirst.code_chunks SET text = %s WHERE chunk_hash = %s", (one.text, one.chunk_hash))
    with ann.shared as shared:
        again = verified(ann.replica, shared.candidates(words=["account"], model=None, vector=None))
    assert one.chunk_hash in {sound.chunk_hash for sound in again}
    assert set_aside.summary(ann.replica)["count"] == 0


def test_many_vectors_get_a_graph_that_the_search_uses(
    laptop: Callable[[str], Laptop], database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from localfirst_sync.postgres import code_set

    monkeypatch.setattr(code_set, "INDEX_FROM", 10)
    ann = laptop("ann")
    ann.index()
    ann.publish()
    connection = connect(database_url)
    assert code_set.ensure_vector_index(connection, load().model)
    connection.close()
    indexes = "SELECT indexdef FROM pg_indexes WHERE schemaname = 'localfirst' AND indexdef LIKE '%hnsw%'"
    assert "halfvec(256)" in server_rows(database_url, indexes)[0][0]
    vector = quantised(load().embed(["the balance of an account"]))[0].tobytes()
    with ann.shared as shared:
        assert shared.candidates(words=[], model=load().model, vector=vector)


def test_without_pgvector_all_but_the_search_by_meaning_works(
    postgres_server: Server, laptop: Callable[[str], Laptop], database_url: str
) -> None:
    with psycopg.connect(database_url, autocommit=True) as server:
        server.execute("ALTER TABLE localfirst.code_vectors DROP COLUMN searchable")
        server.execute("DROP EXTENSION vector")
    ann, bob = laptop("ann"), laptop("bob")
    ann.index()
    ann.publish()
    bob.index()
    assert bob.provider.texts == 0
    with ann.shared as shared:
        assert shared.candidates(words=["balance"], model=load().model, vector=bytes(256))


def test_chunks_that_no_file_holds_are_taken_away_after_a_day(laptop: Callable[[str], Laptop], database_url: str) -> None:
    ann = laptop("ann")
    ann.index()
    ann.publish()
    next(ann.checkout.rglob("module_00003.py")).unlink()
    ann.index()
    ann.publish()
    clean = "SELECT localfirst.delete_unused_code_chunks((SELECT id FROM localfirst.projects))"
    assert server_rows(database_url, clean) == [(0,)]
    with psycopg.connect(database_url) as server:
        server.execute("UPDATE localfirst.code_chunks SET first_seen = now() - interval '2 days'")
    assert server_rows(database_url, clean)[0][0] > 0
    assert server_rows(database_url, "SELECT count(*) FROM localfirst.code_vectors") == [(ann.chunks(),)]


def _vectors(laptop: Laptop) -> dict[bytes, bytes]:
    from localfirst.search.extension import ensure_loaded

    ensure_loaded(laptop.replica)
    query = "SELECT c.chunk_hash, v.embedding FROM code_chunks AS c JOIN code_vectors_1 AS v ON v.rowid = c.chunk_id"
    found: list[Any] = laptop.replica.execute(query).fetchall()
    return dict(found)
