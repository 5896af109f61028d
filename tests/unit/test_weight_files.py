"""Files of weights: exact, strict, and never half written."""

import json
import os
import pathlib
import stat
import threading

import numpy as np
import pytest
import safetensors
import safetensors.numpy
import safetensors.torch
import torch

import optshare
from optshare import Buffer, Parameter, load_weights, save_weights, state_dict, weight_files
from optshare.errors import EmptyModelError, WeightsError

ENGINES = ["tape", "functional", "torch", "jax", "autograd"]


def dense(seed=0, dtype=np.float32):
    optshare.seed(seed)
    return optshare.Chain(
        optshare.Dense(2, 3, dtype=dtype), optshare.Dropout(0.5, seed=1), optshare.Dense(3, 1)
    )


def assert_equal(one, other):
    assert list(one) == list(other)
    for path, array in one.items():
        np.testing.assert_array_equal(array, other[path], strict=True)


def written(folder):
    return sorted(each.name for each in folder.iterdir())


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


# -- there and back ---------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ENGINES)
def test_a_file_of_every_engine_is_the_same_and_loads_exactly(engine, path, tmp_path):
    one, other = optshare.to(dense(), engine), optshare.to(dense(1), engine)
    save_weights(one, path)
    load_weights(other, path)
    assert_equal(state_dict(other), state_dict(one))
    save_weights(dense(), tmp_path / "tape")
    assert path.read_bytes() == (tmp_path / "tape").read_bytes()


DTYPES = ["float16", "float32", "float64", "complex64"]


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_bit_of_a_parameter_comes_back(dtype, path):
    wide = np.random.default_rng(0).integers(0, 256, 4096, np.uint8).view(dtype)  # with NaN's
    one, other = Parameter(wide), Parameter(np.zeros_like(wide))
    save_weights([one], path)
    load_weights([other], path)
    assert other.value.tobytes() == wide.tobytes()


@pytest.mark.parametrize(
    "dtype", ["bool", "uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64"]
)
def test_every_whole_number_of_a_buffer_comes_back(dtype, path):
    limits = [False, True] if dtype == "bool" else [np.iinfo(dtype).min, np.iinfo(dtype).max]
    one, other = Buffer(np.array(limits, dtype)), Buffer(np.zeros(2, dtype))
    save_weights([one], path)
    load_weights([other], path)
    np.testing.assert_array_equal(other.value, one.value, strict=True)


@pytest.mark.parametrize("shape", [(), (0, 3), (2, 3, 4)])
def test_every_shape_comes_back(shape, path):
    one = Parameter(np.random.default_rng(0).random(shape))
    other = Parameter(np.zeros(shape))
    save_weights([one], path)
    load_weights([other], path)
    np.testing.assert_array_equal(other.value, one.value, strict=True)


@pytest.mark.parametrize(
    "array",
    [np.arange(6.0).reshape(2, 3).T, np.arange(6.0).reshape(2, 3)[:, ::-1],
     np.arange(6, dtype=">f8").reshape(3, 2)],
    ids=["transposed", "reversed", "big-endian"],
)  # fmt: skip
def test_the_order_of_an_array_in_memory_does_not_matter(array, path):
    save_weights([Buffer(array)], path)
    np.testing.assert_array_equal(safetensors.numpy.load_file(path)["0"], array)


@pytest.mark.parametrize("engine", ["torch", "jax"])
def test_bfloat16_is_stored_as_float32_and_comes_back_exactly(engine, path):
    one = optshare.to(optshare.Dense(2, 3), engine, dtype="bfloat16")
    other = optshare.to(optshare.Dense(2, 3), engine, dtype="bfloat16")
    save_weights(one, path)
    assert safetensors.numpy.load_file(path)["weight"].dtype == np.float32
    load_weights(other, path)
    assert_equal(state_dict(other), state_dict(one))


def test_ties_are_stored_once_and_named_in_the_metadata(path):
    w = Parameter([1.0])
    save_weights({"a": w, "b": [w, w], "c": Parameter([2.0])}, path)
    with safetensors.safe_open(path, "np") as file:
        assert sorted(file.keys()) == ["a", "c"]
        metadata = file.metadata()
    assert metadata["format"] == "optshare.weights.1"
    assert json.loads(metadata["aliases"]) == {"a": ["b.0", "b.1"]}
    v = Parameter([0.0])
    load_weights({"a": v, "b": [v, v], "c": Parameter([0.0])}, path)
    assert v.value.tolist() == [1.0]
    with pytest.raises(WeightsError, match=r"'b\.0' is missing.*\(there 'a' is also b\.0, b\.1\)"):
        load_weights({"a": v, "b": [Parameter([0.0]), v], "c": Parameter([0.0])}, path)


def test_training_goes_on_from_a_file_as_if_it_had_not_stopped(path, tmp_path):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(8, 2)).astype(np.float32), rng.normal(size=(8, 1)).astype(np.float32)

    def steps(model, opt, times):
        for _ in range(times):
            opt.step(lambda: optshare.mse(model(x), y))

    whole = dense()
    steps(whole, optshare.Adam(whole, lr=0.1), 6)
    half = dense()
    opt = optshare.Adam(half, lr=0.1)
    steps(half, opt, 3)
    save_weights(half, path)
    again = dense(seed=1)
    fresh = optshare.Adam(again, lr=0.1)
    load_weights(again, path)
    fresh.load_state_dict(opt.state_dict())
    steps(again, fresh, 3)
    assert_equal(state_dict(again), state_dict(whole))


# -- files of others --------------------------------------------------------------------------


def test_a_file_of_others_is_taken_if_its_names_and_shapes_fit(path):
    net = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
    safetensors.torch.save_file(net.state_dict(), path, {"format": "pt"})
    other = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
    load_weights(other, path)
    assert torch.equal(other[0].weight, net[0].weight)
    safetensors.numpy.save_file({"w": np.ones(2)}, path)
    w = np.zeros(2)
    load_weights({"w": w}, path)
    assert w.tolist() == [1.0, 1.0]


def test_torch_takes_our_file(path):
    net, other = torch.nn.Linear(2, 3), torch.nn.Linear(2, 3)
    save_weights(net, path)
    other.load_state_dict(safetensors.torch.load_file(path))
    assert torch.equal(other.weight, net.weight)


def test_bfloat16_of_others_is_read_exactly(path):
    given = torch.randn(3, 4).to(torch.bfloat16)
    given[0, :3] = torch.tensor([torch.inf, -0.0, torch.nan])
    safetensors.torch.save_file({"w": given}, path)
    w = np.zeros((3, 4))
    load_weights({"w": w}, path)
    np.testing.assert_array_equal(w, given.double().numpy())
    assert np.signbit(w[0, 1])


def test_a_dtype_that_numpy_does_not_have_is_refused(path):
    safetensors.torch.save_file({"w": torch.ones(2).to(torch.float8_e4m3fn)}, path)
    with pytest.raises(WeightsError, match=r"model\.safetensors: 'w' has dtype F8_E4M3, which Nu"):
        load_weights([Parameter([1.0, 1.0])], path)


def test_a_file_of_another_model_names_it_and_changes_nothing(path):
    save_weights(optshare.Chain(optshare.Dense(2, 3), optshare.Dense(3, 2)), path)
    model = dense()
    before = state_dict(model)
    with pytest.raises(WeightsError) as caught:
        load_weights(model, path)
    for said in (str(path), "'layers.1.calls' is missing", "'layers.2.weight' is missing, of shape",
                 "'layers.1.weight' is not in the model"):  # fmt: skip
        assert said in str(caught.value)
    save_weights(optshare.Dense(3, 2), path)
    with pytest.raises(WeightsError, match=r"'weight' has shape \(3, 2\) there, \(2, 3\) here"):
        load_weights(optshare.Dense(2, 3), path)
    assert_equal(state_dict(model), before)


@pytest.mark.parametrize("form", ["optshare.saving.2", "optshare.optimizer.1"])
def test_a_later_format_is_refused(form, path):
    safetensors.numpy.save_file({"0": np.ones(1)}, path, {"format": form})
    with pytest.raises(WeightsError, match=f"its format is '{form}', not 'optshare.weights.1'"):
        load_weights([Parameter([1.0])], path)


# -- files that are none ----------------------------------------------------------------------


def test_a_file_cut_off_anywhere_is_refused(path):
    save_weights(dense(), path)
    whole, model = path.read_bytes(), dense(1)
    before = state_dict(model)
    for size in {0, 1, 7, 8, 9, len(whole) // 2, len(whole) - 1, *range(0, len(whole), 37)}:
        path.write_bytes(whole[:size])
        with pytest.raises(WeightsError, match=r"model\.safetensors is no whole file of weights"):
            load_weights(model, path)
    assert_equal(state_dict(model), before)


@pytest.mark.parametrize(
    "data", [b"junk", b"PK\x03\x04" * 50, bytes(100), b"\x02\0\0\0\0\0\0\0{}x", b"\xff" * 64]
)
def test_what_is_no_safetensors_file_is_refused(data, path):
    path.write_bytes(data)
    with pytest.raises(WeightsError, match=r"model\.safetensors"):
        load_weights(dense(), path)


def test_metadata_of_ours_that_is_no_json_is_refused(path):
    metadata = {"format": "optshare.weights.1", "aliases": "{"}
    safetensors.numpy.save_file({"0": np.ones(1)}, path, metadata)
    with pytest.raises(WeightsError, match="no whole file of weights"):
        load_weights([Parameter([1.0])], path)


def test_a_file_that_is_not_there_and_a_folder_are_refused(path, tmp_path):
    with pytest.raises(WeightsError, match=r"model\.safetensors cannot be read: No such file"):
        load_weights(dense(), path)
    with pytest.raises(WeightsError, match="cannot be read: Is a directory"):
        load_weights(dense(), tmp_path)


# -- writing ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "array", [np.ones(2, complex), np.ones(2, np.longdouble)], ids=["complex128", "longdouble"]
)
def test_what_the_format_does_not_have_is_refused_by_its_path(array, path):
    with pytest.raises(WeightsError, match=r"'a\.w', of \w+, cannot be stored.*numpy\.savez"):
        save_weights({"a": {"w": Parameter(array)}}, path)
    with pytest.raises(WeightsError, match="'__metadata__', of float64"):
        save_weights({"__metadata__": Parameter([1.0])}, path)
    with pytest.raises(EmptyModelError):
        save_weights([], path)
    assert not path.exists()


BROKEN = {
    "replacing": (os, "replace", OSError(13, "Permission denied")),
    "syncing": (os, "fsync", OSError(28, "No space left on device")),
    "interrupted": (os, "fsync", KeyboardInterrupt()),
    "opening": (pathlib.Path, "open", OSError(30, "Read-only file system")),
    "packing": (safetensors.numpy, "save", safetensors.SafetensorError("too large")),
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_write_that_fails_leaves_the_old_file_and_nothing_beside_it(how, path, monkeypatch):
    save_weights(dense(), path)
    whole = path.read_bytes()
    place, name, error = BROKEN[how]

    def fail(*args, **kwargs):
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(place, name, fail)
        kind = KeyboardInterrupt if how == "interrupted" else WeightsError
        with pytest.raises(kind) as caught:
            save_weights(dense(1), path)
    if kind is WeightsError:
        assert f"{path} cannot be written: " in str(caught.value)
    assert path.read_bytes() == whole
    assert written(path.parent) == ["model.safetensors"]


def test_the_file_is_whole_and_on_the_disk_before_it_takes_the_place(path, monkeypatch):
    done = []
    sync, replace = os.fsync, os.replace

    def syncing(file):
        done.append(("fsync", os.fstat(file).st_size))
        sync(file)

    def replacing(beside, place):
        assert os.path.dirname(beside) == os.path.dirname(place)
        done.append(("replace", os.path.getsize(beside)))
        replace(beside, place)

    monkeypatch.setattr(os, "fsync", syncing)
    monkeypatch.setattr(os, "replace", replacing)
    save_weights(dense(), path)
    size = path.stat().st_size
    assert done == [("fsync", size), ("replace", size)]


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(WeightsError, match=r"nowhere/m cannot be written: No such file or dir"):
        save_weights(dense(), tmp_path / "nowhere" / "m")


def test_what_is_no_file_is_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for place in (tmp_path / "pipe", tmp_path):
        with pytest.raises(WeightsError, match="cannot be written: it is there, and no file"):
            save_weights(dense(), place)
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


def test_a_link_stays_a_link_and_a_new_file_has_the_usual_mode(path, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(path)
    save_weights(dense(), link)
    assert link.is_symlink()
    load_weights(dense(1), path)
    usual = tmp_path / "usual"
    usual.touch()
    assert path.stat().st_mode == usual.stat().st_mode


def test_a_path_may_be_text(path):
    save_weights(dense(), str(path))
    load_weights(dense(1), str(path))
    assert written(path.parent) == ["model.safetensors"]


def test_a_reader_never_sees_half_a_file(path):
    models = [[Parameter(np.full(50_000, float(i)))] for i in range(2)]
    save_weights(models[0], path)
    stop, failures, seen = threading.Event(), [], set()

    def read():
        mine = [Parameter(np.zeros(50_000))]
        while not stop.is_set():
            try:
                load_weights(mine, path)
            except WeightsError as error:
                failures.append(error)
            seen.update(np.unique(mine[0].value).tolist())

    reader = threading.Thread(target=read)
    reader.start()
    for turn in range(60):
        save_weights(models[turn % 2], path)
    stop.set()
    reader.join()
    assert failures == []
    assert seen <= {0.0, 1.0}
    assert seen


def test_two_writers_leave_one_whole_file(path):
    threads = [
        threading.Thread(
            target=lambda i=i: [save_weights([Parameter(np.full(9999, i))], path) for _ in range(9)]
        )
        for i in range(3)
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    found = [Parameter(np.zeros(9999))]
    load_weights(found, path)
    assert len(np.unique(found[0].value)) == 1
    assert written(path.parent) == ["model.safetensors"]


def test_the_names_of_the_dtypes_are_those_of_the_library():
    assert weight_files.DTYPES["F32"] == "float32"
    for code, name in weight_files.DTYPES.items():
        data = safetensors.numpy.save({"w": np.zeros(1, name)})
        assert safetensors.deserialize(data)[0][1]["dtype"] == code
