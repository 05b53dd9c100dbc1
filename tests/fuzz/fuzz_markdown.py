#!/usr/bin/env python3
"""Hostile status files: no exception, nothing slower than a second, no line lost.

    .venv/bin/python tests/fuzz/fuzz_markdown.py [--inputs N] [--seed S] [--workers W] [--refresh-every K]

Each input is made from its own number and the seed, so that every one can be made again (`--only NUMBER`): random bytes,
random characters, spliced lines of real files of all three shapes (see `tests/data`) and of hostile ones, and real files with
lines and characters cut, doubled, moved, indented or replaced.

Every input is parsed; each of its lines that is not blank must be an entry's, kept word for word, or a heading. Every K-th
input is also refreshed with what a store says: the store's entries must be read again, every kept line must still be there,
and a second refresh must change nothing.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from markdown.markdown_documents import HOSTILE

from fuzz.hostile_lines import MORE_HOSTILE
from localfirst.markdown.document import SECTIONS, StatusDocument, accounted_lines
from localfirst.markdown.parse import parse
from localfirst.markdown.source import split_lines
from localfirst.markdown.update import refresh

DATA = Path(__file__).parents[1] / "data"
FILES = [
    (DATA / name).read_text(encoding="utf-8")
    for name in ("project_status.md", "generated/project_status.md", "hand_kept/project_status.md")
]
LINES = [line for text in FILES for line in text.split("\n")]

LIMIT_S = 1.0


class Found(NamedTuple):
    """What is wrong with one input."""

    number: int
    kind: str
    words: str


def random_bytes(generator: random.Random) -> str:
    """Bytes of any value, read as characters of one byte, or as UTF-8 as far as they are."""
    data = generator.randbytes(generator.randint(0, 400))
    return data.decode("latin-1") if generator.random() < 0.5 else data.decode("utf-8", "ignore")


def random_characters(generator: random.Random) -> str:
    """Characters that the format uses, in any order."""
    alphabet = "#-*|`>[]():_~ \t\n\r\\/\"'<!=.,0123456789abPRvQZéß✅️🚧\u2028\u200f\ud800"
    return "".join(generator.choices(alphabet, k=generator.randint(0, 300)))


def spliced(generator: random.Random) -> str:
    """Lines of the files and hostile ones, some joined."""
    parts = []
    for _ in range(generator.randint(1, 25)):
        line = (
            generator.choice(LINES) if generator.random() < 0.6 else generator.choice(generator.choice((HOSTILE, MORE_HOSTILE)))
        )
        parts.append(line)
        parts.append("\n" if generator.random() < 0.85 else "")
    return "".join(parts)


def mutated(generator: random.Random) -> str:
    """A stretch of a file with a few changes."""
    lines = generator.choice(FILES).split("\n")
    start = generator.randrange(len(lines))
    lines = lines[start : start + generator.randint(3, 40)]
    for _ in range(generator.randint(1, 8)):
        at = generator.randrange(len(lines))
        line = lines[at]
        match generator.randrange(8):
            case 0 if len(lines) > 1:
                del lines[at]
            case 1:
                lines.insert(at, generator.choice(lines))
            case 2:
                lines.insert(at, generator.choice(generator.choice((HOSTILE, MORE_HOSTILE, LINES))))
            case 3:
                lines[at] = " " * generator.randint(1, 6) + line
            case 4:
                cut = generator.randint(0, len(line))
                lines[at] = line[:cut] + generator.choice(generator.choice((HOSTILE, MORE_HOSTILE))) + line[cut:]
            case 5:
                lines[at] = line[: generator.randint(0, len(line))]
            case 6:
                other = generator.randrange(len(lines))
                lines[at], lines[other] = lines[other], lines[at]
            case _ if line:
                spot = generator.randrange(len(line))
                lines[at] = (
                    line[:spot]
                    + chr(generator.choice((generator.randrange(128), generator.randrange(0x3000))))
                    + line[spot + 1 :]
                )
            case _:
                pass
    return generator.choice(("\n", "\n", "\n", "\r\n", "\r", "\r\r\n")).join(lines)


KINDS: tuple[Callable[[random.Random], str], ...] = (random_bytes, random_characters, spliced, mutated, mutated)


def make(number: int, seed: int) -> tuple[str, str]:
    """The input of a number, and what kind it is."""
    generator = random.Random(f"{seed}/{number}")
    kind = KINDS[number % len(KINDS)]
    return kind(generator), kind.__name__


def kept_lines(document: StatusDocument) -> Counter[str]:
    """The kept lines that are not blank, without the blanks around them."""
    return Counter(line.strip() for kept in document.kept for line in kept.text.split("\n") if line.strip())


def check_parse(text: str) -> StatusDocument:
    """Raises AssertionError where a line is lost."""
    document = parse(text)
    lines = split_lines(text).lines
    filled = {number for number, line in enumerate(lines, 1) if line.strip()}
    lost = filled - accounted_lines(document)
    assert not lost, f"lost lines {sorted(lost)}"
    for kept in document.kept:
        if kept.place != "line":
            there = "\n".join(lines[kept.line - 1 : kept.line + kept.text.count("\n")])
            assert kept.text == there, f"not kept word for word: {kept.text!r}"
    return document


def check_refresh(text: str, read: StatusDocument, stored: StatusDocument) -> None:
    """Raises AssertionError where a refresh loses a kept line or says something else than the store."""
    refreshed = refresh(text, stored)
    again = parse(refreshed)
    for section in SECTIONS:
        if section == "sessions":
            prompts = [(session.date, session.prompt) for session in again.sessions]
            missing = [session for session in stored.sessions if (session.date, session.prompt) not in prompts]
            assert not missing, f"sessions differ: {missing}"
        else:
            assert getattr(again, section) == getattr(stored, section), f"{section} differ: {refreshed!r}"
    there = kept_lines(again)
    for line in kept_lines(read):
        found = line in there or f"> {line}" in there or any(line in other for other in there)
        assert found, f"a kept line was lost in the refresh: {line!r}"
    assert refresh(refreshed, stored) == refreshed, "a second refresh changes the text"


def stored_documents() -> list[StatusDocument]:
    """What stores say: nothing, and a little of each shape, with hostile names."""
    documents = [StatusDocument()]
    for text in FILES:
        whole = parse(text)
        documents.append(StatusDocument(**{section: getattr(whole, section)[:3] for section in SECTIONS}))
    return documents


def run(numbers: range, seed: int, refresh_every: int) -> tuple[list[Found], Counter[str], float]:
    """Tries these inputs; what was found, how many of each kind there were, and the slowest one's seconds."""
    stores = stored_documents()
    found: list[Found] = []
    kinds: Counter[str] = Counter()
    slowest = 0.0
    for number in numbers:
        text, kind = make(number, seed)
        kinds[kind] += 1
        started = time.perf_counter()
        used = time.thread_time()
        try:
            read = check_parse(text)
            if number % refresh_every == 0:
                kinds["refreshed"] += 1
                check_refresh(text, read, stores[number // refresh_every % len(stores)])
        except Exception:
            found.append(Found(number, kind, traceback.format_exc(limit=-4)))
        # On a machine that others use too, the time of the thread is what the input costs.
        took = min(time.perf_counter() - started, time.thread_time() - used)
        slowest = max(slowest, took)
        if took > LIMIT_S:
            found.append(Found(number, kind, f"took {took:.1f} s"))
    return found, kinds, slowest


def _run(given: tuple[range, int, int]) -> tuple[list[Found], Counter[str], float]:
    return run(*given)


def main() -> int:
    """Runs with the arguments of the command line; 1 if anything was found."""
    parser = argparse.ArgumentParser(description="Hostile status files: no exception, nothing slow, no line lost.")
    parser.add_argument("--inputs", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--refresh-every", type=int, default=10, metavar="K")
    parser.add_argument("--only", type=int, metavar="NUMBER", help="print one input and try it alone")
    given = parser.parse_args()
    if given.only is not None:
        print(repr(make(given.only, given.seed)[0]))
        found, _, _ = run(range(given.only, given.only + 1), given.seed, given.refresh_every)
        print("\n".join(one.words for one in found) or "nothing is wrong with it")
        return 1 if found else 0
    started = time.perf_counter()
    chunk = 2000
    chunks = [range(at, min(at + chunk, given.inputs)) for at in range(0, given.inputs, chunk)]
    kinds: Counter[str] = Counter()
    failures = 0
    slowest = 0.0
    with multiprocessing.get_context("spawn").Pool(given.workers) as pool:
        tried = 0
        for numbers, (found, counted, slow) in zip(
            chunks, pool.imap(_run, ((one, given.seed, given.refresh_every) for one in chunks)), strict=True
        ):
            tried += len(numbers)
            kinds += counted
            slowest = max(slowest, slow)
            failures += len(found)
            for one in found[:3]:
                print(f"input {one.number} ({one.kind}):\n{one.words}", flush=True)
            if failures > 20:
                print("too many; the rest is not tried")
                pool.terminate()
                break
            if tried % 50_000 == 0:
                print(f"{tried} inputs, {failures} failures, {time.perf_counter() - started:.0f} s", flush=True)
    took = time.perf_counter() - started
    print(f"{tried} inputs ({dict(kinds)}), {failures} failures, slowest {slowest:.3f} s; seed {given.seed}; {took:.0f} s")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
