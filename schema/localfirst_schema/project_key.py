"""The key of a project's name: names that one forge takes for one repository have one key, and projects are looked up by it.

A name is displayed as it was given, and a project's id is given once: the key says nothing of either. On the forges below case,
`www.`, `.git`, the user and the usual ports do not count, and the hosts that answer ssh for them are they themselves; Azure
DevOps writes one repository in several ways. Everywhere else a name is its own key, since nobody but the host knows what it
takes for equal.

PostgreSQL computes the same in ``localfirst.project_key``.
"""

from __future__ import annotations

import re
import unicodedata

_FORGES = re.compile(
    r"(?:[^/@]*@)?"
    r"(?:(?:www\.)?(?P<plain>github\.com|gitlab\.com|bitbucket\.org|codeberg\.org|dev\.azure\.com)"
    r"|ssh\.(?P<ssh>github\.com|gitlab\.com|bitbucket\.org|codeberg\.org|dev\.azure\.com)"
    r"|altssh\.(?P<altssh>gitlab\.com|bitbucket\.org))"
    r"(?::(?:22|443))?"
    r"/(?P<path>.*)",
    re.DOTALL,
)
_AZURE = "dev.azure.com"
_AZURE_BY_SSH = re.compile(r"\Av3/([^/]+)/([^/]+)/([^/]+)\Z")
_AZURE_SHORT = re.compile(r"\A([^/]+)/_git/([^/]+)\Z")
_ENDING = re.compile(r"(?:/|\.git)+\Z")

# Of ASCII alone, as PostgreSQL's lower() does under the collation "C": no language's rules belong into a key.
_LOWER = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")


def project_key(name: str) -> str:
    """The key of a name such as ``github.com/Owner/Name``. Any text is a name, and a key is its own key."""
    normal = unicodedata.normalize("NFC", name)
    found = _FORGES.fullmatch(normal.translate(_LOWER))
    if found is None:
        return normal
    host = found["plain"] or found["ssh"] or found["altssh"]
    path = _ENDING.sub("", re.sub(r"/+", "/", found["path"]).removeprefix("/"))
    if host == _AZURE:
        if found["ssh"]:
            path = _AZURE_BY_SSH.sub(r"\1/\2/_git/\3", path)
        path = _AZURE_SHORT.sub(r"\1/\2/_git/\2", path)  # the repository that has its project's name
    return f"{host}/{path}" if path else normal


def is_one_project(name: str, other: str) -> bool:
    """Whether two names name one project."""
    return name == other or project_key(name) == project_key(other)
