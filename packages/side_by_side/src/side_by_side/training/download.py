"""Download on request: a broken download goes on where it stopped, and a file counts only with the right checksum."""

import hashlib
import http.client
import os
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path

from ..tables import UserError
from . import idx

CHUNK = 1 << 16
TIMEOUT = 30  # seconds without a byte

MNIST = "https://ossci-datasets.s3.amazonaws.com/mnist/"
FASHION_MNIST = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"

# The checksums that are published with the files: Fashion-MNIST's authors give MD5 alone.
SOURCES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "mnist": (
        MNIST,
        (
            "sha256:440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            "sha256:3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            "sha256:8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            "sha256:f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        ),
    ),
    "fashion-mnist": (
        FASHION_MNIST,
        (
            "md5:8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            "md5:25c81989df183df01b3e8a0aad5dffbe",
            "md5:bef4ecab320f06d8554ea6380940ec79",
            "md5:bb300cfdad3c16e7a12a480ee83cd310",
        ),
    ),
}

OnBytes = Callable[[str, int, int | None], object]


def idx_files(name: str, folder: Path, on_bytes: OnBytes | None = None, base: str | None = None) -> None:
    """Fetch those of the four IDX files of MNIST or Fashion-MNIST that the folder does not have yet.

    `base` is another place that has the same files. on_bytes(file, arrived, total) hears of every piece.

    Raises UserError as `fetch` does, and when the folder cannot be made.
    """
    url, checksums = SOURCES[name]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{folder}: cannot be made: {error.strerror}") from error
    for file, checksum in zip(idx.FILES, checksums, strict=True):
        try:
            idx.find(folder, file)
        except UserError:
            fetch(f"{base or url}{file}.gz", folder / f"{file}.gz", checksum, on_bytes)


def fetch(url: str, path: Path, checksum: str, on_bytes: OnBytes | None = None) -> None:
    """Download to `path`, by way of `path.part`, which a later call goes on with.

    `checksum` names its algorithm, "sha256:…" or "md5:…".

    Raises UserError when the download fails or breaks off, keeping what has arrived; and when the checksum is another,
    keeping nothing.
    """
    part = path.with_name(f"{path.name}.part")
    try:
        _receive(url, part, on_bytes)
    except urllib.error.HTTPError as error:
        raise UserError(f"cannot download {url}: {error.code} {error.reason}") from error
    except (OSError, http.client.HTTPException) as error:
        kept = part.stat().st_size if part.exists() else 0
        why = getattr(error, "reason", None) or error
        raise UserError(f"cannot download {url}: {why}; {kept:,} bytes are kept, run it again to go on") from error
    algorithm, _, expected = checksum.partition(":")
    with part.open("rb") as file:
        found = hashlib.file_digest(file, algorithm).hexdigest()
    if found != expected:
        part.unlink()
        raise UserError(f"{url}: {algorithm} is {found}, expected {expected}; the download was thrown away")
    os.replace(part, path)


def _receive(url: str, part: Path, on_bytes: OnBytes | None) -> None:
    """Fetch what `part` does not have yet; a server that does not know ranges sends it all again."""
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if have and error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return  # nothing is left to fetch; the checksum will tell
        raise
    with response:
        goes_on = response.status == http.HTTPStatus.PARTIAL_CONTENT
        arrived = have if goes_on else 0
        length = response.headers.get("Content-Length")
        total = None if length is None else arrived + int(length)
        with part.open("ab" if goes_on else "wb") as file:
            while chunk := response.read(CHUNK):
                file.write(chunk)
                arrived += len(chunk)
                if on_bytes:
                    on_bytes(part.stem, arrived, total)
    if total is not None and arrived < total:
        raise http.client.HTTPException(f"it broke off after {arrived:,} of {total:,} bytes")
