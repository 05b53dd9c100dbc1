"""A file of a checkout is read and written inside its root, whatever stands there, and nothing is waited for."""

from __future__ import annotations

import os
import random
import socket
import stat
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from localfirst.checkout import CheckoutFile, NotAFileError, OutsideError, TooLargeError, file_named_by_user, file_of_checkout

LIMIT = 1000


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (root := tmp_path / "root").mkdir()
    (root / "docs").mkdir()
    (root / "docs" / "status.md").write_text("inside")
    (outside := tmp_path / "outside").mkdir()
    (outside / "secret.md").write_text("outside")
    return root


def read(root: Path, path: str) -> bytes:
    return file_of_checkout(root, Path(path)).read(LIMIT)


def names_in(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def test_a_file_is_read_and_replaced(root: Path) -> None:
    file = file_of_checkout(root, Path("docs/status.md"))
    assert file.read(LIMIT) == b"inside"
    file.write(b"other")
    assert file.read(LIMIT) == b"other"
    assert names_in(root / "docs") == ["status.md"]


def test_a_new_file_is_private_and_an_old_one_keeps_its_permissions(root: Path) -> None:
    file_of_checkout(root, Path("new.md")).write(b"x")
    assert stat.S_IMODE((root / "new.md").stat().st_mode) == 0o600
    (root / "docs" / "status.md").chmod(0o4640)
    file_of_checkout(root, Path("docs/status.md")).write(b"x")
    assert stat.S_IMODE((root / "docs" / "status.md").stat().st_mode) == 0o640


@pytest.mark.parametrize("target", ["docs/status.md", "./docs/../docs/status.md", "via/status.md", "{root}/docs/status.md"])
def test_a_link_inside_the_root_is_followed(root: Path, target: str) -> None:
    (root / "via").symlink_to("docs", target_is_directory=True)
    (root / "link.md").symlink_to(target.format(root=root))
    assert read(root, "link.md") == b"inside"
    file_of_checkout(root, Path("link.md")).write(b"new")
    assert (root / "link.md").is_symlink()
    assert (root / "docs" / "status.md").read_text() == "new"


@pytest.mark.parametrize(
    ("links", "path"),
    [
        ({"link.md": "../outside/secret.md"}, "link.md"),
        ({"link.md": "{outside}/secret.md"}, "link.md"),
        ({"folder": "../outside"}, "folder/secret.md"),
        ({"folder": "{outside}"}, "folder/secret.md"),
        ({"docs/up": "../.."}, "docs/up/outside/secret.md"),
        ({"a": "b", "b": "c", "c": "../outside"}, "a/secret.md"),
        ({"link.md": "docs/../../outside/secret.md"}, "link.md"),
        ({"docs/back": "..", "link.md": "docs/back/../outside/secret.md"}, "link.md"),
        ({"folder": "../outside"}, "folder/new.md"),
        ({"link.md": "../outside/new.md"}, "link.md"),
    ],
)
def test_a_link_out_of_the_root_is_refused(root: Path, tmp_path: Path, links: dict[str, str], path: str) -> None:
    for name, target in links.items():
        (root / name).symlink_to(target.format(outside=tmp_path / "outside"))
    with pytest.raises(OutsideError):
        read(root, path)
    with pytest.raises(OutsideError):
        file_of_checkout(root, Path(path)).write(b"planted")
    assert file_of_checkout(root, Path(path)).state() is None
    assert names_in(tmp_path / "outside") == ["secret.md"]
    assert (tmp_path / "outside" / "secret.md").read_text() == "outside"


@pytest.mark.parametrize("name", [".git", ".GIT", ".git. ", "git~1", ".g\u200cit"])
def test_what_git_keeps_for_itself_is_no_file_of_the_checkout(root: Path, name: str) -> None:
    (root / name).mkdir()
    (root / name / "config").write_text("token")
    (root / "link.md").symlink_to(f"{name}/config")
    for path in (f"{name}/config", "link.md"):
        with pytest.raises(OutsideError):
            read(root, path)
        with pytest.raises(OutsideError):
            file_of_checkout(root, Path(path)).write(b"[core]\n\tfsmonitor = evil\n")
    assert (root / name / "config").read_text() == "token"


def test_what_is_no_regular_file_is_refused_and_not_waited_for(root: Path) -> None:
    os.mkfifo(root / "pipe")
    (root / "link").symlink_to("pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        here = os.open(root, os.O_RDONLY)
        listening.bind(f"/proc/self/fd/{here}/socket")
        os.close(here)
    for name in ("pipe", "link", "socket", "docs"):
        with pytest.raises(NotAFileError):
            read(root, name)
        with pytest.raises(NotAFileError):
            file_of_checkout(root, Path(name)).write(b"x")
    assert names_in(root) == ["docs", "link", "pipe", "socket"]


def test_a_device_that_the_user_names_is_refused_too() -> None:
    with pytest.raises(NotAFileError):
        file_named_by_user(Path("/dev/zero")).read(LIMIT)


def test_a_file_beyond_the_limit_is_refused_without_being_read(root: Path) -> None:
    with (root / "large").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(TooLargeError, match="larger than"):
        read(root, "large")
    (root / "just").write_bytes(b"x" * LIMIT)
    assert len(read(root, "just")) == LIMIT


def test_links_in_a_circle_end(root: Path) -> None:
    (root / "a").symlink_to("b")
    (root / "b").symlink_to("a")
    for path in ("a", "a/x"):
        with pytest.raises(OSError, match="symbolic links"):
            read(root, path)


@pytest.mark.parametrize("path", ["missing.md", "missing/status.md"])
def test_what_is_not_there_is_reported_as_such(root: Path, path: str) -> None:
    with pytest.raises(FileNotFoundError):
        read(root, path)


def test_what_the_user_names_may_lie_anywhere_and_be_a_link(root: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.md").symlink_to("outside/secret.md")
    for given in (tmp_path / "mine.md", Path("../mine.md")):
        file = file_of_checkout(root, given)
        assert file == file_named_by_user(tmp_path / "mine.md")
        assert file.read(LIMIT) == b"outside"
    file.write(b"new")
    assert (tmp_path / "outside" / "secret.md").read_text() == "new"
    assert (tmp_path / "mine.md").is_symlink()


def test_the_root_by_another_name_is_the_root(root: Path, tmp_path: Path) -> None:
    (tmp_path / "alias").symlink_to("root")
    (root / "link").symlink_to("../outside")
    assert file_of_checkout(root, tmp_path / "alias" / "docs" / "status.md").read(LIMIT) == b"inside"
    with pytest.raises(OutsideError):
        file_of_checkout(root, tmp_path / "alias" / "link" / "secret.md").read(LIMIT)


def test_a_folder_that_may_only_be_passed_through_is_good_enough(root: Path) -> None:
    (root / "docs").chmod(0o311)
    try:
        assert read(root, "docs/status.md") == b"inside"
        file_of_checkout(root, Path("docs/status.md")).write(b"new")
        assert read(root, "docs/status.md") == b"new"
    finally:
        (root / "docs").chmod(0o700)


def test_a_link_itself_is_renamed_not_its_target(root: Path, tmp_path: Path) -> None:
    (root / "link.md").symlink_to("../outside/secret.md")
    file_of_checkout(root, Path("link.md")).rename("aside.md")
    assert (root / "aside.md").is_symlink()
    (root / "folder").symlink_to("../outside")
    with pytest.raises(OutsideError):
        file_of_checkout(root, Path("folder/secret.md")).rename("moved.md")
    assert names_in(tmp_path / "outside") == ["secret.md"]


def test_a_full_disk_or_a_forbidden_folder_leaves_the_old_content(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        file_of_checkout(root, Path("docs/status.md")).write(b"half")
    assert read(root, "docs/status.md") == b"inside"
    assert names_in(root / "docs") == ["status.md"]


def test_exchanging_folders_and_links_meanwhile_lets_nobody_out(root: Path, tmp_path: Path) -> None:
    """A folder is a real one at one moment and a link out at the next: no read sees, and no write reaches, what is outside."""
    (root / "real").mkdir()
    (root / "real" / "secret.md").write_text("inside")
    (root / "out").symlink_to("../outside")
    ended = threading.Event()

    def exchange() -> None:
        while not ended.is_set():
            for name in ("real", "out"):
                with suppress(OSError):
                    (root / name).rename(root / "folder")
                    (root / "folder").rename(root / name)

    exchanging = threading.Thread(target=exchange)
    exchanging.start()
    seen = set()
    try:
        for _ in range(3000):
            with suppress(OSError):
                seen.add(read(root, "folder/secret.md"))
            with suppress(OSError):
                file_of_checkout(root, Path("folder/secret.md")).write(b"written")
    finally:
        ended.set()
        exchanging.join()
    assert seen <= {b"inside", b"written"}
    assert (tmp_path / "outside" / "secret.md").read_text() == "outside"
    assert names_in(tmp_path / "outside") == ["secret.md"]


@pytest.mark.parametrize("seed", range(150))
def test_generated_trees_of_links_are_judged_as_the_system_resolves_them(tmp_path: Path, seed: int) -> None:
    """Against `realpath`: what it puts inside is read, all else is refused."""
    chance = random.Random(seed)
    (root := tmp_path / "root").mkdir()
    folders = [root, tmp_path / "outside"]
    (tmp_path / "outside").mkdir()
    for at in range(4):
        (folder := chance.choice(folders) / f"d{at}").mkdir()
        folders.append(folder)
    for at, folder in enumerate(folders):
        (folder / "f").write_text(f"in {at}")
    names = ["f", "d0", "d1", "d2", "d3", "l0", "l1", "l2", "l3", "l4", "..", ".", "outside", "root"]
    for at in range(5):
        target = "/".join(chance.choices(names, k=chance.randint(1, 4)))
        if chance.random() < 0.2:
            target = f"{chance.choice(folders)}/{target}"
        with suppress(FileExistsError):
            (chance.choice(folders) / f"l{at}").symlink_to(target)
    for _ in range(40):
        path = root.joinpath(*(one for one in chance.choices(names, k=chance.randint(1, 4)) if one != ".."))
        expected = None
        with suppress(OSError, RuntimeError):
            real = path.resolve(strict=True)
            expected = real.read_bytes() if real.is_relative_to(root) else None
        found = None
        with suppress(OSError):
            found = CheckoutFile(root, path).read(LIMIT)
        if found is not None:
            assert found == expected
        elif expected is not None:
            # A path that leaves the root and comes back is refused as well: it depends on what is outside.
            assert _leaves(root, path)


def _leaves(root: Path, path: Path) -> bool:
    """Whether the way there leads through a folder outside."""
    with pytest.raises(OutsideError):
        CheckoutFile(root, path).read(LIMIT)
    return True
