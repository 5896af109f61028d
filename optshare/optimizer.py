"""Optimizer: a rule bound to parameters and their state."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Literal

from optshare import averaging, checkpoint, overlay, registry
from optshare.backend import Backend
from optshare.batches.matching import Batches
from optshare.binding import Binding
from optshare.building import built
from optshare.differentiate import backend_for
from optshare.errors import (
    DifferentiationError,
    HyperparameterError,
    NonFiniteLossError,
    ParameterError,
)
from optshare.grouping import Group, Groups, require_rule
from optshare.jobs import jobs_of
from optshare.membership import Membership, refuse_inside_differentiation
from optshare.paired import Paired
from optshare.pipeline import Pipeline
from optshare.rules.base import Rule
from optshare.rules.chain import divided
from optshare.rules.transform import Transform
from optshare.updating import Plan, apply, moved, planned
from optshare.writing import give_back, holding

NonFinite = Literal["raise", "skip", "propagate"]


class Optimizer(Membership):
    """A rule bound to the parameters of a model.

    Args:
        model: any object that holds Parameters, a list of Parameters, a framework's
            own model, or plain lists, tuples and dicts of arrays (Knet's
            `w = [W, b]`), which updates write into.
        rule: the unbound rule, such as `optshare.Adam(lr=1e-3)`.
        groups: for some parameters other hyperparameters (a dict), or a rule: by a pattern of
            paths (`"*.bias"`), a class of layers, a predicate, or a part of the model.
        transforms: what acts on all gradients before the rule; an `OptimizerChain` may
            begin with them as well.
        nonfinite: `"raise"` refuses a loss or a gradient that is NaN or infinite before
            anything is updated; `"skip"` leaves such a step out; `"propagate"` lets it through.
        masters: keep the value of each parameter in half precision in single precision as
            well, where the steps add up.

    State is kept by the identity of each parameter: moments, the step count,
    and the hyperparameters. A parameter without a gradient is skipped; its step
    count stays. A zero gradient is a gradient.

    Raises:
        EmptyModelError: the model holds no parameters.
        GroupError: a parameter is in two groups, or a group has none.
        HyperparameterError: the rule cannot update one of them.

    >>> import optshare
    >>> w = optshare.Parameter([3., 4.])
    >>> opt = Optimizer([w], optshare.SGD(lr=0.5))
    >>> opt.step(lambda: (w * w).sum())
    np.float64(25.0)
    >>> w
    Parameter(array([0., 0.]))
    """

    def __init__(
        self,
        model: Any,
        rule: Rule,
        /,
        *,
        groups: Groups | None = None,
        transforms: Sequence[Transform] = (),
        nonfinite: NonFinite = "raise",
        masters: bool = False,
    ) -> None:
        require_rule(rule)
        self.nonfinite = nonfinite
        self._masters = masters
        self._steps = 0
        self._batches = Batches()
        self._training: averaging.Kept | None = None
        """The training values, while the parameters hold their evaluation values."""
        first, own = divided(rule, transforms)
        super().__init__(model, own, groups, Pipeline(first))

    def _hold(self, binding: Binding, groups: list[Group], new: Binding | None = None) -> None:
        self._require_training("given other parameters")
        super()._hold(binding, groups, new)

    @property
    def steps(self) -> int:
        """How many steps there have been: what schedules are functions of.

        A call of `step` or `update` is a step, unless it raises or updates nothing. An
        `update(w, g)` of a part belongs to the last step until a parameter in it has
        had its update there, so that a loop over all parameters is one step.
        """
        return self._steps

    @property
    def nonfinite(self) -> NonFinite:
        """What to do about numbers that are not finite: `"raise"`, `"skip"` or `"propagate"`."""
        return self._nonfinite

    @nonfinite.setter
    def nonfinite(self, policy: NonFinite) -> None:
        if policy not in ("raise", "skip", "propagate"):
            raise HyperparameterError(
                f"nonfinite must be 'raise', 'skip' or 'propagate', not {policy!r}"
            )
        self._nonfinite: NonFinite = policy

    # -- updating --------------------------------------------------------------------------

    def step(self, fn: Callable[..., Any] | None = None, *args: Any) -> Any:
        """Value, gradients, update: one training step; gives the loss as a plain value.

        Without a function it uses each parameter's `.grad`, which a backward
        pass has filled. Over a plain tree it calls `fn(tree, *args)`.

        Raises:
            NonFiniteLossError, NonFiniteGradientError: see `nonfinite`.
            NonScalarLossError: the loss is not a scalar.
        """
        self._require_training("updated")
        refuse_inside_differentiation()
        self._binding.tree.follow()
        if fn is None:
            self._pipeline.require_no_function()
            return self._apply(self._planned(self._recorded()))
        if not callable(fn):
            raise TypeError(
                f"step takes a function and its arguments; got {type(fn).__name__} first"
            )
        with overlay.aside():
            loss, pairs = self._differentiated(fn, args)
            if not self._is_good(loss):
                return loss
            plan = self._planned(self._taken_again(pairs, fn, args))
        self._apply(plan)
        return loss

    def _planned(self, pairs: Paired, *, whole: bool = True) -> Plan:
        return planned(
            self._binding,
            self._store,
            pairs,
            self._steps,
            pipeline=self._pipeline,
            policy=self._nonfinite,
            batches=self._batches,
            whole=whole,
        )

    def _apply(self, plan: Plan) -> None:
        apply(plan, self._batches, masters=self._masters)
        self._steps, self._pipeline.kept = plan.steps, plan.kept

    def _taken_again(self, pairs: Paired, fn: Callable[..., Any], args: tuple[Any, ...]) -> Paired:
        """The pairs, with gradients where the transforms want them."""
        for transform in self._pipeline.at(self._steps):
            if transform.needs_function:
                given = [job.given() for job in jobs_of(self._binding, pairs)]
                moves = zip(given, transform.offsets(given), strict=True)
                with holding([moved(*each) for each in moves]):
                    _, pairs = self._differentiated(fn, args)
        return pairs

    def _differentiated(self, fn: Callable[..., Any], args: tuple[Any, ...]) -> tuple[Any, Paired]:
        """The loss, and the parameters with their gradients, scaled by `loss_scale`."""
        tree, scale = self._binding.tree, self.loss_scale
        if scale != 1.0:
            fn, args = partial(_times_last, fn), (*args, scale)
        if tree.slots:
            fn = partial(tree.called, tree.form, fn)
            args = tree.constants(), *args
        keys = built([key for key in self._binding.keys if not key.frozen], fn, *args)
        loss, gradients = self._gradient(backend_for(keys, args))(fn, keys, *args)
        return loss if scale == 1.0 else loss / scale, Paired(keys, gradients)

    def _gradient(self, backend: Backend) -> Callable[..., Any]:
        """The backend's `gradient`, or one that remembers what it has compiled."""
        if not registry.capabilities(backend.name).jit:
            return backend.gradient
        if backend.name not in self._compiled:
            compiling: Any = backend
            self._compiled[backend.name] = compiling.compiled()
        return self._compiled[backend.name]

    def update(self, *gradients: Any) -> None:
        """Update with gradients from elsewhere; they are never written into.

        `update(g)` takes `Gradients`, a sequence parallel to the parameters, or
        lists and dicts laid out like the model; `update(w, g)` updates the one
        parameter w, `update(model, g)` the model, `update([[w, b], ...], g)` nested
        containers of parameters. `None` skips a parameter.

        Raises:
            GradientShapeError: a gradient has another shape than its parameter.
            UnregisteredParameterError: a parameter that this optimizer does not hold.

        >>> import optshare
        >>> w, b = optshare.Parameter([1.0]), optshare.Parameter([2.0])
        >>> opt = optshare.SGD([w, b], lr=0.5)
        >>> opt.update([[1.0], None]); opt.update(b, [2.0])
        >>> w, b
        (Parameter(array([0.5])), Parameter(array([1.])))
        """
        self._require_training("updated")
        refuse_inside_differentiation()
        self._binding.tree.follow()
        if len(gradients) == 2:
            pairs = self._binding.pairs_of(*gradients)
        elif len(gradients) == 1:
            pairs = self._binding.paired(gradients[0])
        else:
            raise TypeError(
                f"update takes gradients, or a parameter and its gradient, "
                f"not {len(gradients)} arguments"
            )
        whole = len(gradients) == 1
        self._pipeline.require_no_function()
        if not whole:
            self._pipeline.require_all(len(pairs) == len(self._binding.keys))
        self._apply(self._planned(pairs, whole=whole))

    def _recorded(self) -> Paired:
        gradients = [key.grad for key in self._binding.keys]
        if all(gradient is None for gradient in gradients):
            raise DifferentiationError(
                "no parameter has a .grad; call back(y) of a value computed inside "
                "optshare.record() first, or opt.step(fn, *args)"
            )
        return Paired(self._binding.keys, gradients)

    def _is_good(self, loss: Any) -> bool:
        """Whether to go on with a loss."""
        if self._nonfinite == "propagate" or self._pipeline.guards or math.isfinite(loss):
            return True
        if self._nonfinite == "skip":
            return False
        raise NonFiniteLossError(
            f"the loss is {float(loss)} at step {self.steps + 1}; nothing was updated "
            f"(nonfinite='skip' leaves such steps out, 'propagate' lets them through)"
        )

    @property
    def transforms(self) -> tuple[Transform, ...]:
        """What acts on all gradients before the rule."""
        return self._pipeline.transforms

    @property
    def loss_scale(self) -> float:
        """What `step` multiplies the loss by before it differentiates; 1.0 without a transform."""
        return self._pipeline.loss_scale(self._steps)

    def scaled(self, loss: Any) -> Any:
        """A loss times `loss_scale`, for gradients that are taken outside `step`.

        >>> import optshare
        >>> w = optshare.Parameter([1.0])
        >>> transform = optshare.transforms.LossScale(scale=8.0)
        >>> opt = optshare.Optimizer([w], optshare.SGD(lr=0.5), transforms=[transform])
        >>> opt.update(optshare.gradient(lambda: opt.scaled((w * w).sum()), wrt=[w])); w
        Parameter(array([0.]))
        """
        return loss * self.loss_scale

    # -- hyperparameters and state ---------------------------------------------------------

    def reset(self, part: Any = None, /) -> None:
        """Forget moments and step counts, of a part or of all; hyperparameters stay.

        A part is what `adjust` takes. Without one the count of `steps` begins again
        as well, and schedules with it.

        >>> import optshare
        >>> w = optshare.Parameter([1.0])
        >>> opt = optshare.Adam([w]); opt.update([[1.0]]); opt.reset()
        >>> opt.state_for(w).t
        0
        """
        for each in self._states(part):
            each.reset()
        if part is None:
            self._steps = 0
            self._pipeline.reset()
            for each in self._states(None):
                each.step = -1

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to go on later, by path, in plain arrays and numbers.

        For each path (`layers.0.weight`): its aliases, shape, dtype, rule,
        hyperparameters, step count and state arrays; and the count of `steps`. Of a schedule
        it holds the last number.

        >>> import optshare
        >>> w = optshare.Parameter([1.0])
        >>> optshare.Adam({"w": w}).state_dict()["parameters"]["w"]["rule"]
        'Adam'
        """
        self._require_training("saved")
        return checkpoint.saved(self._binding, self._store, self._steps, self._pipeline)

    def load_state_dict(self, data: dict[str, Any], /) -> None:
        """Go on from what `state_dict` gave; schedules stay those of this optimizer.

        Raises:
            CheckpointError: it belongs to another model or rule; nothing is changed.

        >>> import optshare
        >>> w = optshare.Parameter([1.0])
        >>> opt, other = optshare.SGD([w], lr=0.5), optshare.SGD([w])
        >>> other.load_state_dict(opt.state_dict())
        >>> other.state_for(w).lr
        0.5
        """
        self._require_training("loaded")
        self._store, self._steps, self._pipeline = checkpoint.restored(
            self._binding, self._store, data, self._pipeline
        )

    # -- evaluation values -----------------------------------------------------------------

    def swap_in(self) -> None:
        """Give the parameters their evaluation values, until `swap_out`.

        They are what an averaging rule keeps: the average of `EMA` and `SWA`, the slow
        weights of `Lookahead`, x of the schedule-free rules. A parameter without an update
        keeps its value.

        Raises:
            HyperparameterError: no rule here averages.
            ParameterError: they are there already, or a function is being differentiated.

        >>> import optshare
        >>> w = optshare.Parameter([1.0])
        >>> opt = optshare.Optimizer([w], optshare.EMA(0.5))
        >>> opt.update([[-1.0]]); opt.update([[-1.0]])
        >>> opt.swap_in(); w
        Parameter(array([2.5]))
        >>> opt.swap_out(); w
        Parameter(array([3.]))
        """
        self._require_training("swapped in")
        refuse_inside_differentiation()
        self._binding.tree.follow()
        self._training = averaging.swapped_in(self._binding, self._store)

    def swap_out(self) -> None:
        """Give the parameters their training values again, bit for bit.

        Raises:
            ParameterError: they hold them already, or a function is being differentiated.
        """
        if self._training is None:
            raise ParameterError("the parameters hold their training values; call swap_in() first")
        refuse_inside_differentiation()
        give_back(self._training)
        self._training = None

    @contextmanager
    def averaged(self) -> Generator[None]:
        """A `with` inside which the parameters hold their evaluation values (see `swap_in`).

        >>> import optshare
        >>> w = optshare.Parameter([1.0])
        >>> opt = optshare.Optimizer([w], optshare.EMA(0.5))
        >>> opt.update([[-1.0]]); opt.update([[-1.0]])
        >>> with opt.averaged():
        ...     print(w.value)
        [2.5]
        """
        self.swap_in()
        try:
            yield
        finally:
            self.swap_out()

    def _require_training(self, what: str) -> None:
        if self._training is not None:
            raise ParameterError(
                f"the parameters hold their evaluation values, so this optimizer cannot be "
                f"{what}; call swap_out() first, or leave `with opt.averaged()`"
            )


def _times_last(fn: Callable[..., Any], *args: Any) -> Any:
    """A function's value times its last argument, which it does not get."""
    return fn(*args[:-1]) * args[-1]
