"""Stage 5, module: the functions of stages 2 to 4, refactored into layers that own their parameters.

A Module finds the parameters of everything inside it, and the Model knows the way there and back. Layers remember
nothing: only the Model keeps what each saw, so a layer may stand in a net twice, and a prediction disturbs nothing.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from .arrays import Array, Name, add, asarray, shape, tolist, transpose
from .backward import mse_grad, relu_grad
from .layer import Seed, dots, kaiming_std, layer_on_each, normal
from .mlp import each_layer, mse
from .neuron import relu


class Parameter:
    """An array that is learned: `.data`, and `.grad` of the same shape, None until the first backward."""

    def __init__(self, data: Array) -> None:
        self.data = data
        self.grad: Array | None = None


class Module:
    """Whatever has parameters: its attributes that are Parameters or Modules belong to it."""

    forward: Callable[..., Any]  # what calling the module computes; every Module says it for itself

    def __call__(self, *inputs: Any) -> Any:
        return self.forward(*inputs)

    def named_parameters(self) -> list[tuple[str, Parameter]]:
        """(dotted name, Parameter) in the order of assignment; a shared one once, under its first name."""
        names: dict[Parameter, str] = {}
        for name, value in vars(self).items():
            if isinstance(value, Parameter):
                names.setdefault(value, name)
            elif isinstance(value, Module):
                for inner, parameter in value.named_parameters():
                    names.setdefault(parameter, f"{name}.{inner}")
        return [(name, parameter) for parameter, name in names.items()]

    def parameters(self) -> list[Parameter]:
        """Each Parameter once."""
        return [parameter for _, parameter in self.named_parameters()]

    def zero_grad(self) -> None:
        """Forget all gradients, so that the next backward starts afresh."""
        for parameter in self.parameters():
            parameter.grad = None

    def state_dict(self) -> dict[str, Array]:
        """Name → copy of the data, with the names and shapes of `torch.nn`."""
        return {name: tolist(parameter.data) for name, parameter in self.named_parameters()}

    def load_state_dict(self, state: Mapping[str, Array]) -> None:
        """Copy the data in, if all names and shapes fit."""
        own = {(name, shape(parameter.data)) for name, parameter in self.named_parameters()}
        given = {(name, shape(array)) for name, array in state.items()}
        if own != given:
            raise ValueError(f"load_state_dict: lacks {sorted(own - given)}, has no place for {sorted(given - own)}")
        for name, parameter in self.named_parameters():
            parameter.data = asarray(state[name])


class Linear(Module):
    """x @ weightᵀ + bias: (batch, n_in) → (batch, n_out), with weight (n_out, n_in) Kaiming and bias (n_out,) zero."""

    def __init__(self, n_in: int, n_out: int, seed: Seed = None, dtype: Name = None, device: Name = None) -> None:
        self.weight = Parameter(transpose(normal(n_in, n_out, kaiming_std(n_in), seed, dtype, device)))
        self.bias = Parameter(asarray([0] * n_out, dtype, device))

    def forward(self, x: Array) -> Array:
        return layer_on_each(x, self.weight.data, self.bias.data)

    def backward(self, grad_out: Array, x: Array, need_grad_x: bool) -> Array | None:
        """Adds ∂weight = ∂yᵀ @ x and ∂bias = Σ ∂y to the gradients; gives ∂x = ∂y @ weight where it is needed."""
        columns, inputs = transpose(grad_out), transpose(x)
        for parameter, grad in ((self.weight, dots(columns, inputs)), (self.bias, list(map(sum, columns)))):
            parameter.grad = grad if parameter.grad is None else add(parameter.grad, grad)
        return dots(grad_out, transpose(self.weight.data)) if need_grad_x else None


class ReLU(Module):
    """`relu` as a layer."""

    forward = staticmethod(relu)

    def backward(self, grad_out: Array, x: Array, need_grad_x: bool) -> Array | None:
        return relu_grad(grad_out, x) if need_grad_x else None


class Sequential(Module):
    """One layer after the other; they are named "0", "1", … as in `torch.nn.Sequential`."""

    def __init__(self, *layers: Module) -> None:
        vars(self).update({str(i): layer for i, layer in enumerate(layers)})

    def __iter__(self) -> Iterator[Any]:
        for layer in vars(self).values():
            yield from layer if isinstance(layer, Sequential) else [layer]

    def forward(self, x: Array) -> Array:
        for layer in self:
            x = layer(x)
        return x


class MSELoss(Module):
    """`mse` as a layer: the end of the way forward, the start of the way back."""

    forward, backward = staticmethod(mse), staticmethod(mse_grad)


class Model(Module):
    """Linear, ReLU, …, Linear with a loss at the end; MSELoss unless another is given."""

    def __init__(
        self, sizes: Sequence[int], loss: Any = None, seed: Seed = None, dtype: Name = None, device: Name = None
    ) -> None:
        layers: list[Module] = []
        for n_in, n_out, layer_seed in each_layer(sizes, seed):
            layers += [Linear(n_in, n_out, layer_seed, dtype, device), ReLU()]
        self.layers = Sequential(*layers[:-1])
        self.loss = loss or MSELoss()
        self._seen: Any = None

    def forward(self, x: Array, target: Array) -> Array:
        """(batch, n_in) and the loss's target → (); keeps what `backward` will need."""
        seen = []
        for layer in self.layers:
            seen.append((layer, x))
            x = layer(x)
        loss = self.loss(x, target)
        self._seen = seen, x, target
        return loss

    def backward(self) -> None:
        """Adds the gradient of the last loss to every parameter's `.grad`."""
        if self._seen is None:
            raise RuntimeError("Model.backward: nothing to go back from, call model(x, target) before each backward")
        (seen, output, target), self._seen = self._seen, None
        grad = self.loss.backward(output, target)
        for i, (layer, x) in reversed([*enumerate(seen)]):
            grad = layer.backward(grad, x, need_grad_x=i > 0)

    def predict(self, x: Array) -> Array:
        """(batch, n_in) → (batch, n_out), without a loss and without disturbing a backward to come."""
        return self.layers(x)
