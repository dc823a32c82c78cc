"""Modules that are loaded when something of them is first used: few requests need their libraries, and no job does."""

import sys
from importlib.util import LazyLoader, find_spec, module_from_spec
from types import ModuleType


def load_when_used(name: str) -> ModuleType:
    """Return a module of ours, loaded by now or not. Whoever imports it, or something of it, gets the same one."""
    if name in sys.modules:
        return sys.modules[name]
    spec = find_spec(name)
    if spec is None or spec.loader is None:
        raise ModuleNotFoundError(name)
    spec.loader = LazyLoader(spec.loader)
    module = module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)  # the loader's own: it waits
    package, _, own = name.rpartition(".")
    setattr(sys.modules[package], own, module)
    return module
