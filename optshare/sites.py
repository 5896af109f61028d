"""Where each parameter of a model stands, and what its layer tells of its axes."""

from __future__ import annotations

from typing import Any

from optshare.foreign import foreign, is_native
from optshare.orientation import NO_MATRIX, Fans, Site
from optshare.tree import Named, grouped, joined, keyed, parts


def sites(model: Any, entries: list[Named] | None = None) -> list[Site]:
    """The site of each parameter of a model, in the order of definition.

    Any object may tell the axes of its own weights: `__fans__()` gives a dict from the names of
    its attributes to the axes of the inputs and those of the outputs. A backend tells them of
    its framework's own models. A parameter at several places that is no matrix at one of them,
    as the weight of an Embedding, is none; else the first place counts.

    >>> from optshare import Chain, Dense
    >>> for site in sites(Chain(Dense(3, 2))):
    ...     print(site)
    Site(place=0, path='layers.0.weight', fans=((0,), (1,)))
    Site(place=1, path='layers.0.bias', fans=None)
    """
    found = grouped(keyed(model)) if entries is None else entries
    told = _told(model)
    return [Site(place, each.path, _fans(each, told)) for place, each in enumerate(found)]


def _told(model: Any) -> dict[str, Fans]:
    """What the parts of a model tell, by path."""
    return {
        joined(path, name): fans
        for path, part in parts(model)
        for name, fans in _declared(part).items()
    }


def _declared(part: Any) -> dict[str, Fans]:
    if is_native(part):
        return foreign().fans(part)
    return part.__fans__() if hasattr(part.__class__, "__fans__") else {}


def _fans(entry: Named, told: dict[str, Fans]) -> Fans | None:
    given = [told[path] for path in (entry.path, *entry.aliases) if path in told]
    if not given and is_native(entry.key.known_as):
        return foreign().fans(entry.key.known_as).get("")
    return NO_MATRIX if NO_MATRIX in given else next(iter(given), None)
