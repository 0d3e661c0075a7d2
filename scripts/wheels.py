"""Every package of this repository as a wheel, in one folder: python scripts/wheels.py FOLDER.

A wheel takes its place whole, so that another environment may install from the folder meanwhile.
"""

import os
import sys
import tempfile
from pathlib import Path

from hatchling.build import build_wheel

ROOT = Path(__file__).resolve().parents[1]
PROJECTS = sorted(
    path.parent for path in [*ROOT.glob("packages/*/pyproject.toml"), ROOT / "shared_specs/pyproject.toml"]
)


def build(folder: Path) -> list[Path]:
    """The wheels of all projects in a folder, where no others stay."""
    folder.mkdir(parents=True, exist_ok=True)
    wheels = [_wheel(project, folder) for project in PROJECTS]
    for old in set(folder.glob("*.whl")) - set(wheels):
        old.unlink()
    return wheels


def _wheel(project: Path, folder: Path) -> Path:
    os.chdir(project)
    with tempfile.TemporaryDirectory(dir=folder) as built:
        name = build_wheel(built)
        return Path(built, name).replace(folder / name)


if __name__ == "__main__":
    build(Path(sys.argv[1]).resolve())
