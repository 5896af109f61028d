"""What samples say: medians, quartiles, ratios within rounds, and whether limits are kept."""

from dataclasses import dataclass, field
from statistics import median, quantiles

from tests.benchmarks.workload import FLOOR, REFERENCE

RIVALS = ("HIPS autograd", "MyGrad")


@dataclass(frozen=True)
class Results:
    """The samples of one workload under one condition, in seconds; `None` for a round sat out."""

    samples: dict[str, list[float | None]]
    missing: dict[str, str]
    extra: dict[str, int] = field(default_factory=dict)
    """Bytes that a step takes beside what it keeps, where they were measured."""

    def median(self, name):
        """The median time in seconds."""
        return median(self._taken(name))

    def quartiles(self, name):
        """The first and the third quartile in seconds."""
        taken = self._taken(name)
        if len(taken) == 1:
            return taken[0], taken[0]
        first, _, third = quantiles(taken, n=4, method="inclusive")
        return first, third

    def ratio(self, name, other):
        """The median over the rounds of one time to another's of the same round."""
        pairs = zip(self.samples[name], self.samples[other], strict=True)
        return median(one / another for one, another in pairs if one and another)

    def ordered(self):
        """The contestants, the fastest first."""
        first = next(iter(self.samples))
        return sorted(self.samples, key=lambda each: self.ratio(each, first))

    def rounds(self, name):
        """The number of samples."""
        return len(self._taken(name))

    def verdict(self, name, limit):
        """Whether one of optshare's kept its limit and is not slower than its rivals."""
        found = []
        if REFERENCE in self.samples and self.ratio(name, REFERENCE) > limit:
            found.append(f"over {limit:.2f}")
        for rival in RIVALS:
            if rival in self.samples and self.ratio(name, rival) > 1:
                found.append(f"slower than {rival}")
        return "; ".join(found) or "kept"

    def comparisons(self):
        """What the others are compared with, as far as it was measured."""
        return [each for each in (REFERENCE, FLOOR) if each in self.samples]

    def _taken(self, name):
        return [each for each in self.samples[name] if each is not None]


def is_ours(name):
    """Whether a contestant is optshare's, and so has a limit."""
    return name.startswith("optshare")
