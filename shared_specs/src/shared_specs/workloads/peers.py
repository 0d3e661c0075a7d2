"""The same work in other libraries, the way their users write it, and held to the same answers."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from . import answers
from .jobs import NESTED_LISTS, Job, errors, library, missing, torch_hindrance, torch_synchronize
from .numbers import Named, Net, state, transposed
from .rows import Workload

NET_WORKS = ("forward", "loss_and_grads", "train step", "sweep")


@dataclass(frozen=True)
class Peer:
    """Another library. `prepare_job` takes the workload, the dtype and the device."""

    name: str
    module: str
    package: str
    library: str
    """Whose matrix products are its limit."""
    prepare_job: Callable[[Workload, str, str], Job]
    works: tuple[str, ...] = NET_WORKS
    dtypes: tuple[str, ...] = ("float64", "float32")
    devices: tuple[str, ...] = ("cpu",)
    in_float32: tuple[str, ...] = ()
    """What it does in float32 alone."""
    kind: str = field(default="peer", init=False)

    def hindrance(self, workload: Workload, dtype: str, device: str) -> str | None:
        """Why it cannot do the work here: "" if it does not provide it."""
        if workload.work not in self.works or dtype not in self.dtypes or device not in self.devices:
            return ""
        if dtype == "float64" and workload.work in self.in_float32:
            return ""
        if missing(self.module):
            return f"not installed: pip install {self.package}"
        return None if device == "cpu" else torch_hindrance(device)

    def prepare(self, workload: Workload, dtype: str, device: str) -> Job:
        """The work as its users write it."""
        return self.prepare_job(workload, dtype, device)

    def check(self, workload: Workload, job: Job, dtype: str, device: str) -> float | None:
        """Run the job once; the largest error in ULPs. Raises AssertionError where the result is wrong."""
        return errors(workload, job.read(job.run()), dtype, None, NESTED_LISTS)

    def synchronize(self, device: str) -> None:
        """Return when all work queued on the device is done."""
        if device != "cpu":
            torch_synchronize(device)


def _lists(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else value


def _gradients(loss: Any, grads: Any) -> Named:
    """The answer of loss_and_grads from arrays: [(grad_w, grad_b), …]."""
    return {"loss": float(loss), **answers.named([(_lists(w), _lists(b)) for w, b in grads], "grad_w", "grad_b")}


# micrograd: every number a node


def _micrograd(workload: Workload, dtype: str, device: str) -> Job:
    nn, net = library("micrograd.nn"), workload.sized
    model = nn.MLP(net.sizes[0], list(net.sizes[1:]))
    shape = (net.batch, net.sizes[-1])
    for layer, (w, b) in zip(model.layers, net.params, strict=True):
        for neuron, weights, bias in zip(layer.neurons, transposed(w), b, strict=True):
            neuron.b.data = bias
            for value, weight in zip(neuron.w, weights, strict=True):
                value.data = weight

    def forward() -> list[list[Any]]:
        rows = [model(row) for row in net.x]
        return [row if isinstance(row, list) else [row] for row in rows]

    def loss_and_grads() -> Any:
        model.zero_grad()
        pairs = zip(forward(), net.target, strict=True)
        errors = [y - t for row, targets in pairs for y, t in zip(row, targets, strict=True)]
        loss = sum(error**2 for error in errors) * (1 / (shape[0] * shape[1]))
        loss.backward()
        return loss.data

    def step() -> Any:
        loss = loss_and_grads()
        for parameter in model.parameters():
            parameter.data -= answers.LR * parameter.grad
        return loss

    def params(what: str) -> Any:
        return [
            (
                transposed([[getattr(w, what) for w in neuron.w] for neuron in layer.neurons]),
                [getattr(neuron.b, what) for neuron in layer.neurons],
            )
            for layer in model.layers
        ]

    jobs = {
        "forward": Job(forward, lambda rows: {"output": [[value.data for value in row] for row in rows]}),
        "train step": Job(step, lambda loss: {"loss": loss, **state(params("data"))}),
    }
    return jobs.get(workload.work) or Job(loss_and_grads, lambda loss: _gradients(loss, params("grad")))


# HIPS autograd and JAX: a function of arrays, differentiated as a whole


def _autograd(workload: Workload, dtype: str, device: str) -> Job:
    return _functional(workload, dtype, library("autograd.numpy"), library("autograd").value_and_grad, lambda f: f)


def _jax(workload: Workload, dtype: str, device: str) -> Job:
    jax = library("jax")
    jax.config.update("jax_enable_x64", True)  # else float64 is float32
    job = _functional(workload, dtype, library("jax.numpy"), jax.value_and_grad, jax.jit)
    return Job(lambda: jax.block_until_ready(job.run()), job.read)


def _functional(
    workload: Workload, dtype: str, np: Any, value_and_grad: Callable[..., Any], jit: Callable[..., Any]
) -> Job:
    net = workload.sized
    x, target = np.array(net.x, dtype=dtype), np.array(net.target, dtype=dtype)
    params = [(np.array(w, dtype=dtype), np.array(b, dtype=dtype)) for w, b in net.params]

    def mlp(params: Any, x: Any) -> Any:
        *hidden, (w_last, b_last) = params
        for w, b in hidden:
            x = np.maximum(x @ w + b, 0)
        return x @ w_last + b_last

    def loss(params: Any, x: Any, target: Any) -> Any:
        return np.mean((mlp(params, x) - target) ** 2)

    slope = value_and_grad(loss)

    def moved(params: Any, x: Any, target: Any) -> Any:
        value, grads = slope(params, x, target)
        pairs = zip(params, grads, strict=True)
        return value, [(w - answers.LR * grad_w, b - answers.LR * grad_b) for (w, b), (grad_w, grad_b) in pairs]

    forward, slopes, step = jit(mlp), jit(slope), jit(moved)

    def go_on() -> Any:
        nonlocal params
        value, params = step(params, x, target)
        return value, params

    def read(result: Any) -> Named:
        return {"loss": float(result[0]), **state([(_lists(w), _lists(b)) for w, b in result[1]])}

    jobs = {
        "forward": Job(lambda: forward(params, x), lambda output: {"output": _lists(output)}),
        "train step": Job(go_on, read),
    }
    return jobs.get(workload.work) or Job(lambda: slopes(params, x, target), lambda result: _gradients(*result))


# scikit-learn: its loss is half of ours summed over the outputs, so the learning rate makes up for it


def _sklearn(workload: Workload, dtype: str, device: str) -> Job:
    np, net = library("numpy"), workload.sized
    x, target = np.asarray(net.x, dtype), np.asarray(net.target, dtype)
    target = target[:, 0] if net.sizes[-1] == 1 else target
    model = library("sklearn.neural_network").MLPRegressor(
        hidden_layer_sizes=net.sizes[1:-1],
        solver="sgd",
        alpha=0,
        batch_size=net.batch,
        learning_rate_init=answers.LR * 2 / net.sizes[-1],
        momentum=0,
        shuffle=False,
    )
    model.partial_fit(x, target)
    for i, (w, b) in enumerate(net.params):
        model.coefs_[i][...], model.intercepts_[i][...] = w, b

    def read(fitted: Any) -> Named:
        pairs = zip(model.coefs_, model.intercepts_, strict=True)
        return {"loss": 2 * float(model.loss_), **state([(_lists(w), _lists(b)) for w, b in pairs])}

    if workload.work == "forward":
        return Job(lambda: model.predict(x), lambda y: {"output": y.reshape(net.batch, -1).tolist()})
    return Job(lambda: model.partial_fit(x, target), read)


# torch.nn with torch.optim, and the same net in a fastai Learner


def _torch(workload: Workload, dtype: str, device: str) -> Job:
    torch, net = library("torch"), workload.sized
    x, target, model = _torch_net(net, dtype, device)
    loss_function = torch.nn.MSELoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=answers.LR)

    def loss_and_grads() -> Any:
        optimizer.zero_grad()
        loss = loss_function(model(x), target)
        loss.backward()
        return loss

    def step() -> Any:
        loss = loss_and_grads()
        optimizer.step()
        return loss

    def forward() -> Any:
        with torch.no_grad():
            return model(x)

    jobs = {
        "forward": Job(forward, lambda output: {"output": output.tolist()}),
        "train step": Job(step, lambda loss: {"loss": loss.item(), **_torch_state(model)}),
    }
    return jobs.get(workload.work) or Job(loss_and_grads, lambda loss: _torch_gradients(loss, model))


def _fastai(workload: Workload, dtype: str, device: str) -> Job:
    return (_fastai_epoch if workload.work == "epoch" else _fastai_step)(workload, dtype, device)


def _fastai_step(workload: Workload, dtype: str, device: str) -> Job:
    fastai, torch = library("fastai.learner"), library("torch")
    x, target, model = _torch_net(workload.sized, dtype, device)
    loaders = library("fastai.data.core").DataLoaders([(x, target)], [(x, target)])
    learner = fastai.Learner(
        loaders,
        model,
        torch.nn.MSELoss(),
        opt_func=library("fastai.optimizer").SGD,
        lr=answers.LR,
        wd=0.0,
        default_cbs=False,
        cbs=[library("fastai.callback.core").TrainEvalCallback()],
    )
    learner.create_opt()
    learner.opt.set_hypers(lr=answers.LR)
    learner.epoch, learner.n_epoch, learner.n_iter, learner.dl = 0, 1, 1, loaders[0]
    learner("before_fit")
    learner("before_train")

    def step() -> Any:
        learner.one_batch(0, (x, target))
        return learner.loss

    return Job(step, lambda loss: {"loss": loss.item(), **_torch_state(model)})


def _fastai_epoch(workload: Workload, dtype: str, device: str) -> Job:
    fastai, torch, digits = library("fastai.basics"), library("torch"), workload.digits
    library("fastai.callback.progress")  # has no_bar
    _, _, model = _torch_net(digits.net, dtype, device)
    start = {name: values.clone() for name, values in model.state_dict().items()}
    x = torch.tensor(digits.x, dtype=getattr(torch, dtype), device=device)
    samples = list(zip(x, torch.tensor(digits.labels, device=device), strict=True))
    loader = fastai.DataLoader(samples, digits.batch_size, shuffle=True, shuffle_fn=lambda indices: digits.order)
    loaders = fastai.DataLoaders(loader, [])  # nothing to validate
    learner = fastai.Learner(loaders, model, torch.nn.CrossEntropyLoss(), opt_func=fastai.SGD, lr=answers.LR)
    learner.recorder.smooth_loss.beta = 0  # the losses that it records are each batch's own

    def fit() -> Any:
        with learner.no_bar(), learner.no_logging():
            learner.fit(1)
        return learner.recorder.losses

    return Job(
        fit,
        lambda losses: {"losses": [loss.item() for loss in losses], **_torch_state(model)},
        lambda: model.load_state_dict(start),
    )


def _torch_net(net: Net, dtype: str, device: str) -> tuple[Any, Any, Any]:
    torch = library("torch")
    kind = {"dtype": getattr(torch, dtype), "device": device}
    x, target = (torch.tensor(values, **kind) for values in (net.x, net.target))
    start = {name.removeprefix("layers."): torch.tensor(values, **kind) for name, values in state(net.params).items()}
    layers: list[Any] = []
    for n_in, n_out in zip(net.sizes[:-1], net.sizes[1:], strict=True):
        layers += [torch.nn.Linear(n_in, n_out, **kind), torch.nn.ReLU()]
    model = torch.nn.Sequential(*layers[:-1])
    model.load_state_dict(start)
    return x, target, model


def _torch_state(model: Any) -> Named:
    return {f"layers.{name}": values.tolist() for name, values in model.state_dict().items()}


def _torch_gradients(loss: Any, model: Any) -> Named:
    layers = [layer for layer in model if hasattr(layer, "weight")]
    return _gradients(loss.item(), [(layer.weight.grad.t(), layer.bias.grad) for layer in layers])


CPU_AND_GPUS = ("cpu", "cuda", "mps")
PEERS = {
    "micrograd": Peer("peer:micrograd", "micrograd", "micrograd", "python", _micrograd, dtypes=("float64",)),
    "autograd": Peer("peer:autograd", "autograd", "autograd", "numpy", _autograd),
    "jax": Peer("peer:jax", "jax", "jax", "numpy", _jax),
    "sklearn": Peer("peer:sklearn", "sklearn", "scikit-learn", "numpy", _sklearn, works=("forward", "train step")),
    "torch.nn": Peer("peer:torch.nn", "torch", "torch", "torch", _torch, devices=CPU_AND_GPUS),
    "fastai": Peer(
        *("peer:fastai", "fastai", "fastai", "torch", _fastai),
        works=("train step", "epoch"),
        devices=CPU_AND_GPUS,
        in_float32=("epoch",),  # the mean that its Recorder keeps of the losses is float32
    ),
}
