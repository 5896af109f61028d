import numpy as np

import optshare
from optshare.initializers import generator, zeros


def weights(model):
    return [p.value.tolist() for p in optshare.params(model)]


def build(**options):
    return optshare.Chain(optshare.Dense(4, 8, **options), optshare.Dense(8, 2, **options))


def test_one_seed_gives_one_model():
    optshare.seed(3)
    first = weights(build())
    second = weights(build())
    optshare.seed(3)
    assert weights(build()) == first
    assert second != first


def test_one_seed_gives_one_model_on_every_engine():
    found = []
    for name in ("tape", "functional"):
        with optshare.use(name):
            optshare.seed(3)
            found.append(weights(build()))
    assert found[0] == found[1]


def test_a_generator_given_leaves_the_default_one_alone():
    optshare.seed(0)
    wanted = generator().random()
    optshare.seed(0)
    one = weights(build(rng=np.random.default_rng(1)))
    assert generator().random() == wanted
    assert weights(build(rng=np.random.default_rng(1))) == one


def test_single_precision_has_the_rounded_numbers_of_double_precision():
    single = build(rng=np.random.default_rng(1))
    double = build(rng=np.random.default_rng(1), dtype=np.float64)
    for p, q in zip(optshare.params(single), optshare.params(double), strict=True):
        np.testing.assert_array_equal(p.value, q.value.astype(np.float32), strict=True)


def test_a_layer_takes_another_initializer():
    layer = optshare.Dense(2, 3, init=zeros)
    assert layer.weight.value.tolist() == [[0.0] * 3] * 2
    assert layer.bias.value.tolist() == [0.0] * 3
