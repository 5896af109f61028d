"""What attention is in PyTorch; encodings, which it has not, by their papers' formulas."""

from functools import partial

import torch
from torch.nn import functional


def multihead(w, query, key=None, value=None, *, heads, mask=None, at=""):
    """PyTorch's attention; it has the batch second, and its masks say what to leave out."""
    key = query if key is None else key
    value = key if value is None else value
    names = "query", "key", "value"
    biases = [w.get(f"{at}{name}.bias") for name in names]
    found, _ = functional.multi_head_attention_forward(
        *(each.transpose(0, 1) for each in (query, key, value)),
        query.shape[-1],
        heads,
        None,
        None if biases[0] is None else torch.cat(biases),
        None,
        None,
        False,
        0.0,
        w[f"{at}out.weight"].T,
        w.get(f"{at}out.bias"),
        need_weights=False,
        attn_mask=_left_out(mask, query, key, heads),
        use_separate_proj_weight=True,
        **{f"{name[0]}_proj_weight": w[f"{at}{name}.weight"].T for name in names},
    )
    return found.transpose(0, 1)


def _left_out(mask, query, key, heads):
    """A mask for each head of each sequence."""
    if mask is None:
        return None
    shape = len(query), heads, query.shape[1], key.shape[1]
    mask = mask.broadcast_to(shape).reshape(-1, *shape[2:])
    return ~mask if mask.dtype is torch.bool else mask


def _lower(x):
    return torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).tril()


def turned(x):
    """Each pair of features turned by its angle: as products of complex numbers."""
    time, half = x.shape[-2], x.shape[-1] // 2
    angles = torch.outer(positions(time), frequencies(half))
    pairs = torch.complex(x[..., :half], x[..., half:])
    pairs = pairs * torch.polar(torch.ones_like(angles), angles)
    return torch.cat([pairs.real, pairs.imag], -1)


def positions(time):
    return torch.arange(time, dtype=torch.float64)


def frequencies(count, features=None):
    each = torch.arange(count, dtype=torch.float64)
    return 10000.0 ** (-2 * each / (features or 2 * count))


def sinusoidal(w, x):
    time, features = x.shape[-2:]
    angles = torch.outer(positions(time), frequencies((features + 1) // 2, features))
    encoding = torch.empty(time, features, dtype=torch.float64)
    encoding[:, 0::2] = angles.sin()
    encoding[:, 1::2] = angles.cos()[:, : features // 2]
    return x + encoding


def rotary(w, x, heads=2):
    def cut(name):
        y = functional.linear(x, w[f"{name}.weight"].T, w[f"{name}.bias"])
        return y.reshape(*x.shape[:2], heads, -1).transpose(1, 2)

    found = functional.scaled_dot_product_attention(
        turned(cut("query")), turned(cut("key")), cut("value")
    )
    return functional.linear(
        found.transpose(1, 2).reshape(x.shape), w["out.weight"].T, w["out.bias"]
    )


def block(w, x, mask=None, *, heads=2, norm_first=True, activation=None):
    """PyTorch's encoder layer, of which only the shape is made, with our weights."""
    features, hidden = w["expand.weight"].shape
    layer = torch.nn.TransformerEncoderLayer(
        features,
        heads,
        hidden,
        dropout=0.0,
        activation=activation or partial(functional.gelu, approximate="tanh"),
        batch_first=True,
        norm_first=norm_first,
        device="meta",
    )
    left_out = {"src_mask": _left_out(mask, x, x, heads)}
    return torch.func.functional_call(layer, dict(_encoder(w)), (x,), left_out)


def _encoder(w):
    """Our weights under the names of PyTorch's encoder layer."""
    for ours, theirs in ENCODER.items():
        yield f"{theirs}.weight", w[f"{ours}.weight"].t()
        yield f"{theirs}.bias", w[f"{ours}.bias"]
    for part in ("weight", "bias"):
        each = [w[f"attention.{name}.{part}"].t() for name in ("query", "key", "value")]
        yield f"self_attn.in_proj_{part}", torch.cat(each)


ENCODER = {
    "attention.out": "self_attn.out_proj",
    "expand": "linear1",
    "contract": "linear2",
    "attention_norm": "norm1",
    "feedforward_norm": "norm2",
}
two_heads = partial(multihead, heads=2)
COUNTERPARTS = {
    "attention": two_heads,
    "attention.cross": two_heads,
    "attention.sizes": two_heads,
    "attention.causal": lambda w, x: multihead(w, x, heads=1, mask=_lower(x)),
    "attention.padded": lambda w, x, mask: two_heads(w, x, mask=mask),
    "attention.added": lambda w, x, mask: two_heads(w, x, mask=mask),
    "attention.no_bias": partial(multihead, heads=3),
    "attention.rotary": rotary,
    "attention.empty": two_heads,
    "transformer": block,
    "transformer.norm_last": partial(block, norm_first=False, activation=functional.relu),
    "transformer.causal": lambda w, x: block(w, x, _lower(x), heads=1),
    "transformer.padded": block,
    "transformer.empty": block,
    "sinusoidal": sinusoidal,
    "sinusoidal.empty": sinusoidal,
    "learned": lambda w, x: x + w["weight"][: x.shape[1]],
    "learned.empty": lambda w, x: x + w["weight"][: x.shape[1]],
    "rotary": lambda w, x: turned(x),
    "rotary.empty": lambda w, x: turned(x),
}
