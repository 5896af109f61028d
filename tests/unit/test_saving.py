"""state_dict and load_state_dict: all that a model has learned, by path, on every engine."""

import itertools
import sys

import jax.numpy as jnp
import numpy as np
import pytest
import torch

import optshare
from optshare import Buffer, Parameter, load_state_dict, registry, state_dict
from optshare.errors import EmptyModelError, OptshareError, WeightsError

ENGINES = ["tape", "functional", "torch", "jax", "autograd"]


def classifier(dtype=np.float64, seed=0):
    optshare.seed(seed)
    return optshare.Chain(
        optshare.Dense(4, 3, optshare.tanh, dtype=dtype),
        optshare.Dropout(0.3, seed=3),
        optshare.Dense(3, 2, dtype=dtype),
    )


PATHS = ["layers.0.weight", "layers.0.bias", "layers.1.calls", "layers.2.weight", "layers.2.bias"]


def assert_equal(one, other):
    assert list(one) == list(other)
    for path, array in one.items():
        np.testing.assert_array_equal(array, other[path], strict=True)


# -- state_dict -------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ENGINES)
def test_the_state_of_every_engine_is_the_same_arrays_of_numpy(engine):
    wanted = state_dict(classifier())
    found = state_dict(optshare.to(classifier(), engine))
    assert list(found) == PATHS
    assert all(type(array) is np.ndarray for array in found.values())
    assert_equal(found, wanted)


def test_the_state_is_a_copy():
    model = classifier()
    state = state_dict(model)
    kept = {path: array.copy() for path, array in state.items()}
    for array in state.values():
        array[...] = 7
    assert_equal(state_dict(model), kept)
    assert state["layers.1.calls"] == 7


def test_a_tied_parameter_is_there_once_under_its_first_path():
    w = Parameter([1.0, 2.0])
    state = state_dict({"encoder": w, "decoder": [w], "n": Buffer(3)})
    assert {path: each.tolist() for path, each in state.items()} == {"encoder": [1.0, 2.0], "n": 3}


def test_the_state_may_be_taken_inside_a_differentiation():
    w, found = Parameter([2.0]), []

    def loss():
        found.append(state_dict([w]))
        return (w * w).sum()

    optshare.value_and_gradient(loss, wrt=w)
    assert type(found[0]["0"]) is np.ndarray
    assert found[0]["0"].tolist() == [2.0]


@pytest.mark.parametrize("engine", ["torch", "jax"])
def test_bfloat16_is_read_as_float32_and_comes_back_exactly(engine):
    one = optshare.to(optshare.Dense(2, 3), engine, dtype="bfloat16")
    other = optshare.to(optshare.Dense(2, 3), engine, dtype="bfloat16")
    state = state_dict(one)
    assert {each.dtype.name for each in state.values()} == {"float32"}
    load_state_dict(other, state)
    assert "bfloat16" in str(other.weight.dtype)
    assert_equal(state_dict(other), state)


# -- load_state_dict --------------------------------------------------------------------------


@pytest.mark.parametrize("pair", list(itertools.product(ENGINES, repeat=2)), ids="-".join)
def test_the_state_of_one_engine_loads_on_another(pair):
    one, other = optshare.to(classifier(), pair[0]), optshare.to(classifier(seed=1), pair[1])
    kinds = [type(p.stored) for p in optshare.params(other)]
    state = state_dict(one)
    load_state_dict(other, state)
    assert_equal(state_dict(other), state)
    assert [type(p.stored) for p in optshare.params(other)] == kinds


@pytest.mark.parametrize("engine", ENGINES)
def test_what_was_given_is_not_kept(engine):
    model = optshare.to(classifier(), engine)
    state = {path: np.array(array) for path, array in state_dict(classifier(seed=1)).items()}
    load_state_dict(model, state)
    kept = state_dict(model)
    for array in state.values():
        array[...] = 7
    assert_equal(state_dict(model), kept)


@pytest.mark.parametrize("engine", ENGINES)
def test_identities_and_the_state_of_an_optimizer_stay(engine):
    model = optshare.to(optshare.Dense(2, 2, dtype=np.float64), engine)
    opt = optshare.Adam(model, lr=0.1)
    key, gradients = model.weight, [np.ones((2, 2)), np.ones(2)]
    asarray = registry.load(engine).ops.asarray
    opt.update([asarray(g) for g in gradients])
    saved, moment = state_dict(model), np.array(opt.state_for(key).exp_avg)
    opt.update([asarray(g) for g in gradients])
    load_state_dict(model, saved)
    assert model.weight is key
    assert opt.state_for(key).t == 2
    assert (np.asarray(opt.state_for(key).exp_avg) > moment).all()
    np.testing.assert_array_equal(np.asarray(key.value), saved["weight"])
    opt.update([asarray(g) for g in gradients])  # goes on from the loaded weights
    # Adam's step for a constant gradient is lr / (1 + eps), of eps = 1e-8
    moved = saved["weight"] - np.asarray(key.value)
    np.testing.assert_allclose(moved, 0.1 / (1 + 1e-8), rtol=1e-12)


def test_the_model_keeps_its_dtypes():
    wide, narrow = classifier(np.float64), classifier(np.float32, seed=1)
    load_state_dict(narrow, state_dict(wide))
    assert {p.dtype.name for p in optshare.params(narrow)} == {"float32"}
    np.testing.assert_array_equal(narrow[0].weight.value, wide[0].weight.value.astype(np.float32))
    load_state_dict(wide, state_dict(narrow))
    np.testing.assert_array_equal(narrow[0].weight.value, wide[0].weight.value, strict=False)
    assert wide[0].weight.dtype == np.float64


def test_a_frozen_parameter_is_saved_and_loaded_and_stays_frozen():
    one, other = optshare.Dense(2, 2), optshare.Dense(2, 2)
    optshare.freeze(one)
    optshare.freeze(other)
    load_state_dict(other, state_dict(one))
    assert_equal(state_dict(other), state_dict(one))
    assert other.weight.frozen


def test_buffers_are_loaded_and_keep_their_dtype():
    model = classifier()
    state = state_dict(model)
    state["layers.1.calls"] = np.int64(41)
    load_state_dict(model, state)
    assert model[1].calls.value == 41
    assert model[1].calls.dtype == np.int32


def test_arrays_of_any_engine_and_lists_are_taken():
    model = optshare.Dense(2, 1, dtype=np.float64)
    load_state_dict(model, {"weight": torch.tensor([[1.0], [2.0]]), "bias": jnp.asarray([3.0])})
    assert (model.weight.value.tolist(), model.bias.value.tolist()) == ([[1.0], [2.0]], [3.0])
    load_state_dict(model, {"weight": [[1], [2]], "bias": [4.0]})
    assert model.bias.value.tolist() == [4.0]


@pytest.mark.parametrize(
    "given",
    [{"a": [2.0]}, {"b": [2.0]}, {"a": [2.0], "b": [2.0]}],
    ids=["first", "alias", "both"],
)
def test_a_tied_parameter_may_stand_under_any_of_its_paths(given):
    w = Parameter([1.0])
    load_state_dict({"a": w, "b": w}, given)
    assert w.value.tolist() == [2.0]


def test_tied_paths_with_other_numbers_are_refused():
    w = Parameter([1.0])
    with pytest.raises(WeightsError, match="'a' and 'b' are one array here, and have other num"):
        load_state_dict({"a": w, "b": w}, {"a": [2.0], "b": [3.0]})
    assert w.value.tolist() == [1.0]
    load_state_dict({"a": w, "b": w}, {"a": [np.nan], "b": [np.nan]})
    assert np.isnan(w.value).all()


def test_the_arrays_of_a_plain_tree_are_written_in_place():
    w, b = np.zeros(2), torch.zeros(2, requires_grad=True)
    load_state_dict([w, {"b": b}], {"0": [1.0, 2.0], "1.b": [3.0, 4.0]})
    assert (w.tolist(), b.tolist()) == ([1.0, 2.0], [3.0, 4.0])
    assert b.requires_grad


# -- what does not fit ------------------------------------------------------------------------

WRONG = {
    "missing": ({"weight": np.ones((2, 3))}, r"'bias' is missing, of shape \(3,\)"),
    "unexpected": ({"weight": np.ones((2, 3)), "bias": np.ones(3), "c": np.ones(1)},
                   "'c' is not in the model"),
    "no name": ({"weight": np.ones((2, 3)), "bias": np.ones(3), 3: np.ones(1)},
                "3 is not in the model"),
    "shape": ({"weight": np.ones((3, 2)), "bias": np.ones(3)},
              r"'weight' has shape \(3, 2\) there, \(2, 3\) here"),
    "axes": ({"weight": np.ones((2, 3)), "bias": np.ones((3, 1))}, r"\(3, 1\) there, \(3,\) here"),
    "complex": ({"weight": np.ones((2, 3)), "bias": np.ones(3, complex)},
                "'bias' has dtype complex128 there, float32 here"),
    "text": ({"weight": np.ones((2, 3)), "bias": np.array(["a", "b", "c"])},
             "'bias' has dtype <U1 there"),
    "objects": ({"weight": np.ones((2, 3)), "bias": np.array([None] * 3)}, "dtype object there"),
    "too large": ({"weight": np.ones((2, 3)), "bias": np.full(3, 1e300)},
                  "'bias' has numbers there that float32 cannot hold"),
    "ragged": ({"weight": [[1.0], [1.0, 2.0]], "bias": np.ones(3)}, "'weight' is no array there"),
    "a box": ({"weight": Parameter(np.ones((2, 3))), "bias": np.ones(3)},
              "'weight' is no array there.*value"),
    "no dict": ([np.ones((2, 3)), np.ones(3)], "the weights are a list, not a dict"),
}  # fmt: skip


@pytest.mark.parametrize("engine", ["tape", "torch", "jax"])
@pytest.mark.parametrize("case", WRONG)
def test_weights_of_another_model_are_refused_and_nothing_changes(case, engine):
    given, message = WRONG[case]
    model = optshare.to(optshare.Dense(2, 3), engine)
    before, versions = state_dict(model), [p.version for p in optshare.params(model)]
    with pytest.raises(WeightsError, match=message):
        load_state_dict(model, given)
    assert_equal(state_dict(model), before)
    assert [p.version for p in optshare.params(model)] == versions


def test_all_that_does_not_fit_is_named_up_to_a_number():
    with pytest.raises(WeightsError) as caught:
        load_state_dict(optshare.Dense(2, 3), {"weight": np.ones(1), "x": np.ones(1)})
    for each in ("'weight' has shape", "'bias' is missing", "'x' is not in the model"):
        assert each in str(caught.value)
    with pytest.raises(WeightsError, match=r"; and 12 more$"):
        load_state_dict([Parameter([1.0]) for _ in range(20)], {})
    assert issubclass(WeightsError, OptshareError)
    assert issubclass(WeightsError, ValueError)


def test_a_counter_that_does_not_fit_is_refused():
    counter = Buffer(np.int8(0))
    with pytest.raises(WeightsError, match="numbers there that int8 cannot hold"):
        load_state_dict([counter], {"0": np.array(300)})
    with pytest.raises(WeightsError, match="dtype float64 there, int8 here"):
        load_state_dict([counter], {"0": np.array(3.0)})
    assert counter.value == 0


def test_infinities_and_nan_are_numbers_like_others():
    w = Parameter(np.zeros(3, np.float16))
    load_state_dict([w], {"0": [np.inf, -np.inf, np.nan]})
    np.testing.assert_array_equal(w.value, np.array([np.inf, -np.inf, np.nan], np.float16))


def test_loading_inside_a_differentiation_is_refused():
    w, n = Parameter([2.0]), Buffer(1)

    def loss():
        load_state_dict([n, w], {"0": 5, "1": [3.0]})
        return (w * w).sum()

    with pytest.raises(WeightsError, match="load after the loss has returned"):
        optshare.gradient(loss, wrt=w)
    assert (w.value.tolist(), int(n.value)) == ([2.0], 1)


def read_only():
    array = np.zeros(1)
    array.flags.writeable = False
    return array


@pytest.mark.parametrize(
    ("make", "kind"),
    [(read_only, "ndarray"), (lambda: jnp.zeros(1), "ArrayImpl"),
     (lambda: torch.zeros(1, dtype=torch.bfloat16, requires_grad=True), "Tensor")],
)  # fmt: skip
def test_an_array_that_cannot_be_written_is_refused_before_any_is(make, kind):
    model = [np.zeros(1), make()]
    with pytest.raises(WeightsError, match=f"the {kind} at '1' cannot be written; hold it in a P"):
        load_state_dict(model, {"0": [1.0], "1": [1.0]})
    assert model[0].tolist() == [0.0]
    assert state_dict(model)["1"].tolist() == [0.0]


def test_a_model_of_nothing_is_refused():
    with pytest.raises(EmptyModelError):
        state_dict([1, 2])
    with pytest.raises(EmptyModelError):
        load_state_dict([1, 2], {})


# -- parameters whose size is not known yet ---------------------------------------------------


def test_a_parameter_of_unknown_size_cannot_be_saved():
    with pytest.raises(WeightsError, match=r"'1\.weight' has no numbers yet.*\(None, 3\); call b"):
        state_dict([optshare.Dense(2, 4), optshare.Dense(3)])


@pytest.mark.parametrize("engine", ["tape", "torch", "jax"])
def test_a_parameter_of_unknown_size_takes_the_size_of_its_weights(engine):
    model = optshare.to(optshare.Chain(optshare.Dense(8), optshare.Dense(3)), engine)
    key = model[1].weight
    state = state_dict(optshare.Chain(optshare.Dense(4, 8), optshare.Dense(8, 3)))
    load_state_dict(model, state)
    assert model[1].weight is key
    assert type(key.value) is type(registry.load(engine).ops.asarray(np.ones(1)))
    assert_equal(state_dict(model), state)


@pytest.mark.parametrize("shape", [(4, 2), (3,), (4, 3, 1)])
def test_a_parameter_of_unknown_size_refuses_what_does_not_agree(shape):
    layer, w = optshare.Dense(3), Parameter([1.0])
    given = {"0": [2.0], "1.weight": np.ones(shape), "1.bias": np.ones(3)}
    with pytest.raises(WeightsError, match=r"there, \(None, 3\) here"):
        load_state_dict([w, layer], given)
    assert not layer.weight.built
    assert w.value.tolist() == [1.0]


# -- frameworks' own modules ------------------------------------------------------------------


def network(seed):
    torch.manual_seed(seed)
    return torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))


def test_a_torch_module_has_its_parameters_and_its_buffers():
    net = network(0)
    net(torch.randn(8, 2))
    state = state_dict(net)
    theirs = net.state_dict()
    assert set(state) == set(theirs)
    for path, array in state.items():
        np.testing.assert_array_equal(array, theirs[path].numpy(), strict=True)


def test_a_torch_module_is_loaded_in_place():
    one, other = network(0), network(1)
    one(torch.randn(8, 2))
    optshare.freeze(other)
    tensors = list(other.state_dict(keep_vars=True).values())
    load_state_dict(other, state_dict(one))
    assert all(
        a is b for a, b in zip(other.state_dict(keep_vars=True).values(), tensors, strict=True)
    )
    for path, tensor in one.state_dict().items():
        assert torch.equal(tensor, other.state_dict()[path])
    assert not other[0].weight.requires_grad
    load_state_dict(other, network(2).state_dict())  # torch's own will do
    assert torch.equal(other[0].weight, network(2)[0].weight)


def test_a_torch_module_within_a_shared_model_has_its_place_in_the_paths():
    model = optshare.Chain(optshare.Dense(2, 2), network(0))
    other = optshare.Chain(optshare.Dense(2, 2), network(1))
    state = state_dict(model)
    assert list(state)[:3] == ["layers.0.weight", "layers.0.bias", "layers.1.0.weight"]
    assert "layers.1.1.running_mean" in state
    load_state_dict(other, state)
    assert_equal(state_dict(other), state)


def test_what_torch_does_not_save_is_not_saved_and_what_is_no_tensor_is_refused():
    class Module(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.w = torch.nn.Parameter(torch.ones(1))
            self.v = self.w
            self.register_buffer("kept", torch.ones(1))
            self.register_buffer("again", self.kept)
            self.register_buffer("cache", torch.ones(1), persistent=False)

    assert list(state_dict(Module())) == ["w", "kept"]
    Module.get_extra_state = lambda self: "text"
    with pytest.raises(OptshareError, match=r"'_extra_state' .* no tensor; save such a module"):
        state_dict(Module())


def test_a_lazy_torch_module_says_what_to_do():
    with pytest.raises(WeightsError, match=r"'weight', UninitializedParameter .*dummy batch"):
        state_dict(torch.nn.LazyLinear(3))


def test_a_flax_module_is_saved_and_loaded():
    nnx = pytest.importorskip("flax.nnx")

    class Net(nnx.Module):
        def __init__(self, seed):
            rngs = nnx.Rngs(seed)
            self.linear, self.norm = nnx.Linear(2, 3, rngs=rngs), nnx.BatchNorm(3, rngs=rngs)
            self.dropout = nnx.Dropout(0.5, rngs=rngs)

        def __call__(self, x):
            return self.norm(self.linear(x))

    one, other = Net(0), Net(1)
    one(jnp.arange(8, dtype=jnp.float32).reshape(4, 2))
    state = state_dict(one)
    assert set(state) == {
        "linear.kernel", "linear.bias", "norm.scale", "norm.bias", "norm.mean", "norm.var",
    }  # fmt: skip
    kernel = other.linear.kernel
    load_state_dict(other, state)
    assert other.linear.kernel is kernel
    assert_equal(state_dict(other), state)
    np.testing.assert_array_equal(one.norm.mean.get_value(), other.norm.mean.get_value())
    assert (np.asarray(other.norm.mean.get_value()) != 0).any()


def test_an_equinox_module_is_read_but_cannot_be_written():
    eqx = pytest.importorskip("equinox")

    class Net(eqx.Module):
        w: object
        places: object

    net = Net(jnp.ones(2), jnp.arange(3))
    state = state_dict(net)
    assert {path: each.tolist() for path, each in state.items()} == {
        "w": [1.0, 1.0], "places": [0, 1, 2],
    }  # fmt: skip
    with pytest.raises(WeightsError, match=r"the ArrayImpl at 'w' .*its framework's own means"):
        load_state_dict(net, state)


def test_importing_optshare_loads_no_file_format():
    import subprocess

    code = "import optshare, sys; print([m for m in sys.modules if 'safetensors' in m])"
    code += "; optshare.state_dict; print('safetensors' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.split("\n")[:2] == ["[]", "False"]
