"""Gradients on their way to the update: transforms, and what to do about NaN and infinity."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from optshare.batches.matching import Ready
from optshare.binding import Binding
from optshare.jobs import Job, job_of
from optshare.norms import first_nonfinite
from optshare.paired import Paired
from optshare.pipeline import Kept, Pipeline
from optshare.rules.transform import Given
from optshare.writing import memory


class Passing(NamedTuple):
    """What is to be updated, with the gradients that have come through."""

    ready: list[Ready]
    jobs: list[Job]
    scale: float
    """What the gradients of what is ready are multiplied by."""
    kept: list[Kept]
    """What the transforms keep."""


def passing(
    binding: Binding,
    ready: list[Ready],
    jobs: list[Job],
    pipeline: Pipeline,
    policy: str,
    step: int,
    pairs: Paired,
) -> Passing:
    """What is to be updated after all transforms: nothing, if they hold it back.

    Transforms are given the gradients in the order of `pairs`.

    Raises:
        NonFiniteGradientError: a gradient is not finite, and the policy is `"raise"`.
    """
    unchanged = Passing(ready, jobs, 1.0, pipeline.kept)
    if not (ready or jobs):
        return unchanged
    with np.errstate(all="ignore"):
        if not pipeline.transforms and (policy == "propagate" or _are_finite(ready, jobs)):
            return unchanged

        def made(key: Any) -> Given:
            return Given(key, binding.path(key), *memory(key), None)

        given = [each for its in ready for each in its.batch.given(its.gradients)]
        given += [job.given() for job in jobs]
        if len(ready) + bool(jobs) > 1:  # sums are rounded alike, whatever is in which batch
            places = {id(key): place for place, key in enumerate(pairs.keys)}
            given.sort(key=lambda each: places[id(each.key)])
        passed = pipeline.passed(given, made, policy, step)
        live = [each for each in passed.given if not each.key.frozen]
        found = _sorted(binding, ready, jobs, live, passed.factor)
        return found._replace(kept=passed.kept)


def _are_finite(ready: list[Ready], jobs: list[Job]) -> bool:
    if not all(each.batch.is_finite() for each in ready):
        return False
    return first_nonfinite([job.given() for job in jobs]) is None


def _sorted(
    binding: Binding, ready: list[Ready], jobs: list[Job], given: list[Given], factor: float
) -> Passing:
    """What can still be updated many at a time, if all gradients have one scale."""
    left = {id(each.key): each for each in given}
    scales = {each.scale for each in given}
    kept: list[Ready] = []
    for each in ready if len(scales) == 1 else []:
        its = [left.get(id(key)) for key in each.batch.keys]
        if all(its) and each.batch.follows([one.gradient for one in its if one]):
            kept.append(each)
            for key in each.batch.keys:
                del left[id(key)]
    known = {id(job.key): job for job in jobs}
    rest = [_after(binding, known.get(place), each, factor) for place, each in left.items()]
    return Passing(kept, rest, factor * scales.pop() if scales else 1.0, [])


def _after(binding: Binding, job: Job | None, given: Given, factor: float) -> Job:
    """A job with the gradient that transforms made of it, or of what they had kept."""
    job = job_of(binding, given.key, given.gradient) if job is None else job
    return job._replace(gradient=given.gradient, scale=given.scale * factor)
