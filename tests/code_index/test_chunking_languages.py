"""Files are cut along their syntax tree, in each of the common languages."""

from __future__ import annotations

import pytest

from code_index import chunking_samples as samples
from localfirst.code_index.chunking import CutFile, cut

CASES = [
    ("a.js", samples.JS, "javascript", [
        (1, 2, "block", None),
        (4, 9, "function", "parse"),
        (11, 15, "function", "format"),
        (17, 21, "function", "Foo.bar"),
        (23, 29, "object", "routes"),
        (31, 36, "function", "Button"),
    ]),
    ("a.ts", samples.TS, "typescript", [
        (1, 2, "block", None),
        (4, 7, "class", "Store"),
        (9, 13, "method", "Store.constructor"),
        (15, 20, "method", "Store.add"),
        (22, 27, "method", "Store.onClick"),
        (29, 32, "interface", "Shape"),
        (34, 34, "type", "Id"),
        (36, 40, "function", "load"),
        (42, 46, "function", "main"),
        (48, 54, "module", "Util"),
        (56, 60, "block", None),
    ]),
    ("a.tsx", samples.TSX, "tsx", [
        (1, 8, "function", "Card"),
        (10, 14, "block", None),
    ]),
    ("a.go", samples.GO, "go", [
        (1, 4, "block", None),
        (6, 13, "struct", "Server"),
        (15, 20, "method", "Server.Run"),
        (22, 26, "function", "New"),
    ]),
    ("a.rs", samples.RS, "rust", [
        (1, 8, "struct", "Point"),
        (10, 24, "impl", "Point"),
        (26, 41, "function", "tests.works"),
        (43, 47, "macro", "square"),
    ]),
    ("A.java", samples.JAVA, "java", [
        (1, 3, "block", None),
        (5, 8, "class", "Account"),
        (10, 15, "constructor", "Account.Account"),
        (17, 23, "method", "Account.pay"),
        (25, 26, "enum", "Account.Kind"),
        (28, 30, "interface", "Payer"),
    ]),
    ("a.c", samples.C, "c", [
        (1, 3, "block", None),
        (5, 9, "struct", "list"),
        (11, 14, "enum", "color"),
        (16, 17, "macro", "SQUARE"),
        (19, 27, "function", "add"),
        (28, 34, "function", "dump"),
    ]),
    ("a.cpp", samples.CPP, "cpp", [
        (1, 8, "class", "Account"),
        (9, 12, "method", "Account.Account"),
        (13, 13, "method", "Account.balance"),
        (14, 18, "method", "Account.pay"),
        (19, 22, "members", "Account"),
        (24, 29, "function", "Account.convert"),
        (31, 37, "function", "operator=="),
        (39, 43, "type", "node_t"),
        (45, 50, "function", "main_loop"),
    ]),
    ("a.cs", samples.CS, "csharp", [
        (1, 3, "block", None),
        (4, 7, "class", "OrderService"),
        (9, 13, "constructor", "OrderService.OrderService"),
        (15, 19, "method", "OrderService.PlaceAsync"),
        (21, 25, "property", "OrderService.Name"),
        (27, 29, "block", None),
    ]),
    ("a.rb", samples.RB, "ruby", [
        (1, 6, "class", "Bank.Account"),
        (8, 12, "method", "Bank.Account.initialize"),
        (14, 18, "method", "Bank.Account.open"),
        (20, 27, "method", "Bank.Account.pay!"),
    ]),
    ("a.php", samples.PHP, "php", [
        (1, 4, "block", None),
        (6, 11, "class", "User"),
        (13, 17, "method", "User.__construct"),
        (19, 25, "method", "User.find"),
        (27, 30, "function", "helper"),
    ]),
    ("a.kt", samples.KT, "kotlin", [
        (1, 3, "block", None),
        (5, 8, "class", "UserRepository"),
        (10, 15, "method", "UserRepository.find"),
        (17, 24, "object", "UserRepository.Companion"),
        (26, 26, "interface", "Repo"),
        (28, 32, "object", "Single"),
        (34, 38, "function", "shout"),
    ]),
    ("a.swift", samples.SWIFT, "swift", [
        (1, 6, "class", "View"),
        (8, 12, "constructor", "View.init"),
        (14, 19, "method", "View.layout"),
        (21, 25, "struct", "Point"),
        (27, 32, "method", "View.redraw"),
        (33, 37, "method", "View.redraw2"),
        (38, 43, "method", "View.redraw3"),
        (45, 49, "protocol", "Drawable"),
    ]),
    ("a.scala", samples.SCALA, "scala", [
        (1, 7, "class", "OrderService"),
        (9, 13, "method", "OrderService.place"),
        (15, 20, "method", "OrderService.cancel"),
        (22, 26, "object", "OrderService"),
        (28, 28, "trait", "Service"),
    ]),
    ("a.sh", samples.SH, "shell", [
        (1, 3, "block", None),
        (5, 10, "function", "deploy"),
        (12, 18, "function", "rollback"),
    ]),
    ("a.sql", samples.SQL, "sql", [
        (1, 6, "table", "app.users"),
        (8, 8, "index", "users_by_name"),
        (10, 15, "function", "total"),
        (17, 22, "view", "active"),
    ]),
    ("a.yaml", samples.YAML, "yaml", [
        (1, 1, "key", "version"),
        (2, 14, "key", "services"),
        (15, 16, "key", "volumes"),
    ]),
    ("a.lua", samples.LUA, "lua", [
        (1, 8, "function", "M.add"),
        (10, 14, "function", "M.sub"),
        (16, 20, "function", "helper"),
        (22, 28, "function", "M.mul"),
    ]),
    ("a.json", samples.JSON, "json", [
        (1, 2, "key", "name"),
        (3, 8, "key", "scripts"),
        (9, 10, "key", "deps"),
    ]),
    ("a.tf", samples.TF, "hcl", [
        (1, 5, "block", None),
    ]),
]  # fmt: skip


@pytest.mark.parametrize(("path", "source", "language", "expected"), CASES, ids=[case[0] for case in CASES])
def test_chunks_follow_the_definitions(
    path: str, source: str, language: str, expected: list[tuple[int, int, str, str | None]]
) -> None:
    made = cut(path, source.encode())
    assert isinstance(made, CutFile)
    assert made.language == language
    assert [(chunk.start_line, chunk.end_line, chunk.kind, chunk.symbol) for chunk in made.chunks] == expected
