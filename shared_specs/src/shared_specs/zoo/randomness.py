"""Bugs of random numbers: a seed that does not decide, or that decides for everybody."""

import sys
from collections.abc import Sequence
from typing import Any

from .bug import Wrong, caught_by

Array = Any
Seed = int | None


@caught_by(
    "test_drawing_leaves_other_generators_alone", "The seed is set for all of Python, NumPy or torch", stage="layer"
)
def normal_draws_from_numpys_own_generator(right: Any) -> Wrong:
    """np.random.seed is called, which seeds the generator of everybody who calls np.random."""

    def normal(n_in: int, n_out: int, std: float, seed: Seed, *where: Any, **more: Any) -> Array:
        sys.modules["numpy"].random.seed(None if seed is None else seed % 2**32)
        return right.normal(n_in, n_out, std, seed, *where, **more)

    return normal if "numpy" in sys.modules else ()


@caught_by(
    "test_drawing_leaves_other_generators_alone",
    "The seed is set for all of Python, NumPy or torch",
    base="torch_manual",
    stage="layer",
)
def normal_seeds_torch(right: Any) -> Wrong:
    """torch.manual_seed is called, and dropout, shuffles and layers elsewhere in the program start anew with it."""

    def normal(n_in: int, n_out: int, std: float, seed: Seed, *where: Any, **more: Any) -> Array:
        sys.modules["torch"].manual_seed(seed or 0)
        return right.normal(n_in, n_out, std, seed, *where, **more)

    return normal if "torch" in sys.modules else ()


@caught_by("test_every_seed_draws_numbers_of_its_own", "a fixed one hides behind None", stage="module")
def model_without_a_seed_is_drawn_once(right: Any) -> Wrong:
    """The default seed is drawn when the program starts, so all nets without a seed are one and the same."""
    fresh = id(right) % 1000

    class Model(right.Model):
        def __init__(self, sizes: Sequence[int], loss: Any = None, seed: Seed = None, **where: Any) -> None:
            super().__init__(sizes, loss, fresh if seed is None else seed, **where)

    return Model


@caught_by("test_every_seed_draws_numbers_of_its_own", "not all of it counts", stage="module")
def linear_keeps_its_seed_in_a_byte(right: Any) -> Wrong:
    """The seed is kept in a byte, so 256 starts the same layer as 0."""

    class Linear(right.Linear):
        def __init__(self, n_in: int, n_out: int, seed: Seed = None, *where: Any, **more: Any) -> None:
            super().__init__(n_in, n_out, None if seed is None else seed % 256, *where, **more)

    return Linear


@caught_by("test_the_same_seed_draws_the_same_numbers", "int too big to convert", stage="mlp")
def init_packs_its_seed_into_64_bits(right: Any) -> Wrong:
    """The seed is packed into 64 bits, and one that somebody took from a hash of 160 bits is an error."""

    def init_mlp(sizes: Sequence[int], seed: Seed, *where: Any, **more: Any) -> list[tuple[Array, Array]]:
        packed = None if seed is None else int.from_bytes(seed.to_bytes(8, "little"), "little")
        return list(right.init_mlp(sizes, packed, *where, **more))

    return init_mlp
