"""The settings of a directory: from the environment, the user's own `config.toml`, the root's `.localfirst.toml`, defaults."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import platformdirs
from localfirst_schema.errors import UnavailableError, ValidationError

from localfirst.git.place import Repository, repository_at
from localfirst.git.project import find_root, name_of_repository
from localfirst.settings import file
from localfirst.settings.file import FILE_NAME, OWN_NAME, SettingsFile
from localfirst.settings.finding import Names
from localfirst.settings.origin import KEYS, Origin, Said, chosen, may_name_project
from localfirst.settings.place import default_replica
from localfirst.settings.placing import directory_of, placed
from localfirst.settings.projects import TABLE, Projects
from localfirst.settings.registry import Registry
from localfirst.settings.settings import Settings
from localfirst.settings.value import check, is_yes

STATUS_FILE = ".project_status.md"


class Sources(NamedTuple):
    """What each origin says of a root."""

    root: Path
    said: dict[Origin, dict[str, str]]
    checkout: SettingsFile | None


class _Named(NamedTuple):
    """What names the project, and whether a name in the checkout's file does not count."""

    names: Names
    is_ignored: bool = False


def load(place: Path | None = None, environment: Mapping[str, str] | None = None) -> Settings:
    """The settings for the directory `place` (default: LOCALFIRST_ROOT, else the current one).

    Raises ValidationError for what makes no sense.
    """
    environment = os.environ if environment is None else environment
    return resolve(read_sources(directory(place, environment), environment))


def load_of_server(environment: Mapping[str, str] | None = None) -> Settings:
    """The settings for whoever works at the server itself: what laptops have instead of a database is not looked at."""
    environment = os.environ if environment is None else environment
    sources = read_sources(directory(None, environment), environment)
    said = {
        origin: {name: value for name, value in values.items() if name not in ("server_url", "server_token")}
        for origin, values in sources.said.items()
    }
    return resolve(sources._replace(said=said))


def read_sources(place: Path, environment: Mapping[str, str]) -> Sources:
    """What every origin says for the directory `place`. Raises ValidationError for a file that makes no sense."""
    root = find_root(place)
    own = file.read(own_file())
    checkout = file.read(root / FILE_NAME, within=root)
    given = {name: environment.get(f"LOCALFIRST_{name.upper()}") for name in KEYS}
    said = {
        Origin.ENVIRONMENT: {name: value for name, value in given.items() if value},
        Origin.OWN: own.values if own is not None else {},
    }
    if checkout is not None:
        said[_origin_of(root, checkout)] = checkout.values
    return Sources(root, said, checkout)


def own_file() -> Path:
    """The user's own configuration file; it need not exist."""
    return Path(platformdirs.user_config_dir("localfirst", appauthor=False)) / OWN_NAME


def resolve(sources: Sources) -> Settings:
    """What is in force. Raises ValidationError for values that make no sense."""
    root = sources.root
    found, ignored = chosen(sources.said)
    for name, said in found.items():
        check(name, said.value)
    found = _with_one_server(found)
    untrusted = set(ignored)

    def value(name: str) -> str | None:
        return found[name].value if name in found else None

    markdown = _path(root, value("markdown") or STATUS_FILE)
    if "markdown" in found and found["markdown"].origin is Origin.ALLOWED and not _is_within(root, markdown):
        markdown = root / STATUS_FILE
        untrusted.add("markdown")
    projects = Projects(Registry(TABLE).read())
    repository = repository_at(root)
    named = _names(repository, found.get("project"), projects, has_server="database_url" in found or "server_url" in found)
    if named.is_ignored:
        untrusted.add("project")
    project = named.names.given or named.names.by_git or named.names.by_checkout
    placing = None
    if (given := value("replica")) is not None:
        replica = _path(root, given)
    else:
        placing = placed(directory_of(root, repository, projects), named.names, projects)
        replica, project = placing.replica, placing.found.name
    return Settings(
        root=root,
        replica=replica,
        markdown=markdown,
        project=project,
        client=value("client"),
        database_url=value("database_url"),
        read_from=value("read_from") or "server",
        embedding=value("embedding") or "builtin",
        embedding_url=value("embedding_url"),
        embedding_token=_embedding_token(found),
        embedding_requests_per_minute=int(value("embedding_requests_per_minute") or 0) or None,
        share_code=is_yes(value("share_code") or "yes"),
        archiving=is_yes(value("archiving") or "yes"),
        tools=value("tools") or "all",
        untrusted=tuple(sorted(untrusted)),
        is_name_withheld=named.is_ignored and (project is None or (placing is not None and not placing.found.is_shared)),
        named_by_user=named.names.given is not None,
        placing=placing,
        server_url=value("server_url"),
        server_token=_server_token(found),
    )


def _origin_of(root: Path, checkout: SettingsFile) -> Origin:
    from localfirst.settings.trust import is_allowed  # only where there is such a file

    return Origin.ALLOWED if is_allowed(root, checkout.content) else Origin.CHECKOUT


def _names(repository: Repository | None, said: Said | None, projects: Projects, *, has_server: bool) -> _Named:
    by_git = None if repository is None else name_of_repository(repository)
    if by_git is not None:
        check("project", by_git)
    if said is None or (said.origin is Origin.CHECKOUT and said.value == by_git):
        return _Named(Names(by_git=by_git))
    if said.origin is not Origin.CHECKOUT:
        return _Named(Names(given=said.value, is_files=said.origin is Origin.ALLOWED, by_git=by_git))
    replica_exists = projects.named(said.value) is not None or default_replica(Path(), said.value).exists()
    if may_name_project(named_by_git=by_git is not None, has_server=has_server, replica_exists=replica_exists):
        # The replica stays the checkout's own: should the name turn out to be somebody else's, theirs is another file.
        return _Named(Names(by_checkout=said.value))
    return _Named(Names(by_git=by_git), is_ignored=True)


def _with_one_server(found: Mapping[str, Said]) -> dict[str, Said]:
    """Of a database and a server the nearer origin's counts; both from one origin are a mistake that nobody can guess away."""
    database, server = found.get("database_url"), found.get("server_url")
    if database is None or server is None:
        return dict(found)
    if database.origin is server.origin:
        raise ValidationError("LOCALFIRST_SERVER_URL", "must not be set beside LOCALFIRST_DATABASE_URL: name one of them")
    is_database_nearer = list(Origin).index(database.origin) < list(Origin).index(server.origin)
    farther = "server_url" if is_database_nearer else "database_url"
    return {name: said for name, said in found.items() if name != farther}


def _server_token(found: Mapping[str, Said]) -> str | None:
    """The token for the server: what the environment or the user's configuration says, else what `localfirst login` keeps."""
    url = found.get("server_url")
    if url is None:
        return None
    if (said := found.get("server_token")) is not None:
        return said.value
    from localfirst.settings.login import kept_token  # only where there is such a server

    return kept_token(url.value)


def _embedding_token(found: Mapping[str, Said]) -> str | None:
    """The token, which goes only to a service that the user or the default names.

    Whoever wrote a checkout's file could otherwise have the user's token sent to a place of his.
    """
    url, token = found.get("embedding_url"), found.get("embedding_token")
    if token is None or (url is not None and url.origin is Origin.ALLOWED):
        return None
    return token.value


def _path(root: Path, text: str) -> Path:
    try:
        return root / Path(text).expanduser()
    except RuntimeError:
        raise ValidationError(
            "LOCALFIRST_REPLICA or LOCALFIRST_MARKDOWN", "names the home of a user that is not known"
        ) from None


def _is_within(root: Path, path: Path) -> bool:
    """Whether a path stays in the root, once links are resolved."""
    try:
        return path.resolve().is_relative_to(root.resolve())
    except (OSError, RuntimeError):
        return False  # a circle of links


def directory(given: Path | None, environment: Mapping[str, str]) -> Path:
    """Whose project it is: what is given, else LOCALFIRST_ROOT, else the current directory."""
    if given is not None:
        return given
    named = environment.get("LOCALFIRST_ROOT")
    if not named:
        return _here()
    place = Path(named)
    if not place.is_dir():
        raise ValidationError("LOCALFIRST_ROOT", "must be a directory that exists")
    return place


def _here() -> Path:
    try:
        return Path.cwd()
    except FileNotFoundError:
        raise UnavailableError(
            "the current directory does not exist any more: change to one that is there.", cause="settings"
        ) from None
