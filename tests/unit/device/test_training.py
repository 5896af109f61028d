"""Models, losses and optimizers on device arrays: the numbers of NumPy, the state beside them."""

import copy
import sys

import numpy as np
import pytest

import optshare
from optshare.demo.digits import Digits
from optshare.demo.training import train
from optshare.testing import suite
from optshare.testing.subject import Subject
from optshare_tape import Variable, back

RNG = np.random.default_rng(0)
X = RNG.normal(size=(6, 4))
LABELS = RNG.integers(3, size=6)
X_TEST = RNG.uniform(size=(9, 64))


def model():
    optshare.seed(0)
    return optshare.Chain(
        optshare.Dense(4, 8, optshare.gelu, dtype=np.float64),
        optshare.Dropout(0.25, seed=1),
        optshare.Dense(8, 3, dtype=np.float64),
    )


def loss(net):
    return lambda x, y: optshare.crossentropy(net(x), y, label_smoothing=0.1)


RULES = {
    "SGD": lambda net: optshare.SGD(net, lr=0.1, momentum=0.9, nesterov=True),
    "Adam": lambda net: optshare.Adam(net, lr=0.1),
    "AdamW": lambda net: optshare.AdamW(net, lr=0.1),
}


def steps(net, opt, place, count=3):
    return [opt.step(loss(net), place(X), place(LABELS)) for _ in range(count)]


@pytest.mark.parametrize("rule", RULES)
def test_training_on_a_device_gives_the_numbers_of_numpy(rule, library, backend):
    here, there = model(), optshare.to(model(), backend, device="cuda")
    one, other = RULES[rule](here), RULES[rule](there)
    losses = zip(steps(here, one, np.array), steps(there, other, library.place), strict=True)
    for wanted, found in losses:
        library.assert_same(found, wanted)
    for p, q in zip(optshare.params(here), optshare.params(there), strict=True):
        library.assert_same(q.stored, p.stored)
        for name, array in one.state_for(p).arrays.items():
            library.assert_same(other.state_for(q).arrays[name], array)


def test_the_model_of_the_demo_trains_on_a_device(library, backend):
    digits = Digits(RNG.uniform(size=(96, 64)), np.arange(96) % 10, X_TEST, np.arange(9))
    one, other = train(backend, digits, 1), train(backend, digits, 1, device="cuda")
    np.testing.assert_allclose(other.losses, one.losses, rtol=1e-12)
    assert other.accuracy == one.accuracy
    for p, q in zip(one.compared, other.compared, strict=True):
        np.testing.assert_allclose(q, p, rtol=0, atol=1e-12)


def test_a_model_goes_to_the_device_and_back_with_its_state(library, backend):
    alone, net = model(), model()
    expected = steps(alone, RULES["Adam"](alone), np.array, 6)
    opt = RULES["Adam"](net)
    found = [float(each) for each in steps(net, opt, np.array, 2)]
    optshare.to(net, backend, device="cuda:0")
    found += [float(each) for each in steps(net, opt, library.place, 2)]
    optshare.to(net, backend, device="cpu")
    found += steps(net, opt, np.array, 2)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert all(type(p.stored) is np.ndarray for p in optshare.params(net))


def test_a_state_is_saved_as_numpys_and_loaded_to_the_device(library, backend):
    net = optshare.to(model(), backend, device="cuda")
    opt = RULES["Adam"](net)
    steps(net, opt, library.place)
    again = copy.deepcopy(net)
    resumed = RULES["Adam"](again)
    resumed.load_state_dict(opt.state_dict())
    wanted = steps(net, opt, library.place, 1)[0]
    library.assert_same(steps(again, resumed, library.place, 1)[0], library.host(wanted))


def test_labels_may_stay_on_the_host(library, backend):
    net = optshare.to(model(), backend, device="cuda")
    with_theirs = loss(net)(library.place(X), library.place(LABELS))
    library.assert_same(loss(net)(library.place(X), LABELS), library.host(with_theirs))


def test_a_label_that_is_no_class_is_refused(library):
    with pytest.raises(optshare.errors.LabelError, match="label 3 is not one of 3 classes"):
        optshare.nll(library.place(X[:, :3]), library.place(LABELS + 3 - LABELS.max()))


def test_accuracy_of_scores_on_a_device(library):
    scores, labels = X[:, :3], np.argmax(X[:, :3], axis=1)
    labels[0] = (labels[0] + 1) % 3
    for given in (labels, library.place(labels)):
        assert optshare.accuracy(library.place(scores), given) == 5 / 6


def test_a_variable_on_a_device_accumulates_a_gradient_there(library):
    w = Variable(library.place(X))
    opt = optshare.SGD([w], lr=0.5)
    back((w * w).sum())
    library.assert_same(w.grad, 2 * X)
    opt.step()
    library.assert_same(w.stored, 0 * X)


def test_gradients_from_the_host_are_brought_to_the_device(library, backend):
    w = library.place(X)
    optshare.SGD([p := optshare.Parameter(w)], lr=0.5).update([X])
    library.assert_same(p.stored, X / 2)


def test_a_gradient_shares_no_memory_with_what_it_was_made_of(library, engine):
    x = library.place(X)
    (g,) = engine.gradient(lambda x: x.sum(), x)
    g += 1
    library.assert_same(engine.gradient(lambda x: x.sum(), x)[0], np.ones_like(X))
    library.assert_same(x, X)


def test_gradcheck_of_a_model_on_a_device(library, backend):
    net = optshare.to(optshare.Dense(4, 3, optshare.tanh), backend, device="cuda")
    optshare.gradcheck(lambda x: net(x), library.place(X))


@pytest.mark.parametrize("device", ["cuda:9", "cudas", "tpu"])
def test_a_device_that_is_not_there_is_refused(device, library):
    with pytest.raises(ValueError, match=device):
        optshare.to(model(), "tape", device=device)


def test_a_cuda_device_without_cupy_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(optshare.errors.ParameterError, match=r"install optshare-ad\[cupy\]"):
        optshare.to(model(), "tape", device="cuda")


ON_THE_HOST = {
    "gradient.transposed": "it multiplies with views of NumPy's memory",
    "gradient.read_only": "it multiplies with an array of NumPy's that cannot be written",
}
"""The checks of the kit that compute with arrays of NumPy's, which CuPy refuses."""


def test_the_conformance_kit_passes_on_device_arrays(library, backend):
    class OnDevice(Subject):
        device = "cuda"

        def array(self, values, dtype=None):
            return library.place(np.array(values, dtype))

    subject, failures = OnDevice(backend), {}
    held = [each for each in suite.checks() if each.level > 0]
    for check in held:
        try:
            check(subject)
        except Exception as error:  # whatever one raises, the others are run
            failures[check.id] = repr(error)
    assert set(failures) == set(ON_THE_HOST), failures
    assert len(held) > 200
