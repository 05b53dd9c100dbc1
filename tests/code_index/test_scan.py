"""Which files of a working tree belong to the index, with git and without."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import unicodedata
from pathlib import Path

import pytest

from localfirst.code_index.scan import Scan, ScanStoppedError, scan
from localfirst.code_index.scan.rules import MAX_BYTES
from localfirst.code_index.skipped import SkipRule


def git(root: Path, *arguments: str) -> None:
    names = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b.c", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b.c"}
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    command = ["git", "-c", "protocol.file.allow=always", "-C", str(root), *arguments]
    subprocess.run(command, check=True, capture_output=True, env=clean | names | {"GIT_CONFIG_GLOBAL": os.devnull})


def write(root: Path, **files: str) -> None:
    """Files by name, with ``__`` for a slash."""
    for name, text in files.items():
        put(root, name.replace("__", "/"), text)


def put(root: Path, path: str, text: str = "text\n") -> Path:
    place = root / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)
    return place


def paths(found: Scan) -> list[str]:
    return [file.path for file in found.files]


def rules(found: Scan) -> dict[str, SkipRule]:
    return {skipped.path: skipped.rule for skipped in found.skipped}


@pytest.fixture(params=["under git", "without git"])
def tree(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    root.mkdir()
    if request.param == "under git":
        git(root, "init", "-q")
    return root


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "repository"
    root.mkdir()
    git(root, "init", "-q")
    return root


def test_every_file_is_found_with_what_stat_says(tree: Path) -> None:
    place = put(tree, "pkg/a.py", "x = 1\n")
    put(tree, "b.py")
    found = scan(tree)
    assert paths(found) == ["b.py", "pkg/a.py"]
    status = place.stat()
    file = found.files[1]
    assert (file.size, file.mtime_ns, file.inode) == (6, status.st_mtime_ns, status.st_ino)


def test_ignore_files_count_at_every_level(tree: Path) -> None:
    put(tree, ".gitignore", "*.log\n/build/\n!keep.log\n")
    put(tree, "pkg/.gitignore", "local.py\n!special.log\n**/deep/*.txt\n")
    for path in (
        "a.log", "keep.log", "build/x.py", "pkg/build/x.py", "pkg/local.py", "local.py", "pkg/special.log", "special.log",
        "pkg/a/deep/n.txt", "a/deep/n.txt",
    ):  # fmt: skip
        put(tree, path)
    found = [path for path in paths(scan(tree)) if not path.endswith(".gitignore")]
    assert found == ["a/deep/n.txt", "keep.log", "local.py", "pkg/build/x.py", "pkg/special.log"]


def test_nothing_below_an_ignored_directory_comes_back(tree: Path) -> None:
    put(tree, ".gitignore", "out/\n")
    put(tree, "out/.gitignore", "!wanted.py\n")
    put(tree, "out/wanted.py")
    assert paths(scan(tree)) == [".gitignore"]


def test_localfirstignore_leaves_out_tracked_files_too(tree: Path) -> None:
    put(tree, "pkg/.localfirstignore", "fixtures/\n*.csv\n!small.csv\n")
    for path in ("pkg/fixtures/a.py", "pkg/big.csv", "pkg/small.csv", "big.csv"):
        put(tree, path)
    if (tree / ".git").exists():
        git(tree, "add", "-A")
    assert paths(scan(tree)) == ["big.csv", "pkg/.localfirstignore", "pkg/small.csv"]


def test_a_localfirstignore_that_git_ignores_counts(repository: Path) -> None:
    put(repository, ".gitignore", ".localfirstignore\n")
    put(repository, "pkg/.localfirstignore", "a.py\n")
    write(repository, pkg__a=" ", pkg__b=" ")
    put(repository, "pkg/a.py")
    assert paths(scan(repository)) == [".gitignore", "pkg/a", "pkg/b"]


def test_a_tracked_file_belongs_to_the_tree_although_a_rule_names_it(repository: Path) -> None:
    put(repository, "kept.log")
    git(repository, "add", "kept.log")
    put(repository, ".gitignore", "*.log\n")
    put(repository, "other.log")
    assert paths(scan(repository)) == [".gitignore", "kept.log"]


def test_a_tracked_file_that_was_deleted_is_not_there(repository: Path) -> None:
    put(repository, "a.py")
    put(repository, "b.py")
    git(repository, "add", "-A")
    (repository / "a.py").unlink()
    found = scan(repository)
    assert paths(found) == ["b.py"]
    assert found.skipped == []


def test_a_file_with_a_merge_conflict_is_found_once(repository: Path) -> None:
    put(repository, "a.py", "one\n")
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "1")
    git(repository, "checkout", "-qb", "other")
    put(repository, "a.py", "two\n")
    git(repository, "commit", "-qam", "2")
    git(repository, "checkout", "-q", "-")
    put(repository, "a.py", "three\n")
    git(repository, "commit", "-qam", "3")
    with pytest.raises(subprocess.CalledProcessError):
        git(repository, "merge", "-q", "other")
    assert paths(scan(repository)) == ["a.py"]


def test_a_part_of_a_repository_is_scanned_by_its_own_paths(repository: Path) -> None:
    put(repository, ".gitignore", "*.log\n")
    put(repository, "pkg/a.py")
    put(repository, "pkg/a.log")
    put(repository, "other.py")
    assert paths(scan(repository / "pkg")) == ["a.py"]


def test_a_directory_that_the_repository_around_it_ignores_is_walked(repository: Path) -> None:
    put(repository, ".gitignore", "scratch/\n")
    put(repository, "scratch/a.py")
    assert paths(scan(repository / "scratch")) == ["a.py"]


@pytest.mark.parametrize(
    ("path", "rule"),
    [
        (".env", SkipRule.SECRET),
        (".env.local", SkipRule.SECRET),
        (".envrc", SkipRule.SECRET),
        ("deploy/prod.env", SkipRule.SECRET),
        ("Server.PEM", SkipRule.SECRET),
        ("id_rsa", SkipRule.SECRET),
        ("keys/id_ed25519", SkipRule.SECRET),
        ("tls.key", SkipRule.SECRET),
        (".npmrc", SkipRule.SECRET),
        (".aws/credentials", SkipRule.SECRET),
        ("credentials.json", SkipRule.SECRET),
        ("package-lock.json", SkipRule.LOCK_FILE),
        ("Cargo.lock", SkipRule.LOCK_FILE),
        ("go.sum", SkipRule.LOCK_FILE),
        ("pnpm-lock.yaml", SkipRule.LOCK_FILE),
        ("jquery.min.js", SkipRule.MINIFIED),
        ("app.js.map", SkipRule.MINIFIED),
        ("logo.PNG", SkipRule.BINARY),
        ("lib.so", SkipRule.BINARY),
    ],
)
def test_names_that_are_left_out_say_by_which_rule(tree: Path, path: str, rule: SkipRule) -> None:
    put(tree, path)
    put(tree, "a.py")
    found = scan(tree)
    assert paths(found) == ["a.py"]
    assert rules(found) == {path: rule}


@pytest.mark.parametrize(
    "path",
    ["environment.py", "env.py", ".environment", "id_rsa.pub", "locking.py", "keys.py", "credentials.py", "min.js", "block.rs"],
)
def test_names_that_only_look_like_those_are_found(tree: Path, path: str) -> None:
    put(tree, path)
    assert paths(scan(tree)) == [path]


def test_secrets_are_never_opened(tree: Path) -> None:
    secrets = [put(tree, path) for path in (".env", "a.pem", "id_rsa")]
    opened: list[object] = []
    watching = [True]

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if watching[0] and event == "open":
            opened.append(os.fspath(arguments[0]) if isinstance(arguments[0], str | bytes | os.PathLike) else arguments[0])

    sys.addaudithook(hook)
    try:
        scan(tree)
    finally:
        watching[0] = False
    assert not {str(secret) for secret in secrets} & set(opened)


def test_large_and_empty_files_are_left_out(tree: Path) -> None:
    put(tree, "large.py", "x" * (MAX_BYTES + 1))
    put(tree, "limit.py", "x" * MAX_BYTES)
    put(tree, "empty.py", "")
    found = scan(tree)
    assert paths(found) == ["limit.py"]
    assert rules(found) == {"large.py": SkipRule.TOO_LARGE, "empty.py": SkipRule.EMPTY}


def test_links_are_never_followed(tree: Path, tmp_path: Path) -> None:
    outside = put(tmp_path, "outside/secret.py")
    (tree / "file.py").symlink_to(outside)
    (tree / "folder").symlink_to(outside.parent)
    (tree / "loop").symlink_to(tree)
    (tree / "broken").symlink_to("nowhere")
    found = scan(tree)
    assert paths(found) == []
    assert set(rules(found).values()) == {SkipRule.LINK}
    assert set(rules(found)) == {"file.py", "folder", "loop", "broken"}


def test_a_directory_that_became_a_link_does_not_lead_out(repository: Path, tmp_path: Path) -> None:
    put(repository, "pkg/deep/a.py")
    git(repository, "add", "-A")
    put(tmp_path, "outside/deep/a.py")
    (repository / "pkg").rename(tmp_path / "moved")
    (repository / "pkg").symlink_to(tmp_path / "outside")
    assert paths(scan(repository)) == []


def test_pipes_and_sockets_are_no_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert rules(scan(tmp_path)) == {"pipe": SkipRule.NOT_A_FILE}


@pytest.mark.parametrize(
    "name", ["two\nlines.py", "with space.py", 'quo"te.py', "tab\t.py", "back\\slash.py", "-dash.py", "日本.py"]
)
def test_odd_names_are_kept(tree: Path, name: str) -> None:
    put(tree, name)
    assert paths(scan(tree)) == [name]


def test_names_are_kept_as_they_are_composed(tree: Path) -> None:
    name = unicodedata.normalize("NFD", "é.py")
    put(tree, name)
    assert paths(scan(tree)) == [name]


def test_a_name_that_is_not_utf8_can_be_opened_again(tree: Path) -> None:
    put(tree, os.fsdecode(b"caf\xe9.py"), "x\n")
    (found,) = scan(tree).files
    assert (tree / found.path).read_bytes() == b"x\n"
    assert found.path == "caf\udce9.py"


def test_what_programs_fill_is_left_out(tmp_path: Path) -> None:
    put(tmp_path, "node_modules/left/index.js")
    put(tmp_path, "pkg/__pycache__/a.txt")
    put(tmp_path, "anything/pyvenv.cfg")
    put(tmp_path, "anything/lib/site.py")
    put(tmp_path, "a.py")
    found = scan(tmp_path)
    assert paths(found) == ["a.py"]
    filled = {"node_modules", "pkg/__pycache__", "anything"}
    assert rules(found) == dict.fromkeys(filled, SkipRule.FILLED)


def test_filled_directories_that_git_tracks_belong_to_the_tree(repository: Path) -> None:
    put(repository, "node_modules/vendored.js")
    git(repository, "add", "-A")
    put(repository, "node_modules/installed.js")
    assert paths(scan(repository)) == ["node_modules/vendored.js"]


def test_a_submodule_belongs_to_the_tree(repository: Path, tmp_path: Path) -> None:
    library = tmp_path / "library"
    library.mkdir()
    git(library, "init", "-q")
    put(library, "lib.py")
    put(library, ".gitignore", "*.log\n")
    git(library, "add", "-A")
    git(library, "commit", "-qm", "1")
    git(repository, "submodule", "--quiet", "add", str(library), "third/library")
    put(repository, "third/library/a.log")
    put(repository, "third/library/new.py")
    expected = [".gitmodules", "third/library/.gitignore", "third/library/lib.py", "third/library/new.py"]
    assert paths(scan(repository)) == expected


def test_a_clone_inside_is_another_repository(repository: Path) -> None:
    inner = repository / "work" / "clone"
    inner.mkdir(parents=True)
    git(inner, "init", "-q")
    put(inner, "a.py")
    git(inner, "add", "-A")
    git(inner, "commit", "-qm", "1")
    put(repository, "b.py")
    found = scan(repository)
    assert paths(found) == ["b.py"]
    assert rules(found) == {"work/clone": SkipRule.REPOSITORY}


def test_a_folder_of_repositories_holds_all_of_them(tmp_path: Path) -> None:
    for name in ("one", "two"):
        put(tmp_path, f"{name}/.gitignore", "*.log\n")
        put(tmp_path, f"{name}/a.py")
        put(tmp_path, f"{name}/a.log")
        git(tmp_path / name, "init", "-q")
    put(tmp_path, "notes.md")
    assert paths(scan(tmp_path)) == ["notes.md", "one/.gitignore", "one/a.py", "two/.gitignore", "two/a.py"]


def test_the_tree_is_walked_where_git_is_missing(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(repository, ".gitignore", "*.log\n")
    put(repository, "a.py")
    put(repository, "a.log")
    monkeypatch.setenv("PATH", "/nowhere")
    assert paths(scan(repository)) == [".gitignore", "a.py"]


def test_the_file_that_leads_a_work_tree_or_a_submodule_to_its_repository_is_no_part_of_the_walked_tree(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library, linked = tmp_path / "library", tmp_path / "linked"
    library.mkdir()
    git(library, "init", "-q")
    put(library, "lib.py")
    git(library, "add", "-A")
    git(library, "commit", "-qm", "1")
    git(repository, "submodule", "--quiet", "add", str(library), "third/library")
    git(repository, "commit", "-qm", "1")
    git(repository, "worktree", "add", "-q", "-b", "feature", str(linked))
    assert (linked / ".git").is_file()
    assert (repository / "third/library/.git").is_file()
    monkeypatch.setenv("PATH", "/nowhere")
    assert paths(scan(linked)) == [".gitmodules"]
    assert paths(scan(repository)) == [".gitmodules", "third/library/lib.py"]


def test_what_the_repository_alone_excludes_is_left_out_where_git_is_missing(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(repository, "a.py")
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "1")
    git(repository, "worktree", "add", "-q", "-b", "feature", str(tmp_path / "linked"))
    put(repository, ".git/info/exclude", "/private/\n*.note\n")
    monkeypatch.setenv("PATH", "/nowhere")
    for place in (repository, tmp_path / "linked"):
        put(place, "private/plan.md")
        put(place, "deep/private/plan.md")
        put(place, "b.note")
        put(place, "deep/.gitignore", "!b.note\n")
        put(place, "deep/b.note")
        assert paths(scan(place)) == ["a.py", "deep/.gitignore", "deep/b.note", "deep/private/plan.md"]


def test_a_git_that_gives_up_halfway_leaves_nothing_twice(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(repository, "tracked.py")
    git(repository, "add", "-A")
    put(repository, "new.py")
    real = shutil.which("git")
    broken = put(tmp_path, "bin/git", f'#!/bin/sh\ncase "$*" in *--others*) exit 128;; esac\nexec {real} "$@"\n')
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{broken.parent}:{os.environ['PATH']}")
    assert paths(scan(repository)) == ["new.py", "tracked.py"]


def test_nothing_that_the_repository_configures_is_run(repository: Path, tmp_path: Path) -> None:
    hook = put(tmp_path, "hook", f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    hook.chmod(0o755)
    git(repository, "config", "core.fsmonitor", str(hook))
    put(repository, "a.py")
    assert paths(scan(repository)) == ["a.py"]
    assert not (tmp_path / "ran").exists()


def test_the_environment_of_a_hook_does_not_lead_elsewhere(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(repository, "tracked.log")
    git(repository, "add", "-A")
    put(repository, ".gitignore", "*.log\n")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "index"))
    assert paths(scan(repository)) == [".gitignore", "tracked.log"]


SCAN_WITHOUT_PRIVILEGE = """
import sys
import time
from pathlib import Path
from localfirst.code_index.scan import scan
found = scan(Path(sys.argv[1]))
print([file.path for file in found.files], [(skipped.path, str(skipped.rule), skipped.detail) for skipped in found.skipped])
"""


@pytest.mark.parametrize("tracked", [True, False])
def test_a_directory_without_permission_is_listed(tree: Path, tracked: bool) -> None:
    put(tree, "a.py")
    put(tree, "closed/b.py")
    if tracked and (tree / ".git").exists():
        git(tree, "add", "-A")
    (tree / "closed").chmod(0)
    command = [sys.executable, "-c", SCAN_WITHOUT_PRIVILEGE, str(tree)]
    if os.geteuid() == 0:  # root may read everything unless it gives that up
        capabilities = "-dac_override,-dac_read_search"
        command = ["setpriv", f"--bounding-set={capabilities}", f"--inh-caps={capabilities}", *command]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    finally:
        (tree / "closed").chmod(0o700)
    assert done.stdout.startswith("['a.py'] [('closed")
    assert "'unreadable', 'Permission denied')" in done.stdout


def test_a_root_that_is_gone_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        scan(tmp_path / "gone")
    with pytest.raises(NotADirectoryError):
        scan(put(tmp_path, "file"))


def test_a_generated_repository_is_the_same_each_time_and_holds_what_no_index_should(tmp_path: Path) -> None:
    generator = Path(__file__).parents[2] / "tools" / "generate_repository.py"
    heads = []
    for name, processes in (("one", "1"), ("two", "2")):
        command = [sys.executable, str(generator), "--files", "150", "--lines", "12000", "--processes", processes]
        subprocess.run([*command, str(tmp_path / name)], check=True, capture_output=True)
        show = ["git", "-C", str(tmp_path / name), "rev-parse", "HEAD"]
        heads.append(subprocess.run(show, check=True, capture_output=True).stdout)
    assert heads[0] == heads[1]
    found = scan(tmp_path / "one")
    assert len(found.files) == 150 + len([".gitignore"])
    lines = sum((tmp_path / "one" / file.path).read_text().count("\n") for file in found.files)
    assert 0.9 * 12_000 < lines < 1.2 * 12_000
    assert set(rules(found).values()) >= {
        SkipRule.LOCK_FILE,
        SkipRule.SECRET,
        SkipRule.BINARY,
        SkipRule.MINIFIED,
        SkipRule.LINK,
    }


def test_a_scan_that_nobody_wants_any_more_ends(tree: Path) -> None:
    for number in range(300):
        put(tree, f"folder{number}/a.py")
    asked = 0

    def should_stop() -> bool:
        nonlocal asked
        asked += 1
        return asked > 1

    with pytest.raises(ScanStoppedError):
        scan(tree, should_stop)
    assert 2 <= asked <= 4


def test_a_git_that_hangs_is_given_up_when_nobody_waits(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(repository, "a.py")
    (tmp_path / "slow").mkdir()
    (tmp_path / "slow" / "git").write_text("#!/bin/sh\nexec sleep 600\n")
    (tmp_path / "slow" / "git").chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path / 'slow'}:{os.environ['PATH']}")
    began = time.monotonic()
    with pytest.raises(ScanStoppedError):
        scan(repository, lambda: time.monotonic() - began > 0.5)
    assert time.monotonic() - began < 5
