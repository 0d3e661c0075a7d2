"""Where a spec works: the lab makes Arrays of the dtype under test, and checks what comes back."""

import math
import struct
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from shared_specs import oracle
from shared_specs.cases import Misfit, Net, Operation, each_array, filled, named
from shared_specs.compare import EXACT, assert_close, mentions, refused
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

    def array(self, values: Nested) -> Any:
        """An Array, or the tuples and lists of Arrays that params are."""
        if self.exact:
            return each_array(lambda leaf: self.impl.asarray(exact(leaf)), values)
        return each_array(lambda leaf: self.impl.asarray(deepcopy(leaf), self.dtype, self.device), values)

    def labels(self, values: Any) -> Any:
        """An Array of class labels."""
        return self.impl.asarray(list(values), "int64", self.device)

    def filled(self, shape: tuple[int, ...]) -> Any:
        """An Array of that shape that holds 0.5 everywhere."""
        return self.array(filled(0.5, shape))

    def check(self, call: str, got: Any, expected: Nested, **details: Any) -> None:
        """Every array of a result against the exact one: its kind, device, dtype, shape and every element."""
        __tracebackhide__ = True
        if isinstance(expected, tuple) or (isinstance(expected, list) and expected and isinstance(expected[0], tuple)):
            assert len(got) == len(expected), f"{call}: got {len(got)} results, expected {len(expected)}"
            for i, (part, wanted) in enumerate(zip(got, expected, strict=True)):
                self.check(f"{call}[{i}]", part, wanted, **details)
        else:
            assert_close(self.impl, call, got, expected, self.dtype, device=self.device, **details)

    def build(self, net: Net, loss: Any = None) -> Any:
        """A Model with the parameters of a net."""
        model = self.impl.Model(net.sizes, loss=loss, seed=0, **self.where)
        model.load_state_dict({name: self.array(values) for name, values in named(net.params).items()})
        return model

    def check_gradients(self, module: Any, expected: dict[str, Nested], **details: Any) -> None:
        """Every `.grad` of a Module."""
        __tracebackhide__ = True
        parameters = dict(module.named_parameters())
        assert sorted(parameters) == sorted(expected)
        for name, values in expected.items():
            self.check(f"{name}.grad", parameters[name].grad, values, **details)

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
        return self.impl.transpose(self._again(oracle.transpose(self.impl.tolist(array))))

    def sliced(self, array: Any) -> Any:
        """Every second row of an array that has others between; a single number as it is."""
        if not self.impl.shape(array):
            return array
        return self._again([row for row in self.impl.tolist(array) for _ in range(2)])[::2]

    def _again(self, values: Nested) -> Any:
        return self.array(values) if any(isinstance(number, float) for number in flat(values)) else self.labels(values)

    # What must hold for every operation of the tables, whatever it computes

    def check_precision(self, operation: Operation, laid_out: Callable[[Any], Any] = lambda array: array) -> None:
        """The result on numbers that float32 cannot hold, with every array laid out in memory as asked."""
        exact_arguments = elementwise(self._as_held, operation.arguments)
        expected = getattr(oracle, operation.function)(*exact_arguments)
        arguments = each_array(
            lambda leaf: leaf if isinstance(leaf, int) else laid_out(leaf), self._arguments(operation)
        )
        self.check(f"{operation}(…)", self._call(operation, arguments), expected)

    def check_arguments_unchanged(self, operation: Operation) -> None:
        """What the arguments hold, before and after."""
        arguments = self._arguments(operation)
        before = self._read(arguments)
        self._call(operation, arguments)
        assert self._read(arguments) == before, f"{operation}(…) changed its arguments"

    def check_nan(self, operation: Operation, position: int) -> None:
        """The result when the first number of one argument is NaN."""
        values = list(operation.arguments)
        values[position] = _with_nan(values[position])
        got = self._call(operation, tuple(map(self._argument, values)))
        got = got[0] if operation.function == "loss_and_grads" else got
        numbers = list(flat(self._read(got)))
        assert any(map(math.isnan, numbers)), (
            f"{operation}(…): argument {position} has a nan, the result has none: {numbers}"
        )

    def check_refused_or_right(self, operation: Operation, position: int, values: Nested, array: Any) -> None:
        """An error that names the function, or the result that these values have in the place of one argument."""
        arguments, numbers = list(self._arguments(operation)), list(operation.arguments)
        arguments[position], numbers[position] = array, values
        got, refusal = None, None
        try:
            got = self._call(operation, tuple(arguments))
        except (ValueError, TypeError) as error:
            refusal = str(error)
        if refusal is not None:
            assert mentions(refusal, operation.function), f"{operation}(…): {refusal!r} does not name it"
            return
        expected = getattr(oracle, operation.function)(
            *elementwise(lambda number: number if isinstance(number, int) else Fraction(number), tuple(numbers))
        )
        for mine, right in zip(flat(self._read(got)), flat(expected), strict=True):
            assert math.isclose(mine, right, rel_tol=1e-5, abs_tol=1e-5), f"{operation}(…): got {got}"

    def check_rejects(self, misfit: Misfit) -> None:
        """The error for shapes that do not fit."""
        arguments = self._arguments(misfit)
        with refused(str(misfit)):
            self._call(misfit, arguments)

    def _call(self, operation: Operation | Misfit, arguments: tuple[Any, ...]) -> Any:
        return getattr(self.impl, operation.function)(*arguments)

    def _arguments(self, operation: Operation | Misfit) -> tuple[Any, ...]:
        return tuple(map(self._argument, operation.arguments))

    def _argument(self, value: Any) -> Any:
        return value if isinstance(value, int) else self._again(value)

    def _as_held(self, value: float) -> int | Fraction:
        """The number that the dtype makes of it."""
        if isinstance(value, int):
            return value
        return Fraction(struct.unpack("f", struct.pack("f", value))[0] if self.dtype == "float32" else value)

    def _read(self, arrays: Any) -> Any:
        return each_array(lambda leaf: leaf if isinstance(leaf, int) else deepcopy(self.impl.tolist(leaf)), arrays)


def _with_nan(value: Any) -> Any:
    return type(value)([_with_nan(value[0]), *value[1:]]) if isinstance(value, list | tuple) else math.nan


def keeps_fractions(impl: Any) -> bool:
    """Whether the implementation computes on whatever Python numbers it is given."""
    try:
        return type(impl.asarray([Fraction(1, 3)])[0]) is Fraction
    except Exception:
        return False
