"""Stage 6, training: what holds for any classifier and any step."""

from fractions import Fraction
from typing import Any

from hypothesis import strategies as st

from shared_specs import oracle, strategies
from shared_specs.lab import Lab
from shared_specs.oracle import Nested, exact
from shared_specs.strategies import Scores, holds_for


@holds_for(scores=strategies.scores(batches=st.integers(1, 3)))
def test_cross_entropy_of_any_logits_is_right(impl: Any, lab: Lab, scores: Scores) -> None:
    """Some batch or number of classes has a wrong loss or a wrong gradient."""
    for function in (oracle.cross_entropy, oracle.cross_entropy_grad):
        got = getattr(impl, function.__name__)(lab.array(scores.logits), lab.labels(scores.labels))
        expected = strategies.remembered(function, exact(scores.logits), scores.labels)
        lab.check(f"{function.__name__}(logits, labels)", got, expected, scale=1.0)


@holds_for(scores=strategies.scores(), shift=strategies.shifts())
def test_softmax_sees_differences_of_logits_only(impl: Any, lab: Lab, scores: Scores, shift: float) -> None:
    """The same number added to all logits of a sample changes the loss, the gradient or the accuracy."""
    labels, shifted = lab.labels(scores.labels), oracle.add(scores.logits, shift)
    for function in (impl.cross_entropy, impl.cross_entropy_grad):
        expected = impl.tolist(function(lab.array(scores.logits), labels))
        lab.check(f"{function.__name__}(logits + {shift})", function(lab.array(shifted), labels), expected, scale=1.0)
    assert impl.accuracy(lab.array(shifted), labels) == impl.accuracy(lab.array(scores.logits), labels)


@holds_for(scores=strategies.scores())
def test_gradients_of_a_sample_add_up_to_zero(impl: Any, lab: Lab, scores: Scores) -> None:
    """Probabilities do not add up to 1, or the one-hot is not in the label's row: what one class gains others lose."""
    grads = impl.tolist(impl.cross_entropy_grad(lab.array(scores.logits), lab.labels(scores.labels)))
    lab.check("Σ cross_entropy_grad", lab.array([float(sum(row)) for row in grads]), [0] * len(grads), scale=1.0)


@holds_for(
    arrays=strategies.same_shape(3, max_rank=2),
    lr=strategies.rates(),
    momentum=strategies.rates(),
    weight_decay=strategies.rates(),
)
def test_any_two_steps_follow_the_rule(
    impl: Any, lab: Lab, arrays: Nested, lr: float, momentum: float, weight_decay: float
) -> None:
    """Some rate, such as 0, or some shape of a parameter is treated as a special case and moved otherwise."""
    start, *grads = arrays
    parameter = impl.Parameter(lab.array(start))
    optimizer = impl.SGD([parameter], lr=lr, momentum=momentum, weight_decay=weight_decay)
    expected, buffers = exact(start), None
    for grad in grads:
        parameter.grad = lab.array(grad)
        optimizer.step()
        expected, buffers = oracle.sgd_step(
            expected, exact(grad), buffers, *map(Fraction, (lr, momentum, weight_decay))
        )
    lab.check("parameter after two steps", parameter.data, expected, scale=8.0)
