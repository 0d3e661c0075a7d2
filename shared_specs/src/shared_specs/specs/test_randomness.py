"""Whatever is drawn: from a seed and from nothing else, the same anywhere, by a generator of its own."""

import math
import random
import statistics
import sys
from typing import Any

import pytest

from shared_specs import contract, oracle, randomness
from shared_specs.lab import Lab, overwrite
from shared_specs.oracle import flat
from shared_specs.randomness import SEEDS, WEIGHTS

every_start = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=getattr(pytest.mark, str(contract.stage_of(name)))) for name in WEIGHTS]
)


@every_start
@pytest.mark.parametrize("seed", SEEDS)
def test_the_same_seed_draws_the_same_numbers(impl: Any, name: str, seed: int) -> None:
    """A run cannot be repeated: something besides the seed decides, or a seed is too large, or 0 counts as none."""
    first = randomness.weights(impl, name, seed)
    randomness.weights(impl, name, 5)
    assert randomness.weights(impl, name, seed) == first


@every_start
def test_every_seed_draws_numbers_of_its_own(impl: Any, name: str) -> None:
    """The seed is ignored, or not all of it counts; without one, a fixed one hides behind None."""
    drawn = [tuple(randomness.weights(impl, name, seed)) for seed in (*range(8), 256, 65536, None, None)]
    assert len(set(drawn)) == len(drawn)


@every_start
def test_numbers_of_a_seed_can_be_written_to(impl: Any, name: str) -> None:
    """A start is remembered and handed out again, to the next net or layer: who trains one trains the other."""
    before = randomness.weights(impl, name, 1)
    arrays = WEIGHTS[name](impl, 1)
    for i, array in enumerate(arrays):
        others = [impl.tolist(other) for other in arrays[i + 1 :]]
        overwrite(array)
        assert [impl.tolist(other) for other in arrays[i + 1 :]] == others
    assert randomness.weights(impl, name, 1) == before


@pytest.mark.training
@pytest.mark.parametrize("seed", SEEDS)
def test_batches_come_in_the_order_of_any_seed(impl: Any, seed: int) -> None:
    """Of a large seed only some bits count, 0 is taken for none, or large data is shuffled in parts."""
    samples = list(range(300))
    expected = [[i for part, _ in oracle.batches(samples, samples, 7, seed, epoch) for i in part] for epoch in range(2)]
    assert randomness.orders(impl, seed) == expected


def stir() -> None:
    """Leave the generators that all of a process share somewhere between two seeds."""
    random.random()
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.random()
    if "torch" in sys.modules:
        sys.modules["torch"].rand(1)


def generators() -> dict[str, Any]:
    """The states of the generators that all of a process share, of those libraries that are loaded."""
    numpy, torch = sys.modules.get("numpy"), sys.modules.get("torch")
    states: dict[str, Any] = {"random": random.getstate()}
    if numpy:
        states["NumPy"] = [str(part) for part in numpy.random.get_state(legacy=False)["state"].items()]
    if torch:
        states["torch"] = torch.get_rng_state().tolist()
    return states


@every_start
@pytest.mark.parametrize("seed", [1, None])
def test_drawing_leaves_other_generators_alone(impl: Any, name: str, seed: int | None) -> None:
    """The seed is set for all of Python, NumPy or torch: whoever else draws random numbers gets others."""
    randomness.weights(impl, name, seed)  # what it needs is loaded now
    stir()
    before = generators()
    randomness.weights(impl, name, seed)
    assert generators() == before


@pytest.mark.training
def test_training_leaves_other_generators_alone(impl: Any, one_lab: Lab) -> None:
    """To shuffle, to train or to predict moves a generator that belongs to others."""
    model = impl.Model([1, 2, 1], None, 1, **one_lab.where)
    x = one_lab.array([[0.5], [1.0], [-1.0]])
    impl.fit(model, [(x, x)], impl.SGD(model.parameters(), lr=0.125), 1)
    stir()
    before = generators()
    impl.fit(model, impl.Batches(x, x, 2, 1), impl.SGD(model.parameters(), lr=0.125, momentum=0.5), 2)
    model.predict(x)
    assert generators() == before


@pytest.mark.training
def test_another_process_draws_the_same_numbers(impl: Any) -> None:
    """A run cannot be repeated tomorrow: the hash of a text, which each process salts anew, or a clock decides."""
    here = randomness.everything(impl)
    there = randomness.elsewhere(impl.__name__) or here  # what no other process can import has nothing to compare
    assert [name for name in here if here[name] != there[name]] == []


# ------------------------------------------------------------------------------------------------- how a Model starts


@pytest.mark.module
def test_models_start_with_kaiming_weights_and_no_biases(impl: Any, lab: Lab) -> None:
    """A layer of a Model is not scaled by its own n_in, or biases are drawn. Bounds are five standard errors."""
    weights = [impl.tolist(p.data) for p in impl.Model([200, 100, 50, 10], None, 1, **lab.where).parameters()]
    for w, b in zip(weights[::2], weights[1::2], strict=True):
        std, n = math.sqrt(2 / len(w[0])), len(w) * len(w[0])
        assert abs(statistics.fmean(flat(w))) < 5 * std / math.sqrt(n)
        assert abs(statistics.pstdev(flat(w)) - std) < 5 * std / math.sqrt(2 * n)
        assert b == [0.0] * len(w)


@pytest.mark.module
@pytest.mark.parametrize("seed", [0, 1, None])
def test_every_layer_draws_numbers_of_its_own(impl: Any, one_lab: Lab, seed: int | None) -> None:
    """Layers start from the same numbers, as they are or in another scale, sign or order."""
    model = impl.Model([8, 8, 4, 6], None, seed, **one_lab.where)
    starts = (
        [(w, math.sqrt(2 / len(w[0]))) for w in [impl.tolist(p.data) for p in model.parameters()][::2]],
        [(impl.tolist(w), math.sqrt(2 / len(impl.tolist(w)))) for w, _ in impl.init_mlp([8, 8, 4, 6], seed)],
    )
    for layers in starts:
        drawn = [round(abs(z) / std, 4) for w, std in layers for z in flat(w)]
        assert len(set(drawn)) > 0.9 * len(drawn)
