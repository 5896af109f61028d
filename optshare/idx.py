"""IDX files, the format of MNIST (LeCun et al. 1998): arrays with a head of their shape."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from optshare.errors import DataError

_DTYPES = {
    0x08: ">u1",
    0x09: ">i1",
    0x0B: ">i2",
    0x0C: ">i4",
    0x0D: ">f4",
    0x0E: ">f8",
}


def read_idx(path: str | Path) -> np.ndarray[Any, Any]:
    """The array in an IDX file, which may be compressed by gzip.

    Raises:
        DataError: the file is no IDX file, is damaged, or ends early; the message
            names the file and the place.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_idx(f"{folder}/labels", np.array([7, 2], np.uint8))
    ...     read_idx(f"{folder}/labels")
    array([7, 2], dtype=uint8)
    """
    data = _content(Path(path))
    if len(data) < 4 or data[:2] != b"\0\0" or data[2] not in _DTYPES:
        raise DataError(
            f"{path}: byte 0: an IDX file begins with two zeros and a type, not {data[:4].hex()!r}"
        )
    dtype, axes = np.dtype(_DTYPES[data[2]]), data[3]
    head = 4 + 4 * axes
    if len(data) < head:
        raise DataError(f"{path}: byte {len(data)}: the file ends within the sizes of {axes} axes")
    shape = struct.unpack(f">{axes}I", data[4:head])
    wanted = head + math.prod(shape) * dtype.itemsize
    if len(data) != wanted:
        raise DataError(
            f"{path}: byte {min(len(data), wanted)}: an array of shape {shape} and {dtype.name} "
            f"ends at byte {wanted}, the file at {len(data)}"
        )
    return np.frombuffer(data, dtype, offset=head).reshape(shape).astype(dtype.newbyteorder("="))


def _content(path: Path) -> bytes:
    data = path.read_bytes()
    if data[:2] != b"\x1f\x8b":
        return data
    try:
        return gzip.decompress(data)
    except (EOFError, OSError, zlib.error) as error:
        raise DataError(f"{path}: cannot be decompressed: {error}") from error


def write_idx(path: str | Path, array: np.ndarray[Any, Any]) -> None:
    """Write an array as an IDX file; by gzip, if the name ends in `.gz`.

    Raises:
        DataError: the format has no such dtype.
    """
    array = np.asarray(array)
    codes = {np.dtype(each).newbyteorder("="): code for code, each in _DTYPES.items()}
    if array.dtype not in codes:
        raise DataError(f"an IDX file cannot hold {array.dtype}; choices: {[*map(str, codes)]}")
    head = struct.pack(f">BBBB{array.ndim}I", 0, 0, codes[array.dtype], array.ndim, *array.shape)
    data = head + array.astype(array.dtype.newbyteorder(">")).tobytes()
    compressed = Path(path).suffix == ".gz"
    Path(path).write_bytes(gzip.compress(data, mtime=0) if compressed else data)


def mnist(folder: str | Path) -> tuple[Any, Any, Any, Any]:
    """`xtrn, ytrn, xtst, ytst` from a folder with the four files of MNIST, or of its kin.

    Images are float32 in [0, 1], of shape (count, 1, height, width); labels are
    integers. The files are `train-images-idx3-ubyte` and so on, maybe with `.gz`.

    Raises:
        DataError: a file is missing or damaged, or images and labels are not as many.
    """
    parts = [_pair(Path(folder), part) for part in ("train", "t10k")]
    return (*parts[0], *parts[1])


def _pair(folder: Path, part: str) -> tuple[Any, Any]:
    images = read_idx(_found(folder, f"{part}-images", "idx3-ubyte"))
    labels = read_idx(_found(folder, f"{part}-labels", "idx1-ubyte"))
    if images.ndim != 3 or labels.ndim != 1 or len(images) != len(labels):
        raise DataError(
            f"{folder}: {part}: images of shape {images.shape} for labels of shape {labels.shape}"
        )
    return images[:, None].astype(np.float32) / np.float32(255), labels.astype(np.int64)


def _found(folder: Path, name: str, kind: str) -> Path:
    for joint in "-.":
        for ending in ("", ".gz"):
            path = folder / f"{name}{joint}{kind}{ending}"
            if path.exists():
                return path
    raise DataError(f"{folder}: no file {name}-{kind}, nor with .gz")
