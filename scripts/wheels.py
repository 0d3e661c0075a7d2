"""Every package of this repository as a wheel, in one folder: python scripts/wheels.py FOLDER.

A wheel that has changed takes its place whole, and the others stay, so that another environment may install meanwhile.
"""

import filecmp
import os
import sys
import tempfile
from pathlib import Path

from hatchling.build import build_wheel

ROOT = Path(__file__).resolve().parents[1]
PROJECTS = [ROOT / "shared_specs", *sorted(path.parent for path in ROOT.glob("packages/*/pyproject.toml"))]


def build(folder: Path) -> None:
    """The wheels of all projects in a folder, and no others."""
    folder.mkdir(parents=True, exist_ok=True)
    wheels = [_wheel(project, folder) for project in PROJECTS]
    for old in set(folder.glob("*.whl")) - set(wheels):
        old.unlink()


def _wheel(project: Path, folder: Path) -> Path:
    os.chdir(project)
    with tempfile.TemporaryDirectory(dir=folder) as built:
        new = Path(built, build_wheel(built))
        wheel = folder / new.name
        if not wheel.exists() or not filecmp.cmp(new, wheel, shallow=False):
            new.replace(wheel)
        return wheel


if __name__ == "__main__":
    build(Path(sys.argv[1]).resolve())
