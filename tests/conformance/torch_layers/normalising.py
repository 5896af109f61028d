"""What the normalisations are in PyTorch; running statistics are written in place."""

from functools import partial

from torch.nn import functional

from tests.conformance.torch_layers.simple import dense


def _parameters(w, at=""):
    return [w.get(f"{at}weight"), w.get(f"{at}bias")]


def batch_norm(w, x, training=False, at="", **options):
    statistics = w.get(f"{at}mean"), w.get(f"{at}var")
    return functional.batch_norm(x, *statistics, *_parameters(w, at), training=training, **options)


def not_affine(w, x):
    return batch_norm(w, dense(w, x, "layers.0."), training=True, at="layers.1.")


def instance_norm(w, x, own=True, **options):
    statistics = w.get("mean"), w.get("var")
    return functional.instance_norm(x, *statistics, *_parameters(w), use_input_stats=own, **options)


def layer_norm(w, x, axes=1, **options):
    return functional.layer_norm(x, x.shape[-axes:], *_parameters(w), **options)


def rms_norm(w, x, axes=1, **options):
    return functional.rms_norm(x, x.shape[-axes:], w.get("weight"), **options)


def group_norm(w, x, groups, **options):
    return functional.group_norm(x, groups, *_parameters(w), **options)


COUNTERPARTS = {
    "batch_norm.training": lambda w, x: batch_norm(w, x, training=True).relu(),
    "batch_norm.recording": partial(batch_norm, training=True, momentum=0.3),
    "batch_norm.prediction": batch_norm,
    "batch_norm.features": partial(batch_norm, training=True, momentum=0.4),
    "batch_norm.one": partial(batch_norm, training=True, eps=0.1),
    "batch_norm.not_affine": not_affine,
    "batch_norm.untracked": partial(batch_norm, training=True),
    "batch_norm.empty": batch_norm,
    "layer_norm": layer_norm,
    "layer_norm.two_axes": lambda w, x: layer_norm(w, x, 2).relu(),
    "layer_norm.not_affine": partial(layer_norm, eps=0.1),
    "layer_norm.empty": layer_norm,
    "rms_norm": rms_norm,
    "rms_norm.two_axes": lambda w, x: rms_norm(w, x, 2, eps=0.1).relu(),
    "rms_norm.not_affine": rms_norm,
    "rms_norm.empty": rms_norm,
    "group_norm": lambda w, x: group_norm(w, x, 2).relu(),
    "group_norm.features": partial(group_norm, groups=3),
    "group_norm.not_affine": partial(group_norm, groups=1, eps=0.1),
    "group_norm.empty": partial(group_norm, groups=2),
    "instance_norm": partial(instance_norm, eps=0.1),
    "instance_norm.affine": lambda w, x: instance_norm(w, x).relu(),
    "instance_norm.training": instance_norm,
    "instance_norm.prediction": partial(instance_norm, own=False),
}
