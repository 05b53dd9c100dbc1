"""A small indexed repository, and searches in it as the tool makes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from localfirst_schema.arguments import SearchCode

from code_index.indexing import Indexed
from localfirst.code_index.search.engine import CodeEngine
from localfirst.settings import load

PARSER = '''"""Reading configuration."""


def parse_header(line):
    """Splits a header line at its colon."""
    name, _, value = line.partition(":")
    return name.strip(), value.strip()


class RetryPolicy:
    """How often a request that failed is sent again."""

    def wait_before(self, attempt):
        return min(60, 2 ** attempt)
'''
USES = """from parser import parse_header


def read_all(lines):
    for line in lines:
        yield parse_header(line)
"""
GO = """package main

// CloseConnection says goodbye to the server.
func CloseConnection(id int) error {
	return nil
}
"""
TESTS = """from parser import parse_header


def test_parse_header():
    assert parse_header("a: b") == ("a", "b")
"""
FILES = {"src/parser.py": PARSER, "src/uses.py": USES, "net/main.go": GO, "tests/test_parser.py": TESTS}


class Searched:
    """The tool's engine over an indexed replica."""

    def __init__(self, indexed: Indexed, settings: dict[str, str] | None = None, here: Path | None = None) -> None:
        """`here`: where the client is."""
        self.connection = indexed.connection
        replica = Path(indexed.connection.filename)
        self.engine = CodeEngine(load(here or replica.parent, {"LOCALFIRST_REPLICA": str(replica), **(settings or {})}))

    def answer(self, query: str, **more: Any) -> dict[str, Any]:
        return self.engine.answer(self.connection, SearchCode(query=query, **more))

    def paths(self, query: str, **more: Any) -> list[str]:
        return [found["file_path"] for found in self.answer(query, **more)["results"]]

    def symbols(self, query: str, **more: Any) -> list[str | None]:
        return [found["symbol"] for found in self.answer(query, **more)["results"]]

    def close(self) -> None:
        self.engine.close()
