"""A share of the long runs, with a seed of its own that stays: a failure here is of the change that is tested."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fuzz import fuzz_markdown, round_trip
from localfirst.markdown.document import StatusDocument
from localfirst.markdown.parse import parse

SEED = 2026


def test_hostile_files_lose_no_line_and_take_no_time() -> None:
    found, kinds, slowest = fuzz_markdown.run(range(4000), SEED, 10)
    assert not found, f"seed {SEED}: {found[0].words}"
    assert sum(kinds.values()) == 4400
    assert slowest < fuzz_markdown.LIMIT_S


def test_generated_stores_are_read_as_they_were_written() -> None:
    assert round_trip.run(400, SEED) > 400


def forgetful(text: str) -> StatusDocument:
    """A parser that loses the last kept text."""
    document = parse(text)
    return replace(document, kept=document.kept[:-1])


def failing(text: str) -> StatusDocument:
    raise KeyError(text)


@pytest.mark.parametrize("wrong", [forgetful, failing])
def test_the_fuzzer_finds_a_parser_that_is_wrong(monkeypatch: pytest.MonkeyPatch, wrong: object) -> None:
    monkeypatch.setattr(fuzz_markdown, "stored_documents", lambda: [StatusDocument()])
    monkeypatch.setattr(fuzz_markdown, "parse", wrong)
    found, _, _ = fuzz_markdown.run(range(50), 1, 1000)
    assert len(found) > 10


def test_an_input_is_made_again_from_its_number_and_seed() -> None:
    assert fuzz_markdown.make(17, 5) == fuzz_markdown.make(17, 5)
    assert fuzz_markdown.make(17, 5) != fuzz_markdown.make(17, 6)


@pytest.mark.parametrize("kind", range(len(fuzz_markdown.KINDS)))
def test_every_kind_of_input_is_worth_trying(kind: int) -> None:
    texts = [fuzz_markdown.make(number, 1)[0] for number in range(kind, 200, len(fuzz_markdown.KINDS))]
    assert len(set(texts)) > 30
    assert any("\n" in text for text in texts)
