"""The bundled backends, held to the suite as any other."""

from optshare.testing import parametrize


@parametrize("tape")
def test_tape_conforms(check):
    check()


@parametrize("functional")
def test_functional_conforms(check):
    check()


@parametrize("torch")
def test_torch_conforms(check):
    check()


@parametrize("jax")
def test_jax_conforms(check):
    check()


@parametrize("autograd")
def test_autograd_conforms(check):
    check()
