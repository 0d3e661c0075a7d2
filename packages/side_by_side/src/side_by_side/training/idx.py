"""IDX, the format of MNIST: a magic number, the sizes of the axes, then one byte a pixel or a label."""

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..tables import UserError

FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
N_CLASSES = 10
GZIP = b"\x1f\x8b"


def folder(path: Path) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Images (n, height, width) and labels (n,) to train on, then those to test with, all of bytes.

    Raises UserError for a file that is missing or wrong in itself, and for images and labels that do not belong
    together.
    """
    x_train, y_train, x_test, y_test = (read(find(path, name), rank=3 if "images" in name else 1) for name in FILES)
    for images, labels, part in ((x_train, y_train, "train"), (x_test, y_test, "t10k")):
        if len(images) != len(labels):
            raise UserError(f"{path}: {len(images):,} {part} images but {len(labels):,} labels, expected as many")
        if len(labels) == 0:
            raise UserError(f"{path}: no {part} images, expected at least one")
        if labels.max() >= N_CLASSES:
            i = int((labels >= N_CLASSES).argmax())
            raise UserError(f"{path}: {part} label {labels[i]} at {i}, expected 0 to {N_CLASSES - 1}")
    if x_train.shape[1:] != x_test.shape[1:]:
        raise UserError(f"{path}: train images of {x_train.shape[1:]} but t10k images of {x_test.shape[1:]}")
    return x_train, y_train, x_test, y_test


def find(path: Path, name: str) -> Path:
    """The file of that name, plain or gzipped, as published or as some unpack it: `train-images.idx3-ubyte`.

    Raises UserError when there is none.
    """
    spellings = (name, name.replace("-idx", ".idx"))
    for candidate in (path / f"{spelling}{end}" for spelling in spellings for end in ("", ".gz")):
        if candidate.is_file():
            return candidate
    raise UserError(f"no {name} or {name}.gz in {path}")


def read(path: Path, rank: int) -> NDArray[Any]:
    """The bytes of an IDX file, plain or gzip, as an array of that rank.

    Raises UserError for a file that cannot be read, is damaged or truncated, or has another magic number.
    """
    raw = content(path)
    magic, expected = raw[:4], bytes([0, 0, 8, rank])
    if magic != expected:
        raise UserError(f"{path}: magic number 0x{magic.hex() or '-'}, expected 0x{expected.hex()}: not this IDX file")
    header = 4 + 4 * rank
    if len(raw) < header:
        raise UserError(f"{path}: truncated in its header, {len(raw)} of {header} bytes")
    sizes = struct.unpack(f">{rank}I", raw[4:header])
    got, wanted = len(raw) - header, math.prod(sizes)
    if got != wanted:
        what = "truncated" if got < wanted else "too long"
        raise UserError(f"{path}: {what}, {got:,} bytes of data where the header announces {wanted:,}")
    return np.frombuffer(raw, np.uint8, offset=header).reshape(sizes)


def content(path: Path) -> bytes:
    """What is in the file, unpacked if it is gzipped, whatever its name is.

    Raises UserError when it cannot be read or is a damaged gzip file.
    """
    try:
        raw = path.read_bytes()
        return gzip.decompress(raw) if raw.startswith(GZIP) else raw
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UserError(f"{path}: damaged or truncated gzip file: {error}") from error
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error
