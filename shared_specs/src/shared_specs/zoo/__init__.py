"""The bug zoo: wrong implementations, each a few lines over a right one, and the spec that must catch each of them.

A suite that is green everywhere proves little until it turns red where it should. So here are the mistakes that this
field makes again and again, in books, courses and libraries: a file a stage for formulas with a wrong line in them, and
a file for each other way in which people go wrong. Each is a function that is given a right implementation and returns
what it puts in the place of something in it. To meet one:

    pytest --pyargs shared_specs --impl relu_leaks@numpy_impl
"""

from importlib import import_module
from types import ModuleType

from shared_specs import STAGES, contract

from .bug import FORMULA, KINDS, Bug, hatched
from .right import Right

__all__ = ["BUGS", "FORMULA", "KINDS", "Bug", "Right", "specimen"]

for _file in (*STAGES, *KINDS):
    import_module(f"{__name__}.{_file}")

BUGS: dict[str, Bug] = {bug.name: bug for bug in hatched}
"""Name → bug: formulas in the order of the stages, then kind by kind."""


def specimen(bug: Bug, implementation: ModuleType) -> ModuleType:
    """The implementation with the bug in it, as a module of its own; the right one stays as it is."""
    wrong = ModuleType(f"{bug.name}@{implementation.__name__}", bug.sentence)
    for name in (*contract.METADATA, *(name for names in contract.STAGE_NAMES.values() for name in names)):
        if hasattr(implementation, name):
            setattr(wrong, name, getattr(implementation, name))
    for name, mistake in bug.replacements(Right(implementation)).items():
        if mistake is None:
            delattr(wrong, name)
        else:
            setattr(wrong, name, mistake)
    return wrong
