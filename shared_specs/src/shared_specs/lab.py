"""Where a spec works: the lab makes Arrays of the dtype under test, and checks what comes back."""

import struct
from collections.abc import Mapping, Sequence
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from shared_specs import oracle
from shared_specs.cases import Net, Shape, filled, named
from shared_specs.compare import EXACT, assert_close
from shared_specs.oracle import Nested, elementwise, exact, flat


@dataclass(frozen=True)
class Lab:
    """An implementation with the dtype and the device on which it is tried."""

    impl: Any
    dtype: str
    device: str

    @property
    def where(self) -> dict[str, Any]:
        """The dtype and the device, for what makes arrays of its own."""
        return {"dtype": None if self.exact else self.dtype, "device": self.device}

    @property
    def exact(self) -> bool:
        """Whether it computes on Fractions."""
        return self.dtype == EXACT

    # Arrays

    def array(self, values: Nested) -> Any:
        """An Array, or the tuples and lists of Arrays that params are; whole numbers make class labels."""
        if is_many(values):
            return type(values)(map(self.array, values))
        numbers = list(flat(values))
        if numbers and all(type(number) is int for number in numbers):
            return self.labels(values)
        if self.exact:
            return self.impl.asarray(exact(values))
        return self.impl.asarray(deepcopy(values), self.dtype, self.device)

    def labels(self, values: Any) -> Any:
        """An Array of class labels."""
        return self.impl.asarray(values if isinstance(values, int) else list(values), "int64", self.device)

    def filled(self, shape: Shape) -> Any:
        """An Array of that shape that holds 0.5 everywhere."""
        return self.array(filled(0.5, shape))

    def read(self, arrays: Any) -> Any:
        """What arrays hold, in the tuples and lists in which they stand."""
        return type(arrays)(map(self.read, arrays)) if is_many(arrays) else deepcopy(self.impl.tolist(arrays))

    # The same array, laid out in memory in other ways

    def frozen(self, array: Any) -> Any:
        """Not to be written to, where the library has a lock for arrays, as NumPy has."""
        if hasattr(array, "setflags"):
            array.setflags(write=False)
        return array

    def transposed(self, array: Any) -> Any:
        """A matrix as a view of its transpose; other ranks as they are."""
        if len(self.impl.shape(array)) != 2:
            return array
        return self.impl.transpose(self.array(oracle.transpose(self.impl.tolist(array))))

    def sliced(self, array: Any) -> Any:
        """Every second row of an array that has others between; a single number as it is."""
        if not self.impl.shape(array):
            return array
        return self.array([row for row in self.impl.tolist(array) for _ in range(2)])[::2]

    # Nets

    def load(self, module: Any, layers: Mapping[str, Sequence[Any]]) -> Any:
        """A module with (w, b) loaded into each layer, which goes by the prefix of its names."""
        state: dict[str, Any] = {}
        for prefix, (w, b) in layers.items():
            state |= {f"{prefix}weight": self.impl.transpose(w), f"{prefix}bias": b}
        module.load_state_dict(state)
        return module

    def model(self, params: Sequence[tuple[Any, Any]], loss: Any = None) -> Any:
        """A Model with these parameters, in the functions' orientation."""
        sizes = [self.impl.shape(params[0][0])[0], *(self.impl.shape(b)[0] for _, b in params)]
        model = self.impl.Model(sizes, loss=loss, seed=0, **self.where)
        return self.load(model, {f"layers.{2 * i}.": pair for i, pair in enumerate(params)})

    def build(self, net: Net, loss: Any = None) -> Any:
        """A Model with the parameters of a net."""
        return self.model(self.array(net.params), loss)

    def gradients(self, model: Any) -> list[tuple[Any, Any]]:
        """[(grad_w, grad_b), …] of a Model, in the functions' orientation."""
        grads = [parameter.grad for parameter in model.parameters()]
        return [(self.impl.transpose(w), b) for w, b in zip(grads[::2], grads[1::2], strict=True)]

    # Checks

    def check(self, call: str, got: Any, expected: Nested, **details: Any) -> None:
        """Every array of a result against the exact one: its kind, device, dtype, shape and every element."""
        __tracebackhide__ = True
        if is_many(expected):
            assert len(got) == len(expected), f"{call}: got {len(got)} results, expected {len(expected)}"
            for i, (part, wanted) in enumerate(zip(got, expected, strict=True)):
                self.check(f"{call}[{i}]", part, wanted, **details)
        else:
            assert_close(self.impl, call, got, expected, self.dtype, device=self.device, **details)

    def check_gradients(self, module: Any, expected: dict[str, Nested], **details: Any) -> None:
        """Every `.grad` of a Module."""
        __tracebackhide__ = True
        parameters = dict(module.named_parameters())
        assert sorted(parameters) == sorted(expected)
        for name, values in expected.items():
            self.check(f"{name}.grad", parameters[name].grad, values, **details)

    def check_state(self, module: Any, net: Net) -> None:
        """Every parameter of a Module."""
        __tracebackhide__ = True
        for name, parameter in module.named_parameters():
            self.check(f"{name}.data", parameter.data, named(net.params)[name])


def is_many(arrays: Any) -> bool:
    """Whether these are several arrays, a tuple or a list of tuples such as [(w, b), …]; a plain list is one."""
    return isinstance(arrays, tuple) or (isinstance(arrays, list) and bool(arrays) and isinstance(arrays[0], tuple))


def overwrite(results: Any) -> None:
    """Write into results, wherever they are of a kind that can be written to."""
    if not isinstance(results, list | tuple):
        with suppress(TypeError, ValueError):
            results[...] = 9.0
        return
    for i, part in enumerate(results):
        if isinstance(results, list) and isinstance(part, float | int):
            results[i] = 9.0
        else:
            overwrite(part)


def rewrite(array: Any, numbers: Nested) -> bool:
    """Write other numbers into an array; whether it can be written to."""
    with suppress(TypeError):
        for i, row in enumerate(numbers):
            if isinstance(row, list):
                if not rewrite(array[i], row):
                    return False
            else:
                array[i] = row
        return True
    return False


def held(values: Nested, dtype: str) -> Nested:
    """The Fractions that a dtype makes of floats; whole numbers are class labels and stay."""
    if isinstance(values, int):
        return values
    if isinstance(values, list | tuple):
        return elementwise(lambda value: held(value, dtype), values)
    return Fraction(struct.unpack("f", struct.pack("f", values))[0] if dtype == "float32" else values)


def keeps_fractions(impl: Any) -> bool:
    """Whether the implementation computes on whatever Python numbers it is given."""
    try:
        return type(impl.asarray([Fraction(1, 3)])[0]) is Fraction
    except Exception:
        return False
