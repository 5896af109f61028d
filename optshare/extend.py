"""All that the author of a backend imports; the bundled backends use nothing else.

A plugin is a module that an entry point of the group `optshare` names:

    from optshare.extend import BackendDescription, hookimpl

    @hookimpl
    def optshare_backend():
        return BackendDescription(
            name="mine", array_types=("mine.Array",), load="mine.backend:backend"
        )
"""

from optshare.backend import (
    Addressing,
    Backend,
    BaseBackend,
    Capabilities,
    Part,
    Pullback,
    is_constant,
    require_scalar,
)
from optshare.boxes import Boxes, NativeParameter
from optshare.building import built
from optshare.errors import (
    CapabilityError,
    DifferentiationError,
    EmptyModelError,
    EscapedValueError,
    FreedRecordError,
    ImplicitUnwrapError,
    InPlaceError,
    NoDerivativeError,
    NonScalarLossError,
    OptshareError,
    ParameterError,
    StaleRecordError,
    UnreachedParametersError,
)
from optshare.gradients import Gradients
from optshare.hookspecs import BackendDescription, hookimpl
from optshare.lazy import installed, lazy_exports
from optshare.namespace.completed import complete
from optshare.namespace.fallbacks import host_bernoulli
from optshare.namespace.protocol import NN, Namespace, Random
from optshare.namespace.recurrent import require_recurrent
from optshare.namespace.subscripts import lettered_subscripts, parsed_subscripts
from optshare.namespace.windows import (
    Windows,
    conv_transpose_windows,
    conv_windows,
    is_even,
    pool_windows,
)
from optshare.operators import Operators
from optshare.orientation import NO_MATRIX, Fans, first_in, first_out
from optshare.overlay import Overlay, Suspended
from optshare.overlay import current as current_overlay
from optshare.parameter import Box, Buffer, Parameter, floating, is_array, is_floating
from optshare.selection import Selection
from optshare.slots import HeldSlot
from optshare.structure import beside, flat, mapped
from optshare.tree import boxes, leaves, params

__all__ = [
    "NN",
    "NO_MATRIX",
    "Addressing",
    "Backend",
    "BackendDescription",
    "BaseBackend",
    "Box",
    "Boxes",
    "Buffer",
    "Capabilities",
    "CapabilityError",
    "DifferentiationError",
    "EmptyModelError",
    "EscapedValueError",
    "Fans",
    "FreedRecordError",
    "Gradients",
    "HeldSlot",
    "ImplicitUnwrapError",
    "InPlaceError",
    "Namespace",
    "NativeParameter",
    "NoDerivativeError",
    "NonScalarLossError",
    "Operators",
    "OptshareError",
    "Overlay",
    "Parameter",
    "ParameterError",
    "Part",
    "Pullback",
    "Random",
    "Selection",
    "StaleRecordError",
    "Suspended",
    "UnreachedParametersError",
    "Windows",
    "beside",
    "boxes",
    "built",
    "complete",
    "conv_transpose_windows",
    "conv_windows",
    "current_overlay",
    "first_in",
    "first_out",
    "flat",
    "floating",
    "hookimpl",
    "host_bernoulli",
    "installed",
    "is_array",
    "is_constant",
    "is_even",
    "is_floating",
    "lazy_exports",
    "leaves",
    "lettered_subscripts",
    "mapped",
    "params",
    "parsed_subscripts",
    "pool_windows",
    "require_recurrent",
    "require_scalar",
]
