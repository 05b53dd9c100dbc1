"""Names that one forge takes for one repository have one key; Python and PostgreSQL compute the same one."""

from __future__ import annotations

import random
import unicodedata
import uuid
from typing import Any

import psycopg
import pytest
from localfirst_schema.project_key import project_key
from localfirst_sync.postgres import migrate as engine
from localfirst_sync.postgres.connection import connect
from postgres import Server

from localfirst.git.project import name_from_url

_ONE = [
    [
        "https://github.com/o/n.git", "https://GitHub.com/O/N", "git@github.com:o/N.git", "ssh://git@github.com:22/o/n",
        "https://github.com:443/o/n/", "ssh://git@ssh.github.com:443/o/n.git", "https://www.github.com/o/n",
        "https://me:secret@github.com/o/n.git/", "git://github.com/o/n.git", "[ssh.github.com:443]:o/n.git",
    ],
    ["https://gitlab.com/Group/Sub/Name.git", "git@altssh.gitlab.com:group/sub/name.git", "ssh://git@altssh.gitlab.com:443/group/sub/name"],
    ["https://me@bitbucket.org/o/n.git", "ssh://git@altssh.bitbucket.org:443/O/n.git"],
    ["https://codeberg.org/o/n", "ssh://git@codeberg.org/O/N.git"],
    [
        "git@ssh.dev.azure.com:v3/org/project/repo", "https://dev.azure.com/org/project/_git/repo",
        "https://org@dev.azure.com/Org/Project/_git/Repo", "ssh://git@ssh.dev.azure.com:22/v3/org/project/repo",
    ],
    ["https://dev.azure.com/org/_git/repo", "git@ssh.dev.azure.com:v3/org/repo/repo", "https://dev.azure.com/org/repo/_git/repo"],
    ["https://git.example.org/o/n.git", "git@git.example.org:o/n", "ssh://git@git.example.org:22/o/n.git", "https://git.example.org:443/o/n"],
]  # fmt: skip

_TWO = [
    ("https://git.example.org/o/n", "https://git.example.org/O/n"),
    ("https://git.example.org/o/n", "https://www.git.example.org/o/n"),
    ("https://git.example.org/o/n", "https://git.example.org:8443/o/n"),
    ("https://git.example.org/o/n", "ssh://git@git.example.org:443/o/n"),
    ("https://git.example.org/o/n", "ssh://git@ssh.git.example.org:443/o/n"),
    ("ssh://git@git.example.org:2222/o/n", "ssh://git@git.example.org:2223/o/n"),
    ("https://github.com/o/n", "https://github.com:8443/o/n"),
    ("https://github.com/o/n", "https://github.com.example.org/o/n"),
    ("https://github.com/o/n", "https://gist.github.com/o/n"),
    ("https://github.com/o/n", "https://gitlab.com/o/n"),
    ("https://github.com/o/n", "git@altssh.github.com:o/n"),
    ("https://github.com/o/n", "git@work:o/n"),
    ("https://dev.azure.com/org/project/_git/repo", "https://dev.azure.com/v3/org/project/repo"),
    ("https://dev.azure.com/v3/project/_git/repo", "git@ssh.dev.azure.com:v3/project/_git/repo"),
]


@pytest.mark.parametrize("urls", _ONE, ids=lambda urls: urls[0])
def test_addresses_of_one_repository_have_one_key(urls: list[str]) -> None:
    names = [name_from_url(url) for url in urls]
    assert None not in names
    assert len({project_key(name) for name in names if name}) == 1, names


@pytest.mark.parametrize(("one", "another"), _TWO)
def test_what_nobody_but_the_host_can_tell_stays_two(one: str, another: str) -> None:
    first, second = name_from_url(one), name_from_url(another)
    assert first is not None
    assert second is not None
    assert project_key(first) != project_key(second)


def test_a_name_that_is_no_address_is_its_own_key() -> None:
    for name in ("Board", "board", "team/Board", "github.com", "github.com/", "github.com/.git", " github.com/o/n", "İ/ß"):
        assert project_key(name) == name
    assert project_key("Zu\u0308rich/Board") == "Zürich/Board"


def _names(count: int) -> list[str]:
    chance = random.Random(20261130)
    hosts = [
        "github.com",
        "GITLAB.com",
        "bitbucket.org",
        "codeberg.org",
        "dev.azure.com",
        "git.example.org",
        "githubXcom",
        "work",
        "",
    ]
    before = ["", "", "www.", "ssh.", "altssh.", "SSH.", "git@", "me@www.", "a/b@", "@", "git@ssh."]
    after = ["", "", ":22", ":443", ":80", ":2222", ":", "."]
    parts = [
        "o",
        "N",
        "n.git",
        ".git",
        "v3",
        "V3",
        "_git",
        "_Git",
        "",
        "Zürich",
        "Zu\u0308rich",
        "İ",
        "ß",
        "a\nb",
        "a b",
        "%20",
        "~",
        "😀",
    ]
    names = []
    for _ in range(count):
        path = "/".join(chance.choice(parts) for _ in range(chance.randint(0, 6)))
        name = (
            chance.choice(before)
            + chance.choice(hosts)
            + chance.choice(after)
            + chance.choice(["/", "/", "", ":", "\n"])
            + path
        )
        names.append(name + chance.choice(["", "", "/", ".git", ".git/", "\n"]))
    return names


def test_postgresql_computes_the_same_key(database_url: str) -> None:
    names = _names(20_000)
    with psycopg.connect(database_url) as server:
        found = server.execute(
            "SELECT localfirst.project_key(name) FROM unnest(%s::text[]) WITH ORDINALITY AS n (name, place) ORDER BY place",
            (names,),
        ).fetchall()
    differ = [(name, key, project_key(name)) for name, (key,) in zip(names, found, strict=True) if key != project_key(name)]
    assert differ == []
    keys = {project_key(name) for name in names}
    assert len(keys) < len(set(names))
    assert any(key.startswith("github.com/") for key in keys)


def test_a_key_is_its_own_key_and_normal() -> None:
    for name in _names(20_000):
        key = project_key(name)
        assert project_key(key) == key
        assert unicodedata.is_normalized("NFC", key)


def _keys(connection: psycopg.Connection[Any]) -> dict[str, str | None]:
    """What each project is found by, by its name."""
    found: list[Any] = connection.execute("SELECT name, name_key FROM localfirst.projects").fetchall()
    return dict(found)


def test_names_that_were_two_projects_before_there_were_keys_stay_two(postgres_server: Server) -> None:
    spellings = ["github.com/O/N", "github.com/o/n", "www.github.com/o/n", "team/board"]
    ids = {name: str(uuid.uuid4()) for name in spellings}
    with postgres_server.database(template="template0") as url:
        with psycopg.connect(url, autocommit=True) as old:
            old.execute(engine._PREPARE.encode())
            for step in engine.migrations():
                if step.name == "project_key":
                    break
                old.execute(step.sql.encode())
                old.execute(
                    "INSERT INTO localfirst.schema_migrations (number, name, sha256, protocol) VALUES (%s, %s, '', %s)",
                    (step.number, step.name, step.protocol),
                )
            for name, project in ids.items():
                old.execute("INSERT INTO localfirst.projects (id, name) VALUES (%s, %s)", (project, name))
            old.execute(
                "INSERT INTO localfirst.vendor_extractors (project_id, name) VALUES (%s, 'v')", (ids["github.com/o/n"],)
            )
        connection = connect(url)
        assert engine.migrate(connection) >= 1
        found = _keys(connection)
        # The one in which more was done has the key.
        assert found == {
            "github.com/O/N": None,
            "github.com/o/n": "github.com/o/n",
            "www.github.com/o/n": None,
            "team/board": "team/board",
        }
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute("INSERT INTO localfirst.projects (id, name) VALUES (gen_random_uuid(), 'github.com:443/O/n')")
        connection.execute("UPDATE localfirst.projects SET name = 'github.com/o/other' WHERE id = %s", (ids["github.com/O/N"],))
        found = _keys(connection)
        assert found["github.com/o/other"] == "github.com/o/other"
        connection.close()
