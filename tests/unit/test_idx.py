import gzip

import numpy as np
import pytest

from optshare.errors import DataError
from optshare.idx import mnist, read_idx, write_idx

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("name", ["array", "array.gz"])
@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16", "int32", "float32", "float64"])
def test_an_array_comes_back_as_it_was_written(name, dtype, tmp_path):
    array = (100 * RNG.normal(size=(3, 4, 5))).astype(dtype)
    write_idx(tmp_path / name, array)
    found = read_idx(tmp_path / name)
    np.testing.assert_array_equal(found, array)
    assert found.dtype == array.dtype
    assert found.dtype.isnative


def test_the_bytes_are_those_of_the_format(tmp_path):
    write_idx(tmp_path / "labels", np.array([5, 0, 255], np.uint8))
    wanted = bytes([0, 0, 8, 1, 0, 0, 0, 3, 5, 0, 255])
    assert (tmp_path / "labels").read_bytes() == wanted
    write_idx(tmp_path / "one", np.array([[258]], np.int16))
    assert (tmp_path / "one").read_bytes()[-2:] == bytes([1, 2])


@pytest.mark.parametrize(
    ("content", "essence"),
    [
        (b"", "byte 0: an IDX file begins"),
        (b"\x89PNG....", "byte 0: .* not '89504e47'"),
        (bytes([0, 0, 8, 2, 0, 0, 0, 3]), "byte 8: the file ends within the sizes of 2 axes"),
        (
            bytes([0, 0, 8, 1, 0, 0, 0, 3, 1, 2]),
            r"byte 10: an array of shape \(3,\) and uint8 ends",
        ),
        (bytes([0, 0, 8, 1, 0, 0, 0, 1, 1, 2]), "byte 9: .* ends at byte 9, the file at 10"),
        (gzip.compress(b"abc" * 100)[:-9], "cannot be decompressed"),
    ],
)
def test_a_damaged_file_is_named_with_the_place(content, essence, tmp_path):
    path = tmp_path / "broken"
    path.write_bytes(content)
    with pytest.raises(DataError, match=essence) as caught:
        read_idx(path)
    assert str(path) in str(caught.value)


def test_a_dtype_that_the_format_lacks_is_refused(tmp_path):
    with pytest.raises(DataError, match="cannot hold int64"):
        write_idx(tmp_path / "x", np.zeros(1, np.int64))


def test_mnist_reads_the_four_files(tmp_path):
    images = RNG.integers(0, 256, (2, 28, 28)).astype(np.uint8)
    write_idx(tmp_path / "train-images-idx3-ubyte", images)
    write_idx(tmp_path / "train-labels-idx1-ubyte.gz", np.array([3, 9], np.uint8))
    write_idx(tmp_path / "t10k-images.idx3-ubyte", images[:1])
    write_idx(tmp_path / "t10k-labels.idx1-ubyte", np.array([4], np.uint8))
    xtrn, ytrn, xtst, ytst = mnist(tmp_path)
    np.testing.assert_array_equal(xtrn, images[:, None].astype(np.float32) / np.float32(255))
    assert (xtrn.dtype, ytrn.tolist(), xtst.shape, ytst.tolist()) == (
        np.float32,
        [3, 9],
        (1, 1, 28, 28),
        [4],
    )
    (tmp_path / "t10k-labels.idx1-ubyte").unlink()
    with pytest.raises(DataError, match=r"no file t10k-labels-idx1-ubyte, nor with \.gz"):
        mnist(tmp_path)
    write_idx(tmp_path / "t10k-labels.idx1-ubyte", np.array([4, 5], np.uint8))
    with pytest.raises(
        DataError, match=r"t10k: images of shape \(1, 28, 28\) for labels of shape \(2,\)"
    ):
        mnist(tmp_path)
