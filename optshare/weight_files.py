"""Files of weights, in the safetensors format."""

from __future__ import annotations

import json
import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy

from optshare.errors import WeightsError
from optshare.inventory import inventory
from optshare.matching import Arrays
from optshare.saving import load_state_dict, state_dict

FORMAT = "optshare.weights.1"
DTYPES = {
    "BOOL": "bool",
    "U8": "uint8",
    "I8": "int8",
    "U16": "uint16",
    "I16": "int16",
    "U32": "uint32",
    "I32": "int32",
    "U64": "uint64",
    "I64": "int64",
    "F16": "float16",
    "F32": "float32",
    "F64": "float64",
    "C64": "complex64",
}
"""NumPy's names of the dtypes of the format."""

Place = str | os.PathLike[str]


def save_weights(model: Any, path: Place) -> None:
    """Write all that a model has learned into a safetensors file.

    The file is written beside the old one and takes its place when it is whole:
    who reads meanwhile finds the old one or the new one, and after a failure the
    old one is still there. The names and arrays are those of `state_dict`; which
    paths are tied stands in the metadata.

    Raises:
        EmptyModelError: the model holds no Parameter and no Buffer.
        WeightsError: an array cannot be stored, or the file cannot be written.

    >>> import tempfile
    >>> from optshare import Dense
    >>> one, other = Dense(2, 3), Dense(2, 3)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_weights(one, f"{folder}/dense.safetensors")
    ...     load_weights(other, f"{folder}/dense.safetensors")
    >>> bool((one.weight == other.weight).all())
    True
    """
    arrays = {name: _storable(name, each) for name, each in state_dict(model).items()}
    ties = {each.path: each.aliases for each in inventory(model) if each.aliases}
    metadata = {"format": FORMAT, **({"aliases": json.dumps(ties)} if ties else {})}
    try:
        data = safetensors.numpy.save(arrays, metadata)
    except safetensors.SafetensorError as error:
        raise WeightsError(f"{path} cannot be written: {error}") from error
    _write_whole(Path(os.path.realpath(path)), data)


def load_weights(model: Any, path: Place) -> None:
    """Give a model the weights of a safetensors file; strict, as `load_state_dict` is.

    A file that others wrote will do, if its names and shapes are the model's.

    Raises:
        WeightsError: the file is not there, not whole or no safetensors file, or
            it does not fit the model, which is unchanged.

    >>> from optshare import Dense
    >>> load_weights(Dense(2, 3), "nowhere.safetensors")
    Traceback (most recent call last):
    optshare.errors.WeightsError: nowhere.safetensors cannot be read: No such file or directory
    """
    arrays, ties = _contents(path)
    try:
        load_state_dict(model, arrays)
    except WeightsError as error:
        tied = "; ".join(f"there {first!r} is also {', '.join(ties[first])}" for first in ties)
        raise WeightsError(f"{path}: {error}{tied and f' ({tied})'}") from error


def _storable(name: str, array: Any) -> Any:
    """An array in the order and byte order that the format has."""
    if array.dtype.name not in DTYPES.values() or name == "__metadata__":
        raise WeightsError(
            f"{name!r}, of {array.dtype}, cannot be stored in a safetensors file, which has "
            f"{', '.join(DTYPES.values())}; numpy.savez(file, **state_dict(model)) can"
        )
    return np.array(array, array.dtype.newbyteorder("<"), order="C")


def _write_whole(place: Path, data: bytes) -> None:
    if place.exists() and not place.is_file():
        raise WeightsError(f"{place} cannot be written: it is there, and no file")
    beside = place.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        with beside.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, place)
    except OSError as error:
        raise WeightsError(f"{place} cannot be written: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            beside.unlink()


def _contents(path: Place) -> tuple[Arrays, dict[str, list[str]]]:
    """The arrays of a file, and which names it says are tied."""
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error.strerror or error}") from error
    try:
        library: Any = safetensors  # which annotates no more than a part
        tensors = library.deserialize(data)
        ties = _ties(data)
    except (safetensors.SafetensorError, ValueError) as error:
        raise WeightsError(f"{path} is no whole file of weights: {error}") from error
    return {name: _array(path, name, each) for name, each in tensors}, ties


def _ties(data: bytes) -> dict[str, list[str]]:
    """What the metadata of a file that the library has found whole says of ties."""
    size = int.from_bytes(data[:8], "little")
    metadata = json.loads(data[8 : 8 + size]).get("__metadata__", {})
    form = metadata.get("format", "")
    if form.startswith("optshare.") and form != FORMAT:
        raise ValueError(f"its format is {form!r}, not {FORMAT!r}")
    return json.loads(metadata.get("aliases", "{}")) if form == FORMAT else {}


def _array(path: Place, name: str, tensor: dict[str, Any]) -> Any:
    kind, shape = tensor["dtype"], tensor["shape"]
    if kind == "BF16":  # the upper half of a float32
        halves = np.frombuffer(tensor["data"], "<u2").reshape(shape)
        return (halves.astype(np.uint32) << 16).view(np.float32)
    if kind not in DTYPES:
        raise WeightsError(f"{path}: {name!r} has dtype {kind}, which NumPy does not have")
    little = np.dtype(DTYPES[kind]).newbyteorder("<")
    return np.frombuffer(tensor["data"], little).reshape(shape)
