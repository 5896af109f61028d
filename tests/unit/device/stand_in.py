"""A stand-in for CuPy where there is no GPU: arrays that NumPy cannot read, nor mix with its own.

It follows CuPy 14.2.0 (https://github.com/cupy/cupy/tree/v14.2.0): which functions there are and
what they take (`cupy_functions.txt`), `__array_ufunc__`, `__array_function__`, `__array__`,
`__getitem__` and `__setitem__` (cupy/_core/core.pyx, cupy/_core/_routines_indexing.pyx), `ufunc.at`
and `ufunc.reduce` (cupy/_core/_kernel.pyx). Where CuPy would copy an array of NumPy's to the device
in silence, this one counts it in `uploads`; where CuPy would fail, it fails.
"""

import functools
import inspect
import operator
import tempfile
import types
from pathlib import Path

import numpy as np

from tests.unit.kernels.cuda_compilers import on_host

uploads = []
"""The arrays of NumPy's that were indices of device arrays: CuPy copies them to the device."""

SCALARS = (bool, int, float, complex, np.generic)
PLAIN = {"iscomplexobj", "isrealobj", "may_share_memory", "ndim", "result_type", "shape", "size"}
"""The functions that give no array."""
STATIC = {"axes", "axis", "indices", "pad_width", "repeats", "reps", "shape", "shift"}
"""The arguments that CuPy takes from NumPy's memory."""
ADDABLE = "efdilqILQ"
"""The dtypes of `add.at`; complex numbers are not among them."""
METHODS = """
all(axis=None, out=None, keepdims=False)
any(axis=None, out=None, keepdims=False)
argmax(axis=None, out=None, dtype=None, keepdims=False)
argmin(axis=None, out=None, dtype=None, keepdims=False)
argsort(axis=-1, kind=None)
clip(min=None, max=None, out=None)
conj()
conjugate()
copy(order='C')
cumprod(axis=None, dtype=None, out=None)
cumsum(axis=None, dtype=None, out=None)
diagonal(offset=0, axis1=0, axis2=1)
dot(b, out=None)
flatten(order='C')
max(axis=None, out=None, keepdims=False)
mean(axis=None, dtype=None, out=None, keepdims=False)
min(axis=None, out=None, keepdims=False)
nonzero()
prod(axis=None, dtype=None, out=None, keepdims=False)
ravel(order='C')
repeat(repeats, axis=None)
reshape(*shape, order='C', copy=None)
round(decimals=0, out=None)
squeeze(axis=None)
std(axis=None, dtype=None, out=None, ddof=0, keepdims=False)
sum(axis=None, dtype=None, out=None, keepdims=False)
swapaxes(axis1, axis2)
take(indices, axis=None, out=None)
trace(offset=0, axis1=0, axis2=1, dtype=None, out=None)
transpose(*axes)
view(dtype=None)
var(axis=None, dtype=None, out=None, ddof=0, keepdims=False)
view(dtype=None, array_class=None)
"""


def signature_of(line):
    """The name and the signature in a line such as `sum(a, axis=None)`."""
    name, _, rest = line.partition("(")
    scope = {}
    exec(f"def function({rest.replace('cupy.float64', 'float')}: pass", {"numpy": np}, scope)
    return name, inspect.signature(scope["function"])


def _functions():
    table = {}
    lines = (Path(__file__).parent / "cupy_functions.txt").read_text().splitlines()
    for line in lines:
        if line.endswith(": ufunc"):
            table[line.removesuffix(": ufunc")] = None
        elif not line.startswith("#"):
            name, signature = signature_of(line)
            table[name] = signature
    return table


FUNCTIONS = _functions()


def refuse(value):
    raise TypeError(f"Unsupported type {type(value)}")


def host(value, allowed=False):
    """What stands behind an argument of a function; an array of NumPy's is no argument."""
    if isinstance(value, ndarray):
        return value._host
    if isinstance(value, np.ndarray) and not allowed:
        refuse(value)
    if isinstance(value, list | tuple):
        return type(value)(host(each, allowed) for each in value)
    return value


def device(value, *owners):
    """A result: an array on the device always, never a number of NumPy's."""
    if isinstance(value, list | tuple):
        return type(value)(device(each, *owners) for each in value)
    if not isinstance(value, (np.ndarray, *SCALARS)):
        return value
    for each in owners:
        if each._host is value:
            return each
        if isinstance(value, np.ndarray) and np.may_share_memory(value, each._host):
            return ndarray(value, each if each.base is None else each.base)
    return ndarray(value)


class Device:
    """`cupy.cuda.Device`."""

    __module__ = "cupy.cuda.device"

    def __init__(self, id=0):
        if id not in (0, 1):
            raise ValueError(f"no device {id}")
        self.id = id

    def __eq__(self, other):
        return isinstance(other, Device) and other.id == self.id

    __hash__ = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None


class Flags:
    """Three truths; nothing tells that an array may not be written."""

    def __init__(self, flags):
        self.c_contiguous, self.f_contiguous = flags.c_contiguous, flags.f_contiguous
        self.owndata = flags.owndata


class ndarray:  # noqa: N801 # as CuPy's
    """`cupy.ndarray`."""

    __module__ = "cupy"
    __array_priority__ = 100
    __hash__ = None

    def __init__(self, values, base=None):
        self._host = np.asarray(values)
        self.base = base

    shape = property(lambda self: self._host.shape)
    dtype = property(lambda self: self._host.dtype)
    ndim = property(lambda self: self._host.ndim)
    size = property(lambda self: self._host.size)
    itemsize = property(lambda self: self._host.itemsize)
    nbytes = property(lambda self: self._host.nbytes)
    strides = property(lambda self: self._host.strides)
    flags = property(lambda self: Flags(self._host.flags))
    device = property(lambda self: Device())
    data = property(lambda self: types.SimpleNamespace(ptr=self._host.ctypes.data))
    T = property(lambda self: self if self.ndim < 2 else device(self._host.T, self))
    mT = property(lambda self: device(self._host.mT, self))  # noqa: N815 # as CuPy's
    real = property(lambda self: device(self._host.real, self))
    imag = property(lambda self: device(self._host.imag, self))
    __cuda_array_interface__ = property(lambda self: {"shape": self.shape, "version": 3})

    def __array__(self, dtype=None):
        raise TypeError(
            "Implicit conversion to a NumPy array is not allowed. "
            "Please use `.get()` to construct a NumPy array explicitly."
        )

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        name = ufunc.__name__
        if name not in FUNCTIONS:
            return NotImplemented
        everything = inputs + kwargs.get("out", ())
        if not all(isinstance(each, (ndarray, np.ndarray, *SCALARS)) for each in everything):
            return NotImplemented  # also a tuple, the index of `at`
        return Ufunc(ufunc).apply(method, *inputs, **kwargs)

    def __array_function__(self, function, types, args, kwargs):
        path = f"{function.__module__}.{function.__name__}".partition(".")[2]
        if path not in FUNCTIONS or not all(issubclass(t, ndarray | np.ndarray) for t in types):
            return NotImplemented
        return called(path, function, args, kwargs)

    def astype(self, dtype, order="K", casting=None, subok=None, copy=True):
        if casting is not None or subok is not None:
            raise TypeError("casting is not supported yet")
        return device(self._host.astype(dtype, order, copy=copy), self)

    def get(self):
        return self._host.copy()

    def item(self):
        return self._host.item()

    def tolist(self):
        return self._host.tolist()

    def fill(self, value):
        self._host.fill(host(value))

    def __copy__(self):
        return self.copy()

    def __deepcopy__(self, memo):
        return self.copy()

    def __reduce__(self):
        return ndarray, (self._host,)

    def __getitem__(self, index):
        return device(self._host[_index(index)], self)

    def __setitem__(self, index, value):
        self._host[_index(index)] = host(value)

    def __iter__(self):
        if not self.ndim:
            raise TypeError("iteration over a 0-d array")
        return (self[i] for i in range(len(self)))

    def __len__(self):
        return len(self._host)

    def __bool__(self):
        return bool(self._host)

    def __int__(self):
        return int(self._host)

    def __float__(self):
        return float(self._host)

    def __complex__(self):
        return complex(self._host)

    def __repr__(self):
        return repr(self._host)

    def __format__(self, spec):
        return format(self._host, spec)

    def __neg__(self):
        return np.negative(self)

    def __pos__(self):
        return np.positive(self)

    def __abs__(self):
        return np.absolute(self)

    def __invert__(self):
        return np.invert(self)


def _index(index):
    """An index of NumPy's; the ellipsis at its end keeps the result an array, a view if basic."""
    parts = index if isinstance(index, tuple) else (index,)
    for each in parts:
        if isinstance(each, np.ndarray | list):
            uploads.append(each)
    parts = tuple(each._host if isinstance(each, ndarray) else each for each in parts)
    return parts if any(each is Ellipsis for each in parts) else (*parts, ...)


def called(path, function, args, kwargs):
    """A function by CuPy's signature."""
    if FUNCTIONS[path] is None:
        return Ufunc(function).apply("__call__", *args, **kwargs)
    given = FUNCTIONS[path].bind(*args, **kwargs).arguments
    _check(path, given)
    for name, each in given.items():
        host(each, name in STATIC)
    found = function(*host(args, True), **{k: host(each, True) for k, each in kwargs.items()})
    owners = [each for each in given.values() if isinstance(each, ndarray)]
    return found if path in PLAIN else device(found, *owners)


def _check(path, given):
    """Where CuPy is narrower than NumPy."""
    if path.endswith("_like") and given.get("shape", None) == ():
        raise ValueError("CuPy takes shape=() for no shape (cupy/_creation/basic.py)")
    if path in ("concatenate", "stack") and not all(
        isinstance(each, ndarray) for each in given["tup"]
    ):
        raise TypeError("Only cupy arrays can be concatenated")
    if path == "where" and not hasattr(given["condition"], "astype"):
        raise AttributeError("where needs an array of truths")
    if path in ("argsort", "sort") and given.get("kind") not in (None, "stable"):
        raise ValueError("kind can only be None or 'stable'")


class Ufunc:
    """One of CuPy's ufuncs."""

    def __init__(self, function):
        self.function = function
        self.__name__ = function.__name__

    def __call__(self, *args, **kwargs):
        return self.apply("__call__", *args, **kwargs)

    def at(self, a, indices, b=None):
        if self.__name__ != "add":
            raise NotImplementedError(f"`cupy_{self.__name__}.at` is not supported here")
        if a.dtype.char not in ADDABLE:
            raise TypeError(f"cupy.add.at only supports some dtypes, not {a.dtype}")
        np.add.at(a._host, _index(indices), host(b))

    def apply(self, method, *inputs, out=None, dtype=None, casting="same_kind", **kwargs):
        if kwargs:
            raise TypeError(f"Wrong arguments {kwargs}")
        if method != "__call__" and self.__name__ not in ("add", "multiply"):
            raise NotImplementedError(f"`cupy_{self.__name__}.{method}` is not supported yet")
        if method == "at":
            return self.at(*inputs)
        given = [host(each) for each in inputs]
        options = {} if dtype is None else {"dtype": dtype}
        if out is None:
            return device(getattr(self.function, method)(*given, **options))
        target = out[0] if isinstance(out, tuple) else out
        if not isinstance(target, ndarray):
            refuse(target)
        getattr(self.function, method)(*given, out=target._host, casting=casting, **options)
        return target


def _method(line):
    name, signature = signature_of(line)

    def call(self, *args, **kwargs):
        given = signature.bind(*args, **kwargs).arguments
        for key, each in given.items():
            host(each, key in STATIC)
        options = {key: host(each, True) for key, each in kwargs.items()}
        return device(getattr(self._host, name)(*host(args, True), **options), self)

    call.__name__ = name
    setattr(ndarray, name, call)


def _operators(function, ufunc):
    def forward(self, other):
        if getattr(other, "__array_ufunc__", self) is None:
            return NotImplemented
        return ufunc(self, other)

    def reflected(self, other):
        return ufunc(other, self)

    def in_place(self, other):
        return ufunc(self, other, out=self)

    name = function.__name__.strip("_")
    setattr(ndarray, f"__{name}__", forward)
    if ufunc not in COMPARISONS:
        setattr(ndarray, f"__r{name}__", reflected)
        setattr(ndarray, f"__i{name}__", in_place)


COMPARISONS = (np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal)
OPERATORS = {
    operator.add: np.add,
    operator.sub: np.subtract,
    operator.mul: np.multiply,
    operator.truediv: np.true_divide,
    operator.floordiv: np.floor_divide,
    operator.mod: np.remainder,
    operator.pow: np.power,
    operator.matmul: np.matmul,
    operator.and_: np.bitwise_and,
    operator.or_: np.bitwise_or,
    operator.xor: np.bitwise_xor,
    operator.eq: np.equal,
    operator.ne: np.not_equal,
    operator.lt: np.less,
    operator.le: np.less_equal,
    operator.gt: np.greater,
    operator.ge: np.greater_equal,
}
for function, ufunc in OPERATORS.items():
    _operators(function, ufunc)
for line in METHODS.strip().splitlines():
    _method(line)


def asarray(a, dtype=None, order=None, *, copy=None, blocking=False):
    """`cupy.asarray`, which copies NumPy's arrays to the device."""
    if isinstance(a, ndarray):
        return a if dtype is None else a.astype(dtype, copy=False)
    return ndarray(np.array(a, dtype, order=order or "K"))


def arange(*args, **kwargs):
    """`cupy.arange`."""
    return ndarray(np.arange(*args, **kwargs))


def namespace():
    """What stands for the module `cupy`."""
    cupy = types.ModuleType("cupy")
    cupy.ndarray, cupy.asarray, cupy.arange = ndarray, asarray, arange
    for name, signature in FUNCTIONS.items():
        if "." in name or name in ("asarray", "arange"):
            continue
        theirs = getattr(np, name)
        if signature is None:
            setattr(cupy, name, Ufunc(theirs))
        else:
            call = functools.partial(_called, name, theirs)
            setattr(cupy, name, call)
    cupy.RawKernel = raw_kernel
    cupy.cuda = types.SimpleNamespace(
        Device=Device,
        runtime=types.SimpleNamespace(getDeviceCount=lambda: 2, getDevice=lambda: 0),
        get_current_stream=lambda: types.SimpleNamespace(ptr=0),
    )
    return cupy


@functools.cache
def raw_kernel(code, name, options):
    """`cupy.RawKernel`: the code compiled for the host, one thread after the other."""
    with tempfile.TemporaryDirectory() as folder:
        function = on_host([code], Path(folder))[code]

    def launch(grid, block, arguments):
        function(*grid, *(each._host for each in arguments))

    return launch


def _called(name, theirs, *args, **kwargs):
    return called(name, theirs, args, kwargs)
