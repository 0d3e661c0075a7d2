"""Whether constraints.txt fits every Python and platform, as wheels alone, and pins all that is installed there.

    tox run -e resolve -- [--python 3.14] [--platform x86_64-pc-windows-msvc]

uv resolves for a machine that is not this one; pip does not, since it reads markers as this machine's.
"""

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

CONSTRAINTS = Path(__file__).resolve().parents[1] / "constraints.txt"
PYTHONS = ["3.11", "3.12", "3.13", "3.14"]
PLATFORMS = ["x86_64-manylinux_2_28", "aarch64-manylinux_2_28", "aarch64-apple-darwin", "x86_64-pc-windows-msvc"]
EXTRAS = {"side_by_side": "[mutants, peers]", "shared_specs": "[bench, peers]"}
TOOLS = [
    "axe-playwright-python",
    "build",
    "hatchling",
    "mypy",
    "playwright",
    "ruff",
    "tox",
    "tox-uv-bare",
    "twine",
    "uv",
]


def main() -> int:
    """Resolve for all that is asked, a line each; 1 where something does not fit or floats."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheels", type=Path, help="the folder that scripts/wheels.py filled")
    parser.add_argument("--python", choices=PYTHONS, action="append", help="all of them, unless said")
    parser.add_argument("--platform", choices=PLATFORMS, action="append", help="all of them, unless said")
    asked = parser.parse_args()
    fits = [
        fit(asked.wheels, python, platform)
        for python in asked.python or PYTHONS
        for platform in asked.platform or PLATFORMS
    ]
    return 0 if all(fits) else 1


def fit(wheels: Path, python: str, platform: str) -> bool:
    """Whether everything resolves there, to pinned versions alone; says so."""
    resolved = resolve(wheels, python, platform)
    names = names_of(resolved.stdout)
    floating = sorted(names - names_of(CONSTRAINTS.read_text(encoding="utf-8")))
    said = f"not pinned: {', '.join(floating)}" if floating else resolved.stderr.strip() or f"{len(names)} packages"
    print(f"Python {python} on {platform}: {said}", flush=True)
    return resolved.returncode == 0 and not floating


def resolve(wheels: Path, python: str, platform: str) -> subprocess.CompletedProcess[str]:
    """What uv would install there: all packages with all that they offer, and the tools."""
    own = [f"{name}{EXTRAS.get(name, '')} @ {path.as_uri()}" for name, path in named(wheels.resolve()).items()]
    options = f"--quiet --no-header --no-annotate --only-binary :all: --python-version {python} --python-platform"
    return subprocess.run(
        [sys.executable, "-m", "uv", "pip", "compile", "-", f"--constraint={CONSTRAINTS}", *options.split(), platform],
        input="\n".join([*own, *TOOLS]),
        env={**os.environ, "MACOSX_DEPLOYMENT_TARGET": "14.0"},  # the oldest that torch has wheels for
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


def named(wheels: Path) -> dict[str, Path]:
    """Name of a package → its wheel."""
    return {path.name.partition("-")[0]: path for path in wheels.glob("*.whl")}


def names_of(requirements: str) -> set[str]:
    """What is pinned in the lines of a requirements file, as package indexes spell it."""
    pinned = re.findall(r"^([\w.-]+)==", requirements, re.MULTILINE)
    return {re.sub(r"[-_.]+", "-", name).lower() for name in pinned}


if __name__ == "__main__":
    sys.exit(main())
