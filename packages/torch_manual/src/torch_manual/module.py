"""Stage 5, module: the functions of stages 2 to 4, refactored into layers that own their parameters.

A net of fifty layers should not be a list of a hundred arrays that the caller threads through. So a layer keeps its
weight and its bias, a Module finds the parameters of everything inside it, and the Model knows the way there and back.

Layers remember nothing of a call: `backward` is handed the input again. Only the Model remembers what each layer saw,
so one layer may stand in a net twice, and a prediction in between disturbs nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from .arrays import Array, asarray, check_seed, check_sizes, check_where, dtype_name, shape
from .backward import mse_grad, relu_grad
from .layer import kaiming_std, linear, normal
from .mlp import layer_seeds, mse
from .neuron import relu


class Parameter:
    """An array that is learned: `.data`, and `.grad` of the same shape, None until the first backward."""

    def __init__(self, data: Array) -> None:
        self.data = data
        self.grad: Array | None = None


class Module:
    """Whatever has parameters: its attributes that are Parameters or Modules, alone or in lists, belong to it."""

    def forward(self, *inputs: Any) -> Any:
        """What calling the module computes; every Module says it for itself.

        Raises TypeError where a Module does not.
        """
        raise TypeError(f"{type(self).__name__}.forward: not defined, expected the class to say what it computes")

    def __call__(self, *inputs: Any) -> Any:
        """forward(*inputs)."""
        return self.forward(*inputs)

    def parameters(self) -> Iterator[Parameter]:
        """Each Parameter once, in the order of assignment."""
        return (parameter for _, parameter in self.named_parameters())

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """(dotted name, Parameter) in the order of assignment; a shared one once, under its first name."""
        seen: set[Parameter] = set()
        for name, parameter in _parameters_in(self):
            if parameter not in seen:
                seen.add(parameter)
                yield name, parameter

    def zero_grad(self) -> None:
        """Forget all gradients, so that the next backward starts afresh."""
        for parameter in self.parameters():
            parameter.grad = None

    def state_dict(self) -> dict[str, Array]:
        """Name → copy of the data, with the names and shapes of `torch.nn`."""
        return {name: parameter.data.clone() for name, parameter in self.named_parameters()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Copy the data in; arrays of any package will do.

        Raises one ValueError that lists every missing, unexpected and misshaped name; then nothing is loaded.
        """
        if not isinstance(state, Mapping):
            raise ValueError(f"load_state_dict: got {type(state).__name__}, expected a mapping from names to arrays")
        parameters = dict(self.named_parameters())
        faults = [f"missing {name}" for name in parameters if name not in state]
        faults += [f"unexpected {name}" for name in state if name not in parameters]
        loaded = {}
        for name, parameter in parameters.items():
            try:
                loaded[name] = asarray(state.get(name, parameter.data), dtype_name(parameter.data))
                if shape(loaded[name]) != shape(parameter.data):
                    faults.append(f"{name} has shape {shape(loaded[name])}, expected {shape(parameter.data)}")
            except ValueError as error:
                faults.append(f"{name} is no array ({error})")
        if faults:
            raise ValueError(f"load_state_dict: {', '.join(faults)}")
        for name, parameter in parameters.items():
            parameter.data = loaded[name].to(parameter.data, copy=True)


class Linear(Module):
    """x @ weightᵀ + bias: (batch, n_in) → (batch, n_out), with weight (n_out, n_in) Kaiming and bias (n_out,) zero.

    Raises ValueError for sizes below 1, a seed that is no whole number ≥ 0, an unknown dtype or device.
    """

    def __init__(
        self, n_in: int, n_out: int, seed: int | None = None, dtype: str | None = None, device: str | None = None
    ) -> None:
        check_sizes("Linear", n_in=n_in, n_out=n_out)
        check_seed("Linear", seed)
        check_where("Linear", dtype, device)
        self.weight = Parameter(normal(n_in, n_out, kaiming_std(n_in), seed, dtype, device).t().contiguous())
        self.bias = Parameter(asarray([0] * n_out, dtype, device))

    def forward(self, x: Array) -> Array:
        """(batch, n_in) → (batch, n_out).

        Raises ValueError, naming the shapes, for any other.
        """
        return linear(x, self.weight.data.t(), self.bias.data)

    def backward(self, grad_out: Array, x: Array, need_grad_x: bool) -> Array | None:
        """Adds ∂weight = ∂yᵀ @ x and ∂bias = Σ ∂y to the gradients; gives ∂x = ∂y @ weight where it is needed."""
        _accumulate(self.weight, grad_out.t() @ x)
        _accumulate(self.bias, grad_out.sum(dim=0))
        return grad_out @ self.weight.data if need_grad_x else None


class ReLU(Module):
    """max(x, 0) elementwise, in any shape."""

    def forward(self, x: Array) -> Array:
        """Any shape → the same shape."""
        return relu(x)

    def backward(self, grad_out: Array, x: Array, need_grad_x: bool) -> Array | None:
        """∂x = ∂y where x > 0, else 0."""
        return relu_grad(grad_out, x) if need_grad_x else None


class Sequential(Module):
    """One layer after the other; they are named "0", "1", … as in `torch.nn.Sequential`.

    Raises ValueError for a layer that is no Module, such as a list of them or a function.
    """

    def __init__(self, *layers: Module) -> None:
        for i, layer in enumerate(layers):
            if not isinstance(layer, Module):
                raise ValueError(f"Sequential: got {type(layer).__name__} as layer {i}, expected Modules, one by one")
            setattr(self, str(i), layer)

    def __iter__(self) -> Iterator[Any]:
        """The layers in order."""
        return (layer for layer in vars(self).values() if isinstance(layer, Module))

    def forward(self, x: Array) -> Array:
        """Through all layers."""
        for layer in self:
            x = layer(x)
        return x

    def trace(self, x: Array) -> tuple[list[Array], Array]:
        """What each layer sees, and what comes out at the end."""
        inputs = []
        for layer in self:
            inputs.append(x)
            x = layer(x)
        return inputs, x

    def backward(self, grad_out: Array, x: Array, need_grad_x: bool) -> Array | None:
        """Back through all layers; what each saw is computed anew from x."""
        return self.retrace(grad_out, self.trace(x)[0], need_grad_x)

    def retrace(self, grad_out: Array, inputs: Sequence[Array], need_grad_x: bool) -> Array | None:
        """Back through all layers, where somebody has kept what each saw."""
        grad = grad_out
        for i, (layer, x) in reversed(list(enumerate(zip(self, inputs, strict=True)))):
            grad = layer.backward(grad, x, need_grad_x or i > 0)
        return grad


class MSELoss(Module):
    """Mean squared error as a layer: the end of the way forward, the start of the way back."""

    def forward(self, output: Array, target: Array) -> Array:
        """The shapes of `mse` → ()."""
        return mse(output, target)

    def backward(self, output: Array, target: Array) -> Array:
        """∂loss/∂output, in output's shape."""
        return mse_grad(output, target)


class Model(Module):
    """Linear, ReLU, …, Linear with a loss at the end; MSELoss unless another is given.

    Raises ValueError for fewer than two sizes, sizes below 1, a bad seed, an unknown dtype or device.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        loss: Module | None = None,
        seed: int | None = None,
        dtype: str | None = None,
        device: str | None = None,
    ) -> None:
        seeds = layer_seeds("Model", sizes, seed)
        check_where("Model", dtype, device)
        layers: list[Module] = []
        for (n_in, n_out), s in zip(pairwise(sizes), seeds, strict=True):
            layers += [Linear(n_in, n_out, s, dtype, device), ReLU()]
        self.layers = Sequential(*layers[:-1])
        self.loss: Any = MSELoss() if loss is None else loss
        self._seen: tuple[list[Array], Array, Array] | None = None

    def forward(self, x: Array, target: Array) -> Array:
        """(batch, n_in) and the loss's target → (); remembers what `backward` will need.

        Raises ValueError as the layers and the loss do.
        """
        inputs, output = self.layers.trace(x)
        loss = self.loss(output, target)
        self._seen = inputs, output, target
        return loss

    def backward(self) -> None:
        """Adds the gradient of the last loss to every parameter's `.grad`.

        Raises RuntimeError before the first forward, and the second time after one forward.
        """
        if self._seen is None:
            raise RuntimeError(
                "Model.backward: no forward to go back from, expected model(x, target) before each backward"
            )
        (inputs, output, target), self._seen = self._seen, None
        self.layers.retrace(self.loss.backward(output, target), inputs, need_grad_x=False)

    def predict(self, x: Array) -> Array:
        """(batch, n_in) → (batch, n_out), without a loss and without disturbing a backward to come.

        Raises ValueError as the layers do.
        """
        return self.layers(x)


def _parameters_in(value: Any, name: str = "") -> Iterator[tuple[str, Parameter]]:
    """Every Parameter in a Parameter, a Module or a list of them, with its dotted name."""
    children: Any = ()
    if isinstance(value, Parameter):
        yield name, value
    elif isinstance(value, Module):
        children = vars(value).items()
    elif isinstance(value, list | tuple) and any(isinstance(item, Parameter | Module) for item in value):
        children = enumerate(value)
    for key, child in children:
        yield from _parameters_in(child, f"{name}.{key}" if name else str(key))


def _accumulate(parameter: Parameter, grad: Array) -> None:
    parameter.grad = grad if parameter.grad is None else parameter.grad + grad
