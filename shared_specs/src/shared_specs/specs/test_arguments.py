"""Every function with every kind of malformed argument; each spec belongs to the stage of its function."""

from typing import Any

import pytest

from shared_specs import calls
from shared_specs.cases import Shape
from shared_specs.compare import refused
from shared_specs.lab import Lab

FUNCTIONS = [pytest.param(function, marks=getattr(pytest.mark, calls.stage_of(function))) for function in calls.CALLS]


@pytest.fixture
def lab(impl: Any, device: str) -> Lab:
    """What makes arrays of the default dtype: what is malformed is so in every dtype."""
    return Lab(impl, impl.DTYPES[0], device)


LAYERS_THAT_DO_NOT_FIT = [
    ("mlp(array(5, 4), params(3, 4, 2))", (5, 4), (3, 4)),
    ("mlp(array(3), params(3, 4, 2))", (3,), (3, 4)),
    ("mlp(array(5, 3), [(array(3, 4), array(1))])", (3, 4), (1,)),
    ("mlp(array(5, 3), [*params(3, 4), *params(5, 2)])", (3, 4), (5, 2)),
    ("loss_and_grads(params(3, 4, 2), array(5, 4), array(5, 2))", (5, 4), (3, 4)),
    ("loss_and_grads([*params(3, 4), *params(5, 2)], array(5, 3), array(5, 2))", (3, 4), (5, 2)),
    ("loss_and_grads(params(3, 4, 2), array(5, 3), array(4, 2))", (5, 3), (4, 2)),
    ("loss_and_grads(params(3, 4, 2), array(5, 3), array(5))", (5, 3), (5,)),
    ("loss_and_grads(params(3, 4, 2), array(5, 3), array(5, 4))", (5, 3), (5, 4)),
    ("loss_and_grads(params(3, 4, 1), array(5, 3), array(1, 5))", (5, 3), (1, 5)),
]


@pytest.mark.parametrize(
    ("line", "shapes"),
    [
        pytest.param(line, shapes, marks=getattr(pytest.mark, calls.stage_of(line)), id=line)
        for line, *shapes in LAYERS_THAT_DO_NOT_FIT
    ],
)
def test_layers_that_do_not_fit_are_refused(lab: Lab, line: str, shapes: list[Shape]) -> None:
    """A net is computed as far as its layers fit, and the message names a function that nobody called."""
    with refused(line):
        calls.run(line, lab)
