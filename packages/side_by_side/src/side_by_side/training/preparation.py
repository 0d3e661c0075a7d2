"""What is done to samples before a net sees them, and what its outputs mean: all that is needed to use it later."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True)
class Column:
    """What a net reads of a sample: a number, or words, each of which is an input that is 1 or 0."""

    name: str
    words: tuple[str, ...] = ()

    @property
    def inputs(self) -> int:
        """How many inputs of the net it is."""
        return len(self.words) or 1


@dataclass(frozen=True)
class Preparation:
    """Inputs are (x − mean) / std, a missing one 0; outputs are logits of classes, or numbers in units of their own."""

    mean: tuple[float, ...] = (0.0,)
    """One for all inputs, or one each; so is std."""
    std: tuple[float, ...] = (1.0,)
    columns: tuple[Column, ...] = ()
    """Of a CSV file."""
    target: str = "target"
    classes: tuple[str, ...] = ()
    """The name of each output; empty where the outputs are numbers."""
    target_mean: tuple[float, ...] = (0.0,)
    target_std: tuple[float, ...] = (1.0,)

    def inputs(self, x: Array) -> Array:
        """(n, n_in) as the net wants it."""
        return np.nan_to_num((x - np.array(self.mean)) / np.array(self.std))

    def targets(self, y: Array) -> Array:
        """(n, n_out) numbers as the net gives them."""
        return (y - np.array(self.target_mean)) / np.array(self.target_std)

    def numbers(self, outputs: Array) -> Array:
        """(n, n_out) numbers in their own units: the inverse of `targets`."""
        return outputs * np.array(self.target_std) + np.array(self.target_mean)

    def to_json(self) -> str:
        """As text, for the metadata of a checkpoint."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Preparation":
        """From such a text.

        Raises ValueError, KeyError or TypeError for any other.
        """
        told = dict(json.loads(text))
        columns = tuple(Column(column["name"], tuple(column["words"])) for column in told.pop("columns"))
        target = str(told.pop("target"))
        classes = tuple(map(str, told.pop("classes")))
        return cls(
            columns=columns, target=target, classes=classes, **{k: tuple(map(float, v)) for k, v in told.items()}
        )


def standard(x: Array) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each column, of what is not missing; a column without any spread keeps its own."""
    there = np.isfinite(x)
    n = np.maximum(there.sum(axis=0), 1)
    mean = np.where(there, x, 0).sum(axis=0) / n
    std = np.sqrt(np.where(there, np.square(x - mean), 0).sum(axis=0) / n)
    return tuple(mean.tolist()), tuple(np.where(std > 0, std, 1.0).tolist())


def names(columns: Sequence[Column]) -> list[str]:
    """A name for each input."""
    return [f"{c.name} {word}".strip() for c in columns for word in (c.words or ("",))]
