"""A file's content as chunks: nothing lost, the right lines, and nothing that is no text."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localfirst.code_index.chunk import Chunk
from localfirst.code_index.chunking import CutFile, cut, grammar, long_lines
from localfirst.code_index.chunking.decoding import decoded
from localfirst.code_index.chunking.headings import headings
from localfirst.code_index.chunking.languages import language_of
from localfirst.code_index.chunking.partition import MAX_CHARACTERS, MAX_LINES, Cut, partition
from localfirst.code_index.skipped import Skipped, SkipRule

PACKAGES = Path(sysconfig.get_paths()["purelib"])


def chunks(path: str, text: str | bytes) -> tuple[Chunk, ...]:
    made = cut(path, text if isinstance(text, bytes) else text.encode())
    assert isinstance(made, CutFile), made
    return made.chunks


def rule(path: str, content: str | bytes) -> SkipRule | None:
    made = cut(path, content if isinstance(content, bytes) else content.encode())
    return made.rule if isinstance(made, Skipped) else None


def assert_covers(lines: list[str], made: tuple[Chunk, ...] | list[Chunk]) -> None:
    """Every line that is not blank stands in exactly one chunk, as it is in the file; a very long one by its beginning."""
    reported: list[int] = []
    for chunk in made:
        inside = lines[chunk.start_line - 1 : chunk.end_line]
        for found, line in zip(chunk.text.split("\n"), inside, strict=True):
            is_cut = len(line) > long_lines.KEPT and found[:-1] == line[: len(found) - 1] and found.endswith(long_lines.MARK)
            assert found == line or (is_cut and len(found) > long_lines.KEPT)
        assert inside[0].strip()
        assert inside[-1].strip()
        assert len(inside) <= MAX_LINES
        assert len(chunk.text) <= MAX_CHARACTERS or len(inside) == 1
        reported += range(chunk.start_line, chunk.end_line + 1)
    assert reported == sorted(set(reported))
    assert {row for row, line in enumerate(lines, 1) if line.strip()} <= set(reported)


# --- nothing lost ---------------------------------------------------------------------------------------------------------


def test_every_line_of_the_installed_packages_stands_in_exactly_one_chunk() -> None:
    """All of them: LOCALFIRST_ALL_PACKAGES=1; else every thirtieth file."""
    step = 1 if os.environ.get("LOCALFIRST_ALL_PACKAGES") else 30
    files = sorted(path for path in PACKAGES.rglob("*") if path.is_file() and path.suffix not in (".so", ".pyc"))[::step]
    seen = 0
    for file in files:
        if not 0 < file.stat().st_size <= 1 << 20:
            continue
        content = file.read_bytes()
        made = cut(str(file), content)
        if isinstance(made, CutFile):
            text = decoded(content)
            assert isinstance(text, str)
            assert_covers(text.split("\n"), made.chunks)
            seen += 1
    assert seen > 100


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.sampled_from(["", "   ", "x = 1", "}", "end", "# a", "x" * 700, "word " * 30]), max_size=200),
    st.lists(
        st.builds(
            Cut,
            row=st.integers(0, 210),
            symbol=st.sampled_from([None, "A", "A.b"]),
            kind=st.sampled_from(["class", "function", "module", "block"]),
            scope=st.sampled_from([None, "A"]),
            is_definition=st.booleans(),
        ),
        max_size=30,
    ),
    st.lists(st.integers(0, 220), max_size=40),
)
def test_whatever_a_grammar_reports_no_line_is_lost_or_reported_twice(
    lines: list[str], cuts: list[Cut], softer: list[int]
) -> None:
    assert_covers(lines, partition(lines, cuts, softer, "block"))


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(["a.py", "a.ts", "a.go", "a.cpp", "a.rb", "a.md", "a.yaml", "a.sql", "a.txt", "a.json", "a.lua", "a.sh"]),
    st.lists(
        st.sampled_from(
            [
                "def ",
                "class A",
                "(",
                ")",
                "{",
                "}",
                ":",
                "\n",
                "\n    ",
                "\n\n",
                "# x",
                "//",
                "/*",
                "'",
                '"',
                "end",
                "func f",
                "=>",
                ";",
            ]
        ),
        max_size=120,
    ).map("".join),
)
def test_nothing_is_lost_of_broken_source(path: str, text: str) -> None:
    made = cut(path, text.encode())
    if isinstance(made, CutFile):
        assert_covers(text.split("\n"), made.chunks)
    else:
        assert made.rule in (SkipRule.EMPTY, SkipRule.GENERATED)


# --- size -----------------------------------------------------------------------------------------------------------------


def test_a_long_function_is_split_between_statements_and_keeps_its_name() -> None:
    body = "".join(f"    if a > {number}:\n        b({number})\n        c({number})\n" for number in range(80))
    made = chunks("a.py", f"import x\nimport y\n\ndef long(a):\n{body}")
    pieces = made[1:]
    assert {(chunk.symbol, chunk.kind) for chunk in pieces} == {("long", "function")}
    assert len(pieces) >= 3
    assert all(40 <= chunk.end_line - chunk.start_line + 1 <= MAX_LINES for chunk in pieces[:-1])
    assert all(chunk.text.lstrip().startswith("if") for chunk in pieces[1:])


def test_a_function_inside_a_long_one_is_found_by_its_own_name() -> None:
    inner = "    def inner(a):\n" + "        a += 1\n" * 20
    made = chunks("a.py", "def outer():\n" + "    x()\n" * 50 + inner + "    y()\n" * 50)
    assert "outer.inner" in [chunk.symbol for chunk in made]
    assert {chunk.symbol for chunk in made} == {"outer", "outer.inner"}


def test_imports_and_constants_are_one_chunk() -> None:
    made = chunks("a.py", "import a\nimport b\n\nA = 1\n\nB = 2\n\n\ndef f():\n    x = 1\n    y = 2\n    return x + y\n")
    assert [(chunk.start_line, chunk.end_line, chunk.symbol) for chunk in made] == [(1, 6, None), (9, 12, "f")]


def test_a_class_has_its_header_as_a_chunk_and_each_method_one() -> None:
    method = "    def {}(self):\n        a = 1\n        b = 2\n        return a + b\n\n"
    source = '@decorated\nclass A(Base):\n    """Says what."""\n\n    x: int = 1\n\n' + "".join(
        method.format(name) for name in "pqr"
    )
    made = chunks("a.py", source)
    assert [(chunk.start_line, chunk.end_line, chunk.kind, chunk.symbol) for chunk in made] == [
        (1, 5, "class", "A"),
        (7, 10, "method", "A.p"),
        (12, 15, "method", "A.q"),
        (17, 20, "method", "A.r"),
    ]


def test_comments_and_decorators_belong_to_what_follows() -> None:
    source = "import a\nimport b\n\n# About f.\n# More.\n@once\ndef f():\n    x = 1\n    y = 2\n    return x\n"
    assert [(chunk.start_line, chunk.end_line, chunk.symbol) for chunk in chunks("a.py", source)] == [
        (1, 2, None),
        (4, 10, "f"),
    ]


def test_a_long_value_is_found_by_its_name() -> None:
    source = "TABLE = {\n" + "    'a': 1,\n" * 10 + "}\n"
    assert [(chunk.symbol, chunk.kind) for chunk in chunks("a.py", source)] == [("TABLE", "constant")]


def test_sections_of_prose_are_named_by_the_headings_above() -> None:
    text = (
        "Intro.\nMore.\n\n# Install\nText.\nText.\nText.\n\n"
        "## From source\n```sh\n# not a heading\nmake\nmake\n```\n\nUsage\n=====\nRun.\nRun.\nRun.\n"
    )
    assert [(chunk.start_line, chunk.symbol) for chunk in chunks("a.md", text)] == [
        (1, None),
        (4, "Install"),
        (9, "Install > From source"),
        (16, "Usage"),
    ]


def test_a_language_without_a_grammar_is_cut_at_paragraphs() -> None:
    text = "\n".join(f"start {number}\n" + "  more\n" * 8 for number in range(30))
    made = chunks("a.unknown", text)
    assert {chunk.kind for chunk in made} == {"text"}
    made = chunks("a.csv", text)
    assert {chunk.kind for chunk in made} == {"lines"}
    assert all(chunk.text.startswith("start") for chunk in made)


# --- encodings and line ends ----------------------------------------------------------------------------------------------

SOURCE = "# Grüße\n\n\ndef f():\n    a = 1\n    b = 2\n    return 'é'\n"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1", "utf-32"])
def test_encodings_and_line_ends_give_the_same_chunks(encoding: str, end: str) -> None:
    assert chunks("a.py", SOURCE.replace("\n", end).encode(encoding)) == chunks("a.py", SOURCE)


def test_only_line_feeds_count_lines() -> None:
    source = "x = '\u2028 \x0c \x85'\ndef f():\n    a = 1\n    b = 2\n    return a\n"
    assert chunks("a.py", source)[-1].end_line == 5


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"text\0text", SkipRule.BINARY),
        (bytes(range(1, 256)) * 20, SkipRule.UNDECODABLE),
        ("日本語".encode("shift_jis") * 50, SkipRule.UNDECODABLE),
        (b"\xff\xfe\x00\xd8a\x00", SkipRule.UNDECODABLE),
        (b"\n \n\t\n", SkipRule.EMPTY),
        (b"\n-----BEGIN RSA PRIVATE KEY-----\nabc\n", SkipRule.SECRET),
    ],
)
def test_what_is_no_text_is_left_out(content: bytes, expected: SkipRule) -> None:
    assert rule("a.txt", content) == expected


@pytest.mark.parametrize(
    "head",
    [
        "// Code generated by protoc-gen-go. DO NOT EDIT.\n",
        "# Generated by the protocol buffer compiler.  DO NOT EDIT!\n",
        "/**\n * @generated SignedSource<<abc>>\n */\n",
        "// <auto-generated/>\n",
        "# This file is automatically generated by tool.\n",
        "# Copyright\n#\n# This file was auto-generated.\n",
        "<!-- DO NOT EDIT -->\n",
    ],
)
def test_generated_files_are_left_out(head: str) -> None:
    assert rule("a.go", head + "func a() {}\n") == SkipRule.GENERATED


@pytest.mark.parametrize(
    "head",
    [
        "# Finds files that are marked with @generated.\n",
        "def f():\n    # This file is automatically generated\n    pass\n",
        "x = '# DO NOT EDIT'\n",
        "# Keys are generated when the form is edited; do not edit them twice.\n",
        "# Do not edit the rows while a sync runs.\n",
    ],
)
def test_files_that_speak_of_generated_ones_are_not(head: str) -> None:
    assert rule("a.py", head + "x = 1\n") is None


def test_minified_code_is_left_out_and_long_paragraphs_are_not() -> None:
    assert rule("a.js", "var a=1;" * 2_000) == SkipRule.MINIFIED
    assert rule("a.js", "// licence\n" * 30 + "var a=1;" * 2_000) == SkipRule.MINIFIED
    assert rule("a.md", "A long paragraph. " * 200) is None
    assert rule("a.py", "x = 1\n" * 2_000 + f"ICON = '{'A' * 3_000}'\n") is None
    assert rule("a.js", "var a=1;" * 2_000 + "\n//# sourceMappingURL=a.js.map\n") == SkipRule.MINIFIED
    assert rule("data.csv", ("1," * 200 + "\n") * 50) == SkipRule.MINIFIED


@pytest.mark.parametrize(
    "line", ["ICON = 'data:image/png;base64," + "A" * 6_000 + "'", f"PROMPT = '{'You are a poet. ' * 400}'"]
)
@pytest.mark.parametrize("path", ["icon.py", "icon.go", "icon.rb", "icon.js", "icon.ts"])
def test_of_a_line_that_is_too_long_the_beginning_is_found_and_all_that_stands_around_it(path: str, line: str) -> None:
    text = f"{line}\nfirst = 1\nsecond = first + 1\nthird = second + 1\n"
    made = chunks(path, text)
    found = "\n".join(chunk.text for chunk in made)
    assert line[:1_000] in found
    assert "third = second + 1" in found
    assert max(map(len, found.split("\n"))) <= long_lines.KEPT + 1
    assert (made[0].start_line, made[-1].end_line) == (1, 4)


def test_a_file_that_is_one_long_value_is_found_by_its_name() -> None:
    (made,) = chunks("prompts.py", f"GREETING = '{'hello ' * 1_500}'\n")
    assert made.text.startswith("GREETING = 'hello hello")
    assert len(made.text) == long_lines.KEPT + 1


# --- hostile files --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("a.py", "(" * 200_000),
        ("a.json", "[\n" * 100_000),
        ("a.js", "a(function(){\n" * 3_000 + "})\n" * 3_000),
        ("a.html", "<div>\n" * 20_000),
        ("a.yaml", "".join(f"{' ' * level}a:\n" for level in range(800))),
        ("a.md", "\n".join("#" * (1 + number % 6) + " x" for number in range(5_000))),
        ("a.cpp", "template<" * 5_000),
    ],
)
def test_deep_nesting_ends_in_chunks(path: str, content: str) -> None:
    made = cut(path, ("a\n" * 3 + content).encode())
    if isinstance(made, CutFile):
        assert_covers(("a\n" * 3 + content).split("\n"), made.chunks)
    else:
        assert made.rule == SkipRule.MINIFIED


@pytest.mark.parametrize("path", ["a.md", "a.rst", "a.adoc", "a.org", "a.tex", "a.txt"])
@pytest.mark.parametrize("heading", ["# a", "= a", "* a", "\\section{"])
@pytest.mark.parametrize("filling", [" ", "#", " #", "[", "](", "{", "=", "*", "`"])
def test_a_heading_costs_time_linear_in_its_line(path: str, heading: str, filling: str) -> None:
    began = time.process_time()
    made = cut(path, f"{heading}{filling * 20_000}b\ntext\n".encode())
    assert isinstance(made, CutFile)
    assert time.process_time() - began < 10


def test_hashes_that_close_a_heading_are_no_part_of_it() -> None:
    cuts, _ = headings("markdown", ["# One ##  ", "", "text", "", "## C# #", "## Plain"])
    assert [one.symbol for one in cuts] == ["One", "One > C#", "One > Plain"]


def test_a_parser_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    source = "def f():\n    a = 1\n    b = 2\n    return a\n" * 200
    assert chunks("a.py", source)[0].symbol == "f"
    monkeypatch.setattr(grammar, "_STEPS", 5)
    monkeypatch.setattr(grammar, "_BYTES_PER_STEP", 10**9)
    made = chunks("a.py", source)
    assert {chunk.kind for chunk in made} == {"lines"}
    monkeypatch.undo()
    assert chunks("a.py", source)[0].symbol == "f"


# --- where it runs --------------------------------------------------------------------------------------------------------

WITHOUT_NETWORK = """
import socket
def refused(*arguments, **named):
    raise AssertionError("the network was asked")
socket.socket = socket.create_connection = socket.getaddrinfo = refused
from localfirst.code_index.chunking import cut
for path in ("a.py", "a.ts", "a.go", "a.kt", "a.toml"):
    print(cut(path, b"def f():\\n    return 1\\n").language)
"""


def test_a_first_use_asks_no_network(tmp_path: Path) -> None:
    environment = os.environ | {"SEMBLE_GRAMMARS_CACHE_DIR": str(tmp_path / "cache")}
    command = [sys.executable, "-c", WITHOUT_NETWORK]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.split() == ["python", "typescript", "go", "kotlin", "toml"]
    assert done.stderr == ""
    assert len(list((tmp_path / "cache").rglob("*.so"))) + len(list((tmp_path / "cache").rglob("*.dylib"))) == 5


def test_without_a_place_for_grammars_files_are_cut_by_lines(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    environment = os.environ | {"SEMBLE_GRAMMARS_CACHE_DIR": str(tmp_path / "file" / "cache")}
    code = "from localfirst.code_index.chunking import cut; print(cut('a.py', b'def f():\\n    return 1\\n').chunks[0].kind)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.strip() == "lines"
    assert "cut by lines" in done.stderr


@pytest.mark.parametrize(
    ("path", "first_line", "language"),
    [
        ("a/B.PY", "", "python"),
        ("Dockerfile", "", "dockerfile"),
        ("run", "#!/usr/bin/env -S python3 -u", "python"),
        ("run", "#!/bin/sh", "shell"),
        ("run", "#!/usr/bin/env node", "javascript"),
        ("run", "nothing", "text"),
        ("py", "", "text"),
        ("x.h", "", "cpp"),
        ("app.d.ts", "", "typescript"),
    ],
)
def test_languages_are_reported_by_name_or_first_line(path: str, first_line: str, language: str) -> None:
    assert language_of(path, first_line) == language
