"""`Adam(model, lr=...)` is an optimizer, `Adam(lr=...)` the unbound rule."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, overload

from optshare import rules
from optshare.grouping import Groups
from optshare.optimizer import Optimizer
from optshare.rules.base import Rule, require_known

P = ParamSpec("P")
R = TypeVar("R", bound=Rule)


class Face(Generic[P, R]):
    """What users call by a rule's name: with a model it binds, without one it does not.

    >>> from optshare import Adam, Parameter
    >>> Adam(lr=0.1).betas
    (0.9, 0.999)
    >>> Adam([Parameter([1.])], lr=0.1)
    Optimizer(1 parameters, Adam(lr=0.1))
    >>> Adam(dialect="keras").eps
    1e-07
    """

    def __init__(self, rule: Callable[P, R]) -> None:
        self.rule: Any = rule
        self.__wrapped__ = rule
        self.__name__ = self.__qualname__ = self.rule.__name__
        self.__doc__ = self.rule.__doc__

    @overload
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R: ...

    @overload
    def __call__(self, model: Any, /, *args: P.args, **kwargs: P.kwargs) -> Optimizer: ...

    @overload
    def __call__(self, model: Any, /, *, groups: Groups, **hyperparameters: Any) -> Optimizer: ...

    def __call__(self, *model: Any, groups: Groups | None = None, **hyperparameters: Any) -> Any:
        """Bind the rule to a model, or give it unbound."""
        if len(model) > 1:
            raise TypeError(
                f"{self.__name__} takes a model, and hyperparameters by name; "
                f"got {len(model)} positional arguments"
            )
        if model and isinstance(model[0], int | float):
            raise TypeError(
                f"{self.__name__} takes a model first, and hyperparameters by name: "
                f"{self.__name__}(model, lr={model[0]})"
            )
        require_known(self.rule, {n: v for n, v in hyperparameters.items() if n != "dialect"})
        if groups is not None and not model:
            raise TypeError(f"groups are of a model: {self.__name__}(model, groups=...)")
        rule = self.rule(**hyperparameters)
        return Optimizer(model[0], rule, groups=groups) if model else rule

    def __instancecheck__(self, instance: Any) -> bool:
        return isinstance(instance, self.rule)

    def __repr__(self) -> str:
        return f"optshare.{self.__name__}"


if TYPE_CHECKING:
    AMSGrad = Face(rules.AMSGrad)
    LAMB = Face(rules.LAMB)
    LARS = Face(rules.LARS)
    SGD = Face(rules.SGD)
    AdaBelief = Face(rules.AdaBelief)
    AdaMax = Face(rules.AdaMax)
    Adafactor = Face(rules.Adafactor)
    Adadelta = Face(rules.Adadelta)
    Adagrad = Face(rules.Adagrad)
    Adam = Face(rules.Adam)
    AdamW = Face(rules.AdamW)
    Lion = Face(rules.Lion)
    Muon = Face(rules.Muon)
    NAdam = Face(rules.NAdam)
    OAdam = Face(rules.OAdam)
    RAdam = Face(rules.RAdam)
    RMSProp = Face(rules.RMSProp)
    Rprop = Face(rules.Rprop)
    ScheduleFreeAdamW = Face(rules.ScheduleFreeAdamW)
    ScheduleFreeSGD = Face(rules.ScheduleFreeSGD)
    Yogi = Face(rules.Yogi)

FACES = (
    "AMSGrad",
    "LAMB",
    "LARS",
    "SGD",
    "AdaBelief",
    "AdaMax",
    "Adafactor",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Lion",
    "Muon",
    "NAdam",
    "OAdam",
    "RAdam",
    "RMSProp",
    "Rprop",
    "ScheduleFreeAdamW",
    "ScheduleFreeSGD",
    "Yogi",
)


def __getattr__(name: str) -> Any:
    """The face of a rule, which is imported at its first use."""
    if name not in FACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    face = globals()[name] = Face(getattr(rules, name))
    return face


def optimizers(
    model: Any, rule: Any, *, groups: Groups | None = None, **hyperparameters: Any
) -> Optimizer:
    """The optimizer of a model, as Knet makes it: `optimizers(model, Adam)`.

    Args:
        model: what `Optimizer` takes.
        rule: a rule, or what makes one of the hyperparameters.
        groups: the parameters with hyperparameters or rules of their own, as in `Optimizer`.
        hyperparameters: those of the rule, and `dialect`.

    >>> from optshare import SGD, Parameter
    >>> optimizers([[Parameter([1.])], []], SGD, lr=0.5)
    Optimizer(1 parameters, SGD(lr=0.5))
    """
    made: Any = rule(**hyperparameters) if callable(rule) else rule
    return Optimizer(model, made, groups=groups)


def update(weights: Any, gradients: Any, opt: Optimizer) -> None:
    """Update weights, one or nested containers of them, as Knet does: `update(w, g, opt)`.

    >>> from optshare import SGD, Parameter
    >>> w = [[Parameter([1.])], []]
    >>> update(w, [[[2.0]], []], optimizers(w, SGD, lr=0.5))
    >>> w
    [[Parameter(array([0.]))], []]
    """
    opt.update(weights, gradients)
