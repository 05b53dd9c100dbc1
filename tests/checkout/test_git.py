"""Git is asked without a repository's configuration being in force: no program of its runs, and no other repository answers."""

from __future__ import annotations

import os
import random
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from localfirst.code_index.scan import scan
from localfirst.fallback.git_history import GitHistory, read_history
from localfirst.git.configuration import entries
from localfirst.git.place import repository_at
from localfirst.git.project import name_from_git, name_from_url
from localfirst.git.runner import NoAnswerError, ask

WHO = {"GIT_AUTHOR_NAME": "Ann", "GIT_AUTHOR_EMAIL": "a@b.c", "GIT_COMMITTER_NAME": "Ann", "GIT_COMMITTER_EMAIL": "a@b.c"}


def git(root: Path, *arguments: str, text: str | None = None) -> str:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    command = ["git", "-c", "protocol.file.allow=always", "-c", "init.defaultBranch=main", "-C", str(root), *arguments]
    environment = clean | WHO | {"GIT_CONFIG_GLOBAL": os.devnull}
    return subprocess.run(command, check=True, capture_output=True, text=True, env=environment, input=text).stdout.strip()


def committed(root: Path, status: str = "# Status\n") -> Path:
    root.mkdir(parents=True)
    git(root, "init", "-q")
    (root / ".project_status.md").write_text(status)
    (root / "a.py").write_text("x = 1\n")
    git(root, "add", ".")
    git(root, "commit", "-qm", "Add the thing (#7)")
    return root


def history(root: Path) -> GitHistory | None:
    return read_history(root, root / ".project_status.md")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return committed(tmp_path / "repository")


@pytest.fixture
def canary(tmp_path: Path) -> tuple[Path, Path]:
    """A program, and the file that is there once it has run."""
    program, mark = tmp_path / "canary", tmp_path / "it-ran"
    program.write_text(f'#!/bin/sh\necho "$0 $*" >> {mark}\nexit 0\n')
    program.chmod(0o700)
    return program, mark


ORDERS = """
[core]
    fsmonitor = {program}
    sshCommand = {program}
    pager = {program}
    editor = {program}
    hooksPath = {folder}/hooks
    gitProxy = {program}
    askPass = {program}
    alternateRefsCommand = {program}
    attributesFile = {folder}/attributes
[log]
    showSignature = true
[gpg]
    program = {program}
[gpg "ssh"]
    program = {program}
    defaultKeyCommand = {program}
[diff]
    external = {program}
[diff "all"]
    textconv = {program}
    command = {program}
[filter "all"]
    clean = {program}
    smudge = {program}
    process = {program}
    required = true
[merge "all"]
    driver = {program}
[pager]
    log = {program}
    show = {program}
    config = {program}
[alias]
    log = !{program}
    ls-files = !{program}
    cat-file = !{program}
    config = !{program}
[credential]
    helper = {program}
[sequence]
    editor = {program}
[uploadpack]
    packObjectsHook = {program}
[extensions]
    partialClone = origin
[remote "origin"]
    url = ext::{program} %S
    promisor = true
    uploadpack = {program}
    partialclonefilter = blob:none
    vcs = {program}
[include]
    path = {folder}/included
[includeIf "gitdir:**"]
    path = {folder}/included
[trace2]
    eventTarget = {folder}/traced
"""


def test_no_order_of_a_repositorys_configuration_is_carried_out(
    repository: Path, canary: tuple[Path, Path], tmp_path: Path
) -> None:
    program, mark = canary
    (tmp_path / "hooks").mkdir()
    for hook in ("post-index-change", "pre-commit", "reference-transaction", "fsmonitor-watchman", "post-checkout"):
        (tmp_path / "hooks" / hook).symlink_to(program)
    (tmp_path / "attributes").write_text("* diff=all filter=all merge=all\n")
    (tmp_path / "included").write_text(f'[core]\n\tfsmonitor = {program}\n[remote "two"]\n\turl = https://h/included/two\n')
    signed = git(repository, "cat-file", "commit", "HEAD").replace(
        "\n\n", "\ngpgsig -----BEGIN PGP SIGNATURE-----\n \n x\n -----END PGP SIGNATURE-----\n\n", 1
    )
    commit = git(repository, "hash-object", "-t", "commit", "-w", "--stdin", text=signed + "\n")
    git(repository, "reset", "-q", "--hard", commit)
    blob = git(repository, "rev-parse", "HEAD:.project_status.md")
    (repository / ".gitattributes").write_text("* diff=all filter=all merge=all\n")
    with (repository / ".git" / "config").open("a") as config:
        config.write(ORDERS.format(program=program, folder=tmp_path))
    subprocess.run(["git", "-C", repository, "log", "-1"], capture_output=True, check=False)
    assert mark.exists(), "git itself carries the orders out: this test can fail"
    mark.unlink()

    found = history(repository)
    assert found is not None
    assert (found.text, [merge.pr_number for merge in found.merges]) == ("# Status\n", [7])
    assert name_from_git(repository) is None  # a helper is no address
    assert [file.path for file in scan(repository).files] == [".gitattributes", ".project_status.md", "a.py"]
    (repository / ".git" / "objects" / blob[:2] / blob[2:]).unlink()  # a promised object, which git would fetch
    missing = history(repository)
    assert missing is None or missing.text is None
    assert not mark.exists(), mark.read_text()
    assert not (tmp_path / "traced").exists()


@pytest.mark.parametrize(
    "configured",
    [
        "[i18n]\n\tlogOutputEncoding = ISO-8859-1\n",
        "[grep]\n\tpatternType = perl\n",
        "[grep]\n\textendedRegexp = true\n",
        "[log]\n\tshowRoot = false\n\tdate = relative\n\tdecorate = full\n\tfollow = true\n\tmailmap = true\n",
        "[color]\n\tui = always\n[core]\n\tquotePath = true\n",
        "[format]\n\tpretty = oneline\n[diff]\n\tnoprefix = true\n\torderFile = /nowhere\n",
    ],
)
def test_what_git_says_does_not_depend_on_the_users_configuration(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, configured: str
) -> None:
    git(repository, "commit", "-q", "--allow-empty", "-m", "Größe prüfen (#12)")
    expected = history(repository)
    assert expected is not None
    assert [merge.pr_title for merge in expected.merges] == ["Größe prüfen", "Add the thing"]
    (tmp_path / "config").write_text(configured)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "config"))
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".gitconfig").write_text(configured)
    assert history(repository) == expected
    assert [file.path for file in scan(repository).files] == [".project_status.md", "a.py"]


def test_the_environment_leads_nowhere_else(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = committed(tmp_path / "other", "# Other\n")
    for name, value in {
        "GIT_DIR": other / ".git",
        "GIT_OBJECT_DIRECTORY": other / ".git" / "objects",
        "GIT_INDEX_FILE": other / ".git" / "index",
        "GIT_WORK_TREE": other,
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": other / ".git" / "objects",
        "GIT_TRACE": tmp_path / "traced",
        "GIT_CONFIG_PARAMETERS": "'core.fsmonitor=/bin/false'",
    }.items():
        monkeypatch.setenv(name, str(value))
    found = history(repository)
    assert found is not None
    assert found.text == "# Status\n"
    assert not (tmp_path / "traced").exists()


def test_a_linked_work_tree_and_a_submodule_are_believed(repository: Path, tmp_path: Path) -> None:
    git(repository, "remote", "add", "origin", "https://example.org/o/main.git")
    git(repository, "worktree", "add", "-q", str(tmp_path / "linked"))
    (outer := tmp_path / "outer").mkdir()
    git(outer, "init", "-q")
    git(outer, "submodule", "--quiet", "add", str(repository), "inner")
    for root in (tmp_path / "linked", outer / "inner"):
        found = history(root)
        assert found is not None
        assert found.text == "# Status\n"
    assert name_from_git(tmp_path / "linked") == "example.org/o/main"


def _file(root: Path, other: Path) -> None:
    (root / ".git").write_text(f"gitdir: {other / '.git'}\n")


def _file_to_a_worktree(root: Path, other: Path) -> None:
    git(other, "worktree", "add", "-q", "--detach", str(other.parent / "its-own"))
    (root / ".git").write_text(f"gitdir: {other}/.git/worktrees/its-own\n")


def _link(root: Path, other: Path) -> None:
    (root / ".git").symlink_to(other / ".git")


def _shared(root: Path, other: Path) -> None:
    git(root, "init", "-q")
    (root / ".git" / "commondir").write_text(str(other / ".git"))


def _alternates(root: Path, other: Path) -> None:
    git(root, "init", "-q")
    (root / ".git" / "objects" / "info" / "alternates").write_text(f"{other}/.git/objects\n")
    (root / ".git" / "HEAD").write_text(git(other, "rev-parse", "HEAD") + "\n")


def _linked_objects(root: Path, other: Path) -> None:
    git(root, "init", "-q")
    (root / ".git" / "HEAD").write_text(git(other, "rev-parse", "HEAD") + "\n")
    for folder in (other / ".git" / "objects").iterdir():
        if len(folder.name) == 2:
            (root / ".git" / "objects" / folder.name).symlink_to(folder)


def _linked_configuration(root: Path, other: Path) -> None:
    git(root, "init", "-q")
    (root / ".git" / "config").unlink()
    (root / ".git" / "config").symlink_to(other / ".git" / "config")


def _included(root: Path, other: Path) -> None:
    git(root, "init", "-q")
    with (root / ".git" / "config").open("a") as config:
        config.write(f"[include]\n\tpath = {other}/.git/config\n")


@pytest.mark.parametrize(
    "lie",
    [_file, _file_to_a_worktree, _link, _shared, _alternates, _linked_objects, _linked_configuration, _included],
    ids=lambda lie: lie.__name__.strip("_"),
)
def test_a_git_that_claims_another_repository_for_itself_is_not_believed(
    tmp_path: Path, lie: Callable[[Path, Path], None]
) -> None:
    other = committed(tmp_path / "other", "# The secret of another repository\n")
    git(other, "remote", "add", "origin", "https://example.org/o/secret.git")
    (root := tmp_path / "root").mkdir()
    lie(root, other)
    (root / "b.py").write_text("x = 1\n")
    assert history(root) is None
    assert name_from_git(root) is None
    assert "b.py" in [file.path for file in scan(root).files]


@pytest.mark.parametrize("what", [".git", ".git/HEAD", ".git/config", ".git/commondir", ".git/packed-refs", ".git/index"])
def test_a_pipe_or_a_huge_file_in_the_place_of_one_of_gits_ends_in_time(tmp_path: Path, what: str) -> None:
    for at, plant in enumerate((os.mkfifo, _huge)):
        root = committed(tmp_path / f"root-{at}")
        git(root, "remote", "add", "origin", "https://example.org/o/n")
        if (root / what).is_dir():
            (root / what).rename(root / "was-git")
        else:
            (root / what).unlink(missing_ok=True)
        plant(root / what)
        began = time.monotonic()
        history(root)
        name_from_git(root)
        assert "a.py" in [file.path for file in scan(root).files]
        assert time.monotonic() - began < 10


def _huge(path: Path) -> None:
    with path.open("wb") as file:
        file.write(b"x")
        file.truncate(1 << 36)


def test_an_index_that_names_what_is_outside_lists_nothing_of_it(repository: Path, tmp_path: Path) -> None:
    (tmp_path / "xx.py").write_text("secret = 1\n")
    (repository / "aabxx.py").write_text("x = 1\n")
    git(repository, "add", "aabxx.py")
    index = (repository / ".git" / "index").read_bytes()
    assert b"aabxx.py" in index
    import hashlib

    changed = index[:-20].replace(b"aabxx.py", b"../xx.py")
    (repository / ".git" / "index").write_bytes(changed + hashlib.sha1(changed).digest())
    assert ".." not in "".join(file.path for file in scan(repository).files)


def test_a_shallow_clone_has_its_history(repository: Path, tmp_path: Path) -> None:
    git(repository, "commit", "-q", "--allow-empty", "-m", "More (#8)")
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{repository}", "shallow")
    found = history(tmp_path / "shallow")
    assert found is not None
    assert (found.text, [merge.pr_number for merge in found.merges]) == ("# Status\n", [8])


def test_packed_references_are_found(repository: Path) -> None:
    git(repository, "pack-refs", "--all")
    git(repository, "gc", "-q")
    found = history(repository)
    assert found is not None
    assert found.text == "# Status\n"


def test_the_address_is_the_one_that_the_users_own_configuration_makes_of_it(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "more").write_text('[url "https://example.org/long/"]\n\tinsteadOf = short:team/\n')
    (tmp_path / "config").write_text('[include]\n\tpath = more\n[url "https://example.org/"]\n\tinsteadOf = short:\n')
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "config"))
    git(repository, "remote", "add", "origin", "short:team/n.git")
    assert name_from_git(repository) == "example.org/long/n"
    git(repository, "remote", "set-url", "origin", "short:o/n.git")
    assert name_from_git(repository) == "example.org/o/n"
    git(repository, "config", "url.https://evil.example/.insteadOf", "short:")  # the repository's own rewrites nothing
    assert name_from_git(repository) == "example.org/o/n"


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://user:s3cret@[::1]:8080/o/n.git", "[::1]:8080/o/n"),
        ("https://user:pa@ss@example.org/o/n.git", "example.org/o/n"),
        ("https://user:pa/ss@example.org/o/n.git", None),
        ("https://user:12/ss@example.org/o/n.git", None),
        ("https://user:pa#ss@example.org/o/n", None),
        ("https://user:pa?ss@example.org/o/n", None),
        ("https://Example.org:8443/o/n.git/", "example.org:8443/o/n"),
        ("https://example.org:443/o/n.git", "example.org/o/n"),
        ("http://example.org:80/o/n.git", "example.org/o/n"),
        ("ssh://git@example.org:22/o/n.git", "example.org/o/n"),
        ("ssh://git@example.org:443/o/n.git", "example.org:443/o/n"),
        ("https://example.org/o/n.git?token=abc", "example.org/o/n"),
        ("ssh://git@example.org:2222/o/n.git", "example.org:2222/o/n"),
        ("git@example.org:o/n.git", "example.org/o/n"),
        ("git@[::1]:o/n.git", "[::1]/o/n"),
        ("[example.org:2222]:o/n.git", "example.org:2222/o/n"),
        ("[example.org:22]:o/n.git", "example.org/o/n"),
        ("[example.org:port]:o/n.git", None),
        ("example.org:o/n", "example.org/o/n"),
        ("user:pa@example.org:o/n", "example.org/o/n"),
        ("user:pa/ss@example.org:o/n", None),
        ("ext::sh -c evil", None),
        ("codecommit::eu://profile@repo", None),
        ("https://exa\nmple.org/o/n", None),
        ("https://example.org:port/o/n", None),
        ("https://[::1/o/n", None),
        ("file:///srv/git/n.git", "local/srv/git/n"),
        ("/srv/git/n.git", "local/srv/git/n"),
        ("/home/me@example.org/n.git", "local/home/me@example.org/n"),
        (r"C:\code\n.git", "local/C:/code/n"),
        ("C:/code/n.git", "local/C:/code/n"),
        ("../n.git", "local/../n"),
    ],
)
def test_names_of_addresses(url: str, name: str | None) -> None:
    assert name_from_url(url) == name


def test_no_secret_of_an_address_is_ever_in_the_name() -> None:
    chance = random.Random(20261130)
    forms = [
        "https://{}@example.org/o/n.git", "https://{}@[::1]:8080/o/n.git", "http://user:{}@example.org:80/o/n",
        "ssh://user:{}@example.org:22/o/n.git", "user:{}@example.org:o/n.git", "{}@example.org:o/n", "git://{}@h/n",
        "HTTPS://user:{}@example.org/~me/n", "ftp://{}:x@example.org/o/n", "file://user:{}@example.org/o/n",
    ]  # fmt: skip
    named = 0
    for _ in range(20_000):
        pieces = [f"s3cr{chance.randrange(16**6):06x}" for _ in range(chance.randint(1, 4))]
        secret = pieces[0] + "".join(chance.choice("@/:?#%[]\\ \t;&=+.~é\n") + piece for piece in pieces[1:])
        name = name_from_url(chance.choice(forms).format(secret))
        assert name is None or not any(piece in name for piece in pieces), (secret, name)
        named += name is not None
    assert named > 4_000


def test_a_configuration_is_read_as_git_reads_it_also_without_the_program(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    text = b'# c\n[Remote "Origin"]\n\tURL = https://h/o/n ; c\n\tfetch = +a\n[remote "b"]\n\turl = "x y"\n'
    text += b"[include]\n\tpath = /x\n"
    expected = [
        ("remote.Origin.url", "https://h/o/n"), ("remote.Origin.fetch", "+a"), ("remote.b.url", "x y"), ("include.path", "/x")
    ]  # fmt: skip
    assert entries(text) == expected
    monkeypatch.setenv("PATH", str(tmp_path))
    found = dict(entries(text))
    assert (found["remote.Origin.url"].split(" ;")[0], found["remote.b.url"]) == ("https://h/o/n", "x y")


def test_a_git_that_does_not_end_or_says_too_much_is_killed_with_all_that_it_has_started(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "git"
    program.write_text(f"#!/bin/sh\n(echo $$ > {tmp_path}/pid; exec sleep 600) &\nsleep 600\n")
    program.chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    began = time.monotonic()
    with pytest.raises(NoAnswerError, match="too long"):
        ask("log", time_limit_s=0.5)
    assert time.monotonic() - began < 5
    program.write_text("#!/bin/sh\nexec cat /dev/zero\n")
    with pytest.raises(NoAnswerError, match="more than"):
        ask("log", size_limit_bytes=1000)


def test_a_checkout_without_a_remote_starts_no_process(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def started(*_: object, **__: object) -> None:
        raise AssertionError("a process was started")

    monkeypatch.setattr(subprocess, "Popen", started)
    assert repository_at(repository) is not None
    assert name_from_git(repository) is None
