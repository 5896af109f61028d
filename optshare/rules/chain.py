"""OptimizerChain: rules one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby, pairwise
from typing import Any, Self

from optshare.errors import HyperparameterError, choices
from optshare.kernels.mathematics import Piece
from optshare.kernels.stages import part
from optshare.orientation import Site
from optshare.rules.array import ArrayRule
from optshare.rules.base import Arrays, Rule
from optshare.rules.transform import Transform, require_transforms
from optshare.rules.values import by_last_part


class OptimizerChain(Rule):
    """Rules in a row: the step of each is the gradient of the next.

        step_1 = rule_1(value, gradient);  step_2 = rule_2(value, step_1);  ...
        value -= the last step

    Without a rule it is plain descent: `value -= gradient`. A chain in a chain is one chain.
    Transforms, which act on all gradients at once, stand first.

    Args:
        pieces: rules, in the order in which a gradient goes through them.

    State and hyperparameters are named by place: `"1.exp_avg"`, `"1.lr"`; where one
    piece only has a name, the name alone will do.

    Raises:
        TypeError: a piece that is no rule.
        HyperparameterError: a transform stands after a rule.
        HyperparameterError: another rule stands behind an average or Lookahead.

    >>> import numpy as np, optshare
    >>> w = optshare.Parameter([1.0, 2.0])
    >>> chain = OptimizerChain(optshare.SGD(lr=0.5), optshare.SGD(lr=0.5))
    >>> opt = optshare.Optimizer([w], chain); opt.update([np.array([4.0, 8.0])])
    >>> w
    Parameter(array([0., 0.]))
    >>> opt.adjust(**{"1.lr": 0.25}); opt.state_for(w).hyperparameters()["1.lr"]
    0.25
    """

    pieces: tuple[Rule, ...] = ()

    def __init__(self, *pieces: Rule) -> None:
        flat: list[Rule] = []
        for each in pieces:
            if not isinstance(each, Rule):  # pyright: ignore[reportUnnecessaryIsInstance] # a user's
                raise TypeError(
                    f"OptimizerChain takes unbound rules, such as optshare.Adam(lr=1e-3), "
                    f"not {each!r}"
                )
            flat += each.pieces if isinstance(each, OptimizerChain) else [each]
        _require_order(flat)
        object.__setattr__(self, "pieces", tuple(flat))

    def __repr__(self) -> str:
        return f"OptimizerChain({', '.join(map(repr, self.pieces))})"

    @property
    def kind(self) -> str:
        """The names of the pieces, which a saved state must have as well."""
        return f"OptimizerChain({', '.join(each.kind for each in self.pieces)})"

    @property
    def complex_as_reals(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride] # read only
        """Whether a piece computes with complex arrays as with pairs of real ones."""
        return any(each.complex_as_reals for each in self.pieces)

    # -- mathematics -----------------------------------------------------------------------

    def state_names(self) -> tuple[str, ...]:
        """The state arrays of the pieces, by place and name."""
        return tuple(
            f"{at}.{name}" for at, each in enumerate(self.pieces) for name in each.state_names()
        )

    def scalar_names(self) -> tuple[str, ...]:
        """The numbers that the pieces keep, by place and name."""
        return tuple(
            f"{at}.{name}" for at, each in enumerate(self.pieces) for name in each.scalar_names()
        )

    def copied_names(self) -> tuple[str, ...]:
        """The arrays of the pieces that begin as copies of the parameter's value."""
        return tuple(
            f"{at}.{name}" for at, each in enumerate(self.pieces) for name in each.copied_names()
        )

    def begin(self, ops: Any, value: Any, dtype: Any, site: Any) -> Arrays:
        """What the states of the pieces begin with."""
        begun = [each.begin(ops, value, dtype, site) for each in self.pieces]
        return {f"{at}.{name}": each for at, own in enumerate(begun) for name, each in own.items()}

    def step(self, value: Any, gradient: Any, state: Arrays, t: Any) -> tuple[Arrays, Any]:
        """The new states, and the step of the last piece."""
        new: Arrays = {}
        for at, piece in enumerate(self.pieces):
            own, gradient = piece.step(value, gradient, part(state, at), t)
            new.update({f"{at}.{name}": each for name, each in own.items()})
        return new, gradient

    def split(self) -> list[Piece]:
        """The element-wise pieces between those that see whole arrays, each run as one chain.

        >>> from optshare.rules import SGD
        >>> chain = OptimizerChain(SGD(), SGD(), ArrayRule(), SGD())
        >>> [(type(piece.rule).__name__, piece.first) for piece in chain.split()]
        [('OptimizerChain', 0), ('ArrayRule', 2), ('OptimizerChain', 3)]
        """
        found: list[Piece] = []
        numbered = enumerate(self.pieces)
        for whole, run in groupby(numbered, lambda each: isinstance(each[1], ArrayRule)):
            members = list(run)
            if whole:
                found += [Piece(piece, elementwise=False, first=at) for at, piece in members]
            else:
                chain = type(self)(*(piece for _, piece in members))
                found.append(Piece(chain, first=members[0][0], length=len(members)))
        return found

    def for_parameter(self, site: Site, shape: Sequence[int | None]) -> Rule:
        """The chain of what each piece is for a parameter."""
        own = [each.for_parameter(site, shape) for each in self.pieces]
        same = all(one is other for one, other in zip(own, self.pieces, strict=True))
        return self if same else type(self)(*own)

    def evaluation(self, value: Any, state: Arrays, t: Any) -> Any:
        """The evaluation value of the last piece that has one."""
        for at in reversed(range(len(self.pieces))):
            found = self.pieces[at].evaluation(value, part(state, at), t)
            if found is not None:
                return found
        return None

    def is_separate(self) -> bool:
        """Whether no piece is a transform."""
        return all(each.is_separate() for each in self.pieces)

    # -- hyperparameters -------------------------------------------------------------------

    def hyperparameters(self) -> dict[str, Any]:
        """The hyperparameters of the pieces, by place and name."""
        return {
            f"{at}.{name}": value
            for at, each in enumerate(self.pieces)
            for name, value in each.hyperparameters().items()
        }

    def at(self, step: Any) -> Self:
        """The chain with the number that each schedule gives at a step."""
        now = [each.at(step) for each in self.pieces]
        same = all(one is other for one, other in zip(now, self.pieces, strict=True))
        return self if same else type(self)(*now)

    def adjusted(self, **changes: Any) -> Self:
        """The chain with some hyperparameters changed, by place and name or by name alone.

        Raises:
            HyperparameterError: a name that no piece has, or more than one.
        """
        pairs = zip(self.pieces, self._own(changes), strict=True)
        return type(self)(*(each.adjusted(**its) for each, its in pairs))

    def given(self, **changes: Any) -> Self:
        """The chain with some hyperparameters changed, which may be arrays of no dimensions.

        Raises:
            HyperparameterError: a name that no piece has, or more than one.
        """
        pairs = zip(self.pieces, self._own(changes), strict=True)
        return type(self)(*(each.given(**its) for each, its in pairs))

    def _own(self, changes: dict[str, Any]) -> list[dict[str, Any]]:
        """What of some changes is each piece's, by its own names."""
        own: list[dict[str, Any]] = [{} for _ in self.pieces]
        for name, value in changes.items():
            at, _, alone = self.full_name(name).partition(".")
            own[int(at)][alone] = value
        return own

    def full_name(self, name: str) -> str:
        """The name by place of a hyperparameter that is given by its name alone.

        Raises:
            HyperparameterError: no piece has it, or more than one.
        """
        known = list(self.hyperparameters())
        found = by_last_part(known, name)
        if len(found) == 1:
            return found[0]
        if found:
            raise HyperparameterError(
                f"{self.kind} has {name!r} more than once; name one of {', '.join(found)}"
            )
        raise HyperparameterError(
            f"{self.kind} has no hyperparameter {name!r}; choices: {choices(known, name)}"
        )


def _require_order(pieces: list[Rule]) -> None:
    """Transforms stand first, averages last."""
    for before, each in pairwise(pieces):
        if isinstance(each, Transform) and not isinstance(before, Transform):
            raise HyperparameterError(
                f"{each.kind} acts on all gradients at once, before every rule; "
                f"put it before {before.kind} in the OptimizerChain"
            )
        if before.stands_last and not each.stands_last:
            raise HyperparameterError(
                f"{before.kind} needs the whole step, so it stands last in a chain; "
                f"{each.kind} stands behind it"
            )


def divided(rule: Rule, transforms: Any = ()) -> tuple[tuple[Transform, ...], Rule]:
    """The transforms that a chain begins with, after others, and the rule or chain that is left.

    Raises:
        TypeError: the others are no list of transforms.

    >>> import optshare
    >>> from optshare.transforms import ClipGlobalNorm
    >>> divided(OptimizerChain(ClipGlobalNorm(), optshare.SGD()))[1]
    SGD(lr=0.001)
    """
    others = require_transforms(transforms)
    pieces = rule.pieces if isinstance(rule, OptimizerChain) else (rule,)
    first = tuple(each for each in pieces if isinstance(each, Transform))
    left = pieces[len(first) :]
    if not first:
        return others, rule
    return others + first, left[0] if len(left) == 1 else OptimizerChain(*left)
