"""Questions with known answers about code: from docstrings of installed packages, and from the history of repositories.

    docstring → function     the first sentence of a function's docstring; all docstrings are taken out of the files before
    commit → files           the subject of a later commit; the answers are those files it changed which the indexed tree has

Trees are written below a folder of the caller's and never kept. Packages are divided in halves by the hash of their names;
repositories by hand, so that each half has every language.
"""

from __future__ import annotations

import ast
import hashlib
import random
import re
import subprocess
import sysconfig
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

DOCSTRING_QUESTIONS = 1_000
COMMIT_QUESTIONS = 120
MAX_FILES = 8
MAX_BYTES = 1 << 20

CODE = frozenset(
    """
    .py .pyi .go .rs .js .mjs .cjs .jsx .ts .mts .cts .tsx .vue .java .kt .c .h .cc .cpp .hpp .rb .php .cs .swift .scala .sh
    .tcl .y .l .sql .css .scss
    """.split()  # noqa: SIM905 - as a list of strings it would fill a page
)
TUNED_ON = frozenset(
    """
    scrapy/scrapy encode/httpx gohugoio/hugo prometheus/prometheus BurntSushi/ripgrep vuejs/core mockito/mockito libuv/libuv
    """.split()  # noqa: SIM905 - as a list of strings it would fill a page
)
HELD_OUT = frozenset(
    """
    pytest-dev/pytest caddyserver/caddy tokio-rs/tokio sharkdp/bat vitejs/vite google/gson redis/redis jqlang/jq
    """.split()  # noqa: SIM905 - as a list of strings it would fill a page
)
_LEFT_OUT = re.compile(
    r"^(merge|bump|release|revert|chore|build\(deps|deps|update changelog|changelog|prepare|version|v?\d+\.\d+|cargo:|ci\b"
    r"|docs?\b|typo|fix typo|lint|style|format|update dependencies|\[pre-commit|pre-commit|github|readme|refresh|ag |pkg|fuzz)"
    r"|\bdependabot\b|\btypos?\b|\bbump\b|changelog|release notes|\brelease\b|\bcopyright\b",
    re.IGNORECASE,
)
_NUMBERS = re.compile(r"\s*\(?#\d+\)?|\s*\[?(?:GH|gh)-\d+\]?")
_NOT_PACKAGES = frozenset(
    {"test", "idlelib", "lib2to3", "turtledemo", "ensurepip", "pydoc_data", "site-packages", "__pycache__", "localfirst", "pip"}
)


class Question(NamedTuple):
    """A query and its answers: files, or one function of a file."""

    query: str
    files: frozenset[str]
    lines: tuple[int, int] | None = None


class Task(NamedTuple):
    """A tree to index, and what is asked about it."""

    name: str
    half: str
    root: Path
    questions: list[Question]
    revision: str = ""

    @property
    def kind(self) -> str:
        """Of the task."""
        return "docstring → function" if self.questions and self.questions[0].lines else "commit → files"


def half_of(package: str) -> str:
    """``tuned`` or ``held out``."""
    return "tuned" if hashlib.sha256(package.encode()).digest()[0] % 2 else "held out"


def commits(git_dir: Path, name: str, folder: Path) -> Task:
    """The newest usable commits of a repository, and the tree before the oldest of them."""

    def git(*arguments: str) -> bytes:
        command = ["git", "--git-dir", str(git_dir), "-c", "safe.directory=*", *arguments]
        return subprocess.run(command, check=True, capture_output=True).stdout

    log = git("log", "--no-merges", "-n", "1500", "--no-renames", "--name-only", "--format=%x01%H%x02%s", "HEAD")
    usable: list[tuple[str, str, list[str]]] = []
    for entry in log.decode("utf8", "replace").split("\x01")[1:]:
        head, _, names = entry.partition("\n")
        revision, _, subject = head.partition("\x02")
        query = _NUMBERS.sub("", subject).strip()
        files = [file for file in names.split("\n") if Path(file).suffix in CODE]
        if not _LEFT_OUT.search(query) and len(query.split()) >= 4 and 0 < len(files) <= MAX_FILES:
            usable.append((revision, query, files))
        if len(usable) >= COMMIT_QUESTIONS * 1.4:
            break
    cut = git("rev-parse", f"{usable[-1][0]}^").decode().strip()
    root = folder / name.replace("/", "+")
    present = _write_tree(git_dir, cut, root)
    questions = [Question(query, frozenset(files) & present) for _, query, files in usable if frozenset(files) & present]
    half = "tuned" if name in TUNED_ON else "held out"
    return Task(name, half, root, questions[:COMMIT_QUESTIONS], cut)


def _write_tree(git_dir: Path, revision: str, root: Path) -> frozenset[str]:
    """Writes the code of a revision; what the clone lacks is left out."""
    base = ["git", "--git-dir", str(git_dir), "-c", "safe.directory=*"]
    listed = subprocess.run([*base, "ls-tree", "-r", "-z", revision], check=True, capture_output=True).stdout
    entries = [line.partition("\t") for line in listed.decode("utf8", "replace").split("\0") if line]
    wanted = [(name, facts.split()[2]) for facts, _, name in entries if facts.startswith("100") and Path(name).suffix in CODE]
    names = "\n".join(blob for _, blob in wanted).encode()
    packed = subprocess.run([*base, "cat-file", "--batch"], check=True, capture_output=True, input=names).stdout
    place, present = 0, set()
    for name, _ in wanted:
        line_end = packed.index(b"\n", place)
        facts = packed[place:line_end].split()
        place = line_end + 1
        if facts[1] == b"missing":
            continue
        size = int(facts[2])
        content = packed[place : place + size]
        place += size + 1
        if size < MAX_BYTES:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(content)
            present.add(name)
    return frozenset(present)


def docstrings(folder: Path) -> Iterator[Task]:
    """The standard library and the installed packages in two halves, by package."""
    trees = {"tuned": folder / "python-tuned", "held out": folder / "python-held-out"}
    asked: dict[str, list[Question]] = {half: [] for half in trees}
    for package, base in _packages():
        half = half_of(package.stem)
        for file in [package] if package.is_file() else sorted(package.rglob("*.py")):
            name = file.relative_to(base)
            if file.stat().st_size > MAX_BYTES or re.search(r"(^|/)(tests?|_vendor|vendored)/", str(name)):
                continue
            try:
                text, questions = without_docstrings(file.read_text(), str(name))
            except (SyntaxError, ValueError, RecursionError):
                continue
            (trees[half] / name).parent.mkdir(parents=True, exist_ok=True)
            (trees[half] / name).write_text(text)
            asked[half] += questions
    for half, questions in asked.items():
        times = Counter(question.query for question in questions)
        unique = [question for question in questions if times[question.query] == 1]
        random.Random(7).shuffle(unique)
        yield Task(f"python packages, {half}", half, trees[half], unique[:DOCSTRING_QUESTIONS])


def _packages() -> Iterator[tuple[Path, Path]]:
    for kind in ("stdlib", "purelib"):
        base = Path(sysconfig.get_paths()[kind])
        for path in sorted(base.iterdir()):
            is_package = (
                path.is_dir() and not path.name.endswith((".dist-info", ".libs")) and not path.name.startswith("config-")
            )
            if path.stem not in _NOT_PACKAGES and (is_package or path.suffix == ".py"):
                yield path, base


def without_docstrings(source: str, name: str) -> tuple[str, list[Question]]:
    """The source with every docstring blanked out, lines as they were, and a question for each function that had one."""
    tree, lines = ast.parse(source), source.split("\n")
    questions: list[Question] = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Module) or not node.body:
            continue
        first = node.body[0]
        if not (isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)):
            continue
        begin, end = first.lineno, first.end_lineno or first.lineno
        if lines[begin - 1][: first.col_offset].strip():
            continue
        lines[begin - 1 : end] = [""] * (end - begin + 1)
        if len(node.body) == 1 and not isinstance(node, ast.Module):
            lines[begin - 1] = " " * first.col_offset + "pass"
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            last = node.end_lineno or node.lineno
            query = " ".join(re.split(r"(?<=[.!?])\s|\n\s*\n", first.value.value.strip())[0].split())
            is_telling = 5 <= len(query.split()) <= 40 and ">>>" not in query
            if is_telling and last - end >= 3 and not node.name.startswith("test"):
                questions.append(Question(query, frozenset([name]), (node.lineno, last)))
    return "\n".join(lines), questions
