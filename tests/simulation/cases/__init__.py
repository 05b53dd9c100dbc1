"""Cases that are kept: functions whose names say what they are about, carried out on a `Stage` and judged as every run."""

from __future__ import annotations

from types import ModuleType

from simulation.cases import held, set_back, settling, versions
from simulation.stage import Script

_MODULES: tuple[ModuleType, ...] = (settling, versions, set_back, held)

CASES: dict[str, Script] = {
    name.replace("_", " "): script
    for module in _MODULES
    for name, script in vars(module).items()
    if not name.startswith("_") and getattr(script, "__module__", "") == module.__name__ and callable(script)
}
