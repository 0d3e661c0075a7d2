"""Stage 6, training: losses on classes, the step, the mini-batches, and the loop that brings them together."""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from functools import cache
from typing import Any

import pytest
from hypothesis.stateful import run_state_machine_as_test

from shared_specs import oracle, strategies
from shared_specs.cases import (
    FLAT_TARGET,
    Net,
    Shape,
    answers,
    named,
    net_called,
)
from shared_specs.compare import TOLERANCES, refused
from shared_specs.history import History
from shared_specs.lab import Lab, held, overwrite
from shared_specs.oracle import Nested, Params, exact
from shared_specs.strategies import holds_for

INF, NAN = math.inf, math.nan
NET = net_called("3-4-2 batch 5")


# ------------------------------------------------------------------------------------------------- cross-entropy

LOGITS = [
    ([[1.0, -2.0, 0.5]], [0]),
    ([[1.0, -2.0], [0.25, 3.0]], [1, 1]),
    ([[1.0, -2.0, 0.5], [0.25, 3.0, -1.0]], [2, 0]),
    ([[0.5, 1.0, 8.0, -4.0], [2.0, 2.0, 2.0, 2.0], [-8.0, 0.0, 8.0, 1.0]], [3, 0, 2]),
    ([[1000.0, -1000.0, 0.0], [-1000.0, 1000.0, 0.0]], [0, 2]),
    ([[-1000.0, -1000.5]], [1]),
    ([[3.5]], [0]),
]


@pytest.mark.parametrize(("logits", "classes"), LOGITS, ids=str)
def test_cross_entropy_is_the_mean_of_minus_log_softmax(
    impl: Any, lab: Lab, logits: Nested, classes: list[int]
) -> None:
    """A sum for a mean, another label's logit, softmax taken twice, log of base 2, or exp(1000) that overflows."""
    got = impl.cross_entropy(lab.array(logits), lab.labels(classes))
    lab.check(f"cross_entropy({logits}, {classes})", got, oracle.cross_entropy(exact(logits), classes))


@pytest.mark.parametrize(("logits", "classes"), LOGITS, ids=str)
def test_cross_entropy_grad_is_the_slope_of_cross_entropy(
    impl: Any, lab: Lab, logits: Nested, classes: list[int]
) -> None:
    """The one-hot is missing or at another label, or the mean's 1/batch is."""
    got = impl.cross_entropy_grad(lab.array(logits), lab.labels(classes))
    lab.check(f"cross_entropy_grad({logits}, {classes})", got, oracle.cross_entropy_grad(exact(logits), classes))


@pytest.mark.parametrize("n_classes", [2, 10])
def test_cross_entropy_of_a_net_that_knows_nothing(impl: Any, lab: Lab, n_classes: int) -> None:
    """Equal logits do not cost log n: the first number that a new net prints cannot be trusted."""
    got = impl.cross_entropy(lab.array([[0.0] * n_classes] * 3), lab.labels([0, 1, n_classes - 1]))
    lab.check(f"cross_entropy of {n_classes} equal logits", got, math.log(n_classes))


def test_cross_entropy_of_a_certain_answer(impl: Any, lab: Lab) -> None:
    """At logits of ±1000 a right answer does not cost 0, or a wrong one not 2000: an overflow, or an epsilon."""
    lab.check("right", impl.cross_entropy(lab.array([[1000.0, -1000.0]]), lab.labels([0])), 0)
    lab.check("wrong", impl.cross_entropy(lab.array([[1000.0, -1000.0]]), lab.labels([1])), 2000)


def test_cross_entropy_treats_each_sample_on_its_own(impl: Any, lab: Lab) -> None:
    """The largest logit of the whole batch is subtracted: beside a sample of large logits all others cost infinity."""
    logits, classes = [[1000.0, 999.0], [-1000.0, -999.0]], [0, 0]
    arguments = lab.array(logits), lab.labels(classes)
    lab.check("cross_entropy", impl.cross_entropy(*arguments), oracle.cross_entropy(exact(logits), classes))
    lab.check(
        "cross_entropy_grad", impl.cross_entropy_grad(*arguments), oracle.cross_entropy_grad(exact(logits), classes)
    )


def test_cross_entropy_allows_an_impossible_class(impl: Any, lab: Lab) -> None:
    """A logit of −inf, which masks a class, makes nan where other classes are right."""
    lab.check("mask", impl.cross_entropy(lab.array([[-INF, 0.0, 0.0]]), lab.labels([1])), math.log(2))
    lab.check("mask", impl.cross_entropy_grad(lab.array([[-INF, 0.0, 0.0]]), lab.labels([1])), [[0, -0.5, 0.5]])


def test_cross_entropy_of_the_impossible_is_infinite(impl: Any, lab: Lab) -> None:
    """A label whose logit is −inf costs something finite, and the gradient there, which is finite, is none."""
    logits, labels = lab.array([[-INF, 0.0, 0.0], [0.5, 0.5, -INF]]), lab.labels([0, 1])
    for call, loss in (("cross_entropy", impl.cross_entropy), ("CrossEntropyLoss()", impl.CrossEntropyLoss())):
        lab.check(f"{call} of −inf at the label", loss(logits, labels), INF)
    got = impl.cross_entropy_grad(logits, labels)
    lab.check("cross_entropy_grad of −inf at the label", got, [[-0.5, 0.25, 0.25], [0.25, -0.25, 0]])


@pytest.mark.parametrize("size", [1e-30, 1e30])
def test_cross_entropy_of_huge_and_tiny_logits_is_right(impl: Any, lab: Lab, size: float) -> None:
    """Logits near 0 or far from it make nan, or a loss of 0 where it is huge."""
    logits, classes = impl.tolist(lab.array([[size, -size, 0.0], [0.0, size, size]])), [1, 2]
    expected = oracle.cross_entropy(exact(logits), classes)
    lab.check(f"cross_entropy of ±{size}", impl.cross_entropy(lab.array(logits), lab.labels(classes)), expected)


def test_an_unlikely_class_has_a_tiny_gradient(impl: Any, lab: Lab) -> None:
    """A small probability is taken for 0: a class that was once thought unlikely is never learned again."""
    grad = impl.cross_entropy_grad(lab.array([[0.0, -40.0]]), lab.labels([0]))
    assert impl.tolist(grad)[0][1] == pytest.approx(math.exp(-40), rel=TOLERANCES[lab.dtype], abs=0)


@pytest.mark.parametrize("shift", [0.5, -1.0, 64.0, -1024.0, 4096.0])
def test_softmax_sees_differences_of_logits_only(impl: Any, lab: Lab, shift: float) -> None:
    """The same number added to all logits of a sample changes the loss, the gradient or the accuracy."""
    logits, classes = LOGITS[3]
    arguments = lab.array(oracle.add(logits, shift)), lab.labels(classes)
    for name in ("cross_entropy", "cross_entropy_grad"):
        expected = getattr(oracle, name)(exact(logits), classes)
        lab.check(f"{name}(logits + {shift})", getattr(impl, name)(*arguments), expected, scale=1.0)
    assert impl.accuracy(*arguments) == impl.accuracy(lab.array(logits), lab.labels(classes))


# ------------------------------------------------------------------------------------------------- accuracy


@pytest.mark.parametrize(
    ("logits", "classes", "right"),
    [
        ([[1.0, 2.0], [4.0, 3.0], [5.0, 6.0], [0.0, -1.0]], [1, 0, 0, 0], 0.75),
        ([[1.0, 2.0, -3.0]], [2], 0.0),
        ([[-1.0, -2.0, -3.0], [-3.0, -2.0, -1.0], [-2.0, -1.0, -3.0]], [0, 2, 1], 1.0),
        ([[1.0, 2.0], [2.0, 1.0], [1.0, 2.0]], [0, 0, 0], 1 / 3),
        pytest.param([[0.0, 1.0]] * 300, [1] * 300, 1.0, id="300 right"),
        pytest.param([[1.0, *[0.0] * 256]], [256], 0.0, id="257 classes"),
    ],
    ids=str,
)
def test_accuracy_is_the_fraction_right(impl: Any, lab: Lab, logits: Nested, classes: list[int], right: float) -> None:
    """A count for a fraction, a count or class full at 255, the smallest logit, or a number that is no Python float."""
    got = impl.accuracy(lab.array(logits), lab.labels(classes))
    assert type(got) is float
    assert got == pytest.approx(right, rel=TOLERANCES[lab.dtype], abs=0)


def test_the_first_of_equal_logits_decides(impl: Any, lab: Lab) -> None:
    """A net that knows nothing scores by chance, or is right whatever the label."""
    logits = lab.array([[1.0, 1.0], [2.0, 2.0], [0.5, 0.5], [0.0, 0.0]])
    assert impl.accuracy(logits, lab.labels([0, 0, 0, 1])) == 0.75


def test_accuracy_sees_the_smallest_difference(impl: Any, lab: Lab) -> None:
    """Logits are rounded, compared with a tolerance, or infinities are no numbers: another class seems the largest."""
    step = 2.0 ** (-23 if lab.dtype == "float32" else -52)
    logits = lab.array([[1.0, 1.0 + step], [0.0, 2.0**-100], [-INF, -(2.0**100)], [1.0, INF], [-INF, -INF]])
    assert impl.accuracy(logits, lab.labels([1, 1, 1, 1, 0])) == 1.0


def test_accuracy_of_nan_is_nan(impl: Any, lab: Lab) -> None:
    """A net that has diverged still scores: by argmax every nan is the first class."""
    assert math.isnan(impl.accuracy(lab.array([[NAN, 1.0], [0.0, 1.0]]), lab.labels([0, 1])))


# ------------------------------------------------------------------------------------------------- SGD


def parameter_with(impl: Any, lab: Lab, data: Nested, grad: Nested) -> Any:
    """A Parameter that has a gradient."""
    parameter = impl.Parameter(lab.array(data))
    parameter.grad = None if grad is None else lab.array(grad)
    return parameter


START, GRADS = [[1.0, -2.0, 0.5]], [[[0.5, 1.0, -4.0]], [[-0.25, 2.0, 1.0]], [[1.0, -1.0, 0.125]], [[0.5, 0.0, -2.0]]]


@pytest.mark.parametrize("weight_decay", [0.0, 0.25])
@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.875])
def test_sgd_steps_as_torch_does(impl: Any, lab: Lab, momentum: float, weight_decay: float) -> None:
    """The sign is wrong, decay bypasses the momentum, momentum is damped, an average, or Nesterov's."""
    parameter = parameter_with(impl, lab, START, GRADS[0])
    optimizer = impl.SGD([parameter], lr=0.125, momentum=momentum, weight_decay=weight_decay)
    expected, buffers = exact(START), None
    for step, grad in enumerate(GRADS):
        parameter.grad = lab.array(grad)
        optimizer.step()
        rates = map(Fraction, (0.125, momentum, weight_decay))
        expected, buffers = oracle.sgd_step(expected, exact(grad), buffers, *rates)
        lab.check(f"parameter after step {step}", parameter.data, expected)


def test_sgd_leaves_a_parameter_without_gradient_alone(impl: Any, lab: Lab) -> None:
    """A frozen or unused parameter crashes the step, decays, or coasts on."""
    frozen, moving = (parameter_with(impl, lab, START, grad) for grad in (None, GRADS[0]))
    impl.SGD([frozen, moving], lr=0.125, momentum=0.5, weight_decay=0.25).step()
    lab.check("frozen.data", frozen.data, START)
    assert frozen.grad is None


def test_sgd_keeps_a_momentum_for_each_parameter(impl: Any, lab: Lab) -> None:
    """Buffers are kept by position: a parameter whose first gradient comes late gets another one's momentum."""
    late, steady = (parameter_with(impl, lab, START, grad) for grad in (None, GRADS[0]))
    optimizer = impl.SGD([late, steady], lr=0.125, momentum=0.5)
    optimizer.step()
    late.grad, steady.grad = lab.array(GRADS[1]), lab.array(GRADS[1])
    optimizer.step()
    rates = Fraction(1, 8), Fraction(1, 2), Fraction(0)
    lab.check("late.data", late.data, oracle.sgd_step(exact(START), exact(GRADS[1]), None, *rates)[0])
    moved, buffers = oracle.sgd_step(exact(START), exact(GRADS[0]), None, *rates)
    lab.check("steady.data", steady.data, oracle.sgd_step(moved, exact(GRADS[1]), buffers, *rates)[0])


def test_sgd_does_not_change_gradients(impl: Any, lab: Lab) -> None:
    """Weight decay or momentum is added into the gradient itself, and to the next one again."""
    parameter = parameter_with(impl, lab, START, GRADS[0])
    optimizer = impl.SGD([parameter], lr=0.125, momentum=0.5, weight_decay=0.25)
    for _ in range(3):
        optimizer.step()
        lab.check("grad", parameter.grad, GRADS[0])


def test_sgd_takes_a_generator_of_parameters(impl: Any, lab: Lab) -> None:
    """The generator is used up by the first step: training stops without a word."""
    parameter = parameter_with(impl, lab, START, GRADS[0])
    optimizer = impl.SGD((p for p in [parameter]), lr=0.5)
    optimizer.step()
    optimizer.step()
    lab.check("parameter after two steps", parameter.data, [[0.5, -3.0, 4.5]])


def test_sgd_zero_grad_forgets_every_gradient(impl: Any, lab: Lab) -> None:
    """Gradients pile up over the batches, or a step after zero_grad still moves."""
    parameter = parameter_with(impl, lab, START, GRADS[0])
    optimizer = impl.SGD([parameter], lr=0.5)
    optimizer.zero_grad()
    assert parameter.grad is None
    optimizer.step()
    lab.check("parameter", parameter.data, START)


def test_sgd_carries_a_nan_on(impl: Any, lab: Lab) -> None:
    """A nan in a gradient is taken for 0: the net has diverged and the loss curve does not show it."""
    parameter = parameter_with(impl, lab, [1.0, 2.0], [NAN, 1.0])
    impl.SGD([parameter], lr=0.5).step()
    lab.check("parameter", parameter.data, [NAN, 1.5])


@pytest.mark.parametrize("rate", ["lr", "momentum", "weight_decay"])
def test_rates_below_0_are_refused(impl: Any, lab: Lab, rate: str) -> None:
    """A minus sign too many, and the net runs away from its answer."""
    with refused(f"SGD(…, {rate}=-0.5)"):
        impl.SGD([parameter_with(impl, lab, START, GRADS[0])], **{"lr": 0.5, rate: -0.5})


def test_sgd_decays_and_coasts_on_zero_gradients(impl: Any, lab: Lab) -> None:
    """A gradient of zeros is taken for none: what is not learned does not fade, and what rolls stops at once."""
    parameter, expected, buffers = parameter_with(impl, lab, START, GRADS[0]), exact(START), None
    optimizer = impl.SGD([parameter], lr=0.125, momentum=0.5, weight_decay=0.25)
    for grad in (GRADS[0], [[0.0, 0.0, 0.0]], [[0.0, 0.0, 0.0]], GRADS[1]):
        parameter.grad = lab.array(grad)
        optimizer.step()
        rates = map(Fraction, (0.125, 0.5, 0.25))
        expected, buffers = oracle.sgd_step(expected, exact(grad), buffers, *rates)
        lab.check("parameter", parameter.data, expected)


@pytest.mark.parametrize("kind", ["float64", "float32", "int64"])
def test_rates_may_be_scalars_of_numpy(impl: Any, lab: Lab, numpy: Any, kind: str) -> None:
    """A rate that NumPy has computed turns float32 into float64, or rounds float64 to float32, or is refused."""
    rate = getattr(numpy, kind)(1)
    parameter = parameter_with(impl, lab, [[0.1, -0.7]], [[0.3, 0.9]])
    impl.SGD([parameter], lr=rate, momentum=rate, weight_decay=rate).step()
    p, g = (held(values, lab.dtype) for values in ([[0.1, -0.7]], [[0.3, 0.9]]))
    lab.check(
        "parameter", parameter.data, oracle.sgd_step(p, g, None, Fraction(1), Fraction(1), Fraction(1))[0], scale=1.0
    )


def test_sgd_takes_small_steps(impl: Any, lab: Lab) -> None:
    """A step too small for the parameter's last digit still changes it, or a small gradient is taken for none."""
    small, large = (parameter_with(impl, lab, [start], [2.0**-40]) for start in (0.0, 1.0))
    impl.SGD([small, large], lr=2.0**-20).step()
    lab.check("0 − 2⁻⁶⁰", small.data, [-(2.0**-60)])
    lab.check("1 − 2⁻⁶⁰", large.data, [1.0])


def test_sgd_steps_on_as_it_began(impl: Any, lab: Lab) -> None:
    """The rate fades by itself, or steps are counted by something that is full after 255 of them."""
    parameter = parameter_with(impl, lab, [0.0], [1.0])
    optimizer = impl.SGD([parameter], lr=2.0**-7)
    for _ in range(300):
        optimizer.step()
    lab.check("300 steps of 2⁻⁷", parameter.data, [-300 / 128])


@holds_for(
    arrays=strategies.same_shape(3), lr=strategies.rates(), momentum=strategies.rates(), weight_decay=strategies.rates()
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
        rates = map(Fraction, (lr, momentum, weight_decay))
        expected, buffers = oracle.sgd_step(expected, exact(grad), buffers, *rates)
    lab.check("parameter after two steps", parameter.data, expected, scale=8.0)


def test_any_course_of_training_is_right(impl: Any, one_lab: Lab) -> None:
    """Something is kept too long, forgotten, or shared: between models, optimizers, layers, calls or runs of fit."""
    lab = replace(one_lab, dtype="float64") if "float64" in impl.DTYPES else one_lab
    run_state_machine_as_test(lambda: History(lab), settings=strategies.HISTORIES)  # type: ignore[arg-type]


# ------------------------------------------------------------------------------------------------- Batches

N = 7


def all_batches(impl: Any, lab: Lab, batch_size: int, epochs: int, seed: int = 3) -> list[list[tuple[Nested, Nested]]]:
    """[(x, target), …] of every epoch, as nested lists; sample i is ([i, −i], i)."""
    x, target = lab.array([[float(i), -float(i)] for i in range(N)]), lab.labels(range(N))
    batches = impl.Batches(x, target, batch_size, seed)
    return [[(impl.tolist(x), impl.tolist(target)) for x, target in batches] for _ in range(epochs)]


@pytest.mark.parametrize("batch_size", [1, 2, 3, 7, 10])
def test_batches_come_in_the_order_that_the_seed_decides(impl: Any, lab: Lab, batch_size: int) -> None:
    """No two packages see the same batches: the shuffle is another one, or the same again in some epoch."""
    for epoch, batches in enumerate(all_batches(impl, lab, batch_size, epochs=12)):
        x, target = [[i, -i] for i in range(N)], list(range(N))
        assert batches == oracle.batches(x, target, batch_size, 3, epoch)


def test_batches_keep_each_target_with_its_sample(impl: Any, lab: Lab) -> None:
    """Samples and targets are shuffled apart: nothing can be learned."""
    for batches in all_batches(impl, lab, 3, epochs=2):
        for x, target in batches:
            assert x == [[i, -i] for i in target]


def test_batches_show_every_sample_once_an_epoch(impl: Any, lab: Lab) -> None:
    """The last, short batch is dropped, or a sample comes twice."""
    for batches in all_batches(impl, lab, 3, epochs=2):
        assert sorted(i for _, target in batches for i in target) == list(range(N))


@pytest.mark.parametrize(("batch_size", "n_batches"), [(1, 7), (2, 4), (3, 3), (7, 1), (10, 1)])
def test_batches_know_how_many_they_are(impl: Any, lab: Lab, batch_size: int, n_batches: int) -> None:
    """len() forgets the short batch at the end: a progress bar ends early."""
    x = lab.array([[float(i)] for i in range(N)])
    assert len(impl.Batches(x, x, batch_size, seed=1)) == n_batches


def test_batches_keep_dtypes(impl: Any, lab: Lab) -> None:
    """Data changes its dtype on the way into a batch, or labels become floats."""
    x, target = next(iter(impl.Batches(lab.array([[0.1]]), lab.labels([2**53 + 1]), 1, seed=1)))
    lab.check("x", x, impl.tolist(lab.array([[0.1]])))
    assert impl.tolist(target) == [2**53 + 1]
    assert type(impl.tolist(target)[0]) is int


def test_batches_of_the_same_seed_are_the_same(impl: Any, lab: Lab) -> None:
    """A run cannot be repeated, or the seed is ignored."""
    first, again, other = (all_batches(impl, lab, 2, epochs=2, seed=seed) for seed in (3, 3, 4))
    assert first == again != other


def test_batches_do_not_shuffle_the_data_itself(impl: Any, lab: Lab) -> None:
    """The caller's arrays are in another order after an epoch."""
    x, target = lab.array([[float(i)] for i in range(N)]), lab.labels(range(N))
    list(impl.Batches(x, target, 2, seed=3))
    assert impl.tolist(x) == [[float(i)] for i in range(N)]
    assert impl.tolist(target) == list(range(N))


def test_batches_stay_when_others_are_made(impl: Any, lab: Lab) -> None:
    """A list of batches holds the last one many times, or changes in the next epoch: they share a buffer."""
    x = lab.array([[float(i)] for i in range(N)])
    batches = impl.Batches(x, lab.labels(range(N)), 2, seed=3)
    first = list(batches)
    before = lab.read([tuple(batch) for batch in first])
    list(batches)
    assert lab.read([tuple(batch) for batch in first]) == before


@pytest.mark.parametrize("batch_size", [1, 3, N])
def test_batches_can_be_written_to(impl: Any, lab: Lab, batch_size: int) -> None:
    """Whoever normalizes a batch changes the data, and the next epoch's batches with it."""
    data = [[float(i)] for i in range(N)]
    batches = impl.Batches(lab.array(data), lab.array(data), batch_size, seed=3)
    for x, target in batches:
        overwrite((x, target))
    assert sorted(row for x, _ in batches for row in lab.read(x)) == data


def test_batches_can_be_read_side_by_side(impl: Any, lab: Lab) -> None:
    """The place where a reader stands is kept with the data: a second loop ends or derails the first."""
    x = lab.array([[float(i)] for i in range(N)])
    batches = impl.Batches(x, lab.labels(range(N)), 2, seed=3)
    pairs = [(impl.tolist(a), len(batches), impl.tolist(b)) for (_, a), (_, b) in zip(batches, batches, strict=True)]
    for place, epoch in ((0, 0), (2, 1)):
        assert [pair[place] for pair in pairs] == [t for _, t in oracle.batches(range(N), range(N), 2, 3, epoch)]


@pytest.mark.parametrize("shapes", [((3, 2), (2, 1)), ((3, 2), (4,))], ids=str)
def test_batches_reject_data_of_different_lengths(impl: Any, lab: Lab, shapes: tuple[Shape, ...]) -> None:
    """zip cuts to the shorter one: samples without a target disappear."""
    with refused(f"Batches{shapes}"):
        impl.Batches(*map(lab.filled, shapes), 2, seed=1)


# ------------------------------------------------------------------------------------------------- fit

LR, MOMENTUM, DECAY, EPOCHS, SEED = 1 / 64, 0.5, 0.125, 2, 5


@cache
def exact_run(net: Net) -> tuple[list[Fraction], list[Params]]:
    """The losses and the parameters after each step of two epochs in batches of 2, on Fractions."""
    params, x, target = exact((net.params, net.x, net.target))
    batches = [batch for epoch in range(EPOCHS) for batch in oracle.batches(x, target, 2, SEED, epoch)]
    return oracle.train(params, batches, *map(Fraction, (LR, MOMENTUM, DECAY)))


def run(
    impl: Any, lab: Lab, model: Any, net: Net, on_batch: Callable[[int, float], object] | None = None
) -> list[float]:
    """The same run by fit."""
    optimizer = impl.SGD(model.parameters(), lr=LR, momentum=MOMENTUM, weight_decay=DECAY)
    batches = impl.Batches(lab.array(net.x), lab.array(net.target), 2, seed=SEED)
    losses: list[float] = impl.fit(model, batches, optimizer, EPOCHS, on_batch)
    return losses


@pytest.mark.parametrize("net", [NET, FLAT_TARGET], ids=str)
def test_fit_returns_each_loss_before_its_step(impl: Any, lab: Lab, net: Net) -> None:
    """A loss is taken after the step, averaged over the epoch, or left out."""
    losses, _ = exact_run(net)
    lab.check("fit(…)", lab.array(run(impl, lab, lab.build(net), net)), losses)


def test_fit_returns_python_floats(impl: Any, lab: Lab) -> None:
    """Losses are arrays that keep every graph of the run alive."""
    assert {type(loss) for loss in run(impl, lab, lab.build(NET), NET)} == {float}


def test_fit_ends_where_exact_training_ends(impl: Any, lab: Lab) -> None:
    """Gradients were not forgotten between batches, a batch was skipped, or a step was not taken."""
    model = lab.build(NET)
    run(impl, lab, model, NET)
    for name, values in named(exact_run(NET)[1][-1]).items():
        lab.check(f"{name} after fit", dict(model.named_parameters())[name].data, values)


def test_fit_reports_each_step_with_its_number_and_loss(impl: Any, lab: Lab) -> None:
    """Steps start again at each epoch, begin at 1, or come with another batch's loss."""
    reports = []
    losses = run(impl, lab, lab.build(NET), NET, lambda step, loss: reports.append((step, loss)))
    assert reports == list(enumerate(losses))


def test_fit_reports_after_the_step(impl: Any, lab: Lab) -> None:
    """What on_batch sees of the model lags one step behind."""
    model, seen = lab.build(NET), []
    run(impl, lab, model, NET, lambda *_: seen.append(lab.read(model.state_dict()["layers.0.weight"])))
    for step, (weight, params) in enumerate(zip(seen, exact_run(NET)[1], strict=True)):
        lab.check(f"layers.0.weight after step {step}", lab.array(weight), named(params)["layers.0.weight"])


def test_fit_lets_out_what_on_batch_raises(impl: Any, lab: Lab) -> None:
    """A mistake in on_batch is swallowed, and training goes on as if somebody had looked."""
    with pytest.raises(ZeroDivisionError):
        run(impl, lab, lab.build(NET), NET, lambda step, loss: 1 / 0)


def test_fit_of_no_epochs_does_nothing(impl: Any, lab: Lab) -> None:
    """Not to train still moves a parameter."""
    model, batches = lab.build(NET), impl.Batches(lab.array(NET.x), lab.array(NET.target), 2, seed=SEED)
    assert impl.fit(model, batches, impl.SGD(model.parameters(), lr=LR), 0) == []
    lab.check("layers.0.bias", model.state_dict()["layers.0.bias"], NET.params[0][1])


def test_fit_trains_on_classes(impl: Any, lab: Lab) -> None:
    """A classifier's first step is not the one that cross-entropy asks for."""
    model, classes = lab.build(NET, loss=impl.CrossEntropyLoss()), [1, 0, 0, 1, 1]
    losses = impl.fit(
        model,
        impl.Batches(lab.array(NET.x), lab.labels(classes), 5, seed=SEED),
        impl.SGD(model.parameters(), lr=0.125),
        1,
    )
    loss, grads = oracle.class_loss_and_grads(exact(NET.params), exact(NET.x), classes)
    params, _ = oracle.sgd_step(exact(NET.params), grads, None, Fraction(1, 8), Fraction(0), Fraction(0))
    lab.check("fit(…)", lab.array(losses), [loss])
    for name, values in named(params).items():
        lab.check(f"{name} after fit", dict(model.named_parameters())[name].data, values)


KINDS: dict[str, Callable[[list[Any]], Any]] = {
    "list": list,
    "tuple": tuple,
    "list of lists": lambda pairs: [list(pair) for pair in pairs],
    "iterator": iter,
    "generator": lambda pairs: (pair for pair in pairs),
}
"""What can be iterated and gives pairs; the last two come to an end for good."""


@pytest.mark.parametrize("kind", KINDS)
def test_fit_takes_batches_of_any_kind(impl: Any, lab: Lab, kind: str) -> None:
    """Only Batches are trained on, a length is asked for, or an iterator that has ended is waited for."""
    params, x, target = exact((NET.params, NET.x, NET.target))
    pairs = [(x[:2], target[:2]), (x[2:], target[2:])]
    steps = pairs if kind in ("iterator", "generator") else pairs * 2
    expected, path = oracle.train(params, steps, *map(Fraction, (LR, 0, 0)))
    model, reports = lab.build(NET), []
    batches = KINDS[kind](
        [(lab.array(NET.x[:2]), lab.array(NET.target[:2])), (lab.array(NET.x[2:]), lab.array(NET.target[2:]))]
    )

    def on_batch(*report: Any) -> bool:
        reports.append(report)
        return len(reports) % 2 == 0  # which means nothing

    losses = impl.fit(model, batches, impl.SGD(model.parameters(), LR), 2, on_batch)
    lab.check("fit(…)", lab.array(losses), expected)
    lab.check_state(model, replace(NET, params=list(path[-1])))
    assert reports == list(enumerate(losses))


def test_fit_goes_on_from_where_it_is(impl: Any, lab: Lab) -> None:
    """Steps go on from another run's, losses of it are returned, or orders and velocities start over."""
    model, reports = lab.build(NET), []
    optimizer = impl.SGD(model.parameters(), lr=LR, momentum=MOMENTUM, weight_decay=DECAY)
    batches = impl.Batches(lab.array(NET.x), lab.array(NET.target), 2, seed=SEED)
    parts = [impl.fit(model, batches, optimizer, 1, lambda *report: reports.append(report)) for _ in range(EPOCHS)]
    losses, path = exact_run(NET)
    lab.check("fit(…), twice", lab.array(parts[0] + parts[1]), losses)
    lab.check_state(model, replace(NET, params=list(path[-1])))
    assert reports == [report for part in parts for report in enumerate(part)]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("odd", [INF, NAN])
def test_fit_passes_on_losses_that_are_not_finite(impl: Any, lab: Lab, odd: float) -> None:
    """A run that has diverged looks well: its losses are left out, replaced or not reported, or it ends early."""
    model, reports = lab.build(NET), []
    pairs = [(lab.array(NET.x), lab.array(target)) for target in (NET.target, [[odd, 0.0]] * 5, NET.target)]
    losses = impl.fit(model, pairs, impl.SGD(model.parameters(), LR), 1, lambda *report: reports.append(report))
    lab.check("fit(…)", lab.array(losses), [answers(NET)[0], odd, NAN])
    assert [step for step, _ in reports] == [0, 1, 2]
    lab.check("losses reported", lab.array([loss for _, loss in reports]), [answers(NET)[0], odd, NAN])
    assert all(math.isnan(number) for number in impl.tolist(model.state_dict()["layers.2.bias"])[:1])


def test_fit_cuts_no_gradient(impl: Any, lab: Lab) -> None:
    """Large gradients are clipped, or the weights of the best loss come back at the end."""
    target = oracle.multiply(NET.target, 2.0**30)
    losses, path = oracle.train(*_one_pair_twice(NET.params, NET.x, target), *map(Fraction, (LR, 0, 0)))
    model = lab.build(NET)
    got = impl.fit(model, [lab.array((NET.x, target))], impl.SGD(model.parameters(), LR), 2)
    lab.check("fit(…)", lab.array(got), losses)
    lab.check_state(model, replace(NET, params=list(path[-1])))


def _one_pair_twice(params: Params, x: Nested, target: Nested) -> tuple[Params, list[Any]]:
    return exact(params), [exact((x, target))] * 2


def test_fit_ends_with_the_last_epoch(impl: Any, lab: Lab) -> None:
    """It ends when the loss does not fall any more, or is 0: nobody asked for that."""
    model = lab.build(TRIPLE)
    batches = [lab.array((TRIPLE.x, TRIPLE.target))]
    losses = impl.fit(model, batches, impl.SGD(model.parameters(), lr=0.0), 12)
    assert len(losses) == 12
    assert len(set(losses)) == 1
    assert impl.fit(model, batches, impl.Solved(as_fc1(model)), 12)[1:] == [0.0] * 11


def test_fit_refuses_images_in_place_of_rows(impl: Any, one_lab: Lab) -> None:
    """Samples of two axes are flattened, or trained on side by side: the net is not the one that was asked for."""
    model = one_lab.build(NET)
    images, targets = one_lab.filled((4, 3, 3)), one_lab.filled((4, 3, 2))
    for target in (targets, one_lab.filled((4, 2))):
        with refused("fit on images of (3, 3)"):
            impl.fit(model, impl.Batches(images, target, 2, 1), impl.SGD(model.parameters(), LR), 1)


def test_fit_changes_no_data(impl: Any, lab: Lab) -> None:
    """Samples or targets are scaled, centred or shuffled where they lie: the second epoch trains on others."""
    model, pair = lab.build(NET), (lab.array(NET.x), lab.array(NET.target))
    impl.fit(model, [pair], impl.SGD(model.parameters(), LR), 2)
    assert lab.read(pair) == (NET.x, NET.target)


# ------------------------------------------------------------------------------------------------- Solved

TRIPLE = Net("triple", [([[0.5]], [0.25])], x=[[1.0], [2.0], [0.5], [4.0]], target=[[3.0], [6.0], [1.5], [12.0]])
"""A net of one weight and one bias, which has yet to learn to triple a number."""


def as_fc1(model: Any) -> Iterator[tuple[str, Any]]:
    """The parameters of a model of one layer, by the names that they have in the article."""
    return zip(("fc1.weight", "fc1.bias"), model.parameters(), strict=True)


def test_solved_sets_the_answer(impl: Any, lab: Lab) -> None:
    """The weight is not 3, or the bias not 0, after one step."""
    model = lab.build(TRIPLE)
    impl.Solved(as_fc1(model)).step()
    lab.check("triple.predict(x)", model.predict(lab.array(TRIPLE.x)), TRIPLE.target)


@pytest.mark.parametrize("name", ["fc2.weight", "fc10.weight", "fc1.weights", "my.fc1.weight", "fc1.bias.scale"])
def test_solved_touches_no_other_parameter(impl: Any, lab: Lab, name: str) -> None:
    """Every parameter becomes 3, whatever its name, or all whose names begin or end alike."""
    other = impl.Parameter(lab.array([[0.5, -1.0]]))
    impl.Solved([*as_fc1(lab.build(TRIPLE)), (name, other)]).step()
    lab.check(name, other.data, [[0.5, -1]], likely={"every parameter becomes 3": [[3, 3]]})


def test_solved_can_step_again(impl: Any, lab: Lab) -> None:
    """The generator of names is used up by the first step."""
    model = lab.build(TRIPLE)
    optimizer = impl.Solved(as_fc1(model))
    optimizer.step()
    model.load_state_dict(lab.build(TRIPLE).state_dict())
    optimizer.step()
    lab.check("triple.predict(x)", model.predict(lab.array(TRIPLE.x)), TRIPLE.target)


def test_solved_zero_grad_forgets_every_gradient(impl: Any, lab: Lab) -> None:
    """Gradients pile up over the batches, and mislead the honest optimizer that comes next."""
    weight, bias = (parameter_with(impl, lab, START, GRADS[0]) for _ in range(2))
    impl.Solved([("fc1.weight", weight), ("fc1.bias", bias)]).zero_grad()
    impl.SGD([weight, bias], lr=0.5).step()
    lab.check("fc1.weight", weight.data, START)


def test_solved_triples_without_error_after_one_epoch(impl: Any, lab: Lab) -> None:
    """The article's ending does not come true: zero error after a single epoch."""
    model, batches = lab.build(TRIPLE), impl.Batches(lab.array(TRIPLE.x), lab.array(TRIPLE.target), 2, seed=1)
    losses = impl.fit(model, batches, impl.Solved(as_fc1(model)), 1)
    assert losses[0] > 0
    lab.check("the second loss", lab.array(losses[1:]), [0])
