"""What each case of level 5 is in PyTorch: a function of its weights by path, and its inputs."""

from tests.conformance.torch_layers import attention, images, normalising, recurrent, simple

COUNTERPARTS = {
    name: each
    for family in (simple, images, normalising, recurrent, attention)
    for name, each in family.COUNTERPARTS.items()
}
