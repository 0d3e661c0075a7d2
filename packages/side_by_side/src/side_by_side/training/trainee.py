"""An implementation that is being trained: its model, its optimizer and its batches, reached by contract names alone.

Two things that the contract does not name are needed to go on with a run as if it had never stopped. The order of the
batches: epoch k with seed s is epoch 0 with seed s + k, which the contract says. And the optimizer's momentum: an SGD
keeps it in `velocities`, by parameter, or as fastai's Optimizer does in `state`, by parameter and "velocity".
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice, pairwise
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..tables import UserError
from .checkpoint import Arrays, Checkpoint
from .data import Data

NEEDED = (
    *("DTYPES", "devices", "synchronize", "asarray", "tolist", "Model", "CrossEntropyLoss", "MSELoss", "SGD"),
    *("Batches", "fit", "accuracy", "cross_entropy", "mse"),
)

OnBatch = Callable[[int, float], object]


@dataclass(frozen=True)
class Settings:
    """How to train.

    The defaults are for digits. What seed 0 leaves beside its test part was split anew by 24 seeds, into 1,437 to train
    on and 180 to validate; numpy_impl tried batches of 16 to 64, rates of 0.05 to 1 with and without momentum, and
    weight decays up to 3e-4. These had the best mean accuracy on validation, 97.6 %, of settings that lie close
    together, and 20 epochs or 30 are as good as 25. A test part of 180 samples leaves much to chance: over the seeds 0
    to 11 its accuracy is 97.8 % on average, 95 % at the lowest, and at least 97 % in ten of them.
    """

    sizes: tuple[int, ...] = (64, 50, 10)
    epochs: int = 25
    batch_size: int = 32
    lr: float = 0.2
    momentum: float = 0.9
    weight_decay: float = 0.0
    seed: int = 0
    dtype: str = "float64"
    device: str = "cpu"
    processes: int = 1

    def __str__(self) -> str:
        rates = f"lr {self.lr:g}, momentum {self.momentum:g}, weight decay {self.weight_decay:g}"
        epochs = f"{self.epochs} epoch{'s' * (self.epochs > 1)}"
        shared = f" · {self.processes} processes" if self.processes > 1 else ""
        return f"{epochs}, batch {self.batch_size}, {rates} · {self.dtype} on {self.device}{shared} · seed {self.seed}"


def start(sizes: Sequence[int], seed: int) -> dict[str, NDArray[Any]]:
    """The weights that all begin with, by the names of `torch.nn.Sequential`: Kaiming N(0, 2/n_in), and zero biases."""
    rng = np.random.default_rng(seed)
    weights: dict[str, NDArray[Any]] = {}
    for i, (n_in, n_out) in enumerate(pairwise(sizes)):
        weights[f"{2 * i}.weight"] = rng.normal(0, math.sqrt(2 / n_in), (n_out, n_in))
        weights[f"{2 * i}.bias"] = np.zeros(n_out)
    return weights


def hindrance(net: ModuleType, settings: Settings) -> str | None:
    """Why an implementation cannot be trained so, if it cannot."""
    if missing := [needed for needed in NEEDED if not hasattr(net, needed)]:
        return f"not run: does not provide {', '.join(missing)}"
    if settings.processes > 1 and not hasattr(net, "fit_parallel"):
        return "not run: runs in one process, for it has no fit_parallel"
    if settings.dtype not in net.DTYPES:
        return f"not run: computes in {', '.join(net.DTYPES)} only"
    if settings.device not in net.devices():
        return f"not run: no {settings.device} here, only {', '.join(net.devices())}"
    return None


class Trainee:
    """What is trained, and how far it is.

    `weights` are those to begin with, by the names of `torch.nn.Sequential`; without them `start` says.
    """

    def __init__(
        self, name: str, net: ModuleType, data: Data, settings: Settings, weights: Arrays | None = None
    ) -> None:
        """Raises UserError when the weights do not fit the sizes."""
        self.name, self.net, self.data, self.settings = name, net, data, settings
        self.fit = net.fit if settings.processes == 1 else net.fit_parallel
        self.x, self.y = self.array(data.x_train), self._targets(data.y_train)
        self.x_valid, self.x_test = self.array(data.x_valid), self.array(data.x_test)
        loss = net.CrossEntropyLoss() if data.n_classes else net.MSELoss()
        self.model = net.Model(list(settings.sizes), loss, settings.seed, settings.dtype, settings.device)
        self._load(start(settings.sizes, settings.seed) if weights is None else weights)
        self.parameters = {name.removeprefix("layers."): p for name, p in self.model.named_parameters()}
        self.optimizer = net.SGD(list(self.parameters.values()), settings.lr, settings.momentum, settings.weight_decay)
        self.steps_an_epoch = math.ceil(len(data.x_train) / settings.batch_size)
        self.epoch = self.batch = self.step = 0
        self.gradients: dict[str, NDArray[Any]] = {}
        """Of each parameter in the last step of an epoch, and in every step that `take_step` takes."""

    def array(self, values: Any) -> Any:
        """The implementation's own array of the dtype and on the device that the settings name."""
        return self.net.asarray(values, self.settings.dtype, self.settings.device)

    def numbers(self, array: Any) -> NDArray[Any]:
        """An array of the implementation as NumPy's, which later steps do not change."""
        try:
            return np.asarray(array).copy()
        except (TypeError, RuntimeError):  # torch: on another device, or part of a graph
            return np.array(self.net.tolist(array), self.settings.dtype)

    def train_epoch(self, on_batch: OnBatch | None = None) -> None:
        """Train to the end of the epoch with the implementation's own `fit`, or `fit_parallel`.

        Calls on_batch(step, loss) after every step; steps count over all epochs. What it raises leaves the trainee
        between two steps, from which it can go on.
        """
        batches = self._from_epoch(self.epoch)
        rest = Rest(batches, self.batch) if self.batch else batches
        skipped, before, done = self.batch, self.step, 0

        def count(step: int, loss: float) -> None:
            nonlocal done
            done = step + 1
            if on_batch:
                on_batch(before + step, loss)

        observed = Observed(self.optimizer, self._keep_gradients, self.steps_an_epoch - skipped)
        try:
            self.fit(self.model, rest, observed, 1, count)
            self.net.synchronize(self.settings.device)
        finally:
            self.step = before + done
            finished, self.batch = divmod(skipped + done, self.steps_an_epoch)
            self.epoch += finished

    def steps(self) -> Iterator[tuple[Any, Any]]:
        """The batches of all epochs, one by one, for someone who takes each step himself."""
        batches = self._from_epoch(0)
        for _ in range(self.settings.epochs):
            yield from batches

    def take_step(self, x: Any, target: Any) -> float:
        """One step of the implementation's own `fit` on one batch; its loss, taken before."""
        observed = Observed(self.optimizer, self._keep_gradients, 1)
        losses = self.net.fit(self.model, [(x, target)], observed, 1, lambda step, loss: None)  # or fastai draws a bar
        self.step += 1
        return float(losses[0])

    def weights(self) -> dict[str, NDArray[Any]]:
        """The parameters by the names of `torch.nn.Sequential`."""
        return {name: self.numbers(values) for name, values in self.model.layers.state_dict().items()}

    def grad_norms(self) -> dict[str, float]:
        """√Σg² of each of the gradients."""
        return {name: float(np.linalg.norm(grad)) for name, grad in self.gradients.items()}

    def predict(self) -> NDArray[Any]:
        """The model's outputs on the test part."""
        return self.numbers(self.model.predict(self.x_test))

    def score(self) -> float:
        """Accuracy, or R² = 1 − Σ(y − ŷ)² / Σ(y − ȳ)², on the test part."""
        return self._score(self.x_test, self.data.y_test)

    def validation(self) -> float:
        """The same on the validation part."""
        return self._score(self.x_valid, self.data.y_valid)

    def loss(self) -> float:
        """The loss on all that is trained on."""
        loss = self.net.cross_entropy if self.data.n_classes else self.net.mse
        return float(self.net.tolist(loss(self.model.predict(self.x), self.y)))

    def checkpoint(self) -> Checkpoint:
        """All that is needed to go on from here."""
        momenta = velocities(self.optimizer, self.settings.momentum)
        return Checkpoint(
            weights=self.weights(),
            velocities={name: self.numbers(momenta[p]) for name, p in self.parameters.items() if p in momenta},
            epoch=self.epoch,
            batch=self.batch,
            step=self.step,
            settings=recorded(self.settings, self.data),
            preparation=self.data.preparation,
        )

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go back, or on, to a checkpoint, of whichever implementation it is.

        Raises UserError when it comes from other settings or other data, or does not fit the sizes.
        """
        if problem := mismatch(checkpoint.settings, recorded(self.settings, self.data)):
            raise UserError(problem)
        self._load(checkpoint.weights)
        for name, values in checkpoint.velocities.items():
            if name not in self.parameters or values.shape != checkpoint.weights[name].shape:
                raise UserError(f"a velocity of {name} with shape {values.shape}, which the net does not have")
        if (checkpoint.epoch, checkpoint.batch) != divmod(checkpoint.step, self.steps_an_epoch):
            raise UserError(f"step {checkpoint.step} is not batch {checkpoint.batch} of epoch {checkpoint.epoch}")
        momenta = velocities(self.optimizer, self.settings.momentum)
        for name, values in checkpoint.velocities.items():
            momenta[self.parameters[name]] = self.array(values)
        self.epoch, self.batch, self.step = checkpoint.epoch, checkpoint.batch, checkpoint.step

    def _keep_gradients(self) -> None:
        grads = {name: parameter.grad for name, parameter in self.parameters.items()}
        self.gradients = {name: self.numbers(grad) for name, grad in grads.items() if grad is not None}

    def _targets(self, values: NDArray[Any]) -> Any:
        dtype = "int64" if self.data.n_classes else self.settings.dtype
        return self.net.asarray(values, dtype, self.settings.device)

    def _load(self, weights: Arrays) -> None:
        dtype, device = self.settings.dtype, self.settings.device
        try:
            self.model.layers.load_state_dict({name: self.net.asarray(w, dtype, device) for name, w in weights.items()})
        except (ValueError, RuntimeError) as error:  # in the framework's own words, which torch sets in several lines
            sizes, said = "-".join(map(str, self.settings.sizes)), " ".join(str(error).split())
            raise UserError(f"the weights do not fit a net of sizes {sizes}: {said}") from error

    def _score(self, x: Any, y: NDArray[Any]) -> float:
        outputs = self.model.predict(x)
        if self.data.n_classes:
            return float(self.net.accuracy(outputs, self._targets(y)))
        spread = np.square(y - y.mean(axis=0)).sum()
        return float(1 - np.square(y - self.numbers(outputs)).sum() / spread) if spread else math.nan

    def _from_epoch(self, epoch: int) -> Any:
        return self.net.Batches(self.x, self.y, self.settings.batch_size, self.settings.seed + epoch)


class Observed:
    """An optimizer, and someone who looks at the gradients before its n-th step; a `fit` may clear them after it."""

    def __init__(self, optimizer: Any, look: Callable[[], object], n: int) -> None:
        self.take, self.zero_grad = optimizer.step, optimizer.zero_grad
        self.look, self.left = look, n

    def step(self) -> None:
        """Look, if it is time, and step."""
        self.left -= 1
        if self.left == 0:
            self.look()
        self.take()


class Rest:
    """The batches of an epoch without the first few."""

    def __init__(self, batches: Any, skipped: int) -> None:
        self.batches, self.skipped = batches, skipped

    def __len__(self) -> int:
        return len(self.batches) - self.skipped

    def __iter__(self) -> Iterator[Any]:
        return islice(self.batches, self.skipped, None)


class _State:
    """fastai's `Optimizer.state` as a mapping from parameters to velocities."""

    def __init__(self, state: Any) -> None:
        self.state = state

    def __contains__(self, parameter: Any) -> bool:
        return parameter in self.state and "velocity" in self.state[parameter]

    def __getitem__(self, parameter: Any) -> Any:
        return self.state[parameter]["velocity"]

    def __setitem__(self, parameter: Any, velocity: Any) -> None:
        self.state[parameter]["velocity"] = velocity


def velocities(optimizer: Any, momentum: float) -> Any:
    """Parameter → velocity, to be read and written; nothing without momentum.

    Raises UserError for an optimizer whose momentum cannot be found.
    """
    if not momentum:
        return {}
    if hasattr(optimizer, "velocities"):
        return optimizer.velocities
    if hasattr(optimizer, "state"):
        return _State(optimizer.state)
    raise UserError("its SGD shows no velocities, so that no run with momentum can be saved; train without --out")


def recorded(settings: Settings, data: Data) -> dict[str, Any]:
    """What a run must have in common with the one that it goes on with: not how long it trains, where, how shared."""
    kept = {name: value for name, value in asdict(settings).items() if name not in ("epochs", "device", "processes")}
    return {**kept, "sizes": list(settings.sizes), "data": data.name, "fingerprint": data.fingerprint}


def mismatch(of_checkpoint: Mapping[str, Any], now: Mapping[str, Any]) -> str | None:
    """In what two recorded settings differ, if they do."""
    differ = [name for name in now if of_checkpoint.get(name) != now[name]]
    told = [name for name in differ if name != "fingerprint"]
    if told:
        both = (f"{name.replace('_', ' ')} {of_checkpoint.get(name)}, not {now[name]}" for name in told)
        return f"the checkpoint is of a run with {'; '.join(both)}"
    return "the checkpoint is of a run on other samples of the same name" if differ else None
