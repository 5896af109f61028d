import copy
import gc
import pickle
import weakref

import numpy as np
import pytest

import optshare
from optshare import Parameter
from optshare.dtypes import working_dtype
from optshare.state import IdentityStore, ParameterState


@pytest.fixture
def no_gc():
    gc.collect()
    gc.disable()
    yield
    gc.enable()


# -- IdentityStore -----------------------------------------------------------------------------


def test_the_store_knows_keys_by_identity_and_never_by_equality():
    one, same = Parameter([1.0]), Parameter([1.0])
    store = IdentityStore([(one, "state")])
    assert one in store
    assert same not in store
    assert store[one] == "state"
    with pytest.raises(KeyError):
        store[same]


def test_the_store_takes_keys_whose_equality_is_elementwise_and_that_have_no_hash():
    class Tensor:
        __hash__ = None

        def __eq__(self, other):
            raise AssertionError("a key was compared")

    keys = [Tensor(), Tensor()]
    store = IdentityStore((key, place) for place, key in enumerate(keys))
    assert [store[key] for key in keys] == [0, 1]


def test_the_store_replaces_the_state_of_a_key():
    p = Parameter([1.0])
    store = IdentityStore([(p, 1)])
    store[p] = 2
    assert (store[p], len(store)) == (2, 1)


def test_the_store_forgets_a_key_that_died(no_gc):
    store, p = IdentityStore(), Parameter([1.0])
    store[p] = "state"
    del p
    assert len(store) == 0
    assert store.items() == []


def test_a_parameter_that_reuses_the_id_of_a_dead_one_has_no_state(no_gc):
    store = IdentityStore()
    old = Parameter([1.0])
    place = id(old)
    store[old] = "state of the dead"
    kept = []
    del old
    for _ in range(1000):
        new = Parameter([1.0])
        kept.append(new)
        if id(new) == place:
            break
    else:
        pytest.skip("this interpreter did not reuse the id")
    assert new not in store
    store[new] = "state of the living"
    assert [state for _, state in store.items()] == ["state of the living"]


def test_an_entry_whose_referent_is_another_object_does_not_count():
    p, q = Parameter([1.0]), Parameter([2.0])
    store = IdentityStore([(p, "state of p")])
    store._entries[id(q)] = store._entries[id(p)]
    assert q not in store
    with pytest.raises(KeyError):
        store[q]


@pytest.mark.parametrize(
    "clone", [copy.deepcopy, lambda each: pickle.loads(pickle.dumps(each))], ids=["copy", "pickle"]
)
def test_a_copy_of_keys_and_store_together_keeps_the_pairing(clone):
    keys = [Parameter([1.0]), Parameter([1.0])]
    store = IdentityStore([(keys[0], ["a"]), (keys[1], ["b"])])
    twins, copied = clone((keys, store))
    assert [copied[key] for key in twins] == [["a"], ["b"]]
    assert copied[twins[0]] is not store[keys[0]]
    assert twins[0] not in store
    assert keys[0] not in copied
    assert len(copied) == 2


def test_the_store_holds_its_keys_weakly_and_its_states_strongly(no_gc):
    class State:
        pass

    p, state = Parameter([1.0]), State()
    store, key, kept = IdentityStore([(p, state)]), weakref.ref(p), weakref.ref(state)
    del state
    assert kept() is store[p]
    del p
    assert key() is None
    assert kept() is None


# -- ParameterState ----------------------------------------------------------------------------


def test_state_shows_hyperparameters_and_arrays_as_attributes():
    state = ParameterState(optshare.Adam(lr=0.5, betas=(0.8, 0.9)))
    assert (state.lr, state.betas, state.t, state.arrays) == (0.5, (0.8, 0.9), 0, {})
    state.arrays = {"exp_avg": np.ones(2)}
    assert state.exp_avg.tolist() == [1.0, 1.0]


def test_an_unknown_attribute_of_a_state_names_the_choices():
    state = ParameterState(optshare.SGD(lr=0.5))
    with pytest.raises(AttributeError, match=r"no 'beta' here; choices: lr, .*momentum"):
        state.beta  # noqa: B018 # the access is what is tested


@pytest.mark.parametrize(
    ("dtype", "working"),
    [(np.float16, np.float32), (np.float32, np.float32), (np.float64, np.float64)],
)
def test_half_precision_keeps_its_state_in_single_precision(dtype, working):
    assert working_dtype(np.zeros(1, dtype), np) == working
    p = Parameter(np.ones(2, dtype))
    opt = optshare.Adam([p])
    opt.update(p, np.ones(2, dtype))
    assert opt.state_for(p).exp_avg.dtype == working
    assert p.dtype == dtype


def test_state_is_allocated_at_the_first_update():
    p = Parameter([1.0, 2.0])
    opt = optshare.Adam([p])
    assert opt.state_for(p).arrays == {}
    opt.update(p, np.zeros(2))
    assert sorted(opt.state_for(p).arrays) == ["exp_avg", "exp_avg_sq"]


# -- lives -------------------------------------------------------------------------------------


def test_a_thousand_rebuilt_models_leave_no_state_behind(backend, no_gc):
    references = []
    x = np.ones((1, 2), np.float32)
    for _ in range(1000):
        model = optshare.Chain(optshare.Dense(2, 2), optshare.Dense(2, 1))
        opt = optshare.Adam(model)
        opt.step(lambda x, model=model: model(x).sum(), x)
        for p in optshare.params(model):
            references += [weakref.ref(each) for each in (p, opt.state_for(p).exp_avg)]
        del model, opt, p
    assert len(references) == 8000
    assert sum(each() is not None for each in references) == 0


def test_a_hundred_optimizers_over_one_living_model_leave_no_state_behind(backend, no_gc):
    model = optshare.Dense(2, 1)
    moments = []
    for _ in range(100):
        opt = optshare.Adam(model)
        opt.step(lambda: model(np.ones((1, 2), np.float32)).sum())
        moments.append(weakref.ref(opt.state_for(model.weight).exp_avg))
        del opt
    assert sum(each() is not None for each in moments) == 0


def test_state_does_not_keep_a_parameter_alive_that_only_the_store_knows(no_gc):
    p = Parameter([1.0])
    opt = optshare.Adam([p])
    opt.update(p, np.ones(1))
    reference, store = weakref.ref(p), opt._store
    del p, opt
    assert reference() is None
    assert len(store) == 0


def test_an_optimizer_holds_its_parameters_strongly():
    p = Parameter([1.0])
    opt = optshare.SGD([p], lr=0.5)
    reference = weakref.ref(p)
    del p
    opt.update([np.ones(1)])
    assert reference().value.tolist() == [0.5]
