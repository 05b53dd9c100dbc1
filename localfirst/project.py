"""Which project a directory belongs to: its root and, from the git remote, the name that all who work on it share."""

from __future__ import annotations

import re
from pathlib import Path

_SCP_URL = re.compile(r"^(?:[^@/]+@)?([^:/]+):(?!//)(.+)$")
_URL = re.compile(r"^[a-z][a-z0-9+.-]*://(?:[^@/]*@)?([^/:]*)(?::\d+)?/(.+)$", re.IGNORECASE)


def find_root(directory: Path) -> Path:
    """The enclosing git work tree, else the directory itself."""
    directory = directory.resolve()
    for candidate in (directory, *directory.parents):
        if (candidate / ".git").exists():
            return candidate
    return directory


def name_from_git(root: Path) -> str | None:
    """``host/owner/name`` of the remote `origin` (or of the only other one); None without a remote.

    Reads git's own configuration file, so that it works without git and costs no process. Credentials in the URL are
    dropped.
    """
    remotes = _remotes(_git_config(root))
    url = remotes.get("origin") or (next(iter(remotes.values())) if len(remotes) == 1 else None)
    return name_from_url(url) if url else None


def name_from_url(url: str) -> str | None:
    """``host/owner/name`` of a remote's URL, without credentials, port and ``.git``."""
    url = url.strip()
    if found := _URL.match(url) or _SCP_URL.match(url):
        host, path = found[1].lower() or "local", found[2]
    else:
        host, path = "local", url
    path = re.sub(r"/+", "/", path).strip("/").removesuffix(".git").strip("/")
    return f"{host}/{path}"[:200] if path else None


def _git_config(root: Path) -> Path:
    git = root / ".git"
    if git.is_file():  # a linked work tree or a submodule: `gitdir: PATH`
        try:
            git = (root / git.read_text().partition("gitdir:")[2].strip()).resolve()
            common = git / "commondir"
            if common.is_file():
                git = (git / common.read_text().strip()).resolve()
        except (OSError, UnicodeDecodeError):
            return root / "nowhere"
    return git / "config"


def _remotes(config: Path) -> dict[str, str]:
    try:
        lines = config.read_text(errors="replace").splitlines()
    except OSError:
        return {}
    remotes: dict[str, str] = {}
    section = None
    for line in lines:
        line = line.strip()
        if line.startswith("["):
            found = re.match(r'\[remote "(.*)"\]', line)
            section = found[1] if found else None
        elif section and (found := re.match(r"url\s*=\s*(.+)", line)):
            remotes.setdefault(section, found[1].strip().strip('"'))
    return remotes
