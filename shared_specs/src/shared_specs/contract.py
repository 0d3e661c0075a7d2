"""The contract as code: what every implementation provides, one Protocol a stage.

An implementation is a module, so each Protocol describes a module: its methods are the module's functions and classes.
A typed assignment proves a module against them, in mypy or pyright:

    import my_net
    from my_net import Array
    from shared_specs import contract

    everything: contract.Implementation[Array] = my_net

(Run mypy with ``--no-incremental``: its cache does not notice that this line depends on everything in the module.)

*Array* is the implementation's native array: nested lists of Python numbers, ``numpy.ndarray``, ``torch.Tensor``.

- Batch first: ``x`` is (batch, n_in). Stages 0 to 4 keep ``w`` as (n_in, n_out) and compute ``x @ w + b``; a neuron's
  weights are a row in ``layer`` and in ``Linear.weight``, as in ``torch.nn.Linear``.
- No function changes its arguments. NaN in gives NaN out.
- ``dtype`` is "float32", "float64" or, for class labels, "int64". The result has the inputs' dtype.
- Randomness comes from ``seed`` only: an int ≥ 0 of any size, same seed, same numbers; None for fresh ones.
- What does not fit is refused with ValueError, TypeError, RuntimeError or IndexError, in any words, instead of a wrong
  number: shapes, float32 with float64, an empty batch in a loss, labels that are no classes, unknown dtypes or devices;
  what is ragged or no number, names of a state dict, backward without forward, fewer than two sizes, rates below 0.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeAlias, TypeVar

from shared_specs import OPTIONAL, STAGES

A = TypeVar("A")
A_co = TypeVar("A_co", covariant=True)
A_contra = TypeVar("A_contra", contravariant=True)
Scalar: TypeAlias = Any
"""An array of rank 0: a Python number, a NumPy scalar, a tensor without axes."""
Params: TypeAlias = Sequence[tuple[A, A]]
"""One (w, b) a layer: (n_in, n_out) and (n_out,)."""


class Metadata(Protocol):
    """What an implementation says about itself."""

    @property
    def DTYPES(self) -> tuple[str, ...]:
        """The float dtypes that it computes in, the default first."""

    def devices(self) -> list[str]:
        """The devices usable here now: ["cpu"], ["cpu", "cuda"] and so on."""

    def synchronize(self, device: str) -> None:
        """Return when all work queued on the device is done; on the CPU, at once."""


class Arrays(Protocol[A]):
    """Stage 0: what the implementation computes with."""

    def asarray(self, values: Any, dtype: str | None = None, device: str | None = None) -> A:
        """Nested sequences, a NumPy array or a native array as an Array.

        Without a dtype: the default float dtype, or that of an array that has one of DTYPES; Fractions stay.
        """

    def tolist(self, array: A) -> Any:
        """Nested lists of Python numbers; a number for an array of rank 0."""

    def shape(self, array: A) -> tuple[int, ...]:
        """The size along each axis; () for an array of rank 0."""

    def broadcast_shapes(self, *shapes: tuple[int, ...]) -> tuple[int, ...]:
        """The common shape by the broadcasting rules."""

    def add(self, a: A, b: A) -> A:
        """The elementwise sum, broadcasting."""

    def multiply(self, a: A, b: A) -> A:
        """The elementwise product, broadcasting."""

    def unsqueeze(self, a: A, dim: int) -> A:
        """A new axis of size 1 at ``dim``; negative counts from the end. (3,) → (1, 3) for 0, (3, 1) for 1 or −1."""

    def transpose(self, a: A) -> A:
        """Rows become columns: (n, m) → (m, n)."""


class Neuron(Protocol[A_contra]):
    """Stage 1: one neuron."""

    def neuron(self, inputs: A_contra, weights: A_contra, bias: Scalar) -> Scalar:
        """Σ xᵢwᵢ + b, before the activation: (n,), (n,), () → ()."""

    def relu(self, x: Any) -> Any:
        """max(x, 0), elementwise on an Array or a number; NaN stays."""


class Layer(Protocol[A]):
    """Stage 2: a row of neurons, and matmul."""

    def layer(self, inputs: A, weights: A, biases: A) -> A:
        """One sample through a row of neurons: (n_in,), (n_neurons, n_in), (n_neurons,) → (n_neurons,)."""

    @property
    def MATMULS(self) -> Mapping[str, Callable[[A, A], A]]:
        """The rungs, slowest first, each (n, k), (k, m) → (n, m).

        Those of "loops", "elementwise", "broadcast", "einsum", "builtin" that it can express, and any of its own.
        """

    def matmul(self, a: A, b: A) -> A:
        """a @ b by the rung that the implementation itself uses: (n, k), (k, m) → (n, m)."""

    def linear(self, x: A, w: A, b: A) -> A:
        """x @ w + b: (batch, n_in), (n_in, n_out), (n_out,) → (batch, n_out)."""

    def normal(
        self, n_in: int, n_out: int, std: float, seed: int | None, dtype: str | None = None, device: str | None = None
    ) -> A:
        """(n_in, n_out) of N(0, std²)."""

    def xavier_std(self, n_in: int) -> float:
        """1/√n_in."""

    def kaiming_std(self, n_in: int) -> float:
        """√(2/n_in)."""


class Mlp(Protocol[A]):
    """Stage 3: layers in a row, and a loss."""

    def init_mlp(
        self, sizes: Sequence[int], seed: int | None, dtype: str | None = None, device: str | None = None
    ) -> list[tuple[A, A]]:
        """[(w, b), …], one pair a layer: Kaiming weights (n_in, n_out), zero biases (n_out,)."""

    def mlp(self, x: A, params: Params[A]) -> A:
        """linear, relu, …, linear, with no relu after the last: (batch, n_in) → (batch, n_out)."""

    def mse(self, output: A, target: A) -> Scalar:
        """The mean squared difference: same shapes of any rank, or (batch, 1) and (batch,), → ()."""


class Backward(Protocol[A]):
    """Stage 4: gradients."""

    def mse_grad(self, output: A, target: A) -> A:
        """2 (output − target) / number of elements, in output's shape."""

    def relu_grad(self, grad_out: A, x: A) -> A:
        """grad_out where x > 0, exactly 0 where x ≤ 0: at 0 too, and where grad_out is infinite."""

    def linear_grad(self, grad_out: A, x: A, w: A) -> tuple[A, A, A]:
        """(grad_x, grad_w, grad_b) in the shapes of x, w and b."""

    def loss_and_grads(self, params: Params[A], x: A, target: A) -> tuple[Scalar, list[tuple[A, A]]]:
        """(loss, [(grad_w, grad_b), …]) of mse(mlp(x, params), target), in the order of params."""


class ParameterLike(Protocol[A_co]):
    """An array that is trained, and its gradient."""

    @property
    def data(self) -> A_co:
        """The numbers."""

    @property
    def grad(self) -> A_co | None:
        """The gradient in data's shape; None until the first backward."""


class ModuleLike(Protocol[A_co]):
    """Parameters and the computation that uses them; attributes that are Parameters or Modules belong to it."""

    @property
    def forward(self) -> Callable[..., Any]:
        """The computation, given by the subclass."""

    @property
    def __call__(self) -> Callable[..., Any]:
        """What runs forward."""

    def parameters(self) -> Iterable[ParameterLike[A_co]]:
        """Each Parameter once."""

    def named_parameters(self) -> Iterable[tuple[str, ParameterLike[A_co]]]:
        """Each Parameter once, under its dotted name: "layers.0.weight"."""

    def zero_grad(self) -> None:
        """Forget every gradient."""

    def state_dict(self) -> Mapping[str, A_co]:
        """Name → Array, with the names and shapes of torch.nn."""

    def load_state_dict(self, state: Mapping[str, Any], /) -> Any:
        """Copy the numbers in. Missing, unexpected or misshaped names are refused, and the message lists them all."""


class LinearLike(ModuleLike[A_co], Protocol[A_co]):
    """A layer: x @ weightᵀ + bias."""

    @property
    def weight(self) -> ParameterLike[A_co]:
        """(n_out, n_in), Kaiming."""

    @property
    def bias(self) -> ParameterLike[A_co]:
        """(n_out,), zero."""


class ModelLike(ModuleLike[A], Protocol[A]):
    """A net and its loss: ``model(x, target)`` is the loss.

    Backward before forward, or twice after one forward: RuntimeError.
    """

    @property
    def layers(self) -> ModuleLike[A]:
        """A Sequential of Linear, ReLU, …, Linear."""

    def backward(self) -> None:
        """Add to every parameter's ``.grad``."""

    def predict(self, x: A) -> A:
        """(batch, n_in) → (batch, n_out), without a loss."""


class Module(Protocol[A]):
    """Stage 5: the same net as classes."""

    @property
    def Parameter(self) -> Callable[[A], ParameterLike[A]]:
        """The class of what is trained."""

    @property
    def Module(self) -> Callable[[], ModuleLike[A]]:
        """The base class of layers and nets."""

    def Linear(
        self, n_in: int, n_out: int, seed: int | None = None, dtype: str | None = None, device: str | None = None
    ) -> LinearLike[A]:
        """A layer with Kaiming weight (n_out, n_in) and zero bias (n_out,)."""

    def ReLU(self) -> ModuleLike[A]:
        """relu as a Module."""

    def Sequential(self, *layers: Any) -> ModuleLike[A]:
        """One Module after the other, named "0", "1", …; one that appears twice gets the sum of both gradients."""

    def MSELoss(self) -> ModuleLike[A]:
        """mse as a Module."""

    def CrossEntropyLoss(self) -> ModuleLike[A]:
        """cross_entropy as a Module."""

    def Model(
        self,
        sizes: Sequence[int],
        loss: Any = None,
        seed: int | None = None,
        dtype: str | None = None,
        device: str | None = None,
    ) -> ModelLike[A]:
        """Linear, ReLU, …, Linear of these sizes; MSELoss unless another loss is given."""


class OptimizerLike(Protocol):
    """What moves the parameters."""

    def step(self) -> None:
        """Move each Parameter that has a gradient; the gradients stay as they are."""

    def zero_grad(self) -> None:
        """Make every gradient None."""


class BatchesLike(Protocol[A_co]):
    """Mini-batches, in a new order each epoch."""

    def __iter__(self) -> Iterator[tuple[A_co, A_co]]:
        """(x, target) of each mini-batch."""

    def __len__(self) -> int:
        """The number of batches in an epoch."""


class Training(Protocol[A]):
    """Stage 6: from gradients to a trained net."""

    def cross_entropy(self, logits: A, labels: A) -> Scalar:
        """The mean of −log softmax at the label: (batch, n_classes), (batch,) ints → (). Finite at logits of ±1000."""

    def cross_entropy_grad(self, logits: A, labels: A) -> A:
        """(softmax − one-hot) / batch, in logits' shape."""

    def accuracy(self, logits: A, labels: A) -> float:
        """The fraction right; the first of equal largest logits decides; NaN if any logit is."""

    def SGD(
        self, parameters: Iterable[Any], lr: float, momentum: float = 0.0, weight_decay: float = 0.0
    ) -> OptimizerLike:
        """Stochastic gradient descent by PyTorch's update rule; a Parameter without gradient is left alone."""

    def Solved(self, named_parameters: Iterable[tuple[str, Any]]) -> OptimizerLike:
        """The optimizer that knows the answer: step() sets fc1.weight to 3 and fc1.bias to 0."""

    def Batches(self, x: A, target: A, batch_size: int, seed: int) -> BatchesLike[A]:
        """Mini-batches of the samples in the order that ``random.Random(seed + epoch).shuffle`` gives.

        Epochs count from 0; the last batch may be short.
        """

    def fit(
        self,
        model: Any,
        batches: Any,
        optimizer: Any,
        epochs: int,
        on_batch: Callable[[int, float], Any] | None = None,
    ) -> list[float]:
        """Train, and return every batch's loss, taken before its step.

        ``on_batch(step, loss)`` is called after each step; step counts from 0 over all epochs.
        """


class Implementation(
    Metadata, Arrays[A], Neuron[A], Layer[A], Mlp[A], Backward[A], Module[A], Training[A], Protocol[A]
):
    """The whole contract."""


class Parallel(Protocol):
    """Stage 7, optional: many processes, called ranks, train one net; whoever starts them, tells each its number."""

    def process_group(self, device: str | None = None) -> AbstractContextManager[None]:
        """Join the other ranks, once a process, and leave them at the end.

        The environment says who and where they are, as torchrun sets it: RANK, LOCAL_RANK, WORLD_SIZE, MASTER_ADDR and
        MASTER_PORT.
        """

    def fit_parallel(
        self,
        model: Any,
        batches: Any,
        optimizer: Any,
        epochs: int,
        on_batch: Callable[[int, float], Any] | None = None,
    ) -> list[float]:
        """``fit``, inside the process group, by all ranks with the same batches: each takes its share of every one.

        All begin with the parameters of rank 0. Losses, the gradients that a step takes, and parameters are on every
        rank those of one process with the whole batch, however its samples are shared.
        """


class ParallelImplementation(Implementation[A], Parallel, Protocol[A]):
    """The whole contract with the optional stage."""


def _names(protocol: type) -> tuple[str, ...]:
    return tuple(name for name in vars(protocol) if not name.startswith("_"))


METADATA = _names(Metadata)
"""The names that belong to no stage."""

STAGE_NAMES: Mapping[str, tuple[str, ...]] = dict(
    zip(STAGES, map(_names, (Arrays, Neuron, Layer, Mlp, Backward, Module, Training)), strict=True)
)
"""Stage → the names that an implementation provides in it."""


OPTIONAL_NAMES = _names(Parallel)
"""The names of the stage that an implementation may leave out."""

ALL_NAMES = frozenset(METADATA).union(OPTIONAL_NAMES, *STAGE_NAMES.values())


def stage_of(name: str) -> str | None:
    """The stage in which the contract asks for the name; None for metadata and for names that it does not ask for."""
    stages = {**STAGE_NAMES, OPTIONAL: OPTIONAL_NAMES}
    return next((stage for stage, names in stages.items() if name in names), None)
