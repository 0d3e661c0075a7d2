"""The fuzzer: no implementation breaks the contract on a small run, and one that is wrong does."""

import random
import time
from types import SimpleNamespace

import pytest

from shared_specs import fuzz
from shared_specs.lab import Lab
from shared_specs.registry import implementations, load


@pytest.mark.parametrize("implementation", implementations())
def test_odd_calls_are_refused_or_right(implementation):
    """An odd call crashes, hangs, or gives a wrong result without a word."""
    assert fuzz.run(load(implementation), 500, seed=0).violations == []


def broken(**replaced):
    """pure_python with some names replaced."""
    return SimpleNamespace(**{**vars(load("pure_python")), **replaced})


def careless_matmul(a, b):
    """zip cuts, so that nothing is ever refused."""
    return [[sum(x * y for x, y in zip(row, column)) for column in zip(*b)] for row in a]  # noqa: B905


def slow_relu(x):
    """Never ends."""
    while True:
        time.sleep(0.01)


def lenient(values, dtype=None, device=None):
    """Takes text for numbers."""
    return load("pure_python").asarray(0.5 if isinstance(values, str) else values, dtype, device)


@pytest.mark.parametrize(
    ("name", "wrong", "said"),
    [
        ("matmul", careless_matmul, "expected a ValueError"),
        ("mse", lambda output, target: 0.0, "expected 1.0"),
        ("transpose", lambda a: 1 / 0, "ZeroDivisionError"),
        ("relu", slow_relu, "still not done"),
        ("asarray", lenient, "got 0.5, expected a ValueError"),
        ("accuracy", lambda logits, labels: "all", "cannot be read"),
    ],
)
def test_wrong_implementation_is_found_out(monkeypatch, name, wrong, said):
    """The fuzzer would pass anything."""
    monkeypatch.setattr(fuzz, "SECONDS", 0.05)
    lines = {
        "matmul": "matmul(asarray([[1.0, 2.0]]), asarray([[1.0]]))",
        "mse": "mse(asarray([1.0]), asarray([2.0]))",
        "transpose": "transpose(asarray([[1.0]]))",
        "relu": "relu(asarray([1.0]))",
        "asarray": "asarray('text')",
        "accuracy": "accuracy(asarray([[1.0]]), asarray([0], 'int64'))",
    }
    impl = broken(**{name: wrong})
    lab, findings = Lab(impl, "float64", "cpu"), fuzz.Findings()
    refusal = "always" if name in ("matmul", "asarray") else "never"
    fuzz.judge(fuzz.Case(lines[name], refusal, lambda got: fuzz.same(lab, got, 1.0)), lab, findings)
    assert [line for line, _ in findings.violations] == [lines[name]]
    assert said in findings.violations[0][1]


def test_wrong_implementation_is_found_in_a_run():
    """Only a call made by hand finds the mistake."""
    wrong = {"relu_grad": lambda grad_out, x: grad_out, "linear": lambda x, w, b: load("pure_python").matmul(x, w)}
    found = {line.partition("(")[0] for line, _ in fuzz.run(broken(**wrong), 500, seed=0).violations}
    assert found >= set(wrong)


def test_same_seed_makes_the_same_calls():
    """A violation cannot be reproduced."""
    lab = Lab(load("pure_python"), "float64", "cpu")
    first, again, other = ([fuzz.case(lab, random.Random(f"{seed} {i}")).line for i in range(50)] for seed in (0, 0, 1))
    assert first == again != other


def test_command_says_what_broke(capsys, monkeypatch):
    """The exit code, the number of calls or the call that went wrong is missing."""
    assert fuzz.main(["--impl", "pure_python", "--calls", "20"]) == 0
    assert "pure_python: 20 calls" in capsys.readouterr().out
    monkeypatch.setattr(fuzz.registry, "load", lambda name: broken(xavier_std=lambda n_in: 1 / n_in))
    monkeypatch.setattr(fuzz, "MAKERS", (fuzz.malformed,))
    assert fuzz.main(["--impl", "pure_python", "--calls", "300"]) == 1
    assert "xavier_std(" in capsys.readouterr().out
