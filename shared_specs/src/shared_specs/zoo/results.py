"""Bugs of what is handed out and used again by whoever handed it out."""

from collections.abc import Iterator
from typing import Any

from .bug import Wrong, caught_by
from .training import softmax

Array = Any
Kept = dict[Any, Any]


@caught_by("test_results_stay_when_called_again", "add.*a later call changed an earlier result", stage="arrays")
def add_keeps_one_sum_a_shape(right: Any) -> Wrong:
    """Sums of one shape are written into one array, so the first sum is the second as soon as that is taken."""
    kept: Kept = {}

    def add(a: Array, b: Array) -> Array:
        total = right.add(a, b)
        if not right.shape(total):
            return total
        mine = kept.setdefault((right.shape(total), total.dtype), total)
        mine[:] = total
        return mine

    return add


@caught_by("test_results_are_right_at_any_size", "Some size, depth or batch comes out wrong", stage="backward")
def relu_grad_keeps_one_mask_a_shape(right: Any) -> Wrong:
    """The mask is made once a shape, so the second batch is masked by the units that were on in the first."""
    masks: Kept = {}

    def relu_grad(grad_out: Array, x: Array) -> Array:
        return right.relu_grad(grad_out, masks.setdefault((right.shape(x), x.dtype), right.add(x, right.times(x, 0))))

    return relu_grad


@caught_by(
    "test_results_stay_when_called_again",
    "cross_entropy_grad.*a later call changed an earlier result",
    stage="training",
)
def cross_entropy_grad_takes_over_the_losses_softmax(right: Any) -> Wrong:
    """The loss leaves its softmax in an array that the gradient is made of, and the next loss writes over both."""
    kept: Kept = {}

    def probabilities(logits: Array) -> Array:
        found = right.like(logits, [softmax(row) for row in right.tolist(logits)])
        mine = kept.setdefault((right.shape(logits), logits.dtype), found)
        mine[:] = found
        return mine

    def cross_entropy(logits: Array, labels: Array) -> Array:
        loss = right.cross_entropy(logits, labels)
        probabilities(logits)
        return loss

    def cross_entropy_grad(logits: Array, labels: Array) -> Array:
        grad = right.cross_entropy_grad(logits, labels)
        mine = probabilities(logits)
        mine[:] = grad
        return mine

    return cross_entropy, cross_entropy_grad


@caught_by("test_batches_stay_when_others_are_made", "assert", stage="training")
def batches_gather_every_epoch_in_the_same_arrays(right: Any) -> Wrong:
    """Each epoch is shuffled into the arrays of the last one, so batches that somebody kept change with the epoch."""

    class Batches(right.Batches):
        def __iter__(self) -> Iterator[Any]:
            fresh = list(super().__iter__())
            if not hasattr(self, "kept"):
                self.kept = fresh
            for mine, new in zip(self.kept, fresh, strict=True):
                for old, part in zip(mine, new, strict=True):
                    old[:] = part
            return iter(self.kept)

    return Batches
