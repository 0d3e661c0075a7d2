"""Stage 7, parallel, which is optional: several ranks train as one process does."""

from collections.abc import Iterator
from fractions import Fraction
from functools import cache
from typing import Any

import pytest

from shared_specs import oracle, ranks
from shared_specs.cases import named
from shared_specs.lab import Lab
from shared_specs.oracle import Nested, elementwise, exact
from shared_specs.ranks import COURSES, Found

GRID = 2**100
"""Exact training doubles the digits at every step; to 2⁻¹⁰⁰ they are more than enough."""

every_number = pytest.mark.parametrize("n", ranks.RANKS)


def found(impl: Any, course: str, n: int) -> list[Found]:
    """What each of n ranks found."""
    assert callable(impl.process_group)
    assert callable(impl.fit_parallel)
    return [answer[course] for answer in ranks.elsewhere(impl.__name__)[n]]


@pytest.fixture
def lab64(impl: Any) -> Lab:
    """What makes arrays of the dtype that the ranks compute in."""
    return Lab(impl, "float64", "cpu")


@cache
def truth(course: str) -> list[tuple[Nested, Nested, Nested]]:
    """The loss, gradients and parameters at each step of one process that sees whole batches."""
    return list(_truth(course))


def _truth(course: str) -> Iterator[tuple[Nested, Nested, Nested]]:
    target, params, buffers = COURSES[course].target, exact(COURSES[course].start(0)), None
    lr, momentum, weight_decay = map(Fraction, (ranks.LR, ranks.MOMENTUM, ranks.WEIGHT_DECAY))
    answer = oracle.class_loss_and_grads if target is ranks.LABELS else oracle.loss_and_grads
    for epoch in range(COURSES[course].epochs):
        for x, y in oracle.batches(exact(ranks.X), target, ranks.BATCH, ranks.SEED, epoch):
            loss, grads = answer(params, x, y if target is ranks.LABELS else exact(y))
            params, buffers = _rounded(oracle.sgd_step(params, grads, buffers, lr, momentum, weight_decay))
            yield loss, named(grads), named(params)


def _rounded(values: Nested) -> Nested:
    return elementwise(lambda value: Fraction(round(value * GRID), GRID), values)


@every_number
@pytest.mark.parametrize("course", COURSES)
def test_ranks_have_the_losses_of_one_process(impl: Any, lab64: Lab, course: str, n: int) -> None:
    """Each rank reports its own share, or a mean of means that counts samples of a small share for more."""
    for rank, answer in enumerate(found(impl, course, n)):
        for step, (loss, (expected, _, _)) in enumerate(zip(answer["losses"], truth(course), strict=True)):
            lab64.check(f"rank {rank} of {n}, loss of step {step}", lab64.array(loss), expected)


@every_number
@pytest.mark.parametrize("course", COURSES)
def test_ranks_have_the_gradients_of_one_process(impl: Any, lab64: Lab, course: str, n: int) -> None:
    """Gradients are averaged over the ranks though shares differ, summed without weights, or not shared at all."""
    for rank, answer in enumerate(found(impl, course, n)):
        for step, (grads, (_, expected, _)) in enumerate(zip(answer["grads"], truth(course), strict=True)):
            for name, values in expected.items():
                lab64.check(f"rank {rank} of {n}, {name}.grad of step {step}", lab64.array(grads[name]), values)


@every_number
@pytest.mark.parametrize("course", COURSES)
def test_ranks_have_the_parameters_of_one_process(impl: Any, lab64: Lab, course: str, n: int) -> None:
    """A rank steps with other gradients, or begins elsewhere than rank 0: the nets drift apart."""
    for rank, answer in enumerate(found(impl, course, n)):
        for step, (params, (_, _, expected)) in enumerate(zip(answer["params"], truth(course), strict=True)):
            for name, values in expected.items():
                lab64.check(f"rank {rank} of {n}, {name} after step {step}", lab64.array(params[name]), values)


@every_number
def test_ranks_agree_to_the_last_bit(impl: Any, n: int) -> None:
    """Each rank adds up in an order of its own: what is rounded otherwise grows, and nobody adds it up again."""
    first, *others = found(impl, "long", n)
    assert [other["params"] == first["params"] for other in others] == [True] * (n - 1)


@every_number
def test_every_rank_reports_each_step_with_its_number_and_loss(impl: Any, n: int) -> None:
    """Steps start again at each epoch, some rank is silent, or says another loss than it returns."""
    for answer in found(impl, "long", n):
        assert answer["reports"] == [[step, loss] for step, loss in enumerate(answer["losses"])]
        assert len(answer["losses"]) == 100
