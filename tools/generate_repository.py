#!/usr/bin/env python3
"""Writes a large repository of plausible source code, to index and to measure with.

    .venv/bin/python tools/generate_repository.py --files 15000 --lines 3000000 --seed 1 DIR

The default is 15 000 files, 3 000 000 lines, some 120 MB in fourteen languages, with one commit. The same arguments give the
same bytes, whatever the number of processors: each file has a random source of its own, from the seed and the file's number.
Beside the files that belong to an index there are a few that do not (ignored, lock, secret, binary, minified, linked).

The code reads like code (names from a domain's vocabulary, documentation that speaks of them, functions of 4 to 80 lines,
classes), so that parsing, chunking and embedding it cost what they cost elsewhere. It does not run.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import time
from multiprocessing import Pool
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent))

from generated_languages import LANGUAGES, Language
from generated_words import ADJECTIVES, AREAS, NOUNS, SENTENCES, VERBS


class Arguments(NamedTuple):
    """What is written."""

    root: Path
    files: int
    lines: int
    seed: int


class Names:
    """Identifiers and sentences of one file: a few subjects that it keeps coming back to."""

    def __init__(self, rnd: random.Random, language: Language) -> None:
        self.rnd = rnd
        self.language = language
        self.subjects = [rnd.choice(NOUNS) for _ in range(6)]
        self.locals = ["result", "index"]

    def noun(self) -> str:
        """Mostly one of the file's own."""
        rnd = self.rnd.random()
        return self.subjects[int(rnd * 9)] if rnd < 0.66 else NOUNS[int(rnd * 9_973) % len(NOUNS)]

    def cased(self, words: tuple[str, ...], style: str) -> str:
        """The words as an identifier: ``snake``, ``camel`` or ``pascal``."""
        if style == "snake":
            return "_".join(words)
        capitals = "".join([word.capitalize() for word in words])
        return capitals if style == "pascal" else capitals[:1].lower() + capitals[1:]

    def function(self) -> str:
        """``settle_open_invoice`` in the language's case."""
        rnd = self.rnd
        words: tuple[str, ...] = (rnd.choice(VERBS), self.noun())
        if rnd.random() < 0.5:
            words = (words[0], rnd.choice(ADJECTIVES), words[1])
        return self.cased(words, self.language.function_style)

    def variable(self) -> str:
        """``pending_invoice`` or ``invoice``."""
        words: tuple[str, ...] = (self.noun(),)
        if self.rnd.random() < 0.5:
            words = (self.rnd.choice(ADJECTIVES), words[0])
        return self.cased(words, self.language.variable_style)

    def type(self) -> str:
        """``InvoiceLedger``."""
        return self.cased((self.rnd.choice(ADJECTIVES), self.noun(), self.rnd.choice(NOUNS)), "pascal")

    def sentence(self) -> str:
        """A sentence about the file's subjects."""
        rnd = self.rnd
        return rnd.choice(SENTENCES) % {
            "verb": rnd.choice(VERBS),
            "noun": self.noun(),
            "other": self.noun(),
            "adjective": rnd.choice(ADJECTIVES),
            "number": rnd.randrange(2, 500),
        }

    def fields(self) -> dict[str, str]:
        """What a template may name; local variables are used again and again, as in a real function."""
        rnd = self.rnd
        known = self.locals
        fresh = self.variable()
        a = known[int(rnd.random() * len(known))]
        b = known[int(rnd.random() * len(known))]
        if len(known) < 9:
            known.append(fresh)
        return {
            "a": a,
            "b": b,
            "new": fresh,
            "f": self.function(),
            "T": self.type(),
            "n": str(int(rnd.random() ** 3 * 5_000)),
            "s": self.noun() + self.language.word_gap + rnd.choice(ADJECTIVES),
            "c": self.sentence() if rnd.random() < 0.2 else "",
        }


def indented(text: str, by: str) -> str:
    """Every line that is not empty moved to the right."""
    return by + text.replace("\n", "\n" + by) if by else text


def body(names: Names, lines: int, indent: str) -> list[str]:
    """Statements of about that many lines, some of them nested blocks."""
    rnd, language = names.rnd, names.language
    made: list[str] = []
    count = 0
    while count < lines:
        template, height = language.statements[int(rnd.random() * len(language.statements))]
        fields = names.fields()
        comment = fields["c"]
        if comment and language.comment:
            made.append(f"{indent}{language.comment} {comment}")
            count += 1
        made.append(indented(template.format_map(fields), indent))
        count += height
        if rnd.random() < 0.06:
            made.append("")
            count += 1
    return made


def function(names: Names, lines: int, indent: str, *, method: bool) -> list[str]:
    """One function with its documentation."""
    language = names.language
    fields = names.fields()
    names.locals = ["result", "index", names.variable(), names.variable()]
    fields |= {"a": names.locals[2], "b": names.locals[3], "doc": names.sentence(), "more": names.sentence()}
    opening, closing = language.method if method else language.function
    inside = indent + language.indent
    made = [indented(opening.format_map(fields), indent)]
    made += body(names, max(2, lines - 4), inside)
    if closing:
        made.append(indented(closing.format_map(fields), indent))
    made.append("")
    return made


def source(language: Language, lines: int, rnd: random.Random) -> str:
    """A file of about that many lines."""
    names = Names(rnd, language)
    head = {**names.fields(), "doc": names.sentence(), "more": names.sentence()}
    made = language.header.format_map(head).split("\n")
    for _ in range(min(rnd.randrange(2, 9), max(1, lines // 20))):
        if language.declaration:
            made.append(language.declaration.format_map({**names.fields(), "T2": names.type()}))
    made.append("")
    count = sum(part.count("\n") + 1 for part in made)
    while count < lines:
        left = lines - count
        height = min(left, 4 + int(rnd.lognormvariate(2.95, 0.7)))
        part: list[str]
        if language.type and left > 30 and rnd.random() < 0.35:
            opening, closing = language.type
            fields = {**names.fields(), "doc": names.sentence(), "more": names.sentence()}
            part = [opening.format_map(fields)]
            for _ in range(rnd.randrange(2, 7)):
                part += function(names, 4 + int(rnd.lognormvariate(2.7, 0.7)), language.indent, method=True)
            part += [closing.format_map(fields), ""] if closing else [""]
        else:
            part = function(names, height, "", method=False)
        made += part
        count += sum(piece.count("\n") + 1 for piece in part)
    return "\n".join(made) + "\n"


def folder(number: int, rnd: random.Random) -> str:
    """Where file ``number`` stands: areas with 2 to 5 levels, some 20 files to a folder."""
    home = random.Random(f"folder {number // 20}")
    parts = [home.choice(AREAS), home.choice(NOUNS)]
    for _ in range(home.randrange(0, 4)):
        parts.append(home.choice(NOUNS))
    if rnd.random() < 0.15:
        parts.append("tests")
    return "/".join(parts)


def write_file(arguments: Arguments, number: int, lines: int) -> tuple[int, int]:
    """Writes one file; its lines and bytes."""
    rnd = random.Random(f"{arguments.seed} {number}")
    language = rnd.choices(LANGUAGES, [one.share for one in LANGUAGES])[0]
    text = source(language, lines, rnd)
    place = arguments.root / folder(number, rnd)
    place.mkdir(parents=True, exist_ok=True)
    stem = f"{rnd.choice(VERBS)}_{rnd.choice(NOUNS)}_{number}"
    data = text.encode()
    (place / (stem + language.suffix)).write_bytes(data)
    return text.count("\n"), len(data)


def write_some(work: tuple[Arguments, list[tuple[int, int]]]) -> tuple[int, int]:
    """Writes several files."""
    arguments, files = work
    made = [write_file(arguments, number, lines) for number, lines in files]
    return sum(lines for lines, _ in made), sum(size for _, size in made)


def heights(arguments: Arguments) -> list[int]:
    """Lines of each file: many short files, a few long ones, in sum what was asked for."""
    rnd = random.Random(f"{arguments.seed} heights")
    weights = [rnd.lognormvariate(0, 0.8) for _ in range(arguments.files)]
    # A file overshoots by half of its last function or class.
    scale = arguments.lines / sum(weights)
    return [max(3, int(weight * scale) - 18) for weight in weights]


def write_left_out(root: Path) -> None:
    """Files that no index should hold."""
    (root / ".gitignore").write_text("build/\n*.log\nnode_modules/\n.env\n")
    (root / "package-lock.json").write_text('{"lockfileVersion": 3}\n')
    (root / ".env").write_text("TOKEN=not-a-real-one\n")
    (root / "server.pem").write_text("-----BEGIN CERTIFICATE-----\n")
    (root / "logo.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)))
    (root / "bundle.min.js").write_text("var a=1;" * 2_000)
    for place, text in (
        ("build/output.py", "generated = True\n"),
        ("node_modules/left/index.js", "x\n"),
        ("run.log", "started\n"),
    ):
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        (root / place).write_text(text)
    link = root / "outside"
    if not link.is_symlink():
        link.symlink_to("/")


def commit(root: Path) -> None:
    """One commit of everything, with a fixed author and time."""
    who = {"NAME": "Generated", "EMAIL": "generated@example.org", "DATE": "2026-01-01T00:00:00Z"}
    environment = os.environ | {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in who.items()}
    fast = ("-c", "core.looseCompression=0", "-c", "gc.auto=0", "-c", "core.fsync=none", "-c", "commit.gpgsign=false")
    for command in (
        ("init", "-q", "-b", "main"),
        ("add", "-A"),
        ("commit", "-q", "-m", "A generated repository"),
    ):
        subprocess.run(["git", "-C", str(root), *fast, *command], check=True, env=environment)


def generate(arguments: Arguments, processes: int) -> tuple[int, int]:
    """Writes the repository; lines and bytes of its source files."""
    arguments.root.mkdir(parents=True, exist_ok=True)
    numbered = list(enumerate(heights(arguments)))
    work = [(arguments, numbered[start : start + 100]) for start in range(0, len(numbered), 100)]
    if processes > 1 and len(work) > 1:
        with Pool(processes) as pool:
            made = pool.map(write_some, work, chunksize=1)
    else:
        made = [write_some(part) for part in work]
    write_left_out(arguments.root)
    commit(arguments.root)
    return sum(lines for lines, _ in made), sum(size for _, size in made)


def main() -> int:
    """Writes the repository that the arguments describe."""
    parser = argparse.ArgumentParser(description="Write a large repository of plausible source code.")
    parser.add_argument("--files", type=int, default=15_000)
    parser.add_argument("--lines", type=int, default=3_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("directory", type=Path, help="made if it is not there; must be empty")
    given = parser.parse_args()
    if given.directory.exists() and any(given.directory.iterdir()):
        parser.error(f"{given.directory} is not empty")
    began = time.perf_counter()
    arguments = Arguments(given.directory.resolve(), given.files, given.lines, given.seed)
    lines, size = generate(arguments, given.processes)
    print(f"{given.files} files, {lines} lines, {size / 1e6:.1f} MB in {time.perf_counter() - began:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
