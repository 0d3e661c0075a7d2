"""What an implementation says that it does not do: its gaps, each of a kind and with a reason.

They stand in the implementation's ``GAPS``, a dict, or in a TOML file of the same form:

    [not_yet.loss_and_grads]
    reason = "comes with the next release"
    raises = "NotProvided"

    [upstream."test_relu_keeps_nan*"]
    reason = "https://github.com/…/issues/1234"
    raises = "AssertionError"

    [never.MATMULS]
    reason = "a symbolic library has no loops to write out"

A pattern is a name of the contract, for all specs that use it, or the name of a spec; ``*`` stands for anything.
"""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

KINDS = ("not_yet", "upstream", "never")
"""To come; waits for somebody else's fix; will not come."""


class InvalidGap(ValueError):
    """A gap of an unknown kind, without a reason, or without the exception that it expects."""


@dataclass(frozen=True)
class Gap:
    """Specs that are expected to fail, and why."""

    kind: str
    pattern: str
    reason: str
    raises: str | None = None

    def __str__(self) -> str:
        return f"{self.kind.replace('_', ' ')}: {self.pattern} ({self.reason})"

    def covers(self, spec: str, names: Iterable[str]) -> bool:
        """Whether it is about the spec, or about one of the contract's names that the spec used."""
        return any(fnmatchcase(name, self.pattern) for name in (spec, *names))

    def expects(self, error: BaseException) -> bool:
        """Whether the spec failed as declared: any failure will do for "never"."""
        return self.raises is None or self.raises in (cls.__name__ for cls in type(error).__mro__)


def read(path: Path) -> list[Gap]:
    """The gaps in a TOML file."""
    try:
        return parse(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:  # a ValueError: no UTF-8, no TOML, or an InvalidGap
        raise InvalidGap(f"{path}: {error}") from error


def parse(declared: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> list[Gap]:
    """The gaps in the nested mapping kind → pattern → reason and raises."""
    if not (isinstance(declared, Mapping) and all(isinstance(part, Mapping) for part in declared.values())):
        raise InvalidGap("gaps are a mapping: kind → pattern → reason and raises")
    if unknown := [kind for kind in declared if kind not in KINDS]:
        raise InvalidGap(f"unknown kind of gap {unknown[0]!r}, known are {', '.join(KINDS)}")
    return [_gap(kind, pattern, fields) for kind, gaps in declared.items() for pattern, fields in gaps.items()]


def _gap(kind: str, pattern: str, fields: Mapping[str, Any]) -> Gap:
    required = {"reason"} if kind == "never" else {"reason", "raises"}
    if (
        not isinstance(fields, Mapping)
        or set(fields) != required
        or not all(isinstance(text, str) and text.strip() for text in fields.values())
    ):
        raise InvalidGap(f"gap {kind}.{pattern}: got {fields!r}, expected texts for {' and '.join(sorted(required))}")
    return Gap(kind, pattern, **fields)
