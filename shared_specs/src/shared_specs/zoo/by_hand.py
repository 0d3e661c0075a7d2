"""The net once more, written in the contract's own functions, so that a bug can put a wrong piece into its middle.

What stands here is right as long as no piece is replaced; the zoo's own test holds it to the specs.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

Array = Any
Params = Sequence[tuple[Array, Array]]
PIECES = ("linear", "relu", "mse", "cross_entropy", "linear_grad", "relu_grad", "mse_grad", "cross_entropy_grad")


def pieces(right: Any, replaced: dict[str, Any]) -> SimpleNamespace:
    """The right functions with some replaced."""
    return SimpleNamespace(**{name: getattr(right, name) for name in PIECES} | replaced)


def loss_and_grads_by_hand(right: Any, **replaced: Any) -> Callable[..., Any]:
    """loss_and_grads as the chain rule in the contract's functions, some of them replaced."""
    do = pieces(right, replaced)

    def loss_and_grads(params: Params, x: Array, target: Array) -> tuple[Any, list[tuple[Array, Array]]]:
        right.loss_and_grads(params, x, target)  # checks the arguments
        inputs: list[Array] = []
        outputs: list[Array] = []
        for w, b in params:
            inputs.append(do.relu(outputs[-1]) if outputs else x)
            outputs.append(do.linear(inputs[-1], w, b))
        loss, grad = do.mse(outputs[-1], target), do.mse_grad(outputs[-1], target)
        grads = []
        for seen, (w, _) in reversed(list(zip(inputs, params, strict=True))):
            outputs.pop()
            grad, grad_w, grad_b = do.linear_grad(grad, seen, w)
            grads.append((grad_w, grad_b))
            if outputs:
                grad = do.relu_grad(grad, outputs[-1])
        return loss, grads[::-1]

    return loss_and_grads


def classes_by_hand(right: Any, **replaced: Any) -> Any:
    """Sequential and Model with a tape: what each layer saw is noted on the way there and read on the way back."""
    do = pieces(right, replaced)
    in_order: dict[Any, tuple[Any, ...]] = {}  # not in an attribute, where they would be registered a second time

    class Sequential(right.Sequential):
        def __init__(self, *layers: Any) -> None:
            super().__init__(*layers)
            in_order[self] = layers

        def run(self, x: Array, tape: list[tuple[Any, Array]]) -> Array:
            for layer in in_order[self]:
                if isinstance(layer, Sequential):
                    x = layer.run(x, tape)
                    continue
                tape.append((layer, x))
                x = layer(x)
            return x

    class Model(right.Model):
        def __init__(
            self,
            sizes: Sequence[int],
            loss: Any = None,
            seed: int | None = None,
            dtype: str | None = None,
            device: str | None = None,
        ) -> None:
            super().__init__(sizes, loss, seed, dtype, device)
            drawn, layers = self.state_dict(), []
            for n_in, n_out in pairwise(sizes):
                layers += [right.Linear(n_in, n_out, None, dtype, device), right.ReLU()]
            self.layers = Sequential(*layers[:-1])
            self.load_state_dict(drawn)
            self.of_classes = isinstance(loss, right.CrossEntropyLoss)
            self.tape: list[tuple[Any, Array]] = []
            self.end: Any = None

        def forward(self, x: Array, target: Array) -> Any:
            self.tape, self.end = [], None
            output = self.layers.run(x, self.tape)
            loss = (do.cross_entropy if self.of_classes else do.mse)(output, target)
            self.end = output, target
            return loss

        def backward(self) -> None:
            if self.end is None:
                raise RuntimeError("Model.backward: no forward to go back from")
            grad = (do.cross_entropy_grad if self.of_classes else do.mse_grad)(*self.end)
            for layer, x in reversed(self.tape):
                grad = self.back_through(layer, grad, x)
            self.end = None

        def back_through(self, layer: Any, grad: Array, x: Array) -> Array:
            if not isinstance(layer, right.Linear):
                return do.relu_grad(grad, x)
            grad, grad_w, grad_b = do.linear_grad(grad, x, right.transpose(layer.weight.data))
            self.accumulate(layer.weight, right.transpose(grad_w))
            self.accumulate(layer.bias, grad_b)
            return grad

        def accumulate(self, parameter: Any, grad: Array) -> None:
            parameter.grad = grad if parameter.grad is None else right.add(parameter.grad, grad)

        def predict(self, x: Array) -> Array:
            return self.layers.run(x, [])

    return SimpleNamespace(Sequential=Sequential, Model=Model)
