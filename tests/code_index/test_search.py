"""What a search of code finds, in which order, and what its answer says of itself."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from localfirst_schema.errors import ValidationError
from waiting import until

from code_index.indexing import Indexed, Record, write
from code_index.searching import FILES, Searched
from localfirst.code_index.pipeline.files import index_files
from localfirst.code_index.search import meaning


@pytest.fixture
def searched(indexed: Indexed, root: Path) -> Iterator[Searched]:
    write(root, FILES)
    indexed.run(root)
    searched = Searched(indexed)
    yield searched
    searched.close()


def test_the_definition_of_a_searched_name_comes_first_however_it_is_written(searched: Searched) -> None:
    for query in ("parse_header", "parseHeader", "ParseHeader()"):
        assert searched.symbols(query)[0] == "parse_header"
    for query in ("RetryPolicy.wait_before", "wait_before", "RetryPolicy"):
        assert searched.symbols(query)[0] == "RetryPolicy"  # a small class stands in one piece with its methods


def test_code_is_found_by_a_description_without_its_words(searched: Searched) -> None:
    assert searched.symbols("terminate the socket")[0] == "CloseConnection"


def test_a_tests_place_is_behind_the_code_that_it_tests(searched: Searched) -> None:
    paths = searched.paths("parse a header line")
    assert paths.index("src/parser.py") < paths.index("tests/test_parser.py")


def test_lines_and_content_are_those_of_the_file(searched: Searched, root: Path) -> None:
    results = searched.answer("header", full_content=True)["results"]
    assert len(results) >= 3
    for found in results:
        lines = (root / found["file_path"]).read_text().split("\n")
        assert found["content"] == "\n".join(lines[found["start_line"] - 1 : found["end_line"]])
        assert found["repository"] == root.name


def test_a_name_that_is_not_utf_8_is_displayed_with_its_bytes_written_out(indexed: Indexed, root: Path) -> None:
    Path(os.fsdecode(os.fsencode(root) + b"/caf\xe9.py")).write_text("def barista():\n    return 1\n")
    indexed.run(root)
    searched = Searched(indexed)
    assert searched.paths("barista") == ["caf\\xe9.py"]
    searched.close()


def test_a_long_function_is_displayed_by_its_best_lines_unless_all_of_it_is_asked_for(indexed: Indexed, root: Path) -> None:
    body = "".join(f"    step_{number} = {number}\n" for number in range(40))
    write(root, {"long.py": f"def long():\n{body}    reticulate_splines(step_1)\n"})
    indexed.run(root)
    searched = Searched(indexed)
    [short] = searched.answer("reticulate_splines", limit=1)["results"]
    [whole] = searched.answer("reticulate_splines", limit=1, full_content=True)["results"]
    searched.close()
    lines = (root / "long.py").read_text().split("\n")
    assert short["end_line"] - short["start_line"] < 12 < whole["end_line"] - whole["start_line"]
    assert "reticulate_splines" in short["content"]
    assert short["content"].split("\n") == lines[short["start_line"] - 1 : short["end_line"]]
    assert (short["chunk_start_line"], short["chunk_end_line"]) == (whole["start_line"], whole["end_line"])


def test_language_path_and_repository_restrict_what_is_found(searched: Searched, root: Path) -> None:
    assert set(searched.paths("header connection", language="go")) == {"net/main.go"}
    assert set(searched.paths("header connection", language="py")) == {"src/parser.py", "src/uses.py", "tests/test_parser.py"}
    assert set(searched.paths("header", path_glob="src/*.py")) == {"src/parser.py", "src/uses.py"}
    assert set(searched.paths("header", path_glob="test_*.py")) == {"tests/test_parser.py"}
    assert set(searched.paths("header", path_glob="src/")) == {"src/parser.py", "src/uses.py"}
    assert set(searched.paths("header", repo_path=str(root / "tests"))) == {"tests/test_parser.py"}
    assert "src/parser.py" in searched.paths("header", repo_path=str(root))


def test_two_repositories_are_searched_together_or_one_by_itself(indexed: Indexed, root: Path, tmp_path: Path) -> None:
    other = (tmp_path / "other").resolve()
    write(root, FILES)
    write(other, {"lib.py": "def parse_header(text):\n    return text.split(':')\n"})
    indexed.run(root)
    indexed.run(other)
    searched = Searched(indexed)
    everywhere = {found["repository"] for found in searched.answer("parse_header")["results"]}
    assert everywhere == {"repository", "other"}
    assert searched.paths("parse_header", repo_path=str(other)) == ["lib.py"]
    searched.close()


def test_a_repository_without_an_index_is_said_to_have_none(searched: Searched, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    answer = searched.answer("header", repo_path=str(empty))
    assert (answer["results"], answer["index_warnings"], answer["coverage"]) == ([], ["index_missing"], 0.0)
    with pytest.raises(ValidationError) as refused:
        searched.answer("header", repo_path=str(tmp_path / "nowhere"))
    assert refused.value.details["field"] == "repo_path"
    with pytest.raises(ValidationError):
        searched.answer("header", repo_path="relative/path")


@pytest.mark.parametrize(
    ("arguments", "field", "words"),
    [
        ({"language": "klingon"}, "language", "python"),
        ({"path_glob": "{a,b}{c,d}{e,f}{g,h}{i,j}{k,l}{m,n}"}, "path_glob", "patterns"),
        ({"repo_path": "src/parser.py"}, "repo_path", "not a directory"),
        ({"repo_path": "src/parsers"}, "repo_path", "does not exist"),
    ],
)
def test_what_nothing_can_fit_is_refused_with_what_could(
    searched: Searched, root: Path, arguments: dict[str, str], field: str, words: str
) -> None:
    if field == "repo_path":
        arguments = {"repo_path": str(root / arguments["repo_path"])}
    with pytest.raises(ValidationError, match=words) as refused:
        searched.answer("header", **arguments)
    assert refused.value.details["field"] == field


def test_braces_in_a_path_are_a_choice(searched: Searched) -> None:
    assert set(searched.paths("header connection", path_glob="{src,net}/*.{py,go}")) == {
        "src/parser.py", "src/uses.py", "net/main.go",
    }  # fmt: skip
    assert searched.paths("header", path_glob="src/{parser") == []


def test_a_language_that_is_known_and_not_there_has_no_hits(searched: Searched) -> None:
    assert searched.paths("header", language="rust") == []


def test_a_repository_whose_directory_is_gone_says_so_with_each_hit(searched: Searched, root: Path) -> None:
    shutil.rmtree(root)
    for more in ({}, {"repo_path": str(root)}, {"repo_path": str(root / "src")}):
        answer = searched.answer("parse_header", **more)
        assert answer["results"], "it answers all the same"
        assert {one["repository_gone"] for one in answer["results"]} == {True}
        assert "repository_gone" in answer["index_warnings"]
        assert answer["coverage"] < 1


def test_files_that_could_not_be_cut_are_missing_in_the_coverage(indexed: Indexed, root: Path) -> None:
    write(root, FILES)
    (root / "odd.py").write_bytes(b"x = 1\n" + bytes(range(0x80, 0xA0)) * 20 + b"\x01\x02\n")
    record = indexed.run(root)
    assert record.skipped == {"odd.py": "not text"}
    searched = Searched(indexed)
    answer = searched.answer("parse_header")
    assert (answer["coverage"], answer["index_warnings"]) == (0.9, ["index_incomplete", "files_unreadable"])
    (root / "odd.py").unlink()
    indexed.run(root)
    assert searched.answer("parse_header")["coverage"] == 1.0
    searched.close()


def test_a_file_of_two_indexed_trees_is_found_once(indexed: Indexed, root: Path) -> None:
    write(root, {f"inner/{name}": text for name, text in FILES.items()} | {"more.py": "def parse_header_too():\n    pass\n"})
    inner = root / "inner"
    indexed.run(root)
    indexed.run(inner)
    searched = Searched(indexed)
    found = searched.answer("parse header line", limit=4)["results"]
    searched.close()
    places = [(f"{one['repository_path']}/{one['file_path']}", one["chunk_start_line"]) for one in found]
    assert len(places) == len(set(places)) == 4


@pytest.mark.parametrize(
    "query", ["?!", "a", '"', "header OR", "NEAR(", "head*", "ü", "def " * 500, "\\", "the of and", "-header"]
)
def test_any_query_is_answered(searched: Searched, query: str) -> None:
    searched.answer(query)


def test_a_whole_index_has_full_coverage_and_no_warning(searched: Searched, root: Path) -> None:
    answer = searched.answer("header")
    assert (answer["coverage"], answer["index_warnings"], answer["data_source"]) == (1.0, [], "sqlite_cache")


def test_before_the_vectors_are_there_words_find_and_the_coverage_says_so(indexed: Indexed, root: Path) -> None:
    write(root, FILES)
    assert index_files(indexed.connection, indexed.pool, indexed.plan(root), Record())
    searched = Searched(indexed)
    answer = searched.answer("parse_header")
    searched.close()
    assert answer["results"][0]["symbol"] == "parse_header"
    assert answer["coverage"] < 1
    assert "index_incomplete" in answer["index_warnings"]


def test_without_the_model_words_alone_find_and_the_answer_says_so(searched: Searched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searched.engine, "provider_of_model", lambda model: None)
    answer = searched.answer("parse_header")
    assert answer["results"][0]["symbol"] == "parse_header"
    assert answer["index_warnings"] == ["searched_by_words_alone"]


def test_what_changed_in_the_tree_is_said(searched: Searched, root: Path) -> None:
    assert searched.answer("header")["files_behind"] in (0, None)
    (root / "new.py").write_text("def added():\n    pass\n")
    watch = searched.engine._watch  # the thread that counts tells when it has

    def reported() -> int | None:
        watch.behind(searched.connection, root, wait_s=0.02)
        behind: int | None = searched.answer("header")["files_behind"]
        return behind

    until(reported, 30, "a count of what has changed")
    answer = searched.answer("header")
    assert answer["files_behind"] == 1
    assert "index_behind" in answer["index_warnings"]


def test_code_that_was_deleted_or_changed_is_found_no_more_as_it_was(searched: Searched, indexed: Indexed, root: Path) -> None:
    assert searched.symbols("CloseConnection")[0] == "CloseConnection"
    (root / "net/main.go").unlink()
    (root / "src/parser.py").write_text("def split_footer(line):\n    return line.partition(';')\n")
    indexed.run(root)
    assert "net/main.go" not in searched.paths("CloseConnection")
    assert searched.symbols("split_footer")[0] == "split_footer"
    assert "RetryPolicy" not in searched.symbols("RetryPolicy")


def test_a_search_of_another_connection_finds_what_was_indexed_meanwhile(
    searched: Searched, indexed: Indexed, root: Path
) -> None:
    searched.answer("header")
    write(root, {"late.py": "def gather_mushrooms(basket):\n    basket.fill()\n"})
    indexed.run(root)
    assert searched.symbols("collect fungi in the forest basket")[0] == "gather_mushrooms"


def test_a_damaged_or_foreign_vector_file_is_made_anew(searched: Searched, indexed: Indexed) -> None:
    before = searched.answer("terminate the socket")["results"]
    [path] = [path for path in Path(indexed.connection.filename).parent.glob("*-vectors-*") if path.suffix != ".lock"]
    assert path.stat().st_mode & 0o777 == 0o600
    for content in (b"", b"nonsense" * 1000, path.read_bytes()[:-4096]):
        path.write_bytes(content)
        again = Searched(indexed)
        meaning_index = meaning.MeaningIndex(again.engine.provider_of_model)
        compared = meaning_index.compare(indexed.connection, "terminate the socket")
        assert compared is not None
        assert len(compared.ids) == indexed.count("code_chunks")
        assert again.answer("terminate the socket")["results"] == before
        again.close()
