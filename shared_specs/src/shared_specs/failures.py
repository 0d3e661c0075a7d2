"""What a failed spec says: the mistake first, then what the spec is about."""

import re
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from traceback import FrameSummary

from shared_specs.compare import brief

HERE = str(Path(__file__).resolve().parent)
DIFFER = "elements differ"
LIKELY = "likely mistake: "
MOST_CALLS = 4


@dataclass(frozen=True)
class Failure:
    """A spec that failed, as a reader meets it."""

    where: str
    """What was called, or the spec where that is not known."""
    mistake: str
    text: str


def failure(error: BaseException, path: Path, spec: str, breaks: str) -> Failure:
    """What a spec, which stands in that file, says when it fails; ``breaks`` is what it says that is broken."""
    error = _simplest(error)
    kind, about = type(error).__name__, [*_notes(error), f"{path.name}, {spec}" + (f": {breaks}" if breaks else "")]
    if calls := _inside(error, str(path)):
        lines = [f"  {call.filename}:{call.lineno} in {call.name}: {call.line}" for call in calls[-MOST_CALLS:]]
        return Failure(f"{calls[-1].filename}:{calls[-1].lineno}", kind, _text(said(error), *lines, *about))
    if not isinstance(error, AssertionError):
        return Failure(spec, kind, _text(said(error), *about))
    text = said(error).removeprefix(f"{kind}: ")
    if text.startswith("assert "):
        return Failure(spec, kind, _text(breaks, text, *about[:-1], f"{path.name}, {spec}"))
    text = text.partition("\nassert ")[0]  # what pytest adds to a message says the same at more length
    call, _, complaint = text.partition(": ")
    mistake = complaint.partition(LIKELY)[2] or ("" if DIFFER in complaint else _start(complaint))
    return Failure(re.split(r"\W", call)[0], re.sub(r"[\d.]+", "", mistake), _text(text, *about))


def _start(complaint: str) -> str:
    """Its first words: "got dtype", "raised nothing"."""
    return " ".join(complaint.split()[:2])


def place(error: BaseException) -> str:
    """file:line: where an error was raised, or where the syntax is wrong."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}: "
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith("<")]
    return f"{frames[-1].filename}:{frames[-1].lineno}: " if frames else ""


def _simplest(error: BaseException) -> BaseException:
    """The first of several that Hypothesis found."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _inside(error: BaseException, spec: str) -> list[FrameSummary]:
    """The calls inside the implementation that led to the error; none where the spec itself raised it."""
    frames = list(traceback.extract_tb(error.__traceback__))
    ours = [i for i, frame in enumerate(frames) if frame.filename == spec or frame.filename.startswith(HERE)]
    inside = frames[ours[-1] + 1 :] if ours else []
    return [] if inside and "hypothesis" in Path(inside[0].filename).parts else inside


def said(error: BaseException) -> str:
    """The type and the message; an AssertionError of a spec needs no type."""
    try:
        text = str(error)
    except BaseException as trouble:  # an implementation's exceptions may do anything
        text = f"<its str() raises {type(trouble).__name__}>"
    return f"{type(error).__name__}: {text}"


def _notes(error: BaseException) -> Iterator[str]:
    """What Hypothesis adds, the example, without what is the same in every one."""
    notes = error.__dict__.get("__notes__", ())
    for note in notes if isinstance(notes, list) else ():
        if isinstance(note, str) and "data=data(...)" not in note:
            yield re.sub(r"\n +(impl|\w*lab)=.*", "", note)


def _text(*parts: str) -> str:
    text = "\n".join(part for part in parts if part)
    return re.sub(r"Fraction\((-?\d+), (\d+)\)", lambda found: brief(Fraction(int(found[1]), int(found[2]))), text)
