"""What the zoo knows of a bug."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

Wrong: TypeAlias = Any
"""A function or class that goes by the name that it replaces, a tuple of them, or a mapping from names; None removes.

Nothing at all, (), says that this implementation cannot have the bug.
"""


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

    @property
    def name(self) -> str:
        """The name of the function that plants it."""
        return self.plant.__name__

    @property
    def stage(self) -> str:
        """The name of the file in which it stands."""
        return self.plant.__module__.rpartition(".")[2]

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


def caught_by(spec: str, says: str, *, base: str = "numpy_impl") -> Callable[[Callable[[Any], Wrong]], Bug]:
    """Make a bug of a function that gives the wrong thing for a right implementation."""

    def declare(plant: Callable[[Any], Wrong]) -> Bug:
        hatched.append(Bug(plant, spec, says, base))
        return hatched[-1]

    return declare
