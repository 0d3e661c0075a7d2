"""Real data, split once: a part to train on, a part to choose settings by, and a part to test what came of it."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..tables import UserError, choose
from . import download, idx, own

Array = NDArray[Any]
Parts = tuple[Array, Array, Array, Array, Array, Array]

HELD_OUT = 0.2  # half of it to validate, half to test
FEWEST = 20  # samples that are worth a split
EMBEDDED = ("digits", "diabetes", "tripler")
NAMES = (*EMBEDDED, *download.SOURCES)


@dataclass(frozen=True)
class Data:
    """Samples (n, n_in) in float64, with classes (n,) in int64 or target numbers (n, n_out) in float64.

    NumPy arrays, which `asarray` of every implementation takes.
    """

    name: str
    x_train: Array
    y_train: Array
    x_valid: Array
    y_valid: Array
    x_test: Array
    y_test: Array
    n_classes: int | None = None
    """None where numbers are to be predicted."""
    image: tuple[int, int] | None = None
    """Height and width, where a sample is an image."""

    @property
    def n_in(self) -> int:
        """Numbers in a sample."""
        return int(self.x_train.shape[1])

    @property
    def n_out(self) -> int:
        """What a net for it gives: a logit a class, or the numbers."""
        return self.n_classes or int(self.y_train.shape[1])

    @property
    def score(self) -> str:
        """What the quality of a net is called here."""
        return "accuracy" if self.n_classes else "R²"

    @cached_property
    def fingerprint(self) -> str:
        """A checksum of all that is trained on: the same data, the same string."""
        digest = hashlib.sha256(repr((self.x_train.shape, self.y_train.shape, self.n_classes)).encode())
        for array in (self.x_train, self.y_train):
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()[:16]


def load(
    name: str,
    seed: int = 0,
    *,
    folder: Path | None = None,
    fetch: bool = False,
    task: str | None = None,
    target: str | None = None,
    on_bytes: download.OnBytes | None = None,
) -> Data:
    """The data of that name, or of a path: a folder of IDX files, a CSV or an NPZ file.

    `seed` decides the split where the data does not come split. `folder` has, or with `fetch` gets, the files of mnist
    or fashion-mnist. `task` ("classes" or "numbers") and `target` (a column) tell what to make of a CSV or NPZ file.

    Raises UserError, in one line, for everything that is wrong with the name or in the files.
    """
    if name in EMBEDDED:
        return {"digits": digits, "diabetes": diabetes, "tripler": tripler}[name](seed)
    if name in download.SOURCES:
        return mnist(name, folder or Path(name), fetch, on_bytes)
    path = Path(name)
    if not path.exists():
        choose("data", name, (*NAMES, "a path"))
    if path.is_dir():
        return images(path.name, path)
    if path.suffix.lower() not in (".csv", ".npz"):
        raise UserError(f"{path}: expected a folder of IDX files, or a file that ends in .csv or .npz")
    arrays = own.read_csv(path, target, task) if path.suffix.lower() == ".csv" else own.read_npz(path)
    return from_arrays(path.name, *arrays, seed=seed, task=task)


def digits(seed: int = 0) -> Data:
    """scikit-learn's 1,797 handwritten digits: 64 pixels from 0 to 1, each class split by the seed."""
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    return Data("digits", *split(x / 16, y, seed), n_classes=10, image=(8, 8))


def diabetes(seed: int = 0) -> Data:
    """scikit-learn's 442 diabetes patients: ten measurements each, and how the disease went on a year later."""
    from sklearn.datasets import load_diabetes

    x, y = load_diabetes(return_X_y=True, scaled=False)
    return from_arrays("diabetes", x, y, seed=seed, task="numbers")


def tripler(seed: int = 0) -> Data:
    """The smallest thing to learn: 200 numbers and three times as much, for a net of one weight that should be 3."""
    x = np.random.default_rng(seed).normal(size=(200, 1))
    return Data("tripler", *split(x, 3 * x, seed))


def mnist(name: str, folder: Path, fetch: bool = False, on_bytes: download.OnBytes | None = None) -> Data:
    """MNIST or Fashion-MNIST from the IDX files in a folder, which `fetch` downloads first where they are missing."""
    if fetch:
        download.idx_files(name, folder, on_bytes)
    return images(name, folder)


def images(name: str, folder: Path) -> Data:
    """IDX images with pixels from 0 to 1; the t10k files are for the test, the last sixth of the others to validate.

    Of MNIST's 60,000 these are the last 10,000, as usual.

    Raises UserError for what `idx.folder` refuses, and for too few images.
    """
    x, y, x_test, y_test = idx.folder(folder)
    if len(x) < FEWEST:
        raise UserError(f"{folder}: {len(x)} train images, expected at least {FEWEST}")
    height, width = x.shape[1:]
    flat, flat_test = (array.reshape(len(array), -1) / 255 for array in (x, x_test))
    labels, labels_test = y.astype("int64"), y_test.astype("int64")
    n = len(x) - len(x) // 6
    train, valid = (flat[:n], labels[:n]), (flat[n:], labels[n:])
    return Data(name, *train, *valid, flat_test, labels_test, n_classes=idx.N_CLASSES, image=(height, width))


def from_arrays(name: str, x: Array, y: Array, *test: Array, seed: int = 0, task: str | None = None) -> Data:
    """Data of one's own, split by the seed; x_test and y_test may follow, then only the validation part is split off.

    Every column of x, and y where it is numbers, is standardized with the mean and the deviation of the training part.

    Raises UserError for what `own.checked` refuses, and for too few samples.
    """
    x, y = own.checked(name, x, y, task)
    if len(x) < FEWEST:
        raise UserError(f"{name}: {len(x)} samples, expected at least {FEWEST}")
    if test:
        x_test, y_test = own.checked(f"{name}, test part", test[0], test[1], task or _task(y))
        if x_test.shape[1] != x.shape[1] or y_test.shape[1:] != y.shape[1:]:
            raise UserError(f"{name}: test samples of {x_test.shape[1]} numbers, expected {x.shape[1]} as in x")
        parts = (*hold_out(x, y, HELD_OUT / 2, seed), x_test, y_test)
    else:
        parts = split(x, y, seed)
    x, y, x_valid, y_valid, x_test, y_test = parts
    x, x_valid, x_test = standardized(x, x_valid, x_test)
    if _task(y) == "numbers":
        y, y_valid, y_test = standardized(y, y_valid, y_test)
        return Data(name, x, y, x_valid, y_valid, x_test, y_test)
    n_classes = int(max(part.max() for part in (y, y_valid, y_test))) + 1
    if n_classes < 2:
        raise UserError(f"{name}: one class only, expected at least two")
    return Data(name, x, y, x_valid, y_valid, x_test, y_test, n_classes)


def split(x: Array, y: Array, seed: int) -> Parts:
    """x_train, y_train, x_valid, y_valid, x_test, y_test: eight tenths, one tenth and one tenth, by the seed."""
    x, y, x_held_out, y_held_out = hold_out(x, y, HELD_OUT, seed)
    return (x, y, *hold_out(x_held_out, y_held_out, 1 / 2, seed))


def hold_out(x: Array, y: Array, part: float, seed: int) -> tuple[Array, Array, Array, Array]:
    """x, y of what remains and of the part held out by the seed, of each class where all are common enough."""
    from sklearn.model_selection import train_test_split

    common = _task(y) == "classes" and np.unique(y, return_counts=True)[1].min() >= 1 / part
    remains, held_out, y_remains, y_held_out = train_test_split(
        x, y, test_size=part, random_state=seed, stratify=y if common else None
    )
    return remains, y_remains, held_out, y_held_out


def standardized(train: Array, *others: Array) -> tuple[Array, ...]:
    """All with the mean of `train` subtracted, and divided by its standard deviation where there is one."""
    mean, std = train.mean(axis=0), train.std(axis=0)
    std = np.where(std > 0, std, 1.0)
    return tuple((part - mean) / std for part in (train, *others))


def _task(y: Array) -> str:
    return "classes" if y.dtype.kind == "i" else "numbers"
