"""Bugs of loading: a state that does not fit finds its way in, or only a part of what is wrong with it is told."""

from collections.abc import Mapping
from typing import Any

from shared_specs.oracle import elementwise, flat

from .bug import Wrong, caught_by

Array = Any
State = Mapping[str, Array]


@caught_by("test_load_lists_every_name_that_does_not_fit", "raised nothing|does not name", stage="module")
def loading_reshapes_what_has_as_many_numbers(right: Any) -> Wrong:
    """A weight with the right number of numbers is reshaped into place, whatever was a row in it."""

    class Model(right.Model):
        def load_state_dict(self, state: State) -> None:
            mine, reshaped = self.state_dict(), dict(state)
            for name in {*mine} & {*state}:
                numbers = list(flat(right.tolist(state[name])))
                if len(numbers) == len(list(flat(right.tolist(mine[name])))):
                    found = iter(numbers)
                    reshaped[name] = right.like(
                        mine[name], elementwise(lambda _, found=found: next(found), right.tolist(mine[name]))
                    )
            super().load_state_dict(reshaped)

    return Model


@caught_by("test_load_lists_every_name_that_does_not_fit", "does not name", stage="module")
def loading_looks_at_shapes_when_names_fit(right: Any) -> Wrong:
    """The names are compared first, and shapes only when all of them fit: two runs for two kinds of fault."""

    class Model(right.Model):
        def load_state_dict(self, state: State) -> None:
            if wrong := {*self.state_dict()} ^ {*state}:
                raise ValueError(f"load_state_dict: {sorted(wrong)} are missing or unexpected")
            super().load_state_dict(state)

    return Model


@caught_by("test_load_lists_every_name_that_does_not_fit", "raised nothing|does not name", stage="module")
def loading_takes_one_number_for_all(right: Any) -> Wrong:
    """A bias of shape (1,) is spread over all neurons, as broadcasting would."""

    class Model(right.Model):
        def load_state_dict(self, state: State) -> None:
            spread = dict(state)
            for name, mine in self.state_dict().items():
                if name in state and right.shape(state[name]) == (1,):
                    value = right.tolist(state[name])[0]
                    spread[name] = right.each(lambda _, value=value: value, mine)
            super().load_state_dict(spread)

    return Model


@caught_by("test_load_refuses_a_single_fault", "raised nothing|does not name", stage="module")
def loading_counts_the_names(right: Any) -> Wrong:
    """As many names as parameters are taken for the right ones, and those that are strange are left aside."""

    class Model(right.Model):
        def load_state_dict(self, state: State) -> None:
            mine = self.state_dict()
            if len(state) == len(mine):
                state = {name: state.get(name, array) for name, array in mine.items()}
            super().load_state_dict(state)

    return Model
