"""Threads are pinned by environment variables, which BLAS and OpenMP, and torch through them, read when they load."""

import os
from collections.abc import Mapping

VARIABLES = (
    *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS"),
    *("NUMEXPR_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"),
)


def pinned(threads: int) -> dict[str, str]:
    """The variables that hold the libraries to so many threads."""
    return dict.fromkeys(VARIABLES, str(threads))


def current() -> Mapping[str, str]:
    """The variables that are set."""
    return {name: os.environ[name] for name in VARIABLES if name in os.environ}
