"""The imports of the program's own modules, drawn: `python -m structure.imports` prints what docs/architecture.md shows.

Every import counts, wherever it stands: within a function, and for types alone. Files are the nodes; a room is a folder of
`localfirst`, a file beside those, or one of the two other packages as a whole.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = {
    "localfirst": ROOT / "localfirst",
    "localfirst_sync": ROOT / "sync" / "localfirst_sync",
    "localfirst_schema": ROOT / "schema" / "localfirst_schema",
}


@cache
def files() -> dict[str, Path]:
    """The modules by their dotted names."""
    found = {}
    for package, folder in PACKAGES.items():
        for path in folder.rglob("*.py"):
            parts = [package, *path.relative_to(folder).with_suffix("").parts]
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@cache
def imports() -> Mapping[str, frozenset[str]]:
    """Which modules each module imports, of the program's own."""
    known = files()
    found: dict[str, set[str]] = {module: set() for module in known}
    for module, path in known.items():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{module}: imports are written out in full"
                names = (f"{node.module}.{alias.name}" for alias in node.names)
                found[module].update(name if name in known else str(node.module) for name in names)
            elif isinstance(node, ast.Import):
                found[module].update(alias.name for alias in node.names)
    return {module: frozenset((targets & known.keys()) - {module}) for module, targets in found.items()}


def room(module: str) -> str:
    """The room that a module stands in."""
    parts = module.split(".")
    if parts[0] != "localfirst" or len(parts) == 1:
        return parts[0]
    return ".".join(parts[:2])


@cache
def arrows() -> Mapping[str, frozenset[str]]:
    """Which rooms each room imports from."""
    found: dict[str, set[str]] = defaultdict(set)
    for module, targets in imports().items():
        found[room(module)].update(room(target) for target in targets)
    return {name: frozenset(targets - {name}) for name, targets in found.items()}


def circles(graph: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """Nodes that lead back to themselves, in groups (Tarjan, Depth-first search and linear graph algorithms, 1972)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for target in graph.get(node, ()):
            if target not in index:
                visit(target)
                low[node] = min(low[node], low[target])
            elif target in stack:
                low[node] = min(low[node], index[target])
        if low[node] == index[node]:
            group = stack[stack.index(node) :]
            del stack[stack.index(node) :]
            if len(group) > 1:
                found.append(sorted(group))

    for node in graph:
        if node not in index:
            visit(node)
    return found


def floors() -> list[list[str]]:
    """The rooms from the top floor down: each stands above all that it imports from."""

    @cache
    def height(name: str) -> int:
        return 1 + max((height(target) for target in arrows()[name]), default=0)

    rooms = sorted(arrows(), key=lambda name: (-height(name), name))
    top = max(map(height, rooms))
    return [[name for name in rooms if height(name) == floor] for floor in range(top, 0, -1)]


def drawing() -> str:
    """The floors as a diagram (Mermaid); an arrow that a longer way implies is left out."""
    lines = ["flowchart TD"]
    for number, names in enumerate(floors()):
        displayed = " ".join(f'{_node(name)}["{_title(name)}"]' for name in names)
        lines.append(f"    subgraph floor{number}[ ]\n        direction LR\n        {displayed}\n    end")
    lines += [
        f"    {_node(source)} --> {_node(target)}"
        for source in sorted(arrows())
        for target in sorted(arrows()[source])
        if not any(target in _below(between) for between in arrows()[source] if between != target)
    ]
    return "\n".join(lines)


@cache
def _below(name: str) -> frozenset[str]:
    return frozenset(arrows()[name]).union(*(_below(target) for target in arrows()[name]))


def _node(name: str) -> str:
    return name.replace(".", "_")


def _title(name: str) -> str:
    return name.removeprefix("localfirst.") if name != "localfirst" else "localfirst/__init__"


if __name__ == "__main__":
    print(drawing())
