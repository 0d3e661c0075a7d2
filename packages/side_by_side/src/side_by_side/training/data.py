"""Real data, split once: a part to train on, a part to choose settings by, and a part to test what came of it."""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ..tables import UserError, choose
from . import download, idx, own, sheet
from .preparation import Preparation, standard

Array = NDArray[Any]
Parts = tuple[Array, Array, Array, Array, Array, Array]

HELD_OUT = 0.2  # half of it to validate, half to test
FEWEST = 20  # samples that are worth a split
EMBEDDED = ("digits", "diabetes", "tripler")
NAMES = (*EMBEDDED, *download.SOURCES)
MEANT_FOR = {
    **dict.fromkeys(("--target", "--drop", "--delimiter"), (".csv",)),
    "--task": (".csv", ".npz"),
    **dict.fromkeys(("--folder", "--download"), tuple(download.SOURCES)),
}
DIGITS = tuple(map(str, range(10)))
CLOTHES = (
    *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
    *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
)
CLASSES = {"mnist": DIGITS, "fashion-mnist": CLOTHES}


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
    preparation: Preparation = field(default_factory=Preparation)
    """What was done to make these samples of those in the file."""
    told: Sequence[str] = ()
    """How a file of one's own was understood, a sentence each."""

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
    drop: Sequence[str] = (),
    delimiter: str | None = None,
    on_bytes: download.OnBytes | None = None,
) -> Data:
    """The data of that name, or of a path: a folder of IDX files, a CSV or an NPZ file.

    `seed` decides the split where the data does not come split. `folder` has, or with `fetch` gets, the files of mnist
    or fashion-mnist. `task` ("classes" or "numbers") tells what to make of the targets of a CSV or NPZ file, `target`,
    `drop` (columns) and `delimiter` how to read a CSV file.

    Raises UserError, in one line, for everything that is wrong with the name or in the files, and for what does nothing
    for such data.
    """
    path = Path(name)
    kind = name if name in NAMES else path.suffix.lower()
    given = {"--target": target, "--drop": drop, "--delimiter": delimiter, "--task": task, "--folder": folder}
    _refuse_idle(name, kind, {**given, "--download": fetch})
    if name in EMBEDDED:
        return {"digits": digits, "diabetes": diabetes, "tripler": tripler}[name](seed)
    if name in download.SOURCES:
        return mnist(name, folder or path, fetch, on_bytes)
    if not path.exists():
        choose("data", name, (*NAMES, "a path"))
    if path.is_dir():
        return images(path.resolve().name, path)
    if kind == ".csv":
        samples = own.read_csv(sheet.read(path, delimiter), target, task, drop)
        return prepared(path.name, samples, seed)
    if kind == ".npz":
        return from_arrays(path.name, *own.read_npz(path), seed=seed, task=task)
    raise UserError(f"{path}: expected a folder of IDX files, or a file that ends in .csv or .npz")


def _refuse_idle(name: str, kind: str, given: Mapping[str, object]) -> None:
    """Raises UserError for an option that does nothing for such data."""
    for option, value in given.items():
        if value not in (None, (), False) and kind not in MEANT_FOR[option]:
            raise UserError(f"{option} is for {' and '.join(MEANT_FOR[option])} alone, not for {name}")


def raw(name: str, seed: int = 0) -> tuple[Array, Array]:
    """The samples and targets of digits, diabetes or tripler, as they come and in their own order."""
    if name == "tripler":
        x = np.random.default_rng(seed).normal(size=(200, 1))
        return x, 3 * x
    from sklearn import datasets

    if name == "digits":
        return cast(tuple[Array, Array], datasets.load_digits(return_X_y=True))
    return cast(tuple[Array, Array], datasets.load_diabetes(return_X_y=True, scaled=False))


def digits(seed: int = 0) -> Data:
    """scikit-learn's 1,797 handwritten digits: 64 pixels from 0 to 1, each class split by the seed."""
    x, y = raw("digits")
    preparation = Preparation(std=(16.0,), target="digit", classes=DIGITS)
    return Data("digits", *split(x / 16, y, seed), n_classes=10, image=(8, 8), preparation=preparation)


def diabetes(seed: int = 0) -> Data:
    """scikit-learn's 442 diabetes patients: ten measurements each, and how the disease went on a year later."""
    return from_arrays("diabetes", *raw("diabetes"), seed=seed, task="numbers")


def tripler(seed: int = 0) -> Data:
    """The smallest thing to learn: 200 numbers and three times as much, for a net of one weight that should be 3."""
    return Data("tripler", *split(*raw("tripler", seed), seed))


def mnist(name: str, folder: Path, fetch: bool = False, on_bytes: download.OnBytes | None = None) -> Data:
    """MNIST or Fashion-MNIST from the IDX files in a folder, which `fetch` downloads first where they are missing."""
    if fetch:
        download.idx_files(name, folder, on_bytes)
    try:
        for file in idx.FILES:
            idx.find(folder, file)
    except UserError as error:
        raise UserError(f"{error}; --folder names the folder that has it, --download fetches it") from error
    return images(name, folder, CLASSES[name])


def images(name: str, folder: Path, classes: tuple[str, ...] = DIGITS) -> Data:
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
    preparation = Preparation(std=(255.0,), target="class", classes=classes)
    return Data(name, *train, *valid, flat_test, labels_test, idx.N_CLASSES, (height, width), preparation)


def from_arrays(name: str, x: Array, y: Array, *test: Array, seed: int = 0, task: str | None = None) -> Data:
    """Data of one's own, split by the seed; x_test and y_test may follow, then only the validation part is split off.

    Raises UserError for what `own.checked` refuses, and for too few samples.
    """
    samples = own.checked(name, x, y, task)
    if not test:
        return prepared(name, samples, seed)
    x_test, y_test = test
    own.checked(f"{name}, test part", x_test, y_test, task="numbers")
    if x_test.shape[1:] != x.shape[1:] or y_test.shape[1:] != y.shape[1:]:
        numbers = math.prod(x_test.shape[1:]), math.prod(x.shape[1:])
        raise UserError(
            f"{name}: test samples of {numbers[0]} numbers, expected {numbers[1]} as in x, and y_test like y"
        )
    both = own.checked(name, np.concatenate([x, x_test]), np.concatenate([y, y_test]), task)
    return prepared(name, both, seed, n_test=len(test[0]))


def prepared(name: str, samples: own.Samples, seed: int, n_test: int = 0) -> Data:
    """Split by the seed, or the last `n_test` to test; standardized with mean and deviation of what is trained on.

    Raises UserError for too few samples.
    """
    x, y = samples.x, samples.y
    n = len(x) - n_test
    if n < FEWEST:
        raise UserError(f"{name}: {n} samples, expected at least {FEWEST}")
    parts = (*hold_out(x[:n], y[:n], HELD_OUT / 2, seed), x[n:], y[n:]) if n_test else split(x, y, seed)
    mean, std = standard(parts[0])
    preparation = Preparation(mean, std, samples.columns, samples.target, samples.classes)
    if not samples.classes:
        target_mean, target_std = standard(parts[1])
        preparation = replace(preparation, target_mean=target_mean, target_std=target_std)
        parts = cast(Parts, tuple(preparation.targets(part) if i % 2 else part for i, part in enumerate(parts)))
    parts = cast(Parts, tuple(part if i % 2 else preparation.inputs(part) for i, part in enumerate(parts)))
    return Data(name, *parts, len(samples.classes) or None, preparation=preparation, told=samples.told)


def split(x: Array, y: Array, seed: int) -> Parts:
    """x_train, y_train, x_valid, y_valid, x_test, y_test: eight tenths, one tenth and one tenth, by the seed."""
    x, y, x_held_out, y_held_out = hold_out(x, y, HELD_OUT, seed)
    return (x, y, *hold_out(x_held_out, y_held_out, 1 / 2, seed))


def hold_out(x: Array, y: Array, part: float, seed: int) -> tuple[Array, Array, Array, Array]:
    """x, y of what remains and of the part held out by the seed, of each class where all are common enough."""
    from sklearn.model_selection import train_test_split

    state = seed if seed < 2**32 else np.random.RandomState(np.random.MT19937(seed))
    common = _task(y) == "classes" and np.unique(y, return_counts=True)[1].min() >= 1 / part
    remains, held_out, y_remains, y_held_out = train_test_split(
        x, y, test_size=part, random_state=state, stratify=y if common else None
    )
    return remains, y_remains, held_out, y_held_out


def _task(y: Array) -> str:
    return "classes" if y.dtype.kind == "i" else "numbers"
