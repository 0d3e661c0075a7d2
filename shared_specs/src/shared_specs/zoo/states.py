"""Bugs of what is remembered: too long, by the wrong one, or not at all."""

from collections.abc import Iterable
from typing import Any

from .bug import Wrong, caught_by

Array = Any


@caught_by("test_any_course_of_training_is_right", r"\.grad changed", stage="training")
def sgd_shares_its_list_of_parameters(right: Any) -> Wrong:
    """The list of parameters is the class's, not the optimizer's: each steps what all the others were given."""
    everybody: dict[Any, None] = {}

    class SGD(right.SGD):
        def __init__(self, parameters: Iterable[Any], *rates: Any, **more: Any) -> None:
            everybody.update(dict.fromkeys(parameters))
            super().__init__(list(everybody), *rates, **more)

    return SGD


@caught_by("test_fit_ends_where_exact_training_ends", "after fit", stage="training")
def zero_grad_throws_the_velocities_away(right: Any) -> Wrong:
    """zero_grad starts everything afresh, the velocities too, so momentum never builds up."""

    class SGD(right.SGD):
        def __init__(self, parameters: Iterable[Any], *rates: Any, **more: Any) -> None:
            self.mine, self.how = list(parameters), (rates, more)
            super().__init__(self.mine, *rates, **more)

        def zero_grad(self) -> None:
            super().zero_grad()
            rates, more = self.how
            super().__init__(self.mine, *rates, **more)

    return SGD


@caught_by("test_sgd_does_not_change_gradients", "NoneType", stage="training")
def sgd_uses_gradients_up(right: Any) -> Wrong:
    """step clears the gradients when it has taken them, and who wants to print their size afterwards finds None."""

    class SGD(right.SGD):
        def step(self) -> None:
            super().step()
            self.zero_grad()

    return SGD


@caught_by("test_any_course_of_training_is_right", "predict", stage="training")
def predict_lags_one_step_behind(right: Any) -> Wrong:
    """predict uses the numbers that the last forward laid ready, from before the step that was taken since."""

    class Model(right.Model):
        def forward(self, x: Array, target: Array) -> Any:
            laid_ready = [(parameter, right.times(parameter.data, 1)) for parameter in self.parameters()]
            self.laid_ready = lambda: laid_ready
            return super().forward(x, target)

        def predict(self, x: Array) -> Array:
            ready = self.laid_ready() if hasattr(self, "laid_ready") else []
            now = [(parameter, parameter.data) for parameter, _ in ready]
            for parameter, data in ready:
                parameter.data = data
            output = super().predict(x)
            for parameter, data in now:
                parameter.data = data
            return output

    return Model


@caught_by("test_predict_does_not_disturb_backward", "RuntimeError", stage="module")
def predict_ends_the_forward_before_it(right: Any) -> Wrong:
    """predict clears what the forward before it left behind, to save memory, and backward finds nothing."""

    class Model(right.Model):
        def forward(self, x: Array, target: Array) -> Any:
            self.waiting = True
            return super().forward(x, target)

        def predict(self, x: Array) -> Array:
            self.waiting = False
            return super().predict(x)

        def backward(self) -> None:
            if not getattr(self, "waiting", False):
                raise RuntimeError("Model.backward: no forward to go back from")
            super().backward()

    return Model
