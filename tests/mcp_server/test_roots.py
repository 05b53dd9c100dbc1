"""What a client's root names."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from localfirst.mcp_server.roots import directory_of


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("file:///home/ann/board", "/home/ann/board"),
        ("file://localhost/home/ann", "/home/ann"),
        ("FILE:///home/ann", "/home/ann"),
        ("file:/home/ann", "/home/ann"),
        ("file:///home/ann/", "/home/ann"),
        ("file:///home/mes%20%C3%A9tudes/100%25", "/home/mes études/100%"),
        ("file:///home/mes études", "/home/mes études"),
        ("file:///home/a%23b%3Fc", "/home/a#b?c"),
        ("file:///home/a+b", "/home/a+b"),
        ("file:///home/a%2520b", "/home/a%20b"),
        ("file:///", "/"),
    ],
)
def test_a_root_is_a_path_once_its_escapes_are_read(uri: str, path: str) -> None:
    assert directory_of(uri, windows=False) == Path(path)


def test_a_name_that_is_no_unicode_is_a_name() -> None:
    assert os.fsencode(directory_of("file:///home/%FF%C3", windows=False)) == b"/home/\xff\xc3"


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("file:///C:/code/board", "C:/code/board"),
        ("file:///c%3A/code/board", "c:/code/board"),
        ("file:///C:/mes%20%C3%A9tudes", "C:/mes études"),
    ],
)
def test_a_drive_is_no_part_of_a_name(uri: str, path: str) -> None:
    assert directory_of(uri, windows=True) == Path(path)


@pytest.mark.parametrize(
    ("uri", "windows", "words"),
    [
        ("", False, "no file: address"),
        ("/home/ann", False, "no file: address"),
        ("https://example.org/home", False, "no file: address"),
        ("vscode-remote://ssh/home", False, "no file: address"),
        ("file://server/share", False, "another machine"),
        ("file://server/share", True, "another machine"),
        ("file://me@localhost/home", False, "another machine"),
        ("file://[::1/home", False, "no address"),
        ("file:home", False, "no address of a directory"),
        ("file:///home/a#b", False, "%23"),
        ("file:///home/a?b", False, "%3F"),
        ("file:///home/%00x", False, "no name"),
        ("file:///home/ann", True, "no path with a drive"),
        ("file:///C:/%FF", True, "no name"),
    ],
)
def test_what_names_no_directory_here_is_said(uri: str, windows: bool, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        directory_of(uri, windows=windows)
