"""Data: what is read is what was written, and everything that is wrong is said in one line."""

import functools
import gzip
import hashlib
import http.server
import threading
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
from typer.testing import CliRunner

from side_by_side.cli import app
from side_by_side.tables import UserError
from side_by_side.training import data, download, idx, own, sheet
from side_by_side.training.data import digits, from_arrays, load
from side_by_side.training.preparation import names


def idx_bytes(array, magic=None):
    """An IDX file of bytes."""
    array = np.asarray(array, np.uint8)
    header = magic or bytes([0, 0, 8, array.ndim])
    return header + b"".join(size.to_bytes(4, "big") for size in array.shape) + array.tobytes()


@functools.cache
def small_digits():
    """Images (n, 8, 8) from 0 to 255 and labels: 200 to train on and 100 held out."""
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    x = (x * 255 / 16).round().astype(np.uint8).reshape(-1, 8, 8)
    return {"train": (x[:200], y[:200]), "t10k": (x[200:300], y[200:300])}


def write_idx(folder, pack=lambda raw: raw, end="", **other):
    """The four files in a folder; `other` replaces the contents of some."""
    folder.mkdir(exist_ok=True)
    parts = small_digits()
    for name in idx.FILES:
        images, labels = parts[name.partition("-")[0]]
        raw = idx_bytes(images if "images" in name else labels)
        (folder / f"{name}{end}").write_bytes(pack(other.get(name.partition("-idx")[0].replace("-", "_"), raw)))
    return folder


def cli(*arguments):
    given = ["train", "--impl", "numpy_impl", "--epochs", "1", *map(str, arguments)]
    return CliRunner().invoke(app, given, env={"COLUMNS": "200"})


# What comes with the tool


def test_no_digit_is_in_two_parts_and_every_class_is_in_all_three():
    found = digits(seed=0)
    parts = (found.x_train, found.x_valid, found.x_test)
    assert [len(part) for part in parts] == [1437, 180, 180]
    assert len({row.tobytes() for part in parts for row in part}) == 1797
    assert min(Counter(found.y_valid.tolist()).values()) >= 17
    assert min(Counter(found.y_test.tolist()).values()) >= 17


@pytest.mark.parametrize("name", data.EMBEDDED)
def test_the_seed_alone_decides_the_split(name):
    first, again, other = load(name, seed=0), load(name, seed=0), load(name, seed=1)
    for part in ("x_train", "x_valid", "x_test", "y_train", "y_valid", "y_test"):
        assert np.array_equal(getattr(first, part), getattr(again, part))
        assert not np.array_equal(getattr(first, part), getattr(other, part))
    assert first.fingerprint == again.fingerprint != other.fingerprint


def test_diabetes_is_standardized_with_what_is_trained_on_alone():
    found = load("diabetes")
    assert found.x_train.shape == (353, 10)
    assert np.abs(found.x_train.mean(axis=0)).max() < 1e-12
    assert np.abs(found.x_valid.mean(axis=0)).max() > 1e-3
    assert np.abs(found.x_test.mean(axis=0)).max() > 1e-3
    assert (found.y_valid.shape, found.y_test.shape) == ((44, 1), (45, 1))


def test_the_tripler_triples():
    found = load("tripler")
    assert np.array_equal(found.y_train, 3 * found.x_train)


# IDX


@pytest.mark.parametrize(("pack", "end"), [(bytes, ""), (gzip.compress, ".gz"), (gzip.compress, "")])
def test_idx_files_are_read_plain_and_gzipped(tmp_path, pack, end):
    write_idx(tmp_path, pack, end)
    found = load("mnist", folder=tmp_path)
    images, labels = small_digits()["t10k"]
    assert np.array_equal(found.x_test, images.reshape(100, 64) / 255)
    assert np.array_equal(found.y_test, labels)
    assert (found.n_in, found.n_out, found.image) == (64, 10, (8, 8))
    assert (len(found.x_train), len(found.x_valid)) == (167, 33)
    assert np.array_equal(load(str(tmp_path)).x_train, found.x_train)


def test_the_last_10000_of_mnists_60000_images_validate(tmp_path):
    pixels, labels = np.arange(60_000).reshape(-1, 1, 1) % 251, np.arange(60_000) % 10
    found = load("mnist", folder=write_idx(tmp_path, train_images=idx_bytes(pixels), train_labels=idx_bytes(labels),
                                           t10k_images=idx_bytes(pixels[:100])))  # fmt: skip
    assert np.array_equal(found.x_train[:, 0] * 255, pixels[:50_000, 0, 0])
    assert np.array_equal(found.x_valid[:, 0] * 255, pixels[50_000:, 0, 0])
    assert np.array_equal(found.y_valid, labels[50_000:])


def test_unpacked_files_with_a_dot_in_their_name_are_found(tmp_path):
    write_idx(tmp_path)
    for name in idx.FILES:
        (tmp_path / name).rename(tmp_path / name.replace("-idx", ".idx"))
    clothes = load("fashion-mnist", folder=tmp_path)
    assert clothes.name == "fashion-mnist"
    assert (clothes.preparation.classes[0], clothes.preparation.classes[9]) == ("T-shirt/top", "Ankle boot")


IMAGES, LABELS = small_digits()["train"]
WRONG_IDX = {
    "wrong magic": ({"train_images": idx_bytes(IMAGES, b"\0\0\x0d\3")}, "magic number 0x00000d03, expected 0x00000803"),
    "labels for images": ({"train_images": idx_bytes(LABELS)}, "magic number 0x00000801, expected 0x00000803"),
    "empty": ({"train_labels": b""}, "magic number 0x-, expected 0x00000801"),
    "truncated header": ({"train_images": idx_bytes(IMAGES)[:9]}, "truncated in its header, 9 of 16 bytes"),
    "truncated": (
        {"train_images": idx_bytes(IMAGES)[:-1]},
        "truncated, 12,799 bytes of data where the header announces",
    ),
    "too long": ({"train_labels": idx_bytes(LABELS) + b"\0"}, "too long, 201 bytes"),
    "truncated gzip": ({"train_images": gzip.compress(idx_bytes(IMAGES))[:-20]}, "damaged or truncated gzip"),
    "damaged gzip": ({"train_labels": b"\x1f\x8b\x08" + b"x" * 50}, "damaged or truncated gzip"),
    "mismatched counts": ({"train_labels": idx_bytes(LABELS[:-1])}, "200 train images but 199 labels"),
    "label out of range": ({"t10k_labels": idx_bytes([3] * 99 + [10])}, "t10k label 10 at 99, expected 0 to 9"),
    "no images": (
        {"train_images": idx_bytes(IMAGES[:0]), "train_labels": idx_bytes(LABELS[:0])},
        "no train images",
    ),
    "few images": (
        {"train_images": idx_bytes(IMAGES[:19]), "train_labels": idx_bytes(LABELS[:19])},
        "19 train images, expected at least 20",
    ),
    "other size": (
        {"t10k_images": idx_bytes(np.zeros((100, 7, 8)))},
        "train images of (8, 8) but t10k images of (7, 8)",
    ),
}


@pytest.mark.parametrize("fault", WRONG_IDX)
def test_wrong_idx_files_get_one_clear_line_and_exit_2(tmp_path, fault):
    replaced, says = WRONG_IDX[fault]
    result = cli("--data", write_idx(tmp_path, **replaced))
    assert result.exit_code == 2
    assert says in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_missing_file_is_named_with_the_way_to_get_it(tmp_path):
    (write_idx(tmp_path) / "t10k-labels-idx1-ubyte").unlink()
    result = cli("--data", "mnist", "--folder", tmp_path)
    assert result.exit_code == 2
    assert f"no t10k-labels-idx1-ubyte or t10k-labels-idx1-ubyte.gz in {tmp_path}" in result.stderr
    assert "--download fetches it" in result.stderr


# Download


class Server(http.server.BaseHTTPRequestHandler):
    """Has files, breaks off where it is told to, and knows ranges unless it is told not to."""

    files: dict[str, bytes] = {}  # noqa: RUF012
    breaks_after: int | None = None
    knows_ranges = True
    asked: list[str | None] = []  # noqa: RUF012

    def do_GET(self):
        """Answer."""
        content = self.files.get(self.path.strip("/"))
        start = self.headers.get("Range")
        self.asked.append(start)
        if content is None:
            self.send_error(404)
            return
        at = int(start.removeprefix("bytes=").removesuffix("-")) if start and self.knows_ranges else 0
        if at >= len(content) and at:
            self.send_error(416)
            return
        self.send_response(206 if at else 200)
        self.send_header("Content-Length", str(len(content) - at))
        self.end_headers()
        self.wfile.write(content[at : self.breaks_after])

    def log_message(self, *_):
        """Quiet."""


@pytest.fixture
def server():
    """A server on this machine, its address and its handler."""
    handler = type("Handler", (Server,), {"files": {}, "asked": []})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield SimpleNamespace(url=f"http://127.0.0.1:{running.server_port}/", handler=handler)
        running.shutdown()
        thread.join()


CONTENT = bytes(range(256)) * 1000
CHECKSUM = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"


def test_a_download_has_the_bytes_and_leaves_nothing_beside_them(server, tmp_path):
    server.handler.files["f"] = CONTENT
    heard = []
    download.fetch(f"{server.url}f", tmp_path / "f", CHECKSUM, lambda *told: heard.append(told))
    assert (tmp_path / "f").read_bytes() == CONTENT
    assert list(tmp_path.iterdir()) == [tmp_path / "f"]
    assert heard[-1] == ("f", len(CONTENT), len(CONTENT))


@pytest.mark.parametrize("knows_ranges", [True, False])
def test_a_broken_download_goes_on_where_it_stopped(server, tmp_path, knows_ranges):
    server.handler.files["f"] = CONTENT
    server.handler.breaks_after = 100_000
    with pytest.raises(UserError, match=r"broke off after 100,000 of 256,000 bytes; 100,000 bytes are kept"):
        download.fetch(f"{server.url}f", tmp_path / "f", CHECKSUM)
    assert not (tmp_path / "f").exists()
    server.handler.breaks_after = None
    server.handler.knows_ranges = knows_ranges
    download.fetch(f"{server.url}f", tmp_path / "f", CHECKSUM)
    assert server.handler.asked == [None, "bytes=100000-"]
    assert (tmp_path / "f").read_bytes() == CONTENT


def test_what_arrived_whole_before_the_end_is_not_fetched_again(server, tmp_path):
    server.handler.files["f"] = CONTENT
    (tmp_path / "f.part").write_bytes(CONTENT)
    download.fetch(f"{server.url}f", tmp_path / "f", CHECKSUM)
    assert (tmp_path / "f").read_bytes() == CONTENT


def test_another_checksum_keeps_nothing(server, tmp_path):
    server.handler.files["f"] = CONTENT[:-1] + b"!"
    with pytest.raises(UserError, match=r"sha256 is [0-9a-f]{64}, expected [0-9a-f]{64}; the download was thrown away"):
        download.fetch(f"{server.url}f", tmp_path / "f", CHECKSUM)
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_lacks_the_file_or_is_not_there_is_told_in_one_line(server, tmp_path):
    with pytest.raises(UserError, match=r"cannot download .*: 404 Not Found$"):
        download.fetch(f"{server.url}none", tmp_path / "f", CHECKSUM)
    with pytest.raises(UserError, match=r"cannot download .*refused; 0 bytes are kept, run it again to go on$"):
        download.fetch("http://127.0.0.1:1/f", tmp_path / "f", CHECKSUM)


def test_download_on_request_fetches_what_is_missing_and_nothing_else(server, tmp_path, monkeypatch):
    write_idx(tmp_path / "there", gzip.compress, ".gz")
    files = {f"{name}.gz": (tmp_path / "there" / f"{name}.gz").read_bytes() for name in idx.FILES}
    server.handler.files.update(files)
    sums = tuple(f"md5:{hashlib.md5(content).hexdigest()}" for content in files.values())
    monkeypatch.setitem(download.SOURCES, "mnist", (server.url, sums))
    here = tmp_path / "here"
    arguments = ("--data", "mnist", "--folder", here, "--sizes", "64-10")
    assert cli(*arguments).exit_code == 2
    assert server.handler.asked == []
    assert cli(*arguments, "--download").exit_code == 0
    assert len(server.handler.asked) == 4
    assert cli(*arguments, "--download").exit_code == 0
    assert len(server.handler.asked) == 4


def test_every_published_file_has_a_checksum():
    assert set(download.SOURCES) == {"mnist", "fashion-mnist"}
    for _, sums in download.SOURCES.values():
        assert len(set(sums)) == len(idx.FILES)
        assert all(len(bytes.fromhex(hexes)) in (16, 32) for hexes in (each.partition(":")[2] for each in sums))


# One's own

X = np.random.default_rng(0).normal(size=(60, 3))
Y = (X.sum(axis=1) > 0).astype(int)


def csv_text(rows, header="a,b,c,target\n"):
    return header + "".join(",".join(map(str, row)) + "\n" for row in rows)


def test_a_csv_with_words_for_classes_trains(tmp_path):
    rows = [[*x, ("no", "yes")[y]] for x, y in zip(X, Y, strict=True)]
    (tmp_path / "my.csv").write_text(csv_text(rows))
    found = load(str(tmp_path / "my.csv"))
    assert (found.n_in, found.n_classes) == (3, 2)
    assert found.y_train.sum() + found.y_valid.sum() + found.y_test.sum() == Y.sum()
    assert cli("--data", tmp_path / "my.csv").exit_code == 0


def test_a_csv_of_numbers_without_a_header_is_a_regression_of_its_last_column(tmp_path):
    rows = [[*x, x.sum()] for x in X]
    (tmp_path / "my.csv").write_text(csv_text(rows, header=""))
    found = load(str(tmp_path / "my.csv"))
    assert (found.n_in, found.n_classes, found.score) == (3, None, "R²")
    assert "test R²" in cli("--data", tmp_path / "my.csv").stdout


def test_the_target_of_a_csv_is_the_column_that_is_named(tmp_path):
    (tmp_path / "my.csv").write_text(csv_text([[y, *x] for x, y in zip(X, Y, strict=True)], "kind,a,b,c\n"))
    assert load(str(tmp_path / "my.csv"), target="kind").n_classes == 2
    assert load(str(tmp_path / "my.csv"), target="kind", task="numbers").n_classes is None
    with pytest.raises(UserError, match="no column 'sort' among kind, a, b, c"):
        load(str(tmp_path / "my.csv"), target="sort")


def test_an_npz_with_a_test_part_keeps_its_split(tmp_path):
    np.savez(tmp_path / "my.npz", x=X[:40], y=Y[:40], x_test=X[40:], y_test=Y[40:])
    found = load(str(tmp_path / "my.npz"))
    assert (len(found.x_train), len(found.x_valid), len(found.x_test)) == (36, 4, 20)
    np.savez(tmp_path / "my.npz", x=X, y=Y)
    found = load(str(tmp_path / "my.npz"))
    assert (len(found.x_train), len(found.x_valid), len(found.x_test)) == (48, 6, 6)


def with_cell(row, column, value):
    rows = [[*x, y] for x, y in zip(X, Y, strict=True)]
    rows[row][column] = value
    return csv_text(rows)


WRONG_CSV = {
    "infinite": (with_cell(5, 1, "inf"), "line 7, b: inf is no finite number"),
    "huge": (with_cell(5, 1, "1e300"), "line 7, b: 1e300 is no finite number, or too large to compute with"),
    "huge target": (with_cell(5, 3, "1e308"), "line 7, target: 1e308 is no finite number, or too large"),
    "word": (with_cell(5, 2, "x"), "line 7, c: 'x' is no finite number"),
    "word target": (with_cell(5, 3, "x"), "line 7, target: 'x' is no finite number"),
    "nothing in a column": (csv_text([["", *x[1:], y] for x, y in zip(X, Y, strict=True)]), "every cell of a is empty"),
    "no target": (csv_text([[*x, "?"] for x in X]), "every cell of target is empty"),
    "words for a name": (csv_text([[f"n{i}", 1, 2, 3.5] for i in range(60)]), "a has 60 different words in 60 lines"),
    "names for classes": (
        csv_text([[1, 2, 3, f"n{i}"] for i in range(60)]),
        "60 different words, too many for classes",
    ),
    "two of one name": (csv_text([[1, 2, 3, 0]] * 30, "a,b,a,target\n"), "two columns are called 'a'"),
    "ragged": (csv_text([[1, 2, 3, 0], [1, 2, 0]]), "line 3 has 3 columns, expected 4"),
    "empty": ("", "empty"),
    "header only": (csv_text([]), "no samples under the header"),
    "one column": ("1\n2\n", "one column"),
    "few": (csv_text([[1, 2, 3, i % 2] for i in range(6)]), "6 samples, expected at least 20"),
    "one class": (csv_text([[*x, 0] for x in X]), "one class only"),
    "no text": (b"\xff\xfe\x00", "cannot be read as CSV"),
}


@pytest.mark.parametrize("fault", WRONG_CSV)
def test_wrong_csv_files_get_one_clear_line_and_exit_2(tmp_path, fault):
    text, says = WRONG_CSV[fault]
    (tmp_path / "my.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    result = cli("--data", tmp_path / "my.csv")
    assert result.exit_code == 2
    assert says in result.stderr
    assert result.stderr.count("\n") == 1


WRONG_NPZ = {
    "no y": ({"x": X}, "no y among x"),
    "nan": ({"x": np.where(X > 2, np.nan, X), "y": Y}, "is nan, expected finite numbers"),
    "infinite": ({"x": X * np.inf, "y": Y}, "inf, expected finite numbers"),
    "counts": ({"x": X, "y": Y[:-1]}, "60 samples but 59 targets"),
    "words": ({"x": X, "y": np.array(["a"] * 60)}, "y holds <U1, expected numbers"),
    "rank": ({"x": X[:, 0], "y": Y}, "x has shape (60,), expected (samples, numbers a sample)"),
    "huge": ({"x": np.where(X > 2, 1e300, X), "y": Y}, "is 1e+300, expected at most 1e+100 numbers"),
    "no dimension": ({"x": X, "y": np.array(1)}, "y has shape (), expected (samples,)"),
    "no targets": ({"x": X, "y": np.zeros((60, 0))}, "y has shape (60, 0), expected (samples,)"),
    "half a test part": ({"x": X, "y": Y, "x_test": X}, "x_test alone, expected both x_test and y_test, or neither"),
    "one-hot": ({"x": X, "y": np.eye(2, dtype=int)[Y]}, "targets are no classes"),
    "objects": ({"x": X, "y": np.array([{}] * 60)}, "holds pickled Python objects, which are never loaded"),
    "test part": ({"x": X, "y": Y, "x_test": X[:, :2], "y_test": Y}, "test samples of 2 numbers, expected 3"),
}


@pytest.mark.parametrize("fault", WRONG_NPZ)
def test_wrong_npz_files_get_one_clear_line_and_exit_2(tmp_path, fault):
    arrays, says = WRONG_NPZ[fault]
    np.savez(tmp_path / "my.npz", **arrays)
    result = cli("--data", tmp_path / "my.npz")
    assert result.exit_code == 2
    assert says in result.stderr
    assert result.stderr.count("\n") == 1


def test_whole_numbers_are_classes_only_where_that_is_plausible_and_the_choice_is_said(tmp_path):
    """A price a thousand classes, or a class that is called 7 an output that nothing is."""
    rng = np.random.default_rng(1)
    prices, stars = rng.integers(1, 500, 60), rng.choice([1, 2, 7], 60)
    for values, said in (
        (prices, "Predicts target, a number. It has "),
        (stars, "Predicts target, one of 3 classes: 1, 2, 7; --task numbers takes them for numbers."),
    ):
        (tmp_path / "my.csv").write_text(csv_text([[*x, y] for x, y in zip(X, values, strict=True)]))
        result = cli("--data", tmp_path / "my.csv")
        assert result.stdout.startswith(said)
        assert result.exit_code == 0
    found = load(str(tmp_path / "my.csv"))
    assert (found.n_classes, found.preparation.classes) == (3, ("1", "2", "7"))
    assert load(str(tmp_path / "my.csv"), task="numbers").n_classes is None
    npz = from_arrays("mine", X, prices)
    assert npz.n_classes is None
    assert "--task classes" in npz.told[0]
    assert from_arrays("mine", X, prices, task="classes").n_classes == len(set(prices))


def test_words_among_the_features_are_an_input_each_and_what_is_missing_is_the_mean(tmp_path):
    """A word is a number by its place in the alphabet, or a line is lost for a cell that is empty."""
    rows = [["red", 1, 10], ["blue", 3, 20], ["", 5, 30], ["red", "NA", 40], ["red", 3, "?"]] * 10
    (tmp_path / "my.csv").write_text(csv_text(rows, "colour,size,price\n"))
    samples = own.read_csv(sheet.read(tmp_path / "my.csv"))
    assert names(samples.columns) == ["colour blue", "colour red", "size"]
    assert samples.x[:2].tolist() == [[0, 1, 1], [1, 0, 3]]
    assert np.isnan(samples.x[2]).tolist() == [True, True, False]
    assert len(samples.y) == 40
    assert samples.told[1:] == [
        "An input a word, 1 or 0: colour (2).",
        "Missing cells count as the mean of their column: colour (10), size (10).",
        "10 lines have no price and are left out, the first is line 6.",
    ]
    found = load(str(tmp_path / "my.csv"))
    assert np.abs(found.x_train.mean(axis=0)).max() < 1e-12
    assert np.isfinite(found.x_test).all()


@pytest.mark.parametrize(
    ("text", "delimiter"),
    [("a;b;c\n1,5;2;x\n", None), ("a\tb\tc\n1.5\t2\tx\n", None), ("a:b:c\n1.5:2:x\n", ":"), ("1.5|2|x\n", "|")],
)
def test_the_delimiter_is_recognized_or_given(tmp_path, text, delimiter):
    """A file from a spreadsheet with semicolons, and commas in its numbers, is one column of nonsense."""
    (tmp_path / "my.csv").write_text(text)
    found = sheet.read(tmp_path / "my.csv", delimiter)
    assert [row for _, row in found.rows] == [["1.5", "2", "x"]]


def test_a_column_can_be_dropped(tmp_path):
    (tmp_path / "my.csv").write_text(csv_text([[f"n{i}", *x, i] for i, x in enumerate(X)], "name,a,b,c,i\n"))
    found = load(str(tmp_path / "my.csv"), drop=["name", "i"])
    assert (found.n_in, found.preparation.target) == (2, "c")
    for drop, target, says in ((["a"], "a", "a is the --target"), (["nome"], None, "no column 'nome'")):
        with pytest.raises(UserError, match=says):
            load(str(tmp_path / "my.csv"), drop=drop, target=target)


def test_a_number_that_leaves_no_difference_between_the_others_is_told_with_its_line(tmp_path):
    (tmp_path / "my.csv").write_text(with_cell(5, 1, 1e20))
    assert load(str(tmp_path / "my.csv")).told[-1].startswith("Line 7, b: 1e+20 is so far from the others")


def test_a_seed_of_any_size_splits():
    seeds = [2**32 - 1, 2**32, 2**70]
    assert len({from_arrays("mine", X, Y, seed=seed).fingerprint for seed in seeds}) == 3


@pytest.mark.parametrize(
    ("data", "option"),
    [
        ("digits", ["--task", "classes"]),
        ("digits", ["--folder", "x"]),
        ("my.npz", ["--target", "y"]),
        ("my.npz", ["--drop", "y"]),
        ("my.npz", ["--download"]),
        ("mnist", ["--delimiter", ";"]),
    ],
)
def test_an_option_that_does_nothing_for_such_data_is_refused(data, option):
    result = cli("--data", data, *option)
    assert result.exit_code == 2
    assert f"{option[0]} is for " in result.stderr
    assert f"not for {data}" in result.stderr


def test_a_pickle_by_the_name_of_npz_is_never_loaded(tmp_path):
    (tmp_path / "my.npz").write_bytes(b"cos\nsystem\n(S'touch owned'\ntR.")
    with pytest.raises(UserError, match=r"never loaded|cannot be read as NPZ"):
        load(str(tmp_path / "my.npz"))


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("minst", "unknown data 'minst', expected one of digits, diabetes, tripler, mnist, fashion-mnist, a path"),
        (__file__, "expected a folder of IDX files, or a file that ends in .csv or .npz"),
    ],
)
def test_an_unknown_name_gets_one_clear_line_and_exit_2(name, says):
    result = cli("--data", name)
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert says in result.stderr


def test_a_constant_column_is_no_division_by_zero():
    found = from_arrays("mine", np.ones((20, 2)), np.arange(20.0))
    assert np.array_equal(found.x_train, np.zeros((16, 2)))
