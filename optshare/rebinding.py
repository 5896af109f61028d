"""Parameters that come and go: what an optimizer holds after the model was walked again."""

from __future__ import annotations

from typing import Any

from optshare.binding import Binding, Pairs
from optshare.errors import ParameterError, UnregisteredParameterError
from optshare.selectors import members
from optshare.slots import HeldSlot, Slot
from optshare.tree import keyed


def with_part(binding: Binding, part: Any) -> tuple[Binding, Binding]:
    """What is held with a part of the model as well, and what of that is new.

    Raises:
        UnregisteredParameterError: the part is not in the model.
        ParameterError: all of it is held, or what is held is not in the model any more.
    """
    whole = _walked(binding)
    try:
        chosen = members(whole, part)
    except UnregisteredParameterError as error:
        raise UnregisteredParameterError(
            f"that {type(part).__name__} is not in the model; put it there first "
            f"(the model is opt.tree), then call opt.add"
        ) from error
    new = [key for key in chosen if not binding.holds(key)]
    if not new:
        raise ParameterError(
            f"this optimizer holds {', '.join(map(whole.path, chosen))} already; "
            f"opt.adjust changes hyperparameters, opt.reset forgets state"
        )
    return _only(whole, binding, [*binding.keys, *new]), whole.only(new)


def without(binding: Binding, removed: list[Any]) -> Binding:
    """What is held without some parameters; these may be in the model or not.

    Raises:
        ParameterError: what is held is not in the model any more.
    """
    gone = {id(key) for key in removed}
    return _only(_walked(binding), binding, [key for key in binding.keys if id(key) not in gone])


def _only(whole: Binding, before: Binding, keys: list[Any]) -> Binding:
    lost = [before.path(key) for key in keys if not whole.holds(key)]
    if lost:
        raise ParameterError(
            f"this optimizer holds {', '.join(lost)}, which the model has no longer; "
            f"call opt.remove({lost if len(lost) > 1 else lost[0]!r}) first"
        )
    return whole.only(keys)


def _walked(binding: Binding) -> Binding:
    """All parameters of the model as it is now; those that were held are the same keys."""
    model = binding.tree.model
    return Binding(model, _reused(binding.tree.slots, keyed(model)))


def _reused(slots: dict[str, Slot], pairs: Pairs) -> Pairs:
    """The pairs with the slots that there were: of an array, or else of its place."""
    now = {id(key.stored) for _, key in pairs if isinstance(key, Slot)}
    stay = {path for path, key in pairs if path in slots and slots[path].stored is key.stored}
    moved = {
        id(slot.stored): slot
        for path, slot in slots.items()
        if not (isinstance(slot, HeldSlot) and path in stay)
    }

    def same(path: str, key: Any) -> Any:
        if not isinstance(key, Slot):
            return key
        old, place = slots.get(path), id(key.stored)
        if path in stay:
            return old
        if place in moved:  # what is no array of the caller's has one place only
            return moved.pop(place) if isinstance(key, HeldSlot) else moved[place]
        replaced = old is not None and id(old.stored) not in now and _fits(old, key.stored)
        return old if replaced else key

    return [(path, same(path, key)) for path, key in pairs]


def _fits(slot: Slot, array: Any) -> bool:
    try:
        slot.fitting(array)
    except ParameterError:
        return False
    return True
