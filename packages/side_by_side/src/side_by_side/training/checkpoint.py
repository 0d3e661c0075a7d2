"""Checkpoints in safetensors: written whole or not at all, readable by every implementation and by torch itself.

Two files a run. `model.safetensors` has the weights alone, under the names and in the shapes of a plain
`torch.nn.Sequential(Linear, ReLU, …)`: "0.weight" (n_out, n_in), "0.bias" (n_out,), "2.weight", …
`resume.safetensors` has all that is needed to go on as if never stopped: the same weights, the optimizer's velocities,
the place in the epoch, the settings. Each is complete in itself, so it does not matter which was written last when the
machine went down. Nothing here can execute code: no pickle is ever read or written.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors import numpy as safetensors

from ..tables import UserError
from .preparation import Preparation

Arrays = Mapping[str, NDArray[Any]]

MODEL = "model.safetensors"
RESUME = "resume.safetensors"
FORMAT = "side_by_side checkpoint 1"
VELOCITY = "velocity."
PREPARATION = "side_by_side"
"""The key of the metadata that tells how samples are prepared and what outputs mean."""
PICKLES = (b"PK\x03\x04", b"\x80")  # what torch.save writes now, and a bare pickle


@dataclass(frozen=True)
class Checkpoint:
    """A moment of a training run, from which it can go on."""

    weights: Arrays
    velocities: Arrays = field(default_factory=dict)
    """The optimizer's momentum, by the name of its parameter; one that has not moved yet has none."""
    epoch: int = 0
    batch: int = 0
    """How many batches of the epoch are behind it."""
    step: int = 0
    """How many steps are behind it, over all epochs."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    preparation: Preparation | None = None


def save_weights(path: Path, weights: Arrays, preparation: Preparation | None = None) -> None:
    """Write the weights, with what is needed to use them.

    For `load_weights`, and for `safetensors.torch.load_file` and a `torch.nn.Sequential`.

    Raises UserError when the file cannot be written; then the one that was there before is still there.
    """
    _write(path, _packed(weights, {"format": "pt", **_use(preparation)}))


def load_weights(path: Path) -> dict[str, NDArray[Any]]:
    """The weights that any implementation, or torch, has saved; those of a resume file too.

    Raises UserError for a file that is missing, damaged, not safetensors, or holds anything but finite numbers.
    """
    arrays, _ = _read(path)
    for name, array in arrays.items():
        if array.dtype.kind != "f":
            raise UserError(f"{path}: {name} holds {array.dtype}, expected floats")
        if not np.isfinite(array).all():
            raise UserError(f"{path}: {name} holds numbers that are not finite")
    weights = {name: array for name, array in arrays.items() if not name.startswith(VELOCITY)}
    if not weights:
        raise UserError(f"{path}: no weights in it")
    return weights


def load_preparation(path: Path) -> Preparation | None:
    """How samples are prepared for the weights in a file, and what their outputs mean, if it tells.

    Raises UserError as `load_weights` does, and where that cannot be read.
    """
    told = _read(path)[1].get(PREPARATION)
    try:
        return None if told is None else Preparation.from_json(told)
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path}: damaged, its scaling and columns cannot be read: {error!r}") from error


def save(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint, whole or not at all.

    Raises UserError when the file cannot be written; then the one that was there before is still there.
    """
    arrays = {**checkpoint.weights, **{VELOCITY + name: array for name, array in checkpoint.velocities.items()}}
    place = {"epoch": checkpoint.epoch, "batch": checkpoint.batch, "step": checkpoint.step}
    metadata = {"format": FORMAT, "place": json.dumps(place), "settings": json.dumps(checkpoint.settings)}
    _write(path, _packed(arrays, {**metadata, **_use(checkpoint.preparation)}))


def load(path: Path) -> Checkpoint:
    """The checkpoint in a resume file.

    Raises UserError as `load_weights` does, and for a safetensors file that is no checkpoint.
    """
    weights = load_weights(path)
    arrays, metadata = _read(path)
    if metadata.get("format") != FORMAT:
        raise UserError(f"{path}: weights but no checkpoint of a run, expected a {RESUME} of side-by-side train")
    try:
        place, settings = json.loads(metadata["place"]), dict(json.loads(metadata["settings"]))
        epoch, batch, step = (int(place[name]) for name in ("epoch", "batch", "step"))
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise UserError(f"{path}: damaged, its place in the run cannot be read: {error!r}") from error
    velocities = {name.removeprefix(VELOCITY): a for name, a in arrays.items() if name.startswith(VELOCITY)}
    return Checkpoint(weights, velocities, epoch, batch, step, settings)


def write_whole(path: Path, content: bytes) -> None:
    """Replace a file in one go: whoever looks, or pulls the plug, finds the old content or the new, never a part.

    Raises OSError when it cannot be written; then the old content is still there.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.tmp")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # the new name is on the disk too
    finally:
        os.close(folder)


def _write(path: Path, content: bytes) -> None:
    try:
        write_whole(path, content)
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}") from error


def _packed(arrays: Arrays, metadata: dict[str, str]) -> bytes:
    whole = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    return safetensors.save(whole, metadata)


def _use(preparation: Preparation | None) -> dict[str, str]:
    return {PREPARATION: preparation.to_json()} if preparation else {}


def _read(path: Path) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    """The arrays and the metadata of a safetensors file."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error
    try:
        arrays = {name: array.copy() for name, array in safetensors.load(content).items()}
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    except (SafetensorError, KeyError, ValueError, TypeError) as error:
        if content.startswith(PICKLES) and content[8:9] != b"{":  # where the header of safetensors begins
            message = f"{path}: a pickle, as torch.save writes it; pickles are never loaded, save as safetensors"
            raise UserError(message) from error
        raise UserError(f"{path}: damaged, or no safetensors file: {error}") from error
    return arrays, header.get("__metadata__", {})
