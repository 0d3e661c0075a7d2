"""Stage 5, module: the functions of stages 2 to 4, refactored into layers that own their parameters.

A net of fifty layers should not be a list of a hundred arrays that the caller threads through. So a layer keeps its
weight and its bias, a Module finds the parameters of everything inside it, and the Model knows the way there and back.

`torch.nn.Module` does the finding, once `super().__init__()` has given it the books to keep. Nothing here goes backward
by itself: the operations of stage 4 leave their trail in the graph, and the Model keeps its end, the loss.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import nn

from .arrays import Array, asarray, check_arrays, check_seed, check_sizes, check_where, dtype_name, shape
from .backward import LinearFunction, MSEFunction, ReLUFunction
from .layer import kaiming_std, normal
from .mlp import check_loss, layer_seeds

Parameter = nn.Parameter  # a tensor that is learned: `.data`, and `.grad`, None until the first backward


class Module(nn.Module):
    """Whatever has parameters: its attributes that are Parameters or Modules, alone or in lists, belong to it.

    `torch.nn.Module` does not look into lists, names the parameters of a module before those of its children, and lends
    its state out instead of copying it; in these three the contract differs.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        """Register Parameters and Modules, and lists of them; whatever had the name before is forgotten."""
        for registered in ("_parameters", "_modules"):
            self.__dict__.get(registered, {}).pop(name, None)
        super().__setattr__(name, _registrable(value))
        if isinstance(value, Parameter | nn.Module | list | tuple):  # a list that is empty now may be filled later
            self.__dict__.setdefault("_assigned", {})[name] = None

    def named_parameters(self, prefix: str = "", *args: Any, **kwargs: Any) -> Iterator[tuple[str, nn.Parameter]]:
        """(dotted name, Parameter) in the order of assignment; a shared one once, under its first name."""
        seen: set[nn.Parameter] = set()
        for name, parameter in _parameters_in(self, prefix):
            if parameter not in seen:
                seen.add(parameter)
                yield name, parameter

    def state_dict(self, *args: Any, **kwargs: Any) -> Any:
        """Name → copy of the data, with the names and shapes of `torch.nn`."""
        if args or kwargs:  # so a parent that is a plain `nn.Module` asks
            return super().state_dict(*args, **kwargs)
        return {name: parameter.data.clone() for name, parameter in self.named_parameters()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:  # type: ignore[override]
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
        super().__init__()
        check_sizes("Linear", n_in=n_in, n_out=n_out)
        check_seed("Linear", seed)
        check_where("Linear", dtype, device)
        self.weight = Parameter(normal(n_in, n_out, kaiming_std(n_in), seed, dtype, device).t().contiguous())
        self.bias = Parameter(asarray([0] * n_out, dtype, device))

    def forward(self, x: Array) -> Array:
        """(batch, n_in) → (batch, n_out).

        Raises ValueError, naming the shapes, for any other.
        """
        check_arrays("Linear", "(batch, n_in), (n_out, n_in), (n_out,)", x, self.weight, self.bias)
        return LinearFunction.apply(x, self.weight, self.bias)


class ReLU(Module):
    """max(x, 0) elementwise, in any shape."""

    def forward(self, x: Array) -> Array:
        """Any shape → the same shape."""
        check_arrays("ReLU", "...", x)
        return ReLUFunction.apply(x)


class Sequential(Module):
    """One layer after the other; they are named "0", "1", … as in `torch.nn.Sequential`.

    Raises ValueError for a layer that is no Module, such as a list of them or a function.
    """

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        for i, layer in enumerate(layers):
            if not isinstance(layer, nn.Module):
                raise ValueError(f"Sequential: got {type(layer).__name__} as layer {i}, expected Modules, one by one")
            setattr(self, str(i), layer)

    def __iter__(self) -> Iterator[Any]:
        """The layers in order."""
        return iter(self._modules.values())

    def forward(self, x: Array) -> Array:
        """Through all layers."""
        for layer in self:
            x = layer(x)
        return x


class MSELoss(Module):
    """Mean squared error as a layer: the end of the way forward, the start of the way back."""

    def forward(self, output: Array, target: Array) -> Array:
        """The shapes of `mse` → ()."""
        check_loss("MSELoss", output, target)
        return MSEFunction.apply(output, target.reshape(output.shape))


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
        super().__init__()
        seeds = layer_seeds("Model", sizes, seed)
        check_where("Model", dtype, device)
        layers: list[Module] = []
        for (n_in, n_out), s in zip(pairwise(sizes), seeds, strict=True):
            layers += [Linear(n_in, n_out, s, dtype, device), ReLU()]
        self.layers = Sequential(*layers[:-1])
        self.loss: Any = MSELoss() if loss is None else loss
        self._last_loss: Array | None = None

    def forward(self, x: Array, target: Array) -> Array:
        """(batch, n_in) and the loss's target → (); remembers the loss, from which `backward` will start.

        Raises ValueError as the layers and the loss do.
        """
        self._last_loss = self.loss(self.layers(x), target)
        return self._last_loss

    def backward(self) -> None:
        """Adds the gradient of the last loss to every parameter's `.grad`.

        Raises RuntimeError before the first forward, and the second time after one forward.
        """
        if self._last_loss is None:
            raise RuntimeError(
                "Model.backward: no forward to go back from, expected model(x, target) before each backward"
            )
        loss, self._last_loss = self._last_loss, None
        loss.backward()

    @torch.no_grad()
    def predict(self, x: Array) -> Array:
        """(batch, n_in) → (batch, n_out), without a loss and without disturbing a backward to come.

        Raises ValueError as the layers do.
        """
        return self.layers(x)


def _registrable(value: Any) -> Any:
    """A list of Modules, or of Parameters, as the kind of list that `torch.nn.Module` looks into."""
    if isinstance(value, list | tuple) and value:
        if all(isinstance(item, nn.Module) for item in value):
            return nn.ModuleList(value)
        if all(isinstance(item, Parameter) for item in value):
            return nn.ParameterList(value)
    return value


def _parameters_in(value: Any, name: str = "") -> Iterator[tuple[str, nn.Parameter]]:
    """Every Parameter in a Parameter, a Module or a list of them, with its dotted name."""
    children: Any = ()
    if isinstance(value, Parameter):
        yield name, value
    elif isinstance(value, nn.Module):
        names = dict.fromkeys((*vars(value).get("_assigned", ()), *value._parameters, *value._modules))
        children = [(key, getattr(value, key, None)) for key in names]
    elif isinstance(value, list | tuple) and any(isinstance(item, Parameter | nn.Module) for item in value):
        children = enumerate(value)
    for key, child in children:
        yield from _parameters_in(child, f"{name}.{key}" if name else str(key))
