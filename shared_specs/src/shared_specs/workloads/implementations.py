"""The workloads in the names of the contract."""

from collections.abc import Callable
from functools import cache
from types import ModuleType
from typing import Any

from . import answers
from .jobs import Job, errors
from .numbers import Named, Net, state
from .rows import Workload

NEEDS = {
    "neuron": ("neuron",),
    "matmul": ("MATMULS",),
    "forward": ("mlp",),
    "loss_and_grads": ("loss_and_grads",),
    "sweep": ("loss_and_grads",),
    "train step": ("Model", "SGD"),
    "bare steps": ("Model", "SGD", "CrossEntropyLoss", "Batches"),
    "epoch": ("Model", "SGD", "CrossEntropyLoss", "Batches", "fit"),
}
"""Work → the contract's names that it calls."""


class Implementation:
    """An implementation of the contract."""

    kind = "implementation"

    def __init__(self, name: str, module: ModuleType) -> None:
        self.name, self.module = name, module

    def hindrance(self, workload: Workload, dtype: str, device: str) -> str | None:
        """Why it cannot do the work here: "" if it does not provide it."""
        if device not in self.module.devices():
            return f"no {device.upper()}" if device != "cpu" else ""
        if device == "mps" and dtype == "float64":
            return "MPS has no float64"
        has_names = all(hasattr(self.module, name) for name in NEEDS[workload.work])
        has_rung = not workload.rung or workload.rung in getattr(self.module, "MATMULS", ())
        return None if has_names and has_rung and dtype in self.module.DTYPES else ""

    def prepare(self, workload: Workload, dtype: str, device: str) -> Job:
        """The work, through the contract."""
        return JOBS[workload.work](workload, self.module, dtype, device)

    def check(self, workload: Workload, job: Job, dtype: str, device: str) -> float | None:
        """Run the job once; the largest error in ULPs. Raises AssertionError where the result is wrong."""
        return errors(workload, job.read(job.run()), dtype, device, self.module)

    def synchronize(self, device: str) -> None:
        """Return when all work queued on the device is done."""
        self.module.synchronize(device)


def _neuron(workload: Workload, implementation: ModuleType, dtype: str, device: str) -> Job:
    inputs, weights, bias = (implementation.asarray(values, dtype, device) for values in answers.neuron_inputs())
    return Job(lambda: implementation.neuron(inputs, weights, bias), lambda y: {"y": y})


def _matmul(workload: Workload, implementation: ModuleType, dtype: str, device: str) -> Job:
    a, b = (implementation.asarray(values, dtype, device) for values in answers.matmul_inputs(workload.units))
    matmul = implementation.MATMULS[workload.rung]
    return Job(lambda: matmul(a, b), lambda c: {"c": c})


def _forward(workload: Workload, implementation: ModuleType, dtype: str, device: str) -> Job:
    x, _, params = _arrays(workload.sized, implementation, dtype, device)
    return Job(lambda: implementation.mlp(x, params), lambda output: {"output": output})


def _loss_and_grads(workload: Workload, implementation: ModuleType, dtype: str, device: str) -> Job:
    x, target, params = _arrays(workload.sized, implementation, dtype, device)

    def read(result: Any) -> Named:
        loss, grads = result
        return {"loss": loss, **answers.named(grads, "grad_w", "grad_b")}

    return Job(lambda: implementation.loss_and_grads(params, x, target), read)


def _train_step(workload: Workload, implementation: ModuleType, dtype: str, device: str) -> Job:
    x, target, _ = _arrays(workload.sized, implementation, dtype, device)
    model = implementation.Model(list(workload.sized.sizes), seed=0, dtype=dtype, device=device)
    model.load_state_dict(_start(workload.sized.sizes, implementation, dtype, device))
    optimizer = implementation.SGD(list(model.parameters()), lr=answers.LR)

    def step() -> Any:
        optimizer.zero_grad()
        loss = model(x, target)
        model.backward()
        optimizer.step()
        return loss

    return Job(step, lambda loss: {"loss": loss, **model.state_dict()})


def _bare_steps(workload: Workload, implementation: ModuleType, dtype: str, device: str) -> Job:
    def run(model: Any, batches: list[Any], optimizer: Any) -> list[Any]:
        losses = []
        for x, labels in batches:
            optimizer.zero_grad()
            losses.append(model(x, labels))
            model.backward()
            optimizer.step()
        return losses

    return _on_digits(run, list, workload, implementation, dtype, device)


def _epoch(workload: Workload, implementation: ModuleType, dtype: str, device: str) -> Job:
    def run(model: Any, batches: Any, optimizer: Any) -> list[float]:
        losses: list[float] = implementation.fit(model, batches, optimizer, epochs=1)
        return losses

    return _on_digits(run, lambda batches: batches, workload, implementation, dtype, device)


def _on_digits(
    run: Callable[[Any, Any, Any], list[Any]],
    laid_out: Callable[[Any], Any],
    workload: Workload,
    implementation: ModuleType,
    dtype: str,
    device: str,
) -> Job:
    """One epoch from the same start each time; `laid_out` says how much is done with the batches beforehand."""
    digits = workload.digits
    x = implementation.asarray(digits.x, dtype, device)
    labels = implementation.asarray(digits.labels, "int64", device)
    start = _start(digits.net.sizes, implementation, dtype, device)
    model = implementation.Model(
        list(digits.net.sizes), implementation.CrossEntropyLoss(), seed=0, dtype=dtype, device=device
    )
    begun: list[Any] = []

    def restart() -> None:
        model.load_state_dict(start)
        optimizer = implementation.SGD(list(model.parameters()), lr=answers.LR)
        begun[:] = [laid_out(implementation.Batches(x, labels, digits.batch_size, digits.seed)), optimizer]

    def read(losses: list[Any]) -> Named:
        numbers = [implementation.tolist(loss) for loss in losses]
        return {"losses": implementation.asarray(numbers, dtype, device), **model.state_dict()}

    restart()
    return Job(lambda: run(model, *begun), read, restart)


JOBS: dict[str, Callable[[Workload, ModuleType, str, str], Job]] = {
    "neuron": _neuron,
    "matmul": _matmul,
    "forward": _forward,
    "loss_and_grads": _loss_and_grads,
    "sweep": _loss_and_grads,
    "train step": _train_step,
    "bare steps": _bare_steps,
    "epoch": _epoch,
}


def _arrays(net: Net, implementation: ModuleType, dtype: str, device: str) -> tuple[Any, Any, list[tuple[Any, Any]]]:
    x, target = (implementation.asarray(values, dtype, device) for values in (net.x, net.target))
    return x, target, _params(net.sizes, implementation, dtype, device)


@cache  # no function of the contract changes its arguments, so every job may share them
def _params(sizes: tuple[int, ...], implementation: ModuleType, dtype: str, device: str) -> list[tuple[Any, Any]]:
    return [
        (implementation.asarray(w, dtype, device), implementation.asarray(b, dtype, device))
        for w, b in Net(1, sizes).params
    ]


@cache
def _start(sizes: tuple[int, ...], implementation: ModuleType, dtype: str, device: str) -> Named:
    tensors = state(Net(1, sizes).params).items()
    return {name: implementation.asarray(values, dtype, device) for name, values in tensors}
