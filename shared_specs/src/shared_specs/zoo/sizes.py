"""Bugs of code that is right as long as everything is small."""

from collections.abc import Iterator
from typing import Any

from .bug import Wrong, caught_by

Array = Any


@caught_by("test_results_are_right_at_large_sizes", "matmul.*elements differ", stage="layer")
def matmul_halves_odd_sizes(right: Any) -> Wrong:
    """From 32 on the sum is split into two halves, and the middle of an odd size is in neither."""

    def matmul(a: Array, b: Array) -> Array:
        half, odd = divmod(len(b), 2)
        product = right.matmul(a, b)
        if not odd or len(b) < 32:
            return product
        column, row = right.like(a, [[r[half]] for r in right.tolist(a)]), b[half : half + 1]
        return right.add(product, right.times(right.matmul(column, row), -1))

    return matmul


@caught_by("test_results_are_right_at_large_sizes", "linear_grad.*elements differ", stage="backward")
def linear_grad_sums_256_samples(right: Any) -> Wrong:
    """The bias's gradient is gathered in one block of 256 samples, and what comes after them is left out."""

    def linear_grad(grad_out: Array, x: Array, w: Array) -> tuple[Array, Array, Array]:
        grad_x, grad_w, grad_b = right.linear_grad(grad_out, x, w)
        return grad_x, grad_w, grad_b if len(x) <= 256 else right.linear_grad(grad_out[:256], x[:256], w)[2]

    return linear_grad


@caught_by("test_sequential_runs_its_layers_in_order", "A layer is skipped", stage="module")
def sequential_looks_at_the_last_digit(right: Any) -> Wrong:
    """Layers are looked up by the last digit of their number, so the eleventh is the first once more."""

    class Sequential(right.Sequential):
        def __init__(self, *layers: Any) -> None:
            super().__init__(*(layers[i % 10] for i in range(len(layers))))

    return Sequential


@caught_by("test_batches_come_in_the_order_of_any_seed", "large data is shuffled in parts", stage="training")
def batches_shuffle_in_a_window(right: Any) -> Wrong:
    """Samples are shuffled in windows of 256, so those behind the first are never mixed with the others."""

    class Batches(right.Batches):
        def __init__(self, x: Array, target: Array, batch_size: int, seed: int) -> None:
            super().__init__(x, target, batch_size, seed)
            starts = range(0, len(x), 256)
            self.windows = [right.Batches(x[i : i + 256], target[i : i + 256], 1, seed) for i in starts]
            self.size = batch_size

        def __iter__(self) -> Iterator[Any]:
            whole, samples = super().__iter__(), [sample for window in self.windows for sample in window]
            if len(self.windows) == 1:
                return whole
            parts = [right.like(part[0], [right.tolist(p)[0] for p in part]) for part in zip(*samples, strict=True)]
            starts = range(0, len(samples), self.size)
            return iter([tuple(part[i : i + self.size] for part in parts) for i in starts])

    return Batches


@caught_by("test_sgd_steps_on_as_it_began", "300 steps.*elements differ", stage="training")
def sgd_counts_steps_in_a_byte(right: Any) -> Wrong:
    """Steps are counted in a byte: the 256th is number 0 again, and what is only prepared at the start stands still."""

    class SGD(right.SGD):
        steps = 0

        def step(self) -> None:
            self.steps = (self.steps + 1) % 256
            if self.steps:
                super().step()

    return SGD


@caught_by("test_twelve_layers_come_in_order", "mlp.*elements differ", stage="module")
def mlp_sorts_layers_as_words(right: Any) -> Wrong:
    """Layers of one shape are kept by name and walked in the order of the names: "10" comes before "2"."""

    def mlp(x: Array, params: Any) -> Array:
        alike = len({right.shape(w) for w, b in params}) == 1
        order = sorted(range(len(params)), key=str) if alike else range(len(params))
        return right.mlp(x, [params[i] for i in order])

    return mlp
