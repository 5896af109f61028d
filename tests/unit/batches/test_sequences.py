"""Whatever is done between updates: batches have the bits of updates one at a time."""

import copy
import pickle

import numpy as np
import pytest
import torch

import optshare
from optshare import Optimizer, OptimizerChain, Parameter
from optshare.rules import SGD, Adam, ClipValue, Lion, WeightDecay
from optshare.transforms import ClipGlobalNorm, LossScale
from tests.unit.batches.one_by_one import RUNNERS, assert_same_bits, batches_of, picture

SHAPES = [(), (0,), (1,), (7,), (3, 5), (2, 3, 4), (40, 50), (17_000,)]
RULES = [
    lambda: SGD(lr=0.1, momentum=0.9),
    lambda: Adam(lr=0.1),
    lambda: Lion(lr=0.1, weight_decay=0.1),
    lambda: OptimizerChain(ClipValue(0.5), WeightDecay(0.1), Adam(lr=0.1)),
    lambda: OptimizerChain(LossScale(4.0), ClipGlobalNorm(0.7), SGD(lr=0.1, momentum=0.9)),
    lambda: Adam(lr=optshare.schedules.Exponential(0.1, 0.9)),
]


def plain(array):
    return array.copy()


def fortran(array):
    return np.array(array, order="F")


def strided(array):
    if array.ndim == 0:
        return array.copy()
    room = np.zeros((*array.shape[:-1], 2 * array.shape[-1]), array.dtype)
    room[..., ::2] = array
    return room[..., ::2]


def unaligned(array):
    room = np.zeros(array.nbytes + 1, np.uint8)
    view = room[1:].view(array.dtype).reshape(array.shape)
    view[...] = array
    return view


def row(array):
    return np.stack([array, array])[1, ...]


LAYOUTS = [plain, plain, plain, fortran, strided, unaligned, row]


class Sequence:
    """A random model, its optimizer, and what is done to them; the same for the same seed."""

    def __init__(self, kind, seed):
        self.rng = np.random.default_rng(seed)
        self.kind = kind
        self.dtype = np.dtype(self.rng.choice(["float16", "float32", "float32", "float64"]))
        shapes = [SHAPES[i] for i in self.rng.integers(0, len(SHAPES), self.rng.integers(1, 8))]
        self.model = [self.made(self.numbers(shape)) for shape in shapes]
        self.opt = Optimizer(self.model, self.rule(), nonfinite="propagate")

    def rule(self):
        return RULES[self.rng.integers(len(RULES))]()

    def numbers(self, shape):
        return self.rng.normal(size=shape).astype(self.dtype)

    def laid(self, array):
        return LAYOUTS[self.rng.integers(len(LAYOUTS))](array)

    def made(self, array):
        if self.kind == "Parameter":
            return Parameter(self.laid(array))
        return self.laid(array) if self.kind == "array" else torch.nn.Parameter(torch.tensor(array))

    def gradient(self, parameter):
        array = self.laid(self.numbers(tuple(parameter.shape)))
        return torch.tensor(array) if self.kind == "tensor" else array

    def gradients(self):
        return [self.gradient(each) for each in self.model]

    def some(self):
        return self.model[self.rng.integers(len(self.model))]

    def run(self, steps=10):
        acts = [self.update_all] * 6 + [
            self.update_some,
            self.update_one,
            self.update_with_own_values,
            self.adjust,
            self.adjust_one,
            self.freeze,
            self.thaw,
            self.put_value,
            self.reset,
            self.resume,
            self.copied,
        ]
        for _ in range(2):
            self.update_all()
        for _ in range(steps):
            acts[self.rng.integers(len(acts))]()
        return picture(self.opt, self.model)

    def update_all(self):
        self.opt.update(self.gradients())

    def update_some(self):
        given = self.gradients()
        given[self.rng.integers(len(given))] = None
        self.opt.update(given)

    def update_one(self):
        one = self.some()
        gradient = self.gradient(one)
        if not self.opt.transforms:
            self.opt.update(one, gradient)

    def update_with_own_values(self):
        """Gradients that are the memory of parameters, which are about to be written."""
        found = [each.value if self.kind == "Parameter" else each for each in self.model]
        found = [each.detach() for each in found] if self.kind == "tensor" else found
        order = self.rng.permutation(len(found))
        given = [
            found[i] if found[i].shape == g.shape else g for i, g in zip(order, found, strict=True)
        ]
        self.opt.update(given)

    def adjust(self):
        rate = float(self.rng.uniform(0.01, 0.2))
        self.opt.adjust(lr=rate)

    def adjust_one(self):
        one, rate = self.some(), float(self.rng.uniform(0.01, 0.2))
        self.opt.adjust(one, lr=rate)

    def freeze(self):
        if self.kind != "array":
            optshare.freeze([self.some()])

    def thaw(self):
        if self.kind != "array":
            optshare.thaw(self.model)

    def put_value(self):
        at = self.rng.integers(len(self.model))
        array = self.numbers(tuple(self.model[at].shape))
        if self.kind == "Parameter":
            self.model[at].value = array
        elif self.kind == "tensor":
            self.model[at].data = torch.tensor(array)
        else:
            self.model[at][...] = array

    def reset(self):
        self.opt.reset(self.some())

    def resume(self):
        self.opt.load_state_dict(self.opt.state_dict())

    def copied(self):
        both = self.model, self.opt
        how = self.rng.integers(2)
        both = copy.deepcopy(both) if how else pickle.loads(pickle.dumps(both))
        self.model, self.opt = both


def assert_same_ends(kind, runner, seed):
    with batches_of(None):
        wanted = Sequence(kind, seed).run()
    with batches_of(runner):
        found = Sequence(kind, seed).run()
    assert_same_bits(found, wanted)


every_runner = pytest.mark.parametrize("runner", RUNNERS)
every_kind = pytest.mark.parametrize("kind", ["Parameter", "array", "tensor"])


@pytest.mark.parametrize("seed", range(12))
@every_runner
@every_kind
def test_any_sequence_ends_with_the_bits_of_updates_one_at_a_time(kind, runner, seed):
    assert_same_ends(kind, runner, seed)


@pytest.mark.slow
@every_runner
@every_kind
def test_hundreds_of_sequences_do(kind, runner):
    for seed in range(100, 500):
        try:
            assert_same_ends(kind, runner, seed)
        except Exception as error:
            error.add_note(f"of the sequence with seed {seed}")
            raise
