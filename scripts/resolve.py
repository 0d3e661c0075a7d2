"""Does constraints.txt fit every Python and platform, as wheels alone, and pin all that is installed there?

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
OWN = ["pure_python", "numpy_impl", "torch_manual", "torch_autograd", "fastai_module"]
TOOLS = ["build", "hatchling", "mypy", "ruff", "tox", "tox-uv-bare", "twine", "uv"]


def main() -> int:
    """Resolve for all that is asked, a line each; 1 where something does not fit or floats."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheels", type=Path, help="the folder that scripts/wheels.py filled")
    parser.add_argument("--python", choices=PYTHONS, action="append")
    parser.add_argument("--platform", choices=PLATFORMS, action="append")
    asked = parser.parse_args()
    found = [
        resolved(asked.wheels, python, platform)
        for python in asked.python or PYTHONS
        for platform in asked.platform or PLATFORMS
    ]
    return not all(found)


def resolved(wheels: Path, python: str, platform: str) -> bool:
    """Whether everything resolves there, and to pinned versions; says so."""
    run = subprocess.run(
        [sys.executable, "-m", "uv", "pip", "compile", "-", "--quiet", "--no-header", "--no-annotate"]
        + ["--constraint", CONSTRAINTS, "--only-binary", ":all:", "--find-links", wheels]
        + ["--python-version", python, "--python-platform", platform],
        input="\n".join([*OWN, "side_by_side[mutants, peers]", "shared_specs[bench, peers]", *TOOLS]),
        env={**os.environ, "MACOSX_DEPLOYMENT_TARGET": "14.0"},  # the oldest that torch has wheels for
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    names = set(names_of(run.stdout)) - {name.replace("_", "-") for name in [*OWN, "side_by_side", "shared_specs"]}
    floating = sorted(names - set(names_of(CONSTRAINTS.read_text(encoding="utf-8"))))
    said = run.stderr.strip() or ", ".join(floating) and f"not pinned: {', '.join(floating)}" or f"{len(names)} packages"
    print(f"Python {python} on {platform}: {said}", flush=True)
    return run.returncode == 0 and not floating


def names_of(requirements: str) -> list[str]:
    """What is pinned in the lines of a requirements file, as package indexes spell it."""
    return [re.sub(r"[-_.]+", "-", name).lower() for name in re.findall(r"^([\w.-]+)==", requirements, re.MULTILINE)]


if __name__ == "__main__":
    sys.exit(main())
