"""How well code is found: our search and its parts, plain BM25, and semble with the same token vectors, on the same questions.

    .venv/bin/python tools/bench/search_quality.py [--repositories FOLDER] [--half tuned|"held out"] [--directory DIR]

FOLDER holds the git directories of the repositories that `search_questions` names, as OWNER+NAME/repo; without it, docstrings
are asked for. Every figure is the mean over the questions of a tree, then over trees: nDCG@10, MRR@10, recall@10. A file counts
once, at its best place.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

import search_systems as systems
from measure import table
from place import own_folder
from search_questions import HELD_OUT, TUNED_ON, Question, Task, commits, docstrings

from localfirst.code_index.pipeline.pool import Pool

HEADINGS = ("", "nDCG@10", "MRR@10", "recall@10")
Scores = tuple[float, float, float]


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repositories", type=Path)
    parser.add_argument("--only", nargs="*", help="names of repositories, OWNER/NAME")
    parser.add_argument("--half", choices=("tuned", "held out"))
    parser.add_argument("--directory", default=".", help="where trees are written, and taken away again")
    parser.add_argument("--without-semble", action="store_true")
    arguments = parser.parse_args()
    with own_folder(arguments.directory) as folder:
        results: dict[tuple[str, str], dict[str, list[Scores]]] = defaultdict(lambda: defaultdict(list))
        with Pool() as pool:
            for task in _tasks(arguments.repositories, arguments.only, folder):
                if arguments.half in (None, task.half):
                    scores = measured(task, folder, pool, with_semble=not arguments.without_semble)
                    _tell(task, scores)
                    for system, figures in scores.items():
                        results[task.kind, task.half][system].append(figures)
        for (kind, half), of_system in sorted(results.items()):
            rows = [(system, *(f"{value:.3f}" for value in _mean(figures))) for system, figures in of_system.items()]
            trees = len(next(iter(of_system.values())))
            print(table(f"{kind}, {half} ({trees} tree{'s' if trees > 1 else ''})", HEADINGS, rows))


def _tasks(repositories: Path | None, only: Sequence[str] | None, folder: Path) -> Iterable[Task]:
    if not only and repositories is None:
        yield from docstrings(folder)
    for git_dir in sorted(repositories.glob("*/repo")) if repositories is not None else ():
        name = git_dir.parent.name.replace("+", "/")
        if name in (only or TUNED_ON | HELD_OUT):
            yield commits(git_dir, name, folder)


def measured(task: Task, folder: Path, pool: Pool, *, with_semble: bool) -> dict[str, Scores]:
    """Mean scores of every system on one tree."""
    connection = systems.index(task.root, folder / f"{task.root.name}.sqlite3", pool)
    compared = {"BM25, raw words": systems.plain_bm25(connection), **systems.ours(connection)}
    if with_semble:
        compared |= systems.semble(task.root, connection)
    scores = {
        name: _mean([judged(question, search(question.query)) for question in task.questions])
        for name, search in compared.items()
    }
    connection.close()
    return scores


def judged(question: Question, hits: Sequence[systems.Hit]) -> Scores:
    """nDCG@10, reciprocal rank and recall of one answer."""
    right: list[bool] = []
    if question.lines is not None:
        first, last = question.lines
        for path, start, end in hits:
            is_right = path in question.files and start <= last and end >= first
            if not (is_right and True in right):  # another part of the same function is no second answer
                right.append(is_right)
    else:
        right = [path in question.files for path in dict.fromkeys(path for path, _, _ in hits)]
    right = right[:10]
    gain = sum(1 / math.log2(place + 2) for place, is_right in enumerate(right) if is_right)
    ideal = sum(1 / math.log2(place + 2) for place in range(min(10, len(question.files))))
    reciprocal = next((1 / (place + 1) for place, is_right in enumerate(right) if is_right), 0.0)
    return gain / ideal, reciprocal, sum(right) / len(question.files)


def _mean(scores: Sequence[Scores]) -> Scores:
    return (
        sum(score[0] for score in scores) / len(scores),
        sum(score[1] for score in scores) / len(scores),
        sum(score[2] for score in scores) / len(scores),
    )


def _tell(task: Task, scores: dict[str, Scores]) -> None:
    figures = ", ".join(f"{system} {score[0]:.3f}" for system, score in scores.items())
    print(f"{task.name} {task.revision[:12]} ({task.half}, {len(task.questions)} questions): {figures}", file=sys.stderr)


if __name__ == "__main__":
    main()
