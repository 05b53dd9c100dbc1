"""Whatever text is read: no exception, no long time, no line lost, and no hand-written line lost when it is refreshed."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown.markdown_documents import HOSTILE, documents, words

from localfirst.markdown.document import SECTIONS, StatusDocument, accounted_lines, entries
from localfirst.markdown.parse import parse
from localfirst.markdown.source import split_lines
from localfirst.markdown.update import refresh

DATA = Path(__file__).parents[1] / "data"
SAMPLE = (DATA / "project_status.md").read_text(encoding="utf-8")
OTHER_SHAPES = {shape: (DATA / shape / "project_status.md").read_text(encoding="utf-8") for shape in ("generated", "hand_kept")}

slow = settings(deadline=None)

# What the format itself says, and a document need not repeat.
OWN_WORDS = set(
    """tests test passed passing skipped priority pr vendors vendor operational broken session commit work items item
    title constitutional compliance localfirst prompt end status excel csv pdf ocr yes no true false pass fail failed
    on off null q1 q2 q3 q4
    utc gmt formats format support created parent branch target description version date deployed pull request critical
    urgent high medium low must should could nice to have task project research none name owner affected""".split()  # noqa: SIM905
)


def of_words(text: str) -> set[str]:
    return {word.lstrip("0") for word in re.findall(r"[^\W_]+", text.lower())} - {""}


def leaves(value: object) -> Iterator[str]:
    """Every key and value, at any depth."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from (key, *leaves(item))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from leaves(item)
    else:
        yield str(value)


def assert_nothing_lost(text: str) -> StatusDocument:
    """Each line is accounted for by number, and each of its words is found in what was made of that very line."""
    document = parse(text)
    lines = split_lines(text).lines
    filled = {number for number, line in enumerate(lines, 1) if line.strip()}
    assert filled <= accounted_lines(document)

    said: dict[int, set[str]] = {}
    for entry in entries(document):
        of_entry = of_words(" ".join(leaves(asdict(entry)))) | OWN_WORDS
        for first, last in entry.lines:
            for number in range(first, last + 1):
                said.setdefault(number, set()).update(of_entry)
    for kept in document.kept:
        for offset, line in enumerate(kept.text.split("\n")):
            said.setdefault(kept.line + offset, set()).update(of_words(line))
    headings = {heading.line for heading in document.headings}
    for number in filled - headings:
        line = lines[number - 1]
        if re.search(r"localfirst|v[0-9]|[0-9]v|Q[1-4]|\\", line, re.IGNORECASE):
            continue  # written in one word what is said in two
        without_marker = re.sub(r"^\s*(?:[0-9]{1,3}[.)]|[-*+•])\s+(?:\[[xX]\]\s)?", "", line)
        assert of_words(without_marker) <= said[number], line
    return document


def mutated(generator: random.Random, text: str) -> str:
    """The text with a few lines and characters cut, doubled, moved, indented or replaced."""
    lines = text.split("\n")
    for _ in range(generator.randint(1, 12)):
        at = generator.randrange(len(lines))
        match generator.randrange(8):
            case 0:
                del lines[at]
            case 1:
                lines.insert(at, generator.choice(lines))
            case 2:
                lines.insert(at, generator.choice(HOSTILE))
            case 3:
                lines[at] = " " * generator.randint(1, 6) + lines[at]
            case 4:
                cut = generator.randint(0, len(lines[at]))
                lines[at] = lines[at][:cut] + generator.choice(HOSTILE) + lines[at][cut:]
            case 5:
                lines[at] = lines[at][: generator.randint(0, len(lines[at]))]
            case 6:
                other = generator.randrange(len(lines))
                lines[at], lines[other] = lines[other], lines[at]
            case _:
                end = at + generator.randint(1, 30)
                lines[at:at] = lines[at:end]
        lines = lines or [""]
    return generator.choice(["\n", "\n", "\r\n"]).join(lines)


@pytest.mark.parametrize("seed", range(8))
def test_a_mutated_sample_loses_no_line(seed: int) -> None:
    generator = random.Random(seed)
    for _ in range(40):
        assert_nothing_lost(mutated(generator, SAMPLE))


@pytest.mark.parametrize("shape", OTHER_SHAPES)
def test_a_mutated_file_of_another_shape_loses_no_line(shape: str) -> None:
    generator = random.Random(shape)
    assert_nothing_lost(OTHER_SHAPES[shape])
    for _ in range(80):
        assert_nothing_lost(mutated(generator, OTHER_SHAPES[shape]))


@pytest.mark.parametrize("seed", range(4))
def test_random_bytes_are_read_without_an_exception(seed: int) -> None:
    generator = random.Random(seed)
    for _ in range(300):
        text = generator.randbytes(generator.randint(0, 3000)).decode("latin-1")
        document = parse(text)
        filled = {number for number, line in enumerate(split_lines(text).lines, 1) if line.strip()}
        assert filled <= accounted_lines(document)


@given(st.lists(words | st.sampled_from(SAMPLE.split("\n")), max_size=30).map("\n".join))
@slow
def test_lines_in_any_mixture_are_accounted_for(text: str) -> None:
    document = parse(text)
    filled = {number for number, line in enumerate(split_lines(text).lines, 1) if line.strip()}
    assert filled <= accounted_lines(document)
    assert_refreshed(text, document)


def kept_lines(document: StatusDocument) -> set[str]:
    return {line.strip() for kept in document.kept for line in kept.text.split("\n") if line.strip()}


def assert_refreshed(text: str, document: StatusDocument) -> None:
    refreshed = refresh(text, document)
    read = parse(refreshed)
    for section in SECTIONS:
        if section != "sessions":
            assert getattr(read, section) == getattr(document, section), refreshed
    prompts = [(session.date, session.prompt) for session in read.sessions]
    for session in document.sessions:
        assert (session.date, session.prompt) in prompts
    there = kept_lines(read)
    for line in kept_lines(parse(text)):
        assert line in there or f"> {line}" in there or any(line in other for other in there), line
    assert refresh(refreshed, document) == refreshed


@given(st.lists(words | st.sampled_from(SAMPLE.split("\n")), max_size=30).map("\n".join), documents)
@slow
def test_refreshing_any_text_says_what_the_store_says_and_keeps_what_was_kept(text: str, document: StatusDocument) -> None:
    assert_refreshed(text, document)


@pytest.mark.parametrize("seed", range(4))
def test_refreshing_a_mutated_sample_keeps_what_was_kept(seed: int) -> None:
    generator = random.Random(seed)
    document = parse(SAMPLE)
    for _ in range(15):
        assert_refreshed(mutated(generator, SAMPLE), document)


SIZE = 200_000
LARGE = {
    "blanks": " " * SIZE,
    "blank lines": "\n" * SIZE,
    "colons": "## Vendors\n- " + ": " * (SIZE // 2),
    "wide colons": "## Vendors\n- a:" + " " * SIZE + "x",
    "open brackets": "## Vendors\n- a: broken " + "[(" * (SIZE // 2),
    "wide tests": "## Vendors\n- a: broken (1/2" + " " * SIZE + "x",
    "wide heading": "## Vendors" + " " * SIZE + "(1" + " " * SIZE + "x",
    "priorities": "## Enhancements\n- a " + "(Priority: " * (SIZE // 11),
    "wide priority": "## Enhancements\n- a (" + " " * SIZE + "priority",
    "statuses": "## Work Items\n- [task] " + "(active)" * (SIZE // 8),
    "deployments": "### 2025-01-01 - PR #1\n" * (SIZE // 23),
    "wide deployment": "### 2025-01-01 - " + "PR " * (SIZE // 3),
    "wide field": "## Deployments\n### PR #1\n- " + "a " * (SIZE // 2),
    "sessions": "### Session 2025-01-01\n---\n" * (SIZE // 27),
    "headings": "## Session Prompts (1 total)\n### Session 2025-01-01\n" + "## x\n" * (SIZE // 5),
    "fences": "\n".join("`" * (3 + n % 97) for n in range(0, SIZE // 50)),
    "languages": "```\n" + "```python\n" * (SIZE // 10),
    "long fence": "`" * SIZE + "x`",
    "markers": "<!-- localfirst: prompt -->\n" * (SIZE // 28) + "<!-- localfirst: prompt end -->",
    "comments": "## Vendors\n" + "- a: broken <!-- localfirst: " * (SIZE // 28),
    "deep json": "## Vendors\n- a: broken <!-- localfirst: " + "[" * SIZE + " -->",
    "deep json object": "## Vendors\n- a: broken <!-- localfirst: {\"metadata\": " + '{"a":' * (SIZE // 5) + " -->",
    "long number": "## Vendors\n- a: broken (1/" + "1" * SIZE + " tests) <!-- localfirst: {\"a\": " + "1" * SIZE + "} -->",
    "flow yaml": "### Session 2025-01-01\n---\na: " + "[" * 60_000 + "\n---\n",
    "nested yaml": "### Session 2025-01-01\n---\n" + "".join(" " * n + "a:\n" for n in range(330)) + "---\n",
    "quotes yaml": "### Session 2025-01-01\n---\n" + "\"" * 60_000 + "\n---\n",
    "surrogates": "### Session 2025-01-01\n---\na: \ud800\n---\n\udfff\n",
    "capitals": "LATEST DEPLOYMENT\n\n" * (SIZE // 20),
    "wide capitals": "# " + " " * SIZE + "FUTURE ENHANCEMENTS" + " " * SIZE + "x",
    "blocks": "## Vendors\n" + "### a ✅\n- **Tests**: 1/2\n" * (SIZE // 26),
    "wide block": "## Vendors\n### a" + " " * SIZE + "✅" + " " * SIZE + "x\n- **Status**:" + " " * SIZE + "y",
    "tables": "## Vendors\n" + "| a | b |\n|---|---|\n" * (SIZE // 20),
    "wide table": "## Vendors\n" + "|" * SIZE + "\n" + "|-" * (SIZE // 2) + "\n" + "|" * SIZE,
    "rules": "## Vendors\n|a\n|" + "-" * SIZE + "x\n|b",
    "levels": "## Enhancements\n- a " + "(P1, " * (SIZE // 5),
    "wide level": "## Enhancements\n- [P1] a" + " " * SIZE + "(P2" + " " * SIZE + "x",
    "times": "## Enhancements\n- [P1] a" + " - Q1" * (SIZE // 5),
    "groups": "## Enhancements\n" + "### P1\n- a\n" * (SIZE // 11),
    "labels": "## Deployments\n### x\n" + "- **Commit**: a\n" * (SIZE // 15),
    "wide label": "## Deployments\n### x\n- **PR" + " " * SIZE + "**: 7",
    "items": "## Work Items\n" + "".join(f"{' ' * (n % 40)}### t (task)\n" for n in range(SIZE // 30)),
    "stars": "## Enhancements\n- [x] " + "**a" * (SIZE // 3),
    "numbers": "## Deployments\n### PR #1\n- Tests: " + "9" * SIZE + " passed",
}  # fmt: skip


@pytest.mark.parametrize("name", LARGE)
def test_hostile_text_is_read_in_time_linear_in_its_length(name: str) -> None:
    text = LARGE[name]
    started = time.thread_time()
    document = parse(text)
    took = time.thread_time() - started
    assert took < 1.0
    filled = {number for number, line in enumerate(split_lines(text).lines, 1) if line.strip()}
    assert filled <= accounted_lines(document)
