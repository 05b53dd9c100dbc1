"""How well and how fast work items are found: by words alone, by meaning alone, by both.

    .venv/bin/python tools/bench/search_items.py [--sizes 300,1200,100000] [--rounds 10] [--directory DIR]

Quality is the mean reciprocal rank of the first right answer among ten, over the questions of `search_corpus.py`, each
half by itself. Latency is that of `search_work_items` in one process, beside the bare FTS5 query of the same words.
"""

from __future__ import annotations

import argparse
import random
import resource
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from localfirst_schema.entities import WORK_ITEM
from localfirst_schema.wire import encode_json
from measure import figure, interleaved, table, timed
from place import own_folder
from search_corpus import ITEMS, MEANINGS, NOTHING, WORDS, Item, Question, fillers

from localfirst.client.session import Session
from localfirst.operations.registry import BY_NAME
from localfirst.replica import fulltext
from localfirst.replica.act import written_columns
from localfirst.replica.connection import immediate
from localfirst.settings import load

SEARCH = BY_NAME["search_work_items"]
NOW = "2026-01-01T00:00:00.000000Z"
LIMIT = 10


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sizes", default="300,1200,100000")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--directory", help="where the files are made (default: the current directory's disk)", default=".")
    arguments = parser.parse_args()
    with own_folder(arguments.directory) as folder:
        quality, latency, first = [], [], []
        for size in map(int, arguments.sizes.split(",")):
            session = open_filled(folder / str(size), size)
            first.append((size, *first_search(session)))
            quality += [(size, *row) for row in qualities(session)]
            latency += [(size, *row) for row in latencies(session, arguments.rounds)]
            session.close()
        print(table("First search, seconds", ("items", "of all", "until all vectors are there", "peak memory, MB"), first))
        print(table("Quality (MRR@10)", ("items", "questions", "even", "odd", "found at all"), quality))
        print(table("Latency, milliseconds", ("items", "what", "median (spread)", "slowest"), latency))


def open_filled(folder: Path, size: int) -> Session:
    """A project with `size` items: those of the corpus among others, in random order."""
    folder.mkdir()
    session = Session(load(folder, {"LOCALFIRST_REPLICA": str(folder / "replica.sqlite3")}))
    items = [*ITEMS, *fillers(size - len(ITEMS))]
    rnd = random.Random(1)
    rnd.shuffle(items)
    columns = written_columns(WORK_ITEM)
    sql = f"INSERT INTO work_items ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
    with immediate(session.replica):
        session.replica.executemany(sql, [[row[name] for name in columns] for row in rows_of(items, rnd)])
        indexed: list[Any] = session.replica.execute("SELECT local_id, title, metadata FROM work_items").fetchall()
        fulltext.index_many(session.replica, indexed)
    return session


def rows_of(items: Iterable[Item], rnd: random.Random) -> Iterable[dict[str, Any]]:
    """Items as rows."""
    for item in items:
        digits = f"{rnd.getrandbits(128):032x}"
        row = dict.fromkeys(WORK_ITEM.column_names) | {
            "id": "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:])),
            "item_type": "task",
            "title": item.title,
            "status": "active",
            "path": "",
            "depth": 0,
            "metadata": encode_json({"note": item.note}),
            "version": 1,
            "created_at": NOW,
            "updated_at": NOW,
        }
        yield row


def search(session: Session, query: str) -> list[dict[str, Any]]:
    """The items found, as a tool call finds them."""
    found: list[dict[str, Any]] = SEARCH.run(session, SEARCH.arguments.model_validate({"query": query, "limit": LIMIT}))[
        "items"
    ]
    return found


def first_search(session: Session) -> tuple[str, str, int]:
    """What a person waits for who searches first, and for how long later searches still fill up vectors."""
    first = timed(lambda: search(session, "slow database query"))
    begin = time.perf_counter()
    while session.replica.execute("SELECT EXISTS (SELECT 1 FROM work_item_vector_queue)").get:
        search(session, "slow database query")
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1024 if sys.platform != "darwin" else 1024 * 1024)
    return f"{first:.3f}", f"{time.perf_counter() - begin:.1f}", memory


def qualities(session: Session) -> list[tuple[object, ...]]:
    """How well the questions are answered."""
    rows: list[tuple[object, ...]] = []
    for name, questions in (("words", WORDS), ("meanings", MEANINGS)):
        ranks = [reciprocal_rank(session, question) for question in questions]
        found = sum(rank > 0 for rank in ranks) / len(ranks)
        rows.append((name, f"{mean(ranks[::2]):.2f}", f"{mean(ranks[1::2]):.2f}", f"{found:.0%}"))
    counts = [float(len(search(session, query))) for query in NOTHING]
    rows.append(
        ("nothing: items per query", f"{mean(counts[::2]):.1f}", f"{mean(counts[1::2]):.1f}", f"most {max(counts):.0f}")
    )
    return rows


def reciprocal_rank(session: Session, question: Question) -> float:
    """1 for a right answer at the first place, 1/2 at the second, 0 for none among ten."""
    for place, item in enumerate(search(session, question.query), 1):
        if item["title"] in question.answers:
            return 1 / place
    return 0.0


def mean(values: Sequence[float]) -> float:
    """The arithmetic mean."""
    return sum(values) / len(values)


def latencies(session: Session, rounds: int) -> list[tuple[object, ...]]:
    """One search of each kind, in turn, beside FTS5 alone."""
    queries = {
        "two rare words": "login timeout",
        "one frequent word": "planning",
        "a sentence of frequent words": "ask the product team for the shipping label printer in the back office",
        "a paraphrase": "unreliable unit tests in continuous integration",
        "nothing": "purple elephant banana",
    }
    actions: dict[str, Any] = {name: (lambda q=query: search(session, q)) for name, query in queries.items()}
    bare = "SELECT rowid FROM work_items_text WHERE work_items_text MATCH ? ORDER BY rank LIMIT 10"
    for name, query in queries.items():
        expression = " OR ".join(f'"{word}"' for word in query.split())
        actions[f"FTS5 alone: {name}"] = lambda e=expression: session.replica.execute(bare, (e,)).fetchall()
    samples = interleaved(actions, rounds)
    return [(name, str(figure(values, 1e3)), f"{max(values) * 1e3:.1f}") for name, values in samples.items()]


if __name__ == "__main__":
    main()
