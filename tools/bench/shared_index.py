"""What it costs to share the code index, beside computing it: vectors fetched from the server against vectors embedded here.

    .venv/bin/python tools/bench/shared_index.py [--chunks 20000]

Chunks of a generated repository's size; one process embeds, and the same vectors go to a PostgreSQL beside it and come back.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import time

from localfirst_schema.identifiers import project_id
from localfirst_sync.code_port import SharedChunk
from localfirst_sync.postgres import migrate
from localfirst_sync.postgres.code_set import ensure_vector_index, fetch_vectors, put_chunks, put_vectors
from localfirst_sync.postgres.connection import connect
from measure import table
from place import own_server

from localfirst.code_index.search.quantise import quantised
from localfirst.embedding.static import load

BATCH = 2_000
PROJECT = project_id("bench/shared")


def texts(count: int) -> list[str]:
    """Texts of some 1 200 characters, each different."""
    chance = random.Random(1)
    words = ["".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=chance.randrange(3, 9))) for _ in range(4_000)]
    return [" ".join(chance.choices(words, k=180)) for _ in range(count)]


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--chunks", type=int, default=20_000)
    count: int = parser.parse_args().chunks
    model = load()
    made = texts(count)
    hashes = [hashlib.blake2b(text.encode(), digest_size=16).digest() for text in made]
    batches = [slice(first, first + BATCH) for first in range(0, count, BATCH)]
    seconds: dict[str, float] = {}

    def timed(what: str, began: float) -> None:
        seconds[what] = time.perf_counter() - began

    began = time.perf_counter()
    vectors = [row.tobytes() for batch in batches for row in quantised(model.embed(made[batch]))]
    timed("embedded here, one process", began)
    with own_server() as url:
        server = connect(url)
        migrate.migrate(server)
        migrate.ensure_project(server, PROJECT, "bench/shared")
        began = time.perf_counter()
        for batch in batches:
            put_chunks(server, PROJECT, [SharedChunk(h, t, "", t) for h, t in zip(hashes[batch], made[batch], strict=True)])
        timed("texts sent, with their full text on the server", began)
        began = time.perf_counter()
        for batch in batches:
            put_vectors(server, PROJECT, model.model, list(zip(hashes[batch], vectors[batch], strict=True)))
        timed("vectors sent", began)
        began = time.perf_counter()
        ensure_vector_index(server, model.model)
        timed("graph (HNSW) built on the server", began)
        began = time.perf_counter()
        fetched = [fetch_vectors(server, PROJECT, model.model, hashes[batch]) for batch in batches]
        timed("vectors fetched by a second laptop", began)
        assert sum(map(len, fetched)) == count
        server.close()
    floor = seconds["embedded here, one process"]
    rows = [(what, f"{took:.2f}", f"{count / took:,.0f}", f"{took / floor:.2f}") for what, took in seconds.items()]
    print(table(f"{count:,} chunks", ("what", "seconds", "chunks/s", "of the time to embed"), rows))


if __name__ == "__main__":
    main()
