"""Find implementations: those installed, by entry point, and any importable module, by its name.

Nothing is imported until `load` is called.
"""

import importlib
from importlib import metadata
from types import ModuleType

GROUP = "shared_specs.implementations"
"""The entry points' group. A package joins it in its pyproject.toml:

    [project.entry-points."shared_specs.implementations"]
    my_net = "my_net"
"""

READING_ORDER = ("pure_python", "numpy_impl", "torch_manual", "torch_autograd", "fastai_module")
"""How the story is told, each handing more to its framework than the one before; others follow alphabetically."""


class UnknownImplementation(LookupError):
    """Neither registered nor importable."""


def implementations() -> tuple[str, ...]:
    """The names of the registered implementations."""
    return tuple(sorted(_entry_points(), key=_place))


def load(name: str) -> ModuleType:
    """The implementation of that name: a registered one, an importable module, or one with a bug of the zoo in it.

    UnknownImplementation, with the known names, if there is none; any other ImportError is the implementation's own.
    """
    entry_point = _entry_points().get(name)
    bug, at, base = name.partition("@")
    if at and not entry_point:
        return _specimen(bug, base)
    module_name = entry_point.value if entry_point else name
    if not all(part.isidentifier() for part in module_name.split(".")):
        raise UnknownImplementation(_unknown(name))
    try:
        return importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name and f"{module_name}.".startswith(f"{error.name}."):
            raise UnknownImplementation(_unknown(name)) from None
        raise


def _specimen(bug: str, base: str) -> ModuleType:
    from shared_specs import zoo

    if bug not in zoo.BUGS:
        raise UnknownImplementation(f"no bug {bug!r} in the zoo (known: {', '.join(zoo.BUGS)})")
    return zoo.specimen(zoo.BUGS[bug], load(base))


def version(module: ModuleType) -> str:
    """The version of the distribution with the module's name, else its ``__version__``, else "unknown"."""
    try:
        return metadata.version(module.__name__.partition(".")[0])
    except metadata.PackageNotFoundError:
        return str(getattr(module, "__version__", "unknown"))


def _entry_points() -> dict[str, metadata.EntryPoint]:
    return {entry_point.name: entry_point for entry_point in metadata.entry_points(group=GROUP)}


def _place(name: str) -> tuple[int, str]:
    return READING_ORDER.index(name) if name in READING_ORDER else len(READING_ORDER), name


def _unknown(name: str) -> str:
    known = ", ".join(implementations()) or "none is registered here"
    return (
        f"no implementation {name!r} (known: {known}); give one of these, or the name of a module that can be imported"
    )
