"""A right call of every function of the contract as a line of Python, and what makes each of its arguments malformed.

Specs and the fuzzer put the lines together, run them on an implementation, and print them as they stand.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from typing import Any

from shared_specs import contract
from shared_specs.cases import Net
from shared_specs.lab import Lab

CALLS: Mapping[str, Mapping[str, str]] = {
    "synchronize": {"device": "'cpu'"},
    "asarray": {"values": "[0.5]", "dtype": "None", "device": "None"},
    "tolist": {"array": "array(2, 3)"},
    "shape": {"array": "array(2, 3)"},
    "broadcast_shapes": {"shape": "(2, 3)", "shape_b": "(3,)"},
    "add": {"a": "array(2, 3)", "b": "array(3)"},
    "multiply": {"a": "array(2, 3)", "b": "array(3)"},
    "unsqueeze": {"a": "array(2, 3)", "dim": "1"},
    "transpose": {"a": "array(2, 3)"},
    "neuron": {"inputs": "array(3)", "weights": "array(3)", "bias": "array()"},
    "relu": {"x": "array(2, 3)"},
    "layer": {"inputs": "array(3)", "weights": "array(2, 3)", "biases": "array(2)"},
    "matmul": {"a": "array(2, 3)", "b": "array(3, 4)"},
    "linear": {"x": "array(5, 3)", "w": "array(3, 4)", "b": "array(4)"},
    "normal": {"n_in": "3", "n_out": "2", "std": "0.5", "seed": "1", "dtype": "None", "device": "None"},
    "xavier_std": {"n_in": "3"},
    "kaiming_std": {"n_in": "3"},
    "init_mlp": {"sizes": "[3, 2]", "seed": "1", "dtype": "None", "device": "None"},
    "mlp": {"x": "array(5, 3)", "params": "params(3, 4, 2)"},
    "mse": {"output": "array(5, 2)", "target": "array(5, 2)"},
    "mse_grad": {"output": "array(5, 2)", "target": "array(5, 2)"},
    "relu_grad": {"grad_out": "array(2, 3)", "x": "array(2, 3)"},
    "linear_grad": {"grad_out": "array(5, 4)", "x": "array(5, 3)", "w": "array(3, 4)"},
    "loss_and_grads": {"params": "params(3, 4, 2)", "x": "array(5, 3)", "target": "array(5, 2)"},
    "Linear": {"n_in": "3", "n_out": "2", "seed": "1", "dtype": "None", "device": "None"},
    "Sequential": {"layer": "ReLU()", "layer_b": "ReLU()"},
    "Model": {"sizes": "[3, 2]", "loss": "None", "seed": "1", "dtype": "None", "device": "None"},
    "model(3, 2)": {"x": "array(5, 3)", "target": "array(5, 2)"},
    "model(3, 2).predict": {"x": "array(5, 3)"},
    "model(3, 2).load_state_dict": {"state": "model(3, 2).state_dict()"},
    "MSELoss()": {"output": "array(5, 2)", "target": "array(5, 2)"},
    "CrossEntropyLoss()": {"logits": "array(3, 4)", "labels": "labels([0, 3, 1])"},
    "cross_entropy": {"logits": "array(3, 4)", "labels": "labels([0, 3, 1])"},
    "cross_entropy_grad": {"logits": "array(3, 4)", "labels": "labels([0, 3, 1])"},
    "accuracy": {"logits": "array(3, 4)", "labels": "labels([0, 3, 1])"},
    "SGD": {"parameters": "[parameter()]", "lr": "0.5", "momentum": "0.5", "weight_decay": "0.5"},
    "Solved": {"named_parameters": "[('fc1.weight', parameter())]"},
    "Batches": {"x": "array(3, 2)", "target": "array(3, 1)", "batch_size": "2", "seed": "1"},
    "fit": {"trainer": "*trainer()", "epochs": "1"},
}
"""Function → argument → its text, in order; `array`, `labels` and the like are the names that `run` knows."""

NO_ARRAY = ("None", "'text'", "{}", "object()", "[[0.5, 0.5], [0.5]]", "[[0.5, 'a'], [0.5, 0.5]]", "[None, 0.5]")
NO_SIZE = ("0", "-1", "1.5", "'3'", "None", "nan")
NO_SEED = ("-1", "1.5", "'1'", "[1]")
NO_RATE = ("-0.5", "nan", "inf", "'0.5'", "None")
NO_LAYER = ("None", "0.5", "'text'", "[ReLU()]")
NO_NAME = ("'abacus'", "''", "5", "['cpu']")

MALFORMED: Mapping[str, tuple[str, ...]] = {
    "values": (
        *("None", "'text'", "{}", "object()", "{0.5}", "b'0.5'", "[b'0.5']", "[0.5, None]", "[0.5 + 1j]"),
        *("[[0.5], [0.5, 0.5]]", "[0.5, [0.5]]", "[[0.5], 0.5]"),
    ),
    "dtype": NO_NAME,
    "device": NO_NAME,
    "array": ("None", "'text'", "{}", "object()", "[[0.5, 0.5], [0.5]]"),
    "shape": ("None", "'3'", "3", "(1.5,)", "(-1,)", "(-1, 3)", "(2, 3.0)", "('3',)"),
    "shape_b": ("None", "'3'", "3", "(1.5,)", "(-1,)", "(3.0,)", "('3',)"),
    "dim": ("0.5", "'0'", "None", "[0]"),
    "n_in": NO_SIZE,
    "n_out": NO_SIZE,
    "std": NO_RATE,
    "seed": NO_SEED,
    "sizes": ("None", "3", "'32'", "[]", "[3]", "[3, 0]", "[3, -2]", "[3, 1.5]", "[3, '2']", "[3, None]"),
    "params": (
        *("None", "'text'", "5", "[]", "[None]", "[array(3, 2)]", "(array(3, 2), array(2))"),
        *("[(array(3, 2),)]", "[(array(3, 2), None)]", "[(array(3, 2), array(2), array(2))]", "[('ab', 'cd')]"),
    ),
    "layer": NO_LAYER,
    "layer_b": NO_LAYER,
    "loss": (),
    "state": ("None", "5", "'text'", "{}", "[0.5]", "{'layers.0.weight': None, 'layers.0.bias': array(2)}"),
    "labels": (
        *("None", "'abc'", "{}", "[None, None, None]", "labels([0, 3, -1])", "labels([0, 3, 4])", "array(3)"),
        *("labels([[0], [3], [1]])", "labels([0, 3])", "labels([])"),
    ),
    "parameters": ("None", "5", "[]", "[0.5]", "'text'", "[None]"),
    "lr": NO_RATE,
    "momentum": NO_RATE,
    "weight_decay": NO_RATE,
    "named_parameters": ("None", "5", "[]", "[0.5]", "'text'", "[('fc2.weight', parameter())]"),
    "batch_size": NO_SIZE,
    "trainer": (),
    "epochs": ("-1", "1.5", "'1'", "None"),
}
"""Argument → texts that it must not have. Whatever is not named here is an array."""


def stage_of(function: str) -> str:
    """The stage in which the function is called."""
    return contract.stage_of(function.partition("(")[0]) or ("module" if "model" in function else "arrays")


def text(function: str, **replaced: str) -> str:
    """The line of Python that calls the function, with some arguments replaced."""
    return f"{function}({', '.join({**CALLS[function], **replaced}.values())})"


def malformed(function: str) -> Iterator[str]:
    """The function's right call with one argument after the other made malformed in every way."""
    for argument in CALLS[function]:
        for bad in MALFORMED.get(argument, NO_ARRAY):
            yield text(function, **{argument: bad})
    if function == "Batches":
        yield text(function, seed="None")


def run(line: str, lab: Lab) -> Any:
    """What the line gives in an implementation."""
    return eval(line, {"__builtins__": {}}, _Names(lab))


class _Names(dict[str, Any]):
    """The names in a line: helpers of the lab, and for the rest those of the implementation."""

    def __init__(self, lab: Lab) -> None:
        helpers: dict[str, Callable[..., Any]] = {
            "array": lambda *shape: lab.filled(shape),
            "labels": lambda values: lab.impl.asarray(values, "int64", lab.device),
            "params": lambda *sizes: lab.impl.init_mlp(list(sizes), 0, **lab.where),
            "model": lambda *sizes: lab.impl.Model(list(sizes), seed=0, **lab.where),
            "parameter": lambda: lab.impl.Parameter(lab.filled((2, 3))),
            "trainer": lambda: _trainer(lab),
            "walk": lambda *arguments: _walk(lab, *arguments),
            "epochs": lambda batches: _epochs(lab, batches),
            "object": object,
            "Fraction": Fraction,
        }
        super().__init__(helpers, nan=math.nan, inf=math.inf)
        self.impl = lab.impl

    def __missing__(self, name: str) -> Any:
        return getattr(self.impl, name)


def _trainer(lab: Lab) -> tuple[Any, Any, Any]:
    model = lab.impl.Model([2, 1], seed=0, **lab.where)
    batches = lab.impl.Batches(lab.filled((3, 2)), lab.filled((3, 1)), 2, 0)
    return model, batches, lab.impl.SGD(model.parameters(), lr=0.5)


def _walk(lab: Lab, sizes: list[int], params: Any, x: Any, target: Any, steps: str) -> tuple[str, Any]:
    """A Model that takes the steps f(orward), b(ackward), p(redict), z(ero_grad): those done, and the gradients.

    In the place of a step that ended in a RuntimeError stands a "!".
    """
    net = lab.build(Net("", params, x, target))
    walks: dict[str, Callable[[], Any]] = {
        "f": lambda: net(lab.array(x), lab.array(target)),
        "b": net.backward,
        "p": lambda: net.predict(lab.array(x)),
        "z": net.zero_grad,
    }
    done = ""
    for step in steps:
        try:
            walks[step]()
            done += step
        except RuntimeError:
            done += "!"
    grads = [parameter.grad for parameter in net.parameters()]
    return done, list(zip(grads[::2], grads[1::2], strict=True))


def _epochs(lab: Lab, batches: Any) -> Any:
    """The numbers of two epochs."""
    return [[(lab.impl.tolist(x), lab.impl.tolist(target)) for x, target in batches] for _ in range(2)]
