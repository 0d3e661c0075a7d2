"""The workloads: every implementation, limit and peer gets the same right answer, and a wrong one gets none."""

from dataclasses import replace
from importlib.util import find_spec
from itertools import pairwise
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

import numpy_impl
from shared_specs import registry
from shared_specs.benchmarks import budget
from shared_specs.workloads import contender, limit_of, numbers, row, rows, rungs_of
from shared_specs.workloads.implementations import Implementation
from shared_specs.workloads.jobs import Job, error_in_ulps
from shared_specs.workloads.limits import LIMITS
from shared_specs.workloads.numbers import Net
from shared_specs.workloads.peers import PEERS
from shared_specs.workloads.rows import DIGITS_WORKS, NETS, Workload

WORKS = ("neuron", "matmul", "forward", "loss_and_grads", "train step", "sweep")
SMALL = Net(6, (4, 5, 2), distinct=3)


def small(work, rung=""):
    """A row of that work, made small."""
    row = next(row for row in rows([rung or "builtin"]) if row.work == work)
    return replace(row, net=SMALL, units=SMALL.batch) if row.net else row.at(min(row.units, 2))


def wrong_net(loss_and_grads):
    """numpy_impl with another loss_and_grads."""
    module = ModuleType("wrong_net")
    vars(module).update(vars(numpy_impl), loss_and_grads=loss_and_grads)
    return Implementation("wrong_net", module)


def check(who, work, dtype="float64", rung=""):
    workload = small(work, rung)
    return who.check(workload, who.prepare(workload, dtype, "cpu"), dtype, "cpu")


@pytest.mark.parametrize("name", registry.implementations())
@pytest.mark.parametrize("work", [*WORKS, *DIGITS_WORKS])
def test_every_workload_has_its_answer_in_every_implementation(name, work):
    who = contender(name)
    for dtype in who.module.DTYPES:
        for rung in who.module.MATMULS if work == "matmul" else ("",):
            assert check(who, work, dtype, rung) <= (40 if dtype == "float32" else 8)


@pytest.mark.parametrize("name", LIMITS)
@pytest.mark.parametrize("work", [*WORKS, *DIGITS_WORKS])
def test_every_limit_multiplies_right(name, work):
    assert check(LIMITS[name], work) is None


@pytest.mark.parametrize("peer", PEERS.values(), ids=list(PEERS))
@pytest.mark.parametrize("work", [*WORKS, "epoch"])
def test_every_peer_computes_the_same_as_the_implementations(peer, work):
    for dtype, most in (("float64", 8), ("float32", 40)):
        hindrance = peer.hindrance(small(work), dtype, "cpu")
        if hindrance is None:
            assert check(peer, work, dtype) <= most
        else:
            assert hindrance == "" or find_spec(peer.module) is None


def test_a_batch_that_repeats_samples_has_the_same_loss_and_gradients_as_the_answer_says():
    once, twice = Net(3, (4, 5, 2)), Net(6, (4, 5, 2), distinct=3)
    assert twice.x == once.x * 2
    assert twice.condensed == once
    with pytest.raises(ValueError, match="cannot repeat"):
        _ = Net(7, (4, 5, 2), distinct=3).condensed


def test_a_wrong_bias_gradient_is_no_answer():
    def loss_and_grads(params, x, target):
        loss, grads = numpy_impl.loss_and_grads(params, x, target)
        return loss, [(grad_w, grad_b / len(x)) for grad_w, grad_b in grads]

    wrong = wrong_net(loss_and_grads)
    with pytest.raises(AssertionError, match="grad_b of layer 0"):
        check(wrong, "loss_and_grads")


def test_a_large_tensor_is_checked_to_its_last_element():
    net = Net(2, (160, 150, 1))
    workload = replace(small("loss_and_grads"), net=net, units=net.batch)

    def loss_and_grads(params, x, target):
        loss, grads = numpy_impl.loss_and_grads(params, x, target)
        grads[0][0][-1, -1] += 1e-9
        return loss, grads

    wrong = wrong_net(loss_and_grads)
    right = contender("numpy_impl")
    assert right.check(workload, right.prepare(workload, "float64", "cpu"), "float64", "cpu") < 100
    with pytest.raises(AssertionError, match="grad_w of layer 0: 1 of 24000 elements"):
        wrong.check(workload, wrong.prepare(workload, "float64", "cpu"), "float64", "cpu")


def test_a_wrong_limit_is_no_limit(monkeypatch):
    from shared_specs.workloads import limits

    monkeypatch.setattr(limits, "_matmul", lambda a, b: (a @ b) * 1.001)
    with pytest.raises(AssertionError, match="forward"):
        check(LIMITS["numpy"], "forward")


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("net", "steps"), list(zip(NETS, (10_000, 500, 300, 60), strict=False)))
def test_a_train_step_goes_on_from_the_last_one_and_its_numbers_stay_alike(net, steps, dtype):
    """Weights explode, units die or numbers become denormal, so that later steps take another time than earlier."""
    workload = Workload("train step", str(net), units=net.batch, net=net)
    job = contender("numpy_impl").prepare(workload, dtype, "cpu")
    losses = [float(job.run()) for _ in range(steps)]
    assert losses[-1] < losses[1] < losses[0]
    end = job.read(losses[-1])
    (w1, b1), (w2, b2) = ((end[f"layers.{i}.weight"].T, end[f"layers.{i}.bias"]) for i in (0, 2))
    x, target = (np.asarray(values, dtype) for values in (net.x, net.target))
    _, [(grad_w1, _), (grad_w2, _)] = numpy_impl.loss_and_grads([(w1, b1), (w2, b2)], x, target)
    assert max(abs(w1).max(), abs(w2).max()) < 2
    assert (x @ w1 + b1 > 0).any(axis=0).mean() > 0.5
    for tensor in (w1, b1, w2, b2, grad_w1, grad_w2, np.asarray(losses, dtype)):
        assert not ((tensor != 0) & (abs(tensor) < np.finfo(dtype).tiny)).any()


def test_what_is_not_provided_is_no_cell():
    numpy, plain = contender("numpy_impl"), contender("pure_python")
    assert numpy.hindrance(small("matmul", "einsum"), "float32", "cpu") is None
    assert plain.hindrance(small("matmul", "einsum"), "float64", "cpu") == ""
    assert plain.hindrance(small("neuron"), "float32", "cpu") == ""
    assert numpy.hindrance(small("neuron"), "float64", "cuda") == "no CUDA"


def test_the_limit_is_that_of_the_library_whose_arrays_are_computed_with():
    assert [limit_of(name) for name in ("pure_python", "numpy_impl", "torch_manual")] == [
        *("limit:python", "limit:numpy", "limit:torch"),
    ]
    assert limit_of("peer:micrograd") == "limit:python"


def test_rungs_of_others_come_after_the_contracts_own():
    assert rungs_of([SimpleNamespace(MATMULS={"tiles": None, "loops": None})]) == [
        *("loops", "elementwise", "broadcast", "einsum", "builtin", "tiles"),
    ]


def test_multiply_adds_are_those_of_the_products_that_cannot_be_avoided():
    net = Net(64, (784, 50, 10))
    forward = 64 * (784 * 50 + 50 * 10)
    assert sum(n * k * m for n, k, m in net.forward_products) == forward
    assert sum(n * k * m for n, k, m in net.products) == 2 * forward + 64 * 10 * 50


def test_an_epoch_takes_every_digit_once_in_the_contracts_order():
    digits = numbers.digits()
    batches = numpy_impl.Batches(numpy_impl.asarray(digits.x), numpy_impl.asarray(digits.labels, "int64"), 32, 0)
    assert [labels.tolist() for _, labels in batches] == [labels for _, labels in digits.batches]


def test_errors_count_in_units_of_the_largest_element():
    assert error_in_ulps([1.0, 1e-30], [1.0, 0.0], "float64") < 1e-13
    assert error_in_ulps([[1 + 2**-52]], [[1.0]], "float64") == 1
    assert error_in_ulps(1 + 2**-23, 1.0, "float32") == 1
    assert error_in_ulps([1.0], [1.0, 2.0], "float64") == float("inf")
    assert error_in_ulps([float("nan"), 1.0], [1.0, 1.0], "float64") == float("inf")


class Slow:
    """Somebody whose clock is the test's own."""

    name, kind = "slow", "implementation"

    def __init__(self, seconds_a_sample, monkeypatch, seconds_a_call=0.0):
        self.seconds, self.once, self.now, self.tried = seconds_a_sample, seconds_a_call, 0.0, []
        monkeypatch.setattr(budget.time, "perf_counter", lambda: self.now)
        monkeypatch.setattr(budget, "_pace", {})
        monkeypatch.setattr(budget, "_best", {})

    def prepare(self, workload, dtype, device):
        """Work that moves the test's clock."""
        self.tried.append(workload.units)

        def run():
            self.now += self.once + self.seconds * workload.units

        return Job(run, lambda result: {})

    def synchronize(self, device):
        """Nothing is queued."""


@pytest.mark.parametrize("size", ["1, 3-1", "7, 5-4-3-2", "97, 200-150-9", "1, 300-300-300-1", "300, 2-400-1"])
def test_a_net_of_any_size_is_answered_and_trains_on(size):
    """A net of one's own is wrong for rounding's sake, explodes while it is timed, or takes minutes to check."""
    workload = row("train step", size)
    who = contender("numpy_impl")
    job = who.prepare(workload, "float32", "cpu")
    who.check(workload, job, "float32", "cpu")
    first, *_, last = [float(job.run()) for _ in range(200)]
    assert 0 <= last < first
    assert workload.units % workload.net.samples == 0
    assert workload.net.samples * sum(n * m for n, m in pairwise(workload.net.sizes)) <= 10**7


def test_a_net_of_the_table_keeps_its_numbers():
    """A size means one net by name and another in the table."""
    assert [row(work.work, work.size, work.rung) for work in rows()] == rows()


def test_a_call_is_predicted_from_few_samples_and_tried_no_longer_than_needed(monkeypatch):
    workload = next(row for row in rows() if row.size.startswith("1024"))
    slow = Slow(0.1, monkeypatch)
    assert budget.predict(slow, workload, "float64", "cpu", 1.0) == pytest.approx(102.4)
    assert slow.tried == [1, 8, 32]
    fast = Slow(1e-4, monkeypatch)
    assert budget.predict(fast, workload, "float64", "cpu", 1.0) <= 1.0
    assert fast.tried == [1]


def test_what_a_call_costs_whatever_the_samples_is_not_predicted_for_each_of_them(monkeypatch):
    workload = next(row for row in rows() if row.size.startswith("1024"))
    slow = Slow(0.1, monkeypatch, seconds_a_call=1.2)
    assert budget.predict(slow, workload, "float64", "cpu", 1.0) == pytest.approx(1.2 + 102.4)
    assert slow.tried == [1, 4]
    slower = Slow(0.1, monkeypatch, seconds_a_call=3)
    assert budget.predict(slower, workload, "float64", "cpu", 1.0) == pytest.approx(3.1 * 1024)
    assert slower.tried == [1]


def test_other_work_at_the_same_size_is_predicted_from_its_pace(monkeypatch):
    forward, step = (next(row for row in rows() if row.work == work and row.units == 1024) for work in WORKS[2:5:2])
    slow = Slow(0.1, monkeypatch)
    predicted = budget.predict(slow, forward, "float64", "cpu", 1.0)
    tried = list(slow.tried)
    assert budget.predict(slow, step, "float64", "cpu", 1.0) == pytest.approx(
        predicted * step.multiply_adds / forward.multiply_adds
    )
    assert slow.tried == tried


def test_a_call_that_is_far_too_long_even_at_the_best_pace_is_not_tried(monkeypatch):
    slow = Slow(0.1, monkeypatch)
    small, _, middle, _, large = (row for row in rows() if row.work == "train step")
    budget.remember(slow, small, "float64", "cpu", seconds=1.0)
    assert budget.predict(slow, middle, "float64", "cpu", 100.0) <= 100, "88 multiply-adds tell nothing of millions"
    budget.remember(slow, middle, "float64", "cpu", middle.multiply_adds * 2e-9)
    tried = list(slow.tried)
    assert budget.predict(slow, large, "float64", "cpu", 1.0) == pytest.approx(large.multiply_adds * 2e-9)
    assert slow.tried == tried
    assert budget.predict(slow, large, "float64", "cpu", 10.0) == pytest.approx(102.4)


def test_one_rung_says_nothing_about_another(monkeypatch):
    loops, builtin = (next(row for row in rows() if row.rung == rung) for rung in ("loops", "builtin"))
    slow = Slow(10, monkeypatch)
    assert budget.predict(slow, loops, "float64", "cpu", 1.0) == pytest.approx(50)
    slow.seconds = 1e-6
    assert budget.predict(slow, builtin, "float64", "cpu", 1.0) < 1
