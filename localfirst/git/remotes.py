"""The address of a repository's remote as git would use it, and the project's name in an address. No credentials in it, ever.

What stands before the last `@` of an address' authority is dropped. Where a password with a raw `/`, `?` or `#` could have
moved it behind the authority, the address is refused: then there is an `@` further on.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from localfirst.git import configuration
from localfirst.git.place import Repository

_REMOTE = re.compile(r"remote\.(.+)\.url", re.DOTALL)
_INSTEAD = re.compile(r"url\.(.+)\.insteadof", re.DOTALL)
_HELPER = re.compile(r"[A-Za-z0-9][A-Za-z0-9+.-]*::")
_SCP = re.compile(r"(?:[^/]*@)?(\[[^\]/@]+\]|[^:/@\[\]]+):(.+)", re.DOTALL)
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")
_NAME_MAX = 200

_OWN_PORT = {"ssh": 22, "git+ssh": 22, "ssh+git": 22, "https": 443, "http": 80, "git": 9418}
"""The port that a scheme means without saying it."""


def remote_url(repository: Repository) -> str | None:
    """The URL of `origin`, or of the only other remote, as the user's own configuration rewrites it (`insteadOf`)."""
    text = repository.configuration()
    if b"remote" not in text.lower():
        return None  # no process is needed to know that
    remotes: dict[str, str] = {}
    for key, value in configuration.entries(text):
        if (found := _REMOTE.fullmatch(key)) and value:
            remotes.setdefault(found[1], value)
    url = remotes.get("origin") or (next(iter(remotes.values())) if len(remotes) == 1 else None)
    return _rewritten(url) if url else None


def _rewritten(url: str) -> str:
    """With the longest beginning replaced for which the user's configuration has another."""
    longest, base = "", ""
    for key, beginning in configuration.users_entries(r"^url\..*\.insteadof$"):
        found = _INSTEAD.fullmatch(key)
        if found and url.startswith(beginning) and len(beginning) > len(longest):
            longest, base = beginning, found[1]
    return base + url[len(longest) :] if longest else url


def name_from_url(url: str) -> str | None:
    """``host/owner/name`` of a remote's URL, without credentials and ``.git``; None where it cannot be known.

    A port stands behind the host unless it is the scheme's own: at another port another server answers. Which names are one
    to their host is `localfirst_schema.project_key`'s to say.
    """
    url = url.strip()
    if not url.isprintable() or _HELPER.match(url):
        return None
    parts = _of_url(url) if "://" in url else _of_path(url)
    if parts is None:
        return None
    host, path = parts
    path = re.sub(r"/+", "/", path).strip("/").removesuffix(".git").strip("/")
    return f"{host or 'local'}/{path}"[:_NAME_MAX] if path else None


def _of_url(url: str) -> tuple[str, str] | None:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port  # a port that is none is no address
    except ValueError:
        return None
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*", parts.scheme) or "@" in parts.path + parts.query + parts.fragment:
        return None
    if "\\" in parts.netloc:
        return None  # programs differ in what is the host then
    is_named = port is not None and port != _OWN_PORT.get(parts.scheme)
    return (f"[{host}]" if ":" in host else host) + (f":{port}" if is_named else ""), parts.path


def _of_path(url: str) -> tuple[str, str] | None:
    """``user@host:path`` as ssh has it, else a path on this machine."""
    if not _DRIVE.match(url) and (found := _SCP.fullmatch(url)):
        host, path = found[1].lower(), found[2]
        if "@" in path:
            return None
        if host.startswith("[") and host.count(":") < 2:
            host, _, port = host[1:-1].partition(":")  # `[host:port]:path`
            if port and not (port.isascii() and port.isdecimal() and len(port) <= 5):
                return None
            host += f":{int(port)}" if port and int(port) != _OWN_PORT["ssh"] else ""
        return host, path
    is_here = url.startswith("/") or _DRIVE.match(url)
    if "@" in url and (not is_here or ":" in url[2:]):
        return None
    return "", url.replace("\\", "/") if _DRIVE.match(url) else url
