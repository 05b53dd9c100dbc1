"""What each origin may say: the user everything, a file of a checkout what can do no harm, an allowed one more."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from operator import attrgetter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from localfirst_schema.errors import ValidationError

from localfirst.replica.opening import open_replica
from localfirst.settings import KEYS, Settings, load, trust
from localfirst.settings.file import SECRETS
from localfirst.settings.origin import Origin, chosen
from localfirst.settings.place import default_replica
from settings.conftest import Load

NEW = {
    "database_url": "postgresql://elsewhere/db",
    "replica": "board.db",
    "markdown": "other.md",
    "project": "team/other",
    "client": "mallory",
    "read_from": "replica",
    "embedding": "openai:m",
    "embedding_url": "http://elsewhere/v1",
    "embedding_requests_per_minute": "7",
    "share_code": "no",
    "archiving": "no",
    "tools": "list_work_items",
}
"""A value for every setting of a checkout that is not the default (of a server that is supported)."""

HARMLESS = {"archiving", "read_from", "share_code", "project"}
IN_FORCE: dict[str, Callable[[Settings], object]] = {name: attrgetter(name) for name in NEW}


def test_every_setting_is_held_to_the_rules() -> None:
    assert set(KEYS) - set(SECRETS) - {"server_url"} == set(NEW)


@pytest.mark.parametrize("name", sorted(NEW))
def test_a_file_that_was_not_allowed_says_what_can_do_no_harm(name: str, settings_of: Load) -> None:
    default = settings_of()
    loaded = settings_of(f'{name} = "{NEW[name]}"\n')
    if name in HARMLESS:
        assert IN_FORCE[name](loaded) != IN_FORCE[name](default)
        assert loaded.untrusted == ()
    else:
        assert loaded._replace(untrusted=()) == default
        assert loaded.untrusted == (name,)


@pytest.mark.parametrize("name", sorted(NEW))
def test_an_allowed_file_says_all_but_where_the_replica_is(name: str, settings_of: Load) -> None:
    default = settings_of()
    loaded = settings_of(f'{name} = "{NEW[name]}"\n', allowed=True)
    if name == "replica":
        assert loaded._replace(untrusted=()) == default
        assert loaded.untrusted == ("replica",)
    else:
        assert IN_FORCE[name](loaded) != IN_FORCE[name](default)
        assert loaded.untrusted == ()


@pytest.mark.parametrize("name", sorted(NEW))
def test_the_users_own_configuration_and_the_environment_say_everything(
    name: str, settings_of: Load, own: Callable[[str], None]
) -> None:
    default = settings_of()
    own(f'{name} = "{NEW[name]}"\n')
    assert IN_FORCE[name](settings_of()) != IN_FORCE[name](default)
    own("")
    assert IN_FORCE[name](settings_of(**{name.upper(): NEW[name]})) != IN_FORCE[name](default)


@given(
    said=st.dictionaries(
        st.sampled_from(list(Origin)),
        st.dictionaries(st.sampled_from(KEYS), st.sampled_from(["", "no", "yes", "x"])),
        max_size=4,
    )
)
def test_the_nearest_origin_that_may_say_it_counts(said: dict[Origin, dict[str, str]]) -> None:
    found, ignored = chosen(said)
    for name in KEYS:
        saying = [origin for origin in Origin if said.get(origin, {}).get(name)]
        if name in found:
            assert found[name].value == said[found[name].origin][name]
            nearer = saying[: saying.index(found[name].origin)]
            assert all(origin in (Origin.ALLOWED, Origin.CHECKOUT) and name in ignored for origin in nearer)
        else:
            assert all(origin in (Origin.ALLOWED, Origin.CHECKOUT) for origin in saying)
        if said.get(Origin.CHECKOUT, {}).get(name) == "x" and name not in HARMLESS:
            assert name in ignored


def test_sharing_code_can_be_switched_off_by_a_checkout_and_not_on(settings_of: Load, own: Callable[[str], None]) -> None:
    own('share_code = "no"\n')
    assert settings_of('share_code = "yes"\n').share_code is False
    own("")
    assert settings_of('share_code = "no"\n').share_code is False
    assert settings_of('share_code = "yes"\n').untrusted == ("share_code",)


def test_an_allowed_file_counts_as_it_was_and_where_it_was(settings_of: Load, root: Path, tmp_path: Path) -> None:
    assert settings_of('client = "ann"\n', allowed=True).client == "ann"
    changed = settings_of('client = "bob"\n')
    assert (changed.client, changed.untrusted) == (None, ("client",))
    assert settings_of('client = "ann"\n').client == "ann", "as it was again"
    (elsewhere := tmp_path / "elsewhere").mkdir()
    (elsewhere / ".localfirst.toml").write_text('client = "ann"\n')
    assert load(elsewhere, {}).client is None
    assert trust.revoke(root)
    assert settings_of().client is None
    assert not trust.revoke(root)


def test_what_was_allowed_is_remembered_in_a_private_file_beside_the_replicas(settings_of: Load, root: Path) -> None:
    settings_of('client = "ann"\n', allowed=True)
    (kept,) = default_replica(root, None).parent.glob("*.json")
    assert kept.stat().st_mode & 0o777 == 0o600
    assert kept.parent.stat().st_mode & 0o777 == 0o700
    kept.write_text("not json")
    assert settings_of().client is None, "what cannot be read allows nothing"
    trust.allow(root, (root / ".localfirst.toml").read_bytes())
    assert settings_of().client == "ann"
    assert [one.read_text() for one in kept.parent.glob("*.unreadable")] == ["not json"]


@pytest.mark.parametrize("path", ["../outside.md", "/etc/hosts", "link/outside.md", "~/.bashrc", "a/../../b.md", "circle/x"])
def test_the_status_file_of_a_checkout_stays_inside(path: str, settings_of: Load, root: Path, tmp_path: Path) -> None:
    (root / "link").symlink_to(tmp_path)
    (root / "circle").symlink_to(root / "circle")
    loaded = settings_of(f'markdown = "{path}"\n', allowed=True)
    assert loaded.markdown == root / ".project_status.md"
    assert loaded.untrusted == ("markdown",)
    assert settings_of("", MARKDOWN="/etc/hosts").markdown == Path("/etc/hosts"), "the user may say anything"


def test_a_status_file_inside_is_taken_from_an_allowed_file(settings_of: Load, root: Path) -> None:
    (root / "docs").mkdir()
    (root / "link").symlink_to("docs")
    loaded = settings_of('markdown = "link/status.md"\n', allowed=True)
    assert (loaded.markdown, loaded.untrusted) == (root / "link" / "status.md", ())


class TestTheProjectsName:
    def test_counts_where_it_opens_nothing_and_goes_on_counting(self, settings_of: Load, root: Path) -> None:
        loaded = settings_of('project = "team/board"\n')
        assert (loaded.project, loaded.untrusted) == ("team/board", ())
        open_replica(loaded.replica, loaded.project).close()
        assert settings_of() == loaded

    def test_does_not_open_somebody_elses_replica(self, settings_of: Load) -> None:
        theirs = settings_of(PROJECT="team/board")
        open_replica(theirs.replica, theirs.project).close()
        loaded = settings_of('project = "team/board"\n')
        assert (loaded.project, loaded.untrusted) == (None, ("project",))
        assert loaded.replica != theirs.replica

    def test_leaves_the_name_to_whoever_has_it_by_right(self, settings_of: Load) -> None:
        loaded = settings_of('project = "team/board"\n')
        open_replica(loaded.replica, loaded.project).close()
        assert settings_of(PROJECT="team/board").replica != loaded.replica

    def test_does_not_count_beside_gits_or_with_a_server(self, settings_of: Load, root: Path) -> None:
        loaded = settings_of('project = "team/board"\n', DATABASE_URL="postgresql://mine/db")
        assert (loaded.project, loaded.untrusted, loaded.is_name_withheld) == (None, ("project",), True)
        subprocess.run(["git", "init", "-q", root], check=True)
        subprocess.run(["git", "-C", root, "remote", "add", "origin", "https://example.org/o/n.git"], check=True)
        loaded = settings_of()
        assert (loaded.project, loaded.untrusted, loaded.is_name_withheld) == ("example.org/o/n", ("project",), False)

    def test_keeps_its_replica_when_the_file_is_allowed(self, settings_of: Load, root: Path) -> None:
        before = settings_of('project = "team/board"\n')
        open_replica(before.replica, before.project).close()
        after = settings_of('project = "team/board"\n', allowed=True, DATABASE_URL="postgresql://mine/db")
        assert (after.project, after.replica) == ("team/board", before.replica)


@pytest.mark.parametrize("content", [b'\xef\xbb\xbfarchiving = "no"\n', 'client = "é"\narchiving = "no"\n'.encode()])
def test_a_file_is_utf_8_with_or_without_a_byte_order_mark_in_any_locale(
    content: bytes, settings_of: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", "C")
    assert settings_of(content).archiving is False


@pytest.mark.parametrize("content", [b"colour = 'red'", b"archiving = 5", b"\xff\xfe", b"a = [", b"[" * 50_000, b"#" * 70_000])
def test_a_file_that_makes_no_sense_is_named(content: bytes, settings_of: Load) -> None:
    with pytest.raises(ValidationError, match=r"\.localfirst\.toml"):
        settings_of(content)


@pytest.mark.skipif(os.name != "posix", reason="pipes and links")
def test_a_pipe_or_a_link_that_leads_out_is_no_settings_file(settings_of: Load, root: Path, tmp_path: Path) -> None:
    os.mkfifo(root / ".localfirst.toml")
    with pytest.raises(ValidationError, match="no regular file"):
        settings_of()
    (root / ".localfirst.toml").unlink()
    (tmp_path / "outside.toml").write_text('archiving = "no"\n')
    (root / ".localfirst.toml").symlink_to(tmp_path / "outside.toml")
    with pytest.raises(ValidationError, match="out of the project"):
        settings_of()


def test_a_secret_is_no_setting_of_a_checkout_but_of_the_users_own_file(settings_of: Load, own: Callable[[str], None]) -> None:
    for name in SECRETS:
        with pytest.raises(ValidationError, match="is not a setting"):
            settings_of(f'{name} = "t"\n', allowed=True)
    own('embedding_token = "t"\n')
    assert settings_of("").embedding_token == "t"


def test_a_database_and_a_server_from_one_origin_are_a_mistake(settings_of: Load, own: Callable[[str], None]) -> None:
    with pytest.raises(ValidationError, match="must not be set beside"):
        settings_of(SERVER_URL="https://s", DATABASE_URL="postgresql://x/y")
    own('server_url = "https://s"\n')
    assert settings_of(DATABASE_URL="postgresql://x/y").database_url == "postgresql://x/y", "the nearer one counts"


def test_the_root_may_be_named(root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert load(None, {"LOCALFIRST_ROOT": str(root)}).root == root
    with pytest.raises(ValidationError, match="LOCALFIRST_ROOT"):
        load(None, {"LOCALFIRST_ROOT": str(root / "nowhere")})


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=200)
@given(content=st.binary(max_size=300) | st.text(max_size=200).map(str.encode))
def test_no_bytes_of_a_checkout_do_more_than_a_file_that_is_not_there(content: bytes, settings_of: Load) -> None:
    try:
        loaded = settings_of(content)
    except ValidationError:
        return
    assert (loaded.database_url, loaded.embedding_url, loaded.client, loaded.embedding) == (None, None, None, "builtin")
