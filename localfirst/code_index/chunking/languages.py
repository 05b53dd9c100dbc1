"""Which language a file is written in, by its name or its first line."""

from __future__ import annotations

import re

_BY_SUFFIX = {
    suffix: language
    for language, suffixes in {
        "python": "py pyi pyw pyx pxd",
        "javascript": "js mjs cjs jsx es6",
        "typescript": "ts mts cts",
        "tsx": "tsx",
        "go": "go",
        "rust": "rs",
        "java": "java",
        "c": "c",
        "cpp": "h hh hpp hxx h++ cc cpp cxx c++ ipp inl tpp cu cuh ino",
        "csharp": "cs csx",
        "ruby": "rb rake gemspec ru podspec",
        "php": "php php5 phtml phpt",
        "kotlin": "kt kts",
        "swift": "swift",
        "scala": "scala sc sbt",
        "shell": "sh bash zsh ksh bats",
        "sql": "sql psql pgsql ddl",
        "markdown": "md markdown mdx mkd",
        "yaml": "yaml yml",
        "toml": "toml",
        "html": "html htm xhtml",
        "css": "css",
        "scss": "scss",
        "less": "less",
        "lua": "lua",
        "json": "json jsonc json5 geojson webmanifest",
        "dart": "dart",
        "elixir": "ex exs",
        "erlang": "erl hrl",
        "haskell": "hs",
        "ocaml": "ml mli",
        "perl": "pl pm",
        "r": "r",
        "julia": "jl",
        "zig": "zig zon",
        "groovy": "groovy gradle",
        "objc": "m mm",
        "powershell": "ps1 psm1 psd1",
        "solidity": "sol",
        "proto": "proto",
        "graphql": "graphql gql",
        "hcl": "tf hcl",
        "nix": "nix",
        "vue": "vue",
        "svelte": "svelte",
        "clojure": "clj cljs cljc edn",
        "scheme": "scm ss",
        "racket": "rkt",
        "fortran": "f f90 f95 f03 f08 for",
        "cmake": "cmake",
        "make": "mk mak",
        "dockerfile": "dockerfile",
        "xml": "xml xsd xsl xslt svg plist csproj fsproj vbproj props targets xaml resx",
        "ini": "ini cfg conf",
        "properties": "properties",
        "rst": "rst",
        "asciidoc": "adoc asciidoc",
        "org": "org",
        "latex": "tex sty cls",
        "vim": "vim",
        "batch": "bat cmd",
        "text": "txt text log",
        "csv": "csv tsv",
    }.items()
    for suffix in suffixes.split()
}

_BY_NAME = {
    "dockerfile": "dockerfile",
    "containerfile": "dockerfile",
    "makefile": "make",
    "gnumakefile": "make",
    "cmakelists.txt": "cmake",
    "gemfile": "ruby",
    "rakefile": "ruby",
    "podfile": "ruby",
    "vagrantfile": "ruby",
    "brewfile": "ruby",
    "jenkinsfile": "groovy",
    "build": "python",
    "build.bazel": "python",
    "workspace": "python",
    "sconstruct": "python",
    ".bashrc": "shell",
    ".zshrc": "shell",
    ".profile": "shell",
    ".bash_profile": "shell",
    "pkgbuild": "shell",
}

_BY_INTERPRETER = {
    "python": "python", "pypy": "python", "node": "javascript", "deno": "typescript", "bun": "javascript", "sh": "shell",
    "bash": "shell", "zsh": "shell", "ksh": "shell", "dash": "shell", "ruby": "ruby", "php": "php", "lua": "lua",
    "perl": "perl",
    "rscript": "r", "julia": "julia", "groovy": "groovy", "swift": "swift", "scala": "scala", "kotlin": "kotlin",
}  # fmt: skip

LANGUAGES = frozenset((*_BY_SUFFIX.values(), *_BY_NAME.values(), *_BY_INTERPRETER.values()))
"""All names that `language_of` gives."""

_SHEBANG = re.compile(r"#!\s*(?:\S*/env\s+(?:-\S+\s+)*(?:\w+=\S*\s+)*)?(?:\S*/)?([A-Za-z]+)")

PROSE = frozenset(("markdown", "rst", "asciidoc", "org", "latex", "text", "html"))
"""Languages in which a paragraph may be one long line."""


def language_of(path: str, first_line: str) -> str:
    """The language's name, ``text`` where nothing says more. Path and name are as in `FoundFile`."""
    name = path[path.rfind("/") + 1 :].lower()
    known = _BY_NAME.get(name) or _BY_SUFFIX.get(name[name.rfind(".") + 1 :] if "." in name else "")
    if known is None and first_line.startswith("#!"):
        found = _SHEBANG.match(first_line)
        known = _BY_INTERPRETER.get(found.group(1).lower()) if found else None
    return known or ("dockerfile" if name.startswith("dockerfile.") else "text")
