"""What a spec can ask for by name, besides the implementation, the dtype and the device."""

import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest

from shared_specs.compare import EXACT
from shared_specs.lab import Lab, keeps_fractions


@pytest.fixture(scope="session", autouse=True)
def numbers_before_speed() -> Iterator[None]:
    """Where PyTorch has a GPU: no TF32, which has 10 bits for float32's 23, and the same sums in every run."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        yield
        return
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # what cuBLAS needs to be deterministic
    before = (
        torch.get_float32_matmul_precision(),
        torch.backends.cudnn.allow_tf32,
        torch.are_deterministic_algorithms_enabled(),
    )
    _set_torch(torch, "highest", False, True)
    yield
    _set_torch(torch, *before)


def _set_torch(torch: Any, precision: str, tf32: bool, deterministic: bool) -> None:
    torch.set_float32_matmul_precision(precision)
    torch.backends.cudnn.allow_tf32 = tf32
    torch.use_deterministic_algorithms(deterministic)


@pytest.fixture
def numpy() -> Any:
    """The library, for specs on data that comes from it; where it is missing they are not run."""
    return pytest.importorskip("numpy", reason="no NumPy")


@pytest.fixture
def mixed_dtypes(impl: Any) -> list[tuple[str, str]]:
    """Every two dtypes, in both orders; where there is but one, specs on mixtures are not run."""
    return list(permutations(impl.DTYPES, 2)) or pytest.skip("one dtype alone, which meets no other")


@pytest.fixture
def lab(impl: Any, dtype: str, device: str) -> Lab:
    """What makes arrays for the implementation, of the dtype under test, and checks its answers."""
    return Lab(impl, dtype, device)


@pytest.fixture
def one_lab(impl: Any, device: str) -> Lab:
    """The same, of the default dtype: for what does not depend on it."""
    return Lab(impl, impl.DTYPES[0], device)


@pytest.fixture
def exact_lab(impl: Any, one_lab: Lab) -> Lab:
    """The same, on Fractions and without tolerance where the implementation keeps them."""
    return replace(one_lab, dtype=EXACT) if keeps_fractions(impl) else one_lab
