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
    assert fuzz.run(load(implementation), 400, seed=0).violations == []


def broken(**replaced):
    """pure_python with some names replaced."""
    return SimpleNamespace(**{**vars(load("pure_python")), **replaced})


def refuses():
    """Says no to everything."""
    raise IndexError("never")


def hangs():
    """Never ends."""
    while True:
        time.sleep(0.01)


def is_one(got):
    """What a check says."""
    assert got == 1.0, f"got {got}, expected 1.0"


@pytest.mark.parametrize(
    ("compute", "fits", "said"),
    [
        (lambda: 2.0, False, "got 2.0, expected that it is refused"),
        (lambda: 2.0, True, "got 2.0, expected 1.0"),
        (lambda: 1 / 0, True, "ZeroDivisionError"),
        (lambda: 1 / 0, False, "ZeroDivisionError"),
        (refuses, True, "refused, although it is right: IndexError"),
        (hangs, True, "still not done"),
        (object, True, "got <object"),
    ],
)
def test_what_breaks_the_contract_is_found_out(monkeypatch, compute, fits, said):
    """The fuzzer would pass anything."""
    monkeypatch.setattr(fuzz, "SECONDS", 0.05)
    findings = fuzz.Findings()
    fuzz.judge(fuzz.Call("f()", compute, fits, is_one), findings)
    ((line, complaint),) = findings.violations
    assert line == "f()"
    assert said in complaint


@pytest.mark.parametrize(("compute", "fits"), [(lambda: 1.0, True), (refuses, False)])
def test_what_keeps_the_contract_is_not(compute, fits):
    """The fuzzer finds fault with everything."""
    findings = fuzz.Findings()
    fuzz.judge(fuzz.Call("f()", compute, fits, is_one), findings)
    assert findings.violations == []


def test_wrong_implementation_is_found_in_a_run():
    """Only a call made by hand finds the mistake."""
    right = load("pure_python")
    wrong = {
        "relu_grad": lambda grad_out, x: grad_out,
        "linear": lambda x, w, b: right.matmul(x, w),
        "mse": lambda output, target: right.mse(output, target) if len(output) < 3 else 0.0,
        "asarray": lambda values, dtype=None, device=None: right.asarray(values, None if dtype == "float16" else dtype),
    }
    found = {line.partition("(")[0] for line, _ in fuzz.run(broken(**wrong), 800, seed=0).violations}
    assert found >= set(wrong)


def test_same_seed_makes_the_same_calls():
    """A violation cannot be reproduced."""
    lab = Lab(load("pure_python"), "float64", "cpu")
    first, again, other = ([fuzz.call(lab, random.Random(f"{seed} {i}")).line for i in range(50)] for seed in (0, 0, 1))
    assert first == again != other


def test_command_says_what_broke(capsys, monkeypatch):
    """The exit code, the number of calls or the call that went wrong is missing."""
    assert fuzz.main(["--impl", "pure_python", "--calls", "20"]) == 0
    assert "pure_python: 20 calls" in capsys.readouterr().out
    monkeypatch.setattr(fuzz.registry, "load", lambda name: broken(transpose=lambda a: a))
    assert fuzz.main(["--impl", "pure_python", "--calls", "200"]) == 1
    assert "transpose(float64 [[" in capsys.readouterr().out
