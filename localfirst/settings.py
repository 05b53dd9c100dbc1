"""Settings: from the environment, then `.localfirst.toml` at the project's root, then defaults."""

from __future__ import annotations

import hashlib
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import platformdirs
from localfirst_schema.author import check_author
from localfirst_schema.errors import UnavailableError, ValidationError
from localfirst_schema.values import check_text

from localfirst.project import find_root, name_from_git

FILE_NAME = ".localfirst.toml"
KEYS = (
    "database_url",
    "replica",
    "markdown",
    "project",
    "client",
    "read_from",
    "embedding",
    "embedding_url",
    "embedding_requests_per_minute",
    "share_code",
    "archiving",
)


class Settings(NamedTuple):
    """All settings of one project. `database_url` and `embedding_token` are secrets: never logged, shown or stored."""

    root: Path
    replica: Path
    markdown: Path
    project: str | None
    client: str | None
    database_url: str | None
    read_from: str
    embedding: str = "builtin"
    embedding_url: str | None = None
    embedding_token: str | None = None
    embedding_requests_per_minute: int | None = None
    share_code: bool = True
    archiving: bool = True

    def __repr__(self) -> str:
        """Without the secret."""
        return f"Settings(root={self.root}, project={self.project!r}, server={'yes' if self.database_url else 'no'})"


def load(directory: Path | None = None, environment: Mapping[str, str] | None = None) -> Settings:
    """The settings for `directory` (default: the current one). Raises ValidationError for a file that makes no sense."""
    environment = os.environ if environment is None else environment
    root = find_root(directory or _here())
    file = _read_file(root / FILE_NAME)

    def setting(name: str) -> str | None:
        return environment.get(f"LOCALFIRST_{name.upper()}") or file.get(name) or None

    project = setting("project") or name_from_git(root)
    if project is not None:
        if not 1 <= len(project) <= 200:
            raise ValidationError("LOCALFIRST_PROJECT", "must have 1 to 200 characters")
        check_text("LOCALFIRST_PROJECT", project)
    client = setting("client")
    if client is not None:
        check_author("LOCALFIRST_CLIENT", client)
    replica, markdown = setting("replica"), setting("markdown")
    read_from = setting("read_from") or "server"
    if read_from not in ("server", "replica"):
        raise ValidationError("LOCALFIRST_READ_FROM", "must be server or replica")
    return Settings(
        root=root,
        replica=_path(root, replica) if replica else default_replica(root, project),
        markdown=_path(root, markdown) if markdown else root / ".project_status.md",
        project=project,
        client=client,
        database_url=setting("database_url"),
        read_from=read_from,
        embedding=setting("embedding") or "builtin",
        embedding_url=setting("embedding_url"),
        embedding_token=_embedding_token(environment, file),
        embedding_requests_per_minute=_rate(setting("embedding_requests_per_minute")),
        share_code=_yes_or_no("LOCALFIRST_SHARE_CODE", setting("share_code") or "yes"),
        archiving=_yes_or_no("LOCALFIRST_ARCHIVING", setting("archiving") or "yes"),
    )


def default_replica(root: Path, project: str | None) -> Path:
    """One file per project under the platform's user data directory; an unnamed project is known by its root."""
    key = project or str(root)
    readable = re.sub(r"[^A-Za-z0-9]+", "-", key).strip("-")[-60:]
    digest = hashlib.sha256(key.encode()).hexdigest()[:8]
    return Path(platformdirs.user_data_dir("localfirst", appauthor=False)) / "replicas" / f"{readable}-{digest}.sqlite3"


def _embedding_token(environment: Mapping[str, str], file: Mapping[str, str]) -> str | None:
    """The token, from the environment alone, and only for a service that the environment or the default names.

    The file comes with a checkout: whoever wrote it could otherwise have the user's token sent to a place of his.
    """
    if file.get("embedding_url") and not environment.get("LOCALFIRST_EMBEDDING_URL"):
        return None
    return environment.get("LOCALFIRST_EMBEDDING_TOKEN") or None


def _yes_or_no(name: str, text: str) -> bool:
    if text.lower() not in ("yes", "no", "true", "false", "1", "0"):
        raise ValidationError(name, "must be yes or no")
    return text.lower() in ("yes", "true", "1")


def _rate(text: str | None) -> int | None:
    if text is None:
        return None
    if not text.isdecimal() or not 1 <= int(text) <= 1_000_000:
        raise ValidationError("LOCALFIRST_EMBEDDING_REQUESTS_PER_MINUTE", "must be a number from 1 to 1000000")
    return int(text)


def _path(root: Path, text: str) -> Path:
    return root / Path(text).expanduser()


def _read_file(path: Path) -> dict[str, str]:
    try:
        content = tomllib.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ValidationError(
            FILE_NAME, "must be a readable TOML file", f"{FILE_NAME} cannot be read ({error}); mend it or take it away."
        ) from None
    content = {key.lower().removeprefix("localfirst_"): value for key, value in content.items()}
    for key, value in content.items():
        if key not in KEYS:
            raise ValidationError(f"{FILE_NAME}:{key}", f"is not a setting; there are {', '.join(KEYS)}")
        if not isinstance(value, str):
            raise ValidationError(f"{FILE_NAME}:{key}", "must be text")
    return content


def _here() -> Path:
    try:
        return Path.cwd()
    except FileNotFoundError:
        raise UnavailableError("the current directory does not exist any more: change to one that is there.") from None
