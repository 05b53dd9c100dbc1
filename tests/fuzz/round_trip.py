#!/usr/bin/env python3
"""Generated stores, written as status files and read again: what is read must be what was written.

    .venv/bin/python tests/fuzz/round_trip.py [--stores N] [--seed S]

Each store is a document of all kinds of entries with hostile texts (see `stores`). It is
rendered, parsed, compared entry by entry and type by type, and refreshed, which must change nothing. The first difference
ends the run with its text. Prints the number of stores, the seconds, and the seed with which the run can be repeated.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from pathlib import Path

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from fuzz.stores import StoreMaker
from localfirst.markdown.comment import same
from localfirst.markdown.document import SECTIONS, StatusDocument, accounted_lines
from localfirst.markdown.parse import parse
from localfirst.markdown.update import refresh
from localfirst.markdown.write import render


def assert_round_trip(document: StatusDocument) -> None:
    """Raises AssertionError, with the text, where the document is not read as it was written."""
    text = render(document)
    text.encode()
    read = parse(text)
    for section in SECTIONS:
        assert getattr(read, section) == getattr(document, section), text
        for one, other in zip(getattr(read, section), getattr(document, section), strict=True):
            assert same(getattr(one, "record", None), getattr(other, "record", None)), text
    assert read.kept == (), text
    assert not [problem for problem in read.problems if problem.code != "front_matter"], text
    filled = {number for number, line in enumerate(text.split("\n"), 1) if line.strip()}
    assert filled <= accounted_lines(read), text
    assert refresh(text, document) == text


def run(stores: int, seed: int) -> int:
    """Tries so many stores; returns how many entries they held."""
    maker = StoreMaker(seed)
    entries = 0
    for number in range(stores):
        document = maker.document()
        entries += sum(len(getattr(document, section)) for section in SECTIONS)
        try:
            assert_round_trip(document)
        except Exception as error:
            raise AssertionError(f"store {number} of seed {seed}: {error}") from error
    return entries


def main() -> int:
    """Runs with the arguments of the command line."""
    parser = argparse.ArgumentParser(description="Generated stores, written as status files and read again.")
    parser.add_argument("--stores", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    given = parser.parse_args()
    started = time.perf_counter()
    entries = run(given.stores, given.seed)
    took = time.perf_counter() - started
    print(f"{given.stores} stores with {entries} entries, no difference; seed {given.seed}; {took:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
