"""What the zoo knows of a bug."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

Wrong: TypeAlias = Any
"""A function or class that goes by the name that it replaces, a tuple of them, or a mapping from names; None removes.

Nothing at all, (), says that this implementation cannot have the bug.
"""

KINDS: Mapping[str, str] = {
    "one_table": "the class or the rung does not do what its function does",
    "results": "a result does not stay what it was",
    "states": "something is remembered too long, or by the wrong one",
    "randomness": "a seed is not what decides, or decides too much",
    "sizes": "right up to a size",
    "checkpoints": "a state that does not fit is loaded",
    "values": "equal on paper, and not in floating point",
    "loops": "the training is another one",
}
"""File → how all the bugs in it go wrong; the others, a file a stage, have a line of a right formula wrong."""
FORMULA = "a line of the formula is wrong"


@dataclass(frozen=True)
class Bug:
    """A mistake, and what must be said of it."""

    plant: Callable[[Any], Wrong]
    caught_by: str
    """The spec that must fail."""
    says: str
    """What the failure must say, as a regular expression."""
    base: str
    """The implementation on which it grows, unless another is asked for."""
    of_stage: str = ""
    """The stage whose spec it is, where its file is not of that name."""

    @property
    def name(self) -> str:
        """The name of the function that plants it."""
        return self.plant.__name__

    @property
    def file(self) -> str:
        """The name of the file in which it stands."""
        return self.plant.__module__.rpartition(".")[2]

    @property
    def stage(self) -> str:
        """The stage whose name is wrong."""
        return self.of_stage or self.file

    @property
    def kind(self) -> str:
        """How it goes wrong."""
        return KINDS.get(self.file, FORMULA)

    @property
    def sentence(self) -> str:
        """The mistake in one sentence."""
        return inspect.getdoc(self.plant) or ""

    def replacements(self, right: Any) -> Mapping[str, Any]:
        """Name of the contract → what is wrong in its place."""
        wrong = self.plant(right)
        if isinstance(wrong, Mapping):
            return wrong
        return {part.__name__: part for part in (wrong if isinstance(wrong, tuple) else (wrong,))}


hatched: list[Bug] = []
"""Every bug that was declared so far."""


def caught_by(
    spec: str, says: str, *, base: str = "numpy_impl", stage: str = ""
) -> Callable[[Callable[[Any], Wrong]], Bug]:
    """Make a bug of a function that gives the wrong thing for a right implementation."""

    def declare(plant: Callable[[Any], Wrong]) -> Bug:
        hatched.append(Bug(plant, spec, says, base, stage))
        return hatched[-1]

    return declare
