"""Whatever is edited in whatever order: the index after the edits is the index made from scratch."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from code_index.indexing import Indexed, Record, function
from localfirst.code_index.pipeline.files import index_files
from localfirst.code_index.pipeline.pool import Pool
from localfirst.code_index.store.consistency import check

PATHS = st.sampled_from(["a.py", "b.py", "lib/a.py", "lib/deep/c.py", "d.go", "notes.md"])
TEXTS = st.lists(st.sampled_from([function(name, 25) for name in ("one", "two", "three", "four")]), max_size=4).map("\n\n".join)

EDITS = st.one_of(
    st.tuples(st.just("write"), PATHS, TEXTS),
    st.tuples(st.just("write"), PATHS, st.sampled_from(["", "\0binary", "plain words\n"])),
    st.tuples(st.just("delete"), PATHS, st.none()),
    st.tuples(st.just("move"), PATHS, PATHS),
    st.tuples(st.just("copy"), PATHS, PATHS),
    st.tuples(st.just("index"), st.none(), st.none()),
    st.tuples(st.just("index and be stopped"), st.integers(0, 3), st.none()),
    st.tuples(st.just("force"), st.none(), st.none()),
)


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(edits=st.lists(EDITS, min_size=3, max_size=14))
def test_any_edits_lead_to_the_index_of_the_result(pool: Pool, edits: list[tuple[str, object, object]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = (Path(folder) / "repository").resolve()
        root.mkdir()
        grown, scratch = Indexed(Path(folder) / "grown", pool), Indexed(Path(folder) / "scratch", pool)
        try:
            for edit in edits:
                apply(grown, root, *edit)
                assert check(grown.connection) == []
            grown.run(root)
            scratch.run(root)
            assert grown.contents(root) == scratch.contents(root)
            assert {**grown.counts(), "code_left_out": 0} == {**scratch.counts(), "code_left_out": 0}
        finally:
            grown.connection.close()
            scratch.connection.close()


def apply(indexed: Indexed, root: Path, kind: str, what: object, other: object) -> None:
    """One edit, or one run."""
    if kind == "index":
        indexed.run(root)
    elif kind == "force":
        indexed.run(root, force=True)
    elif kind == "index and be stopped":
        record = Record(stop_when=lambda record: len(record.paths) >= int(str(what)))
        index_files(indexed.connection, indexed.pool, indexed.plan(root), record)
    elif kind == "write":
        path = root / str(what)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(str(other))
    elif (root / str(what)).exists():
        if kind == "delete":
            (root / str(what)).unlink()
        else:
            target = root / str(other)
            target.parent.mkdir(parents=True, exist_ok=True)
            if target != root / str(what):
                (shutil.move if kind == "move" else shutil.copy2)(root / str(what), target)
