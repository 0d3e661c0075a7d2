"""What is written by hand, and whether it still fits the code: `python -m side_by_side.reading.words` tells.

A sentence says why the versions of a definition differ. Beside it stands the fingerprint of the code about which it was
written; who has read both again renews the fingerprints with `--renew`.
"""

import json
import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from . import code

FOLDER = Path(__file__).with_name("words")
DIFFERENCES = FOLDER / "differences.toml"


@cache
def read(name: str) -> dict[str, Any]:
    """A file of words, by name."""
    return tomllib.loads((FOLDER / f"{name}.toml").read_text(encoding="utf-8"))


def varied() -> dict[str, code.Definition]:
    """Every definition that has more than one version."""
    return {d.name: d for unit in code.units().values() for d in unit.definitions if len(d.versions) > 1}


def outdated() -> Iterator[str]:
    """What needs a look, a sentence each."""
    said = read("differences")
    for name, definition in varied().items():
        if name not in said:
            yield f"{name} has {len(definition.versions)} versions, and no sentence says why"
        elif said[name]["code"] != definition.fingerprint:
            yield f"{name} has changed ({definition.fingerprint}): is it still true? {said[name]['why']}"
    for name in said.keys() - varied().keys():
        yield f"{name} has one version only, or none: its sentence can go"


def renew() -> None:
    """Write the fingerprints of today beside the sentences, in the order of the code, and leave out what can go."""
    said = read("differences")
    entries = [
        f'[{name if re.fullmatch("[A-Za-z_]+", name) else json.dumps(name)}]\ncode = "{d.fingerprint}"\n'
        f"why = {json.dumps(said[name]['why'], ensure_ascii=False)}\n"
        for name, d in varied().items()
        if name in said
    ]
    head = (
        "# Why the versions of a definition differ, one sentence each; code is the fingerprint of what it is about.\n"
    )
    DIFFERENCES.write_text("\n".join([head, *entries]), encoding="utf-8")
    read.cache_clear()


if __name__ == "__main__":
    if sys.argv[1:] == ["--renew"]:
        renew()
    print(*outdated(), sep="\n")
