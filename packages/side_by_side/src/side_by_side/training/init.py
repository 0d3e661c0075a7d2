"""How should weights begin? Stacks of many layers, started in the ways that the chapter tries one after the other.

What goes in has mean 0 and standard deviation 1. A stack whose activations keep that deviation can learn; one in which
they explode or vanish cannot, because its gradients do the same.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Group

from ..tables import UserError, framed, table
from .trouble import raised

NEEDED = ("DTYPES", "asarray", "tolist", "normal", "linear", "relu", "xavier_std", "kaiming_std")
BINS = 600
RANGE = (-60.0, 60.0)
"""Of the histograms: the decimal logarithm of an activation's size."""


@dataclass(frozen=True)
class Scheme:
    """A way to begin."""

    name: str
    std: Callable[[Any, int], float]
    """Of the weights, from the implementation and n_in."""
    relu: bool


SCHEMES = (
    Scheme("exploding: std 1, linear", lambda net, n_in: 1.0, relu=False),
    Scheme("vanishing: std 0.01, linear", lambda net, n_in: 0.01, relu=False),
    Scheme("Xavier: std 1/√n, linear", lambda net, n_in: net.xavier_std(n_in), relu=False),
    Scheme("Xavier: std 1/√n, ReLU", lambda net, n_in: net.xavier_std(n_in), relu=True),
    Scheme("Kaiming: std √(2/n), ReLU", lambda net, n_in: net.kaiming_std(n_in), relu=True),
)


@dataclass(frozen=True)
class Layer:
    """What the activations after a layer are like."""

    mean: float
    std: float
    zeros: float
    """The part that is exactly 0."""
    histogram: NDArray[Any]
    """How many there are of each size, from 10^RANGE[0] to 10^RANGE[1], whatever their sign."""

    @property
    def finite(self) -> bool:
        """Whether all of them are still numbers."""
        return math.isfinite(self.std)


def experiment(
    net: ModuleType, layers: int = 50, width: int = 100, batch: int = 200, seed: int = 0, dtype: str = "float32"
) -> dict[str, list[Layer]]:
    """Scheme → what the activations after each layer are like; in float64 where the implementation has nothing else.

    Raises UserError when the implementation lacks a name, or raises an error.
    """
    if missing := [name for name in NEEDED if not hasattr(net, name)]:
        raise UserError(f"{net.__name__} does not provide {', '.join(missing)}")
    dtype = dtype if dtype in net.DTYPES else net.DTYPES[0]
    try:
        return {scheme.name: stack(net, scheme, layers, width, batch, seed, dtype) for scheme in SCHEMES}
    except Exception as error:  # whatever a half-done implementation may do
        raise UserError(f"{net.__name__} {raised(error)}") from error


def stack(net: ModuleType, scheme: Scheme, layers: int, width: int, batch: int, seed: int, dtype: str) -> list[Layer]:
    """A batch of N(0, 1) through one stack, layer by layer."""
    x = net.normal(batch, width, 1.0, seed, dtype)
    zeros = net.asarray([0.0] * width, dtype)
    seen = []
    for i in range(layers):
        with np.errstate(over="ignore", invalid="ignore"):
            x = net.linear(x, net.normal(width, width, scheme.std(net, width), seed + i + 1, dtype), zeros)
            x = net.relu(x) if scheme.relu else x
        seen.append(look(np.array(net.tolist(x), "float64")))
    return seen


def look(activations: NDArray[Any]) -> Layer:
    """What they are like; nan and infinite where some of them are no numbers any more."""
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        sizes = np.log10(np.abs(activations[np.isfinite(activations)]))
    histogram, _ = np.histogram(np.clip(sizes[np.isfinite(sizes)], *RANGE), BINS, RANGE)
    if not np.isfinite(activations).all():
        return Layer(math.nan, math.inf, 0.0, histogram)
    return Layer(float(activations.mean()), float(activations.std()), float((activations == 0).mean()), histogram)


def result_table(name: str, results: Mapping[str, Sequence[Layer]]) -> Group:
    """A row a scheme: mean and standard deviation after some of the layers, and what became of the signal."""
    layers = len(next(iter(results.values())))
    shown = sorted({1, round(layers / 5) or 1, round(layers / 2) or 1, layers})
    rows = table("how weights begin", *(f"layer {i}" for i in shown), "")
    for column in rows.columns:
        column.no_wrap = True
    for scheme, stack in results.items():
        rows.add_row(scheme, *(_cell(stack[i - 1]) for i in shown), verdict(stack))
    return framed(f"Activations in {name}: mean ± standard deviation, of inputs 0 ± 1", rows)


def verdict(stack: Sequence[Layer]) -> str:
    """In a few words, what became of the signal."""
    last = stack[-1]
    gone = next((i for i, layer in enumerate(stack, 1) if not layer.finite), None)
    if gone:
        return f"overflows at {gone}"
    dead = next((i for i, layer in enumerate(stack, 1) if layer.std == 0), None)
    if dead:
        return f"all 0 from {dead}"
    return "explodes" if last.std > 1e3 else "vanishes" if last.std < 1e-3 else "carries on"


def _cell(layer: Layer) -> str:
    if not layer.finite:
        return "not finite"
    return f"{layer.mean:{'.2g' if 1e-3 <= abs(layer.mean) < 1e4 else '.0e'}} ± {layer.std:.2g}"
