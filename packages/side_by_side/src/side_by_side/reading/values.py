"""The small net that runs through all five packages: how each name is called, and what must come out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from types import ModuleType
from typing import Any

from shared_specs import oracle

from .ledger import Problem, exact_pass

Nested = Any

NET = Problem(
    x=[[0.5, -0.3], [-0.2, 0.8], [0.7, 0.1]],
    target=[[0.4], [-0.6], [0.9]],
    w1=[[0.6, -0.4, 0.2], [0.3, 0.9, -0.7]],
    b1=[0.1, -0.2, 0.3],
    w2=[[0.5], [-0.8], [0.7]],
    b2=[0.2],
)
"""In tenths, which no binary number holds: so there is something to round."""
EXACT = exact_pass(NET)
V = {name: oracle.elementwise(float, values) for name, values in EXACT.items()}
"""Every value of the net on its way, rounded once: what a function further on is given."""
ROW_WEIGHTS = oracle.transpose(V["w1"])
LOGITS, LABELS = [[0.2, -0.5, 1.1], [1.3, 0.4, -0.9], [0.6, 0.7, 0.1]], [2, 0, 0]
RATE, MOMENTUM, SEED = 0.5, 0.9, 0

ARRAYS: dict[str, dict[str, Nested]] = {
    "tolist": {"array": V["x"]},
    "shape": {"array": V["x"]},
    "add": {"a": V["x"], "b": [0.1, 0.2]},
    "multiply": {"a": V["x"], "b": [[3.0], [0.1], [-0.7]]},
    "unsqueeze": {"a": V["b1"]},
    "transpose": {"a": V["w1"]},
    "neuron": {"inputs": V["x"][0], "weights": ROW_WEIGHTS[0], "bias": V["b1"][0]},
    "relu": {"x": V["l1"]},
    "layer": {"inputs": V["x"][0], "weights": ROW_WEIGHTS, "biases": V["b1"]},
    "MATMULS": {"a": V["x"], "b": V["w1"]},
    "matmul": {"a": V["x"], "b": V["w1"]},
    "linear": {"x": V["x"], "w": V["w1"], "b": V["b1"]},
    "mlp": {name: V[name] for name in ("x", "w1", "b1", "w2", "b2")},
    "mse": {"output": V["output"], "target": V["target"]},
    "mse_grad": {"output": V["output"], "target": V["target"]},
    "relu_grad": {"grad_out": V["l2.g"], "x": V["l1"]},
    "linear_grad": {"grad_out": V["l1.g"], "x": V["x"], "w": V["w1"]},
    "loss_and_grads": {name: V[name] for name in ("w1", "b1", "w2", "b2", "x", "target")},
    "Parameter": {"data": V["b1"]},
    "Module": {"weight": ROW_WEIGHTS, "bias": V["b1"]},
    "Linear": {"weight": ROW_WEIGHTS, "bias": V["b1"], "x": V["x"]},
    "ReLU": {"x": V["l1"]},
    "Sequential": {"weight": ROW_WEIGHTS, "bias": V["b1"], "x": V["x"]},
    "MSELoss": {"output": V["output"], "target": V["target"]},
    "CrossEntropyLoss": {"logits": LOGITS, "labels": LABELS},
    "Model": {name: V[name] for name in ("w1", "b1", "w2", "b2", "x", "target")},
    "cross_entropy": {"logits": LOGITS, "labels": LABELS},
    "cross_entropy_grad": {"logits": LOGITS, "labels": LABELS},
    "accuracy": {"logits": LOGITS, "labels": LABELS},
    "SGD": {name: V[name] for name in ("w1", "b1", "w2", "b2", "x", "target")},
    "Batches": {"x": V["x"], "target": V["target"]},
    "fit": {name: V[name] for name in ("w1", "b1", "w2", "b2", "x", "target")},
}
"""Name → the arrays that it is given here; what is given besides stands in `CALLS`."""

Arrays = Mapping[str, Any]


@dataclass(frozen=True)
class Call:
    """How a name is called, as a reader would write it, and as it is done."""

    text: str
    run: Callable[[ModuleType, Arrays], Any]
    result: str
    """What comes out, by name."""
    exact: Callable[[Arrays], Nested] | None = None
    """The same on fractions; None where no one but the package can say."""


def given(net: ModuleType, name: str, dtype: str | None = "float64") -> dict[str, Any]:
    """The arrays that a name is given, as a package's own; fractions, where there is no dtype."""
    arrays = ARRAYS.get(name, {})
    if dtype is None:
        return {key: values if key == "labels" else oracle.exact(values) for key, values in arrays.items()}
    return {key: net.asarray(values, "int64" if key == "labels" else dtype) for key, values in arrays.items()}


def exact(name: str) -> Nested | None:
    """What must come out, on fractions."""
    function = CALLS[name].exact
    arrays = {key: v if key == "labels" else oracle.exact(v) for key, v in ARRAYS.get(name, {}).items()}
    return None if function is None else _listed(function(arrays))


def _listed(value: Any) -> Nested:
    return [_listed(part) for part in value] if isinstance(value, list | tuple) else value


def _plain(name: str, result: str = "y", **plain: Any) -> Call:
    """A function of the contract on its arrays, which the oracle has too."""
    inside = [*ARRAYS.get(name, ()), *(f"{key}={value!r}" for key, value in plain.items())]
    function = getattr(oracle, name, None)
    return Call(
        f"{name}({', '.join(inside)})",
        lambda net, a: getattr(net, name)(**a, **plain),
        result,
        function and (lambda a: function(**a, **plain)),
    )


def _pairs(a: Arrays) -> list[tuple[Any, Any]]:
    return [(a["w1"], a["b1"]), (a["w2"], a["b2"])]


def _loaded(net: ModuleType, module: Any, a: Arrays, prefix: str = "") -> Any:
    module.load_state_dict({f"{prefix}weight": a["weight"], f"{prefix}bias": a["bias"]})
    return module


def _dtype(a: Arrays) -> str | None:
    """That of the package's arrays here: fractions have none."""
    return None if all(isinstance(part, Fraction) for part in oracle.flat(a.get("b1", a.get("bias")))) else "float64"


def model(net: ModuleType, a: Arrays) -> Any:
    """A Model with the weights of the small net."""
    made = net.Model([2, 3, 1], seed=SEED, dtype=_dtype(a))
    made.layers.load_state_dict(
        {"0.weight": net.transpose(a["w1"]), "0.bias": a["b1"], "2.weight": net.transpose(a["w2"]), "2.bias": a["b2"]}
    )
    return made


def _model_grads(net: ModuleType, a: Arrays) -> list[Any]:
    made = model(net, a)
    loss = made(a["x"], a["target"])
    made.backward()
    return [net.tolist(loss), *(net.tolist(parameter.grad) for parameter in made.parameters())]


def _sgd(net: ModuleType, a: Arrays) -> list[Any]:
    made = model(net, a)
    optimizer = net.SGD(made.parameters(), lr=RATE, momentum=MOMENTUM)
    for _ in range(2):
        optimizer.zero_grad()
        made(a["x"], a["target"])
        made.backward()
        optimizer.step()
    return [net.tolist(parameter.data) for parameter in made.parameters()]


def _trained(a: Arrays) -> tuple[list[Any], list[Any]]:
    batch = (a["x"], a["target"])
    return oracle.train(_pairs(a), [batch, batch], Fraction(RATE), Fraction(MOMENTUM), Fraction(0))


def _rows_first(params: Any) -> list[Any]:
    return [part for w, b in params for part in (oracle.transpose(w), b)]


def _fit(net: ModuleType, a: Arrays) -> list[float]:
    made = model(net, a)
    batches = net.Batches(a["x"], a["target"], batch_size=2, seed=SEED)
    return net.fit(made, batches, net.SGD(made.parameters(), lr=RATE), epochs=2)


def _fitted(a: Arrays) -> list[Any]:
    batches = [batch for epoch in range(2) for batch in oracle.batches(a["x"], a["target"], 2, SEED, epoch)]
    return oracle.train(_pairs(a), batches, Fraction(RATE), Fraction(0), Fraction(0))[0]


def _module(net: ModuleType, a: Arrays) -> list[Any]:
    layer = _loaded(net, net.Sequential(net.Linear(2, 3, seed=SEED, dtype=_dtype(a)), net.ReLU()), a, "0.")
    layer.zero_grad()
    return [net.tolist(array) for array in layer.state_dict().values()]


def _solved(net: ModuleType, a: Arrays) -> list[Any]:
    module = net.Module()
    module.fc1 = net.Linear(1, 1, seed=SEED, dtype="float64")
    net.Solved(module.named_parameters()).step()
    return [net.tolist(parameter.data) for parameter in module.parameters()]


CALLS: dict[str, Call] = {
    "asarray": Call(
        f"asarray({V['x']}, 'float64')",
        lambda net, a: net.asarray(V["x"], "float64"),
        "array",
        lambda a: oracle.exact(V["x"]),
    ),
    "tolist": Call("tolist(array)", lambda net, a: net.tolist(a["array"]), "values", lambda a: a["array"]),
    "shape": Call("shape(array)", lambda net, a: net.shape(a["array"]), "shape", lambda a: [3, 2]),
    "broadcast_shapes": Call(
        "broadcast_shapes((3, 1), (2,))", lambda net, a: net.broadcast_shapes((3, 1), (2,)), "shape", lambda a: [3, 2]
    ),
    **{name: _plain(name, "result") for name in ("add", "multiply")},
    "unsqueeze": _plain("unsqueeze", "row", dim=0),
    "transpose": _plain("transpose", "columns"),
    **{name: _plain(name, "out") for name in ("neuron", "relu", "layer", "matmul", "linear")},
    "MATMULS": Call(
        "{name: rung(a, b) for name, rung in MATMULS.items()}",
        lambda net, a: {name: rung(a["a"], a["b"]) for name, rung in net.MATMULS.items()},
        "out",
        lambda a: oracle.matmul(a["a"], a["b"]),
    ),
    "normal": _plain("normal", "w", n_in=2, n_out=3, std=0.5, seed=SEED, dtype="float64"),
    "xavier_std": _plain("xavier_std", "std", n_in=2),
    "kaiming_std": _plain("kaiming_std", "std", n_in=2),
    "init_mlp": _plain("init_mlp", "params", sizes=[2, 3, 1], seed=SEED, dtype="float64"),
    "mlp": Call(
        "mlp(x, [(w1, b1), (w2, b2)])",
        lambda net, a: net.mlp(a["x"], _pairs(a)),
        "output",
        lambda a: oracle.mlp(a["x"], _pairs(a)),
    ),
    "mse": _plain("mse", "loss"),
    "mse_grad": _plain("mse_grad", "grad"),
    "relu_grad": _plain("relu_grad", "grad_x"),
    "linear_grad": _plain("linear_grad", "grad_x, grad_w, grad_b"),
    "loss_and_grads": Call(
        "loss_and_grads([(w1, b1), (w2, b2)], x, target)",
        lambda net, a: net.loss_and_grads(_pairs(a), a["x"], a["target"]),
        "loss, grads",
        lambda a: oracle.loss_and_grads(_pairs(a), a["x"], a["target"]),
    ),
    "Parameter": Call("Parameter(data).data", lambda net, a: net.Parameter(**a).data, "data", lambda a: a["data"]),
    "Module": Call("Sequential(Linear(2, 3), ReLU()).state_dict()", _module, "state", lambda a: [*a.values()]),
    "Linear": Call(
        "Linear(2, 3)(x)",
        lambda net, a: _loaded(net, net.Linear(2, 3, seed=SEED, dtype=_dtype(a)), a)(a["x"]),
        "out",
        lambda a: oracle.linear(a["x"], oracle.transpose(a["weight"]), a["bias"]),
    ),
    "ReLU": Call("ReLU()(x)", lambda net, a: net.ReLU()(a["x"]), "out", lambda a: oracle.relu(a["x"])),
    "Sequential": Call(
        "Sequential(Linear(2, 3), ReLU())(x)",
        lambda net, a: _loaded(net, net.Sequential(net.Linear(2, 3, seed=SEED, dtype=_dtype(a)), net.ReLU()), a, "0.")(
            a["x"]
        ),
        "out",
        lambda a: oracle.relu(oracle.linear(a["x"], oracle.transpose(a["weight"]), a["bias"])),
    ),
    "MSELoss": Call(
        "MSELoss()(output, target)",
        lambda net, a: net.MSELoss()(*a.values()),
        "loss",
        lambda a: oracle.mse(*a.values()),
    ),
    "CrossEntropyLoss": Call(
        "CrossEntropyLoss()(logits, labels)",
        lambda net, a: net.CrossEntropyLoss()(*a.values()),
        "loss",
        lambda a: oracle.cross_entropy(*a.values()),
    ),
    "Model": Call(
        "loss = model(x, target); model.backward()",
        _model_grads,
        "loss, every .grad",
        lambda a: [EXACT["loss"], *_rows_first(oracle.loss_and_grads(_pairs(a), a["x"], a["target"])[1])],
    ),
    "cross_entropy": _plain("cross_entropy", "loss"),
    "cross_entropy_grad": _plain("cross_entropy_grad", "grad"),
    "accuracy": _plain("accuracy", "fraction"),
    "SGD": Call(
        f"SGD(model.parameters(), lr={RATE}, momentum={MOMENTUM}), two steps",
        _sgd,
        "every .data",
        lambda a: _rows_first(_trained(a)[1][-1]),
    ),
    "Solved": Call("Solved(named_parameters).step()", _solved, "weight, bias", lambda a: [[[3]], [0]]),
    "Batches": Call(
        "list(Batches(x, target, batch_size=2, seed=0))",
        lambda net, a: list(net.Batches(a["x"], a["target"], 2, SEED)),
        "batches",
        lambda a: oracle.batches(a["x"], a["target"], 2, SEED),
    ),
    "fit": Call(f"fit(model, batches, SGD(model.parameters(), lr={RATE}), epochs=2)", _fit, "losses", _fitted),
}
"""Name → its call on the small net."""
