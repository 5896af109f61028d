"""The CUDA kernel's C++ compiled for a device, or for the host by way of a few definitions."""

import ctypes
import shutil
import subprocess
from functools import partial

import numpy as np
import pytest

from optshare.kernels.cuda import OPTIONS, THREADS
from optshare.kernels.halves import CONVERSIONS

HEADER = """
#include <cmath>
using std::fabs; using std::pow; using std::sqrt;
#define __device__
#define __global__
#define __launch_bounds__(threads)
struct Place { unsigned int x; };
static Place blockIdx, threadIdx, blockDim;
"""
LAUNCH = """
extern "C" void launch_{i}(long long blocks, const long long* pointers, const long long* rows,
                           const void* constants)
{{
    blockDim.x = {threads};
    for (blockIdx.x = 0; blockIdx.x < blocks; ++blockIdx.x)
        for (threadIdx.x = 0; threadIdx.x < blockDim.x; ++threadIdx.x)
            update_{i}(pointers, rows, (const {working}*)constants);
}}
"""


def joined(sources):
    """One text of many: the conversions once, and a name for each function."""
    bodies = (each.removeprefix(CONVERSIONS) for each in sources)
    named = (f.replace("\nupdate(", f"\nupdate_{i}(") for i, f in enumerate(bodies))
    return CONVERSIONS + "\n".join(named)


def on_host(sources, folder):
    """For each source, a function `(blocks, pointers, rows, constants)`, one thread at a time."""
    if shutil.which("g++") is None:
        pytest.skip("there is no g++ to compile the kernel for the host")
    launches = [
        LAUNCH.format(
            i=i,
            threads=THREADS,
            working="double" if "const double* constants)" in source else "float",
        )
        for i, source in enumerate(sources)
    ]
    text, library = folder / "kernels.cpp", folder / "kernels.so"
    text.write_text(HEADER + joined(sources) + "".join(launches))
    # x86-64 rounds each operation; contracted ones would be rounded once for two
    options = ["-O1", "-ffp-contract=off", "-w", "-fPIC", "-shared"]
    subprocess.run(["g++", *options, text, "-o", library], check=True)
    functions = ctypes.CDLL(str(library))
    return {
        source: partial(_launched, getattr(functions, f"launch_{i}"))
        for i, source in enumerate(sources)
    }


def _launched(function, blocks, *tables):
    function(ctypes.c_longlong(blocks), *(ctypes.c_void_p(each.ctypes.data) for each in tables))


def by_nvcc(sources, folder):
    """The machine code for an H100, by the CUDA toolkit's compiler."""
    if shutil.which("nvcc") is None:
        pytest.skip("there is no nvcc on the PATH")
    text, binary = folder / "kernels.cu", folder / "kernels.cubin"
    text.write_text(joined(sources))
    subprocess.run(
        ["nvcc", "-arch=sm_90", "--cubin", *OPTIONS, text, "-o", binary],
        check=True,
        capture_output=True,
        text=True,
    )
    return binary.read_bytes()


def by_nvrtc(sources, folder):
    """The same by the compiler that CuPy uses."""
    nvrtc = pytest.importorskip("cupy_backends.cuda.libs.nvrtc", reason="CuPy is not installed")
    try:
        nvrtc.getVersion()
    except Exception as error:  # CuPy looks for the library at the first call
        pytest.skip(f"CuPy finds no NVRTC: {str(error).partition(':')[0]}")
    program = nvrtc.createProgram(joined(sources), "kernels.cu", (), ())
    try:
        nvrtc.compileProgram(program, ("--gpu-architecture=sm_90", "--std=c++17", *OPTIONS))
    except nvrtc.NVRTCError:
        pytest.fail(nvrtc.getProgramLog(program))
    return nvrtc.getCUBIN(program)


def intermediate(sources, folder):
    """What nvcc gives the assembler."""
    if shutil.which("nvcc") is None:
        pytest.skip("there is no nvcc on the PATH")
    text, assembly = folder / "kernels.cu", folder / "kernels.ptx"
    text.write_text(joined(sources))
    subprocess.run(["nvcc", "-arch=sm_90", "--ptx", *OPTIONS, text, "-o", assembly], check=True)
    return assembly.read_text()


class HostCuPy:
    """What the kernel uses of CuPy, over memory of the host."""

    def __init__(self, functions):
        self._functions = functions
        self.uploads = []
        self.stream = 0
        self.cuda = self
        self.runtime = self

    @property
    def ptr(self):
        return self.stream

    def getDevice(self):  # noqa: N802 # as CUDA's
        return 0

    def get_current_stream(self):
        return self

    def asarray(self, array):
        self.uploads.append(array)
        return np.array(array)

    def RawKernel(self, code, name, options):  # noqa: N802 # as CuPy's
        assert (name, options) == ("update", ("--fmad=false",))
        function = self._functions[code]

        def launch(grid, block, arguments):
            assert block == (THREADS,)
            function(*grid, *arguments)

        return launch
