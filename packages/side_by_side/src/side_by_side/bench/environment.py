"""What it runs on: processor, GPU, BLAS, versions, commit, threads. Read in a process that has loaded the libraries."""

import contextlib
import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from ..threads import current
from .cells import all_threads

SWITCHES = (
    *("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "MKL_CBWR", "MKL_DEBUG_CPU_TYPE", "ATEN_CPU_CAPABILITY"),
    *("KMP_AFFINITY", "KMP_BLOCKTIME", "GOMP_CPU_AFFINITY", "OMP_PROC_BIND", "OMP_PLACES", "NPY_DISABLE_CPU_FEATURES"),
)
"""Variables that change how fast the libraries are."""
PACKAGES = ("numpy", "torch", "fastai", "scikit-learn", "pytest-benchmark", "jax", "autograd", "micrograd")


def environment() -> dict[str, Any]:
    """All of it."""
    return {
        "cpu": cpu(),
        "cores": all_threads(),
        "gpu": gpu(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": versions(),
        "libraries": libraries(),
        "pinned": dict(current()),
        "load": load(),
        "switches": {name: value for name, value in os.environ.items() if name in SWITCHES},
    }


def cpu() -> str:
    """The processor's name."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return _said("sysctl", "-n", "machdep.cpu.brand_string") or platform.processor() or platform.machine()


def gpu() -> str | None:
    """The GPU's name, if torch is there and sees one."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return None
    return str(torch.cuda.get_device_name())


def versions() -> dict[str, str]:
    """Package → version, of those that are loaded or timed."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def libraries() -> list[dict[str, Any]]:
    """The thread pools that are loaded: BLAS and OpenMP, each with the threads that it really has, and torch's own."""
    from threadpoolctl import threadpool_info

    found = [
        {
            "library": info["internal_api"],
            "version": info.get("version"),
            "threads": info["num_threads"],
            "architecture": info.get("architecture"),
        }
        for info in threadpool_info()
    ]
    if torch := sys.modules.get("torch"):
        found.append({"library": "torch", "version": str(torch.__version__), "threads": torch.get_num_threads()})
    return [dict(entry) for entry in dict.fromkeys(tuple(entry.items()) for entry in found)]


def load() -> float | None:
    """How many processes wanted to run, on average over the last minute."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def commit() -> str | None:
    """The commit of the current folder, "+ changes" where files differ from it."""
    found = _said("git", "rev-parse", "--short=12", "HEAD")
    return f"{found} + changes" if found and _said("git", "status", "--porcelain", "--untracked-files=no") else found


def _said(*command: str) -> str | None:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
