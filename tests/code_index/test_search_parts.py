"""The parts of a search: words, queries, excerpts, paths, vectors."""

from __future__ import annotations

from contextlib import closing

import apsw
import numpy as np
import pytest

from localfirst.code_index.chunk import Chunk
from localfirst.code_index.search import meaning, quantised
from localfirst.code_index.search.excerpt import excerpt
from localfirst.code_index.search.paths import prior
from localfirst.code_index.search.query import understood
from localfirst.code_index.search.scope import as_sqlite, language_named
from localfirst.code_index.search.vector_file import VectorFile
from localfirst.code_index.words import embedding_text, parts, words_of


@pytest.mark.parametrize(
    ("identifier", "words"),
    [
        ("parseHTTPHeader", ["parsehttpheader", "parse", "http", "header"]),
        ("last_line", ["lastline", "last", "line"]),
        ("__init__", ["init"]),
        ("sha256", ["sha256", "sha", "256"]),
        ("größe", ["größe"]),
        ("a" * 65, []),
    ],
)
def test_an_identifier_is_found_whole_and_in_its_parts(identifier: str, words: list[str]) -> None:
    assert parts(identifier) == words


def test_a_chunks_words_are_those_of_symbol_path_and_text() -> None:
    words = words_of("src/http_client.py", Chunk(1, 1, "return self.sendAll(data)", "Client.send", "method"))
    assert words == ("client send", "src httpclient http client py", "return self sendall send all data")


def test_what_is_embedded_depends_on_symbol_and_text_alone() -> None:
    assert embedding_text(Chunk(5, 6, "x = 1", "A.b", "method")) == embedding_text(Chunk(9, 9, "x = 1", "A.b", "lines"))
    assert embedding_text(Chunk(5, 6, "x = 1")) != embedding_text(Chunk(5, 6, "x = 1", "A.b"))


def test_a_question_loses_words_that_every_text_has_unless_there_is_nothing_else() -> None:
    assert understood("how do we parse the header").terms == ("parse", "header")
    assert understood("what is it").terms == ("what", "is", "it")
    assert understood("!?").terms == ()


@pytest.mark.parametrize(
    ("query", "symbol"),
    [
        ("parse_header", ("parseheader",)),
        ("Parser::parseHeader()", ("parser", "parseheader")),
        ("a.b->c", ("a", "b", "c")),
        ("parse the header", ()),
        ("x = y", ()),
    ],
)
def test_a_query_that_is_one_name_is_a_symbol(query: str, symbol: tuple[str, ...]) -> None:
    assert understood(query).symbol == symbol


def test_an_excerpt_is_the_beginning_unless_other_lines_hold_more_of_the_query() -> None:
    text = "\n".join(["def f():", *(f"    line_{number}()" for number in range(30)), "    wanted_thing(other)"])
    assert excerpt(text, 10, frozenset({"nothing"})).start_line == 10
    found = excerpt(text, 10, frozenset({"wanted", "thing", "other"}))
    assert found.text.endswith("wanted_thing(other)")
    assert found.end_line == 10 + 31
    assert found.text.split("\n") == text.split("\n")[found.start_line - 10 : found.end_line - 9]


def test_an_endless_line_is_cut() -> None:
    assert len(excerpt("x" * 100_000, 1, frozenset()).text) <= 1_200


@pytest.mark.parametrize(
    "path", ["tests/a.py", "src/a_test.go", "pkg/FooTest.java", "web/a.spec.ts", "examples/a.py", "vendor/x/a.go"]
)
def test_tests_examples_and_vendored_code_count_less(path: str) -> None:
    assert prior(path, False) < prior("src/a.py", False) == 1.0


def test_a_query_about_tests_finds_them_undiminished() -> None:
    assert prior("tests/a.py", True) == 1.0
    assert understood("test for the parser").about_tests


def test_globs_are_those_of_a_shell() -> None:
    assert as_sqlite("*.py") == ["*.py", "*/*.py"]
    assert as_sqlite("src/**/*.py") == ["src/*.py"]  # SQLite's * crosses /
    assert as_sqlite("docs/") == ["docs/*"]


@pytest.mark.parametrize(
    ("glob", "path"),
    [
        (r"\[x\]*.py", "[x]y.py"),
        ("[[]x]*.py", "[x]y.py"),
        (r"app/\[id\]/", "app/[id]/page.ts"),
        (r"\**", "*.py"),
        (r"a\\?", r"a\b"),
    ],
)
def test_characters_that_mean_something_in_a_glob_can_be_escaped(glob: str, path: str) -> None:
    with closing(apsw.Connection(":memory:")) as store:
        found = [bool(store.execute("SELECT ? GLOB ?", (path, pattern)).get) for pattern in as_sqlite(glob)]
        others = [bool(store.execute("SELECT ? GLOB ?", ("x/y.py", pattern)).get) for pattern in as_sqlite(glob)]
    assert (any(found), any(others)) == (True, False)


def test_a_language_may_be_named_by_the_ending_of_its_files() -> None:
    assert [language_named(name) for name in ("Python", "py", "ts", "golang", "C++", "c#")] == [
        "python",
        "python",
        "typescript",
        "go",
        "cpp",
        "csharp",
    ]


def test_quantised_vectors_keep_their_directions() -> None:
    vectors = np.random.default_rng(1).normal(size=(200, 256)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    small = quantised(vectors).astype(np.float32)
    small /= np.linalg.norm(small, axis=1, keepdims=True)
    assert np.abs((vectors @ vectors.T) - (small @ small.T)).max() < 0.01
    assert not quantised(np.zeros((1, 4), np.float32)).any()


def test_the_best_rows_are_compared_with_the_query_as_it_is() -> None:
    """The order among the best does not suffer from the query's rounding."""
    random = np.random.default_rng(7)
    query = random.normal(size=64).astype(np.float32)
    rows = quantised(random.normal(size=(3 * meaning.EXACT, 64)).astype(np.float32))
    matrix = VectorFile(None)
    matrix.ids = np.arange(1, len(rows) + 1)
    matrix.vectors = rows
    matrix.scales = 1 / np.linalg.norm(rows.astype(np.float32), axis=1)
    exact = rows.astype(np.float32) @ query * matrix.scales / np.linalg.norm(query)
    found = meaning.cosines(query, matrix)
    best = np.argsort(exact)[-100:]
    np.testing.assert_allclose(found[best], exact[best], rtol=1e-5)
    np.testing.assert_allclose(found, exact, atol=0.02)
    assert np.abs(found - exact).max() > 1e-4  # the others are good enough as they are
