"""Which line made a wrong value: the call is made again, and every line of the implementation watched.

The line that is named is the one after which the wrong value is there for the first time, in a local variable, as an
argument, or as what a function returns. What was there before the call does not count. Nor does a function of the
contract that is right about what it was given, by the oracle: then the line that gave it that is named.
"""

import inspect
import linecache
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

from shared_specs import oracle
from shared_specs.contract import STAGE_NAMES

Trace = Callable[[FrameType, str, Any], Any]

MANY = 300  # numbers, for which the oracle takes minutes
CLOSE = 1e-9  # relative; beyond it a function is wrong about what it was given


@dataclass(frozen=True)
class Place:
    """A line of source."""

    file: str
    line: int
    function: str

    @property
    def source(self) -> str:
        """What stands there."""
        return linecache.getline(self.file, self.line).strip()

    def __str__(self) -> str:
        path = Path(self.file)
        return f"first effect at {path.parent.name}/{path.name}:{self.line} in {self.function}: {self.source}"


def place(net: ModuleType, compute: Callable[[], Any], wrong: Any) -> Place | None:
    """The line of the implementation at which `wrong` comes about when `compute` is called again.

    `wrong` is nested lists, or the exception that was raised. None when no line shows it.
    """
    if isinstance(wrong, Exception):
        return _raised(net, wrong)
    watcher = Watcher(net, wrong)
    before = sys.gettrace()
    sys.settrace(watcher.trace)
    try:
        compute()
    except Exception:
        return None
    finally:
        sys.settrace(before)
    return watcher.found or watcher.last


class Watcher:
    """Looks for a value after every line of an implementation's source."""

    def __init__(self, net: ModuleType, wrong: Any) -> None:
        self.net, self.wrong, self.homes = net, wrong, homes(net)
        self.found: Place | None = None
        self.last: Place | None = None
        """The last line that returned anything; next best."""
        self._calls: list[FrameType] = []
        self._lines: dict[FrameType, int] = {}
        self._arguments: dict[FrameType, list[Any]] = {}
        self._known: set[int] = set()
        self._at: FrameType | None = None

    def trace(self, frame: FrameType, event: str, argument: Any) -> Trace | None:
        """What `sys.settrace` calls."""
        if frame.f_globals.get("__name__") not in self.homes:
            return None
        if event == "call":
            self._enter(frame)
        elif event == "line":
            if frame in self._lines and self._holds(frame):
                self._find(frame, self._lines[frame])
            self._lines[frame] = frame.f_lineno
        elif event == "return":
            self._leave(frame, argument)
        return self.trace

    def _enter(self, frame: FrameType) -> None:
        """An argument that has the value was made by the line that calls; one of the first call was there before."""
        names = frame.f_code.co_varnames[: frame.f_code.co_argcount]
        self._arguments[frame] = [frame.f_locals[name] for name in names]
        if not self._calls:
            self._known = {id(value) for value in frame.f_locals.values()}
        elif self._holds(frame) and self._calls[-1] in self._lines:
            self._find(self._calls[-1], self._lines[self._calls[-1]])
        self._calls.append(frame)

    def _leave(self, frame: FrameType, returned: Any) -> None:
        self._calls.remove(frame)
        if returned is None:
            return
        self.last = Place(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name)
        if self._same(returned) or (isinstance(returned, tuple | list) and any(map(self._same, returned))):
            self._find(frame, frame.f_lineno)
        caller = self._calls[-1] if self._calls else frame.f_back
        if self._at is not frame or caller is None or _is_ours(caller):
            return
        if self._innocent(frame, returned):
            self.found = None
            self._find(caller, self._lines.get(caller, caller.f_lineno))
        else:
            self._at = None  # to blame, whoever called it

    def _holds(self, frame: FrameType) -> bool:
        return any(id(value) not in self._known and self._same(value) for value in frame.f_locals.values())

    def _find(self, frame: FrameType, line: int) -> None:
        if self.found is None:
            self.found, self._at = Place(frame.f_code.co_filename, line, frame.f_code.co_name), frame

    def _same(self, value: Any) -> bool:
        """Whether a value of the implementation is the wrong one."""
        if value is None or isinstance(value, str | bool | dict | ModuleType) or callable(value):
            return False
        return self.found is None and self._untraced(lambda: bool(self.net.tolist(value) == self.wrong))

    def _innocent(self, frame: FrameType, returned: Any) -> bool:
        """Whether this is a function of the contract that is right about what it was given."""
        name = frame.f_code.co_name
        known: Any = getattr(self.net, name, None)
        if getattr(inspect.unwrap(known), "__code__", frame.f_code) is not frame.f_code:
            return False
        return self._untraced(lambda: self._is_right(name, self._arguments[frame], returned))

    def _is_right(self, name: str, arguments: list[Any], returned: Any) -> bool:
        if name in ("asarray", "tolist"):
            return True
        exact = [oracle.exact(self.net.tolist(argument)) for argument in arguments]
        if sum(1 for _ in oracle.flat(exact)) > MANY:
            return False
        parts = returned if isinstance(returned, tuple) else (returned,)
        got = oracle.flat([self.net.tolist(part) for part in parts])
        pairs = zip(got, oracle.flat(getattr(oracle, name)(*exact)), strict=True)
        return all(abs(mine - right) <= CLOSE * max(1, abs(right)) for mine, right in pairs)

    def _untraced(self, answer: Callable[[], bool]) -> bool:
        """The answer, or no where there is none, without watching how it is found."""
        tracing = sys.gettrace()
        sys.settrace(None)
        try:
            return answer()
        except Exception:
            return False
        finally:
            sys.settrace(tracing)


def _raised(net: ModuleType, error: Exception) -> Place | None:
    """The innermost line of the implementation in a traceback."""
    modules = homes(net)
    found = None
    for frame, line in traceback.walk_tb(error.__traceback__):
        if frame.f_globals.get("__name__") in modules:
            found = Place(frame.f_code.co_filename, line, frame.f_code.co_name)
    return found


def _is_ours(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__")).startswith(f"{__package__}.")


def homes(net: ModuleType) -> set[str]:
    """The modules in which the functions and classes of an implementation stand."""
    names = [name for names in STAGE_NAMES.values() for name in names if name != "Parameter"]
    return {str(getattr(getattr(net, name, None), "__module__", "")) for name in names} - {""}
