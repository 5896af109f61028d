"""What must stand in the environment before a framework is imported, and what it was."""

import os
import platform
from datetime import date
from importlib import metadata
from pathlib import Path

POOLS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OPTSHARE_NUM_THREADS")
TUNING = (
    *("OPENBLAS_", "MKL_", "OMP_", "GOMP_", "KMP_", "XLA_", "JAX_", "PYTHON"),
    *("OPTSHARE_", "NUMBA_", "KERAS_", "GLIBC_TUNABLES", "MALLOC_"),
)
SPIN = "16"  # OpenBLAS's workers wait busily for 2**16 cycles, not 2**26, beside the next engine


def variables(threads):
    """The environment of a process in which every pool has some number of threads.

    Nothing that tunes an engine is inherited: each library picks what it takes for the best.
    """
    kept = {name: each for name, each in os.environ.items() if not name.startswith(TUNING)}
    return {
        **kept,
        **dict.fromkeys(POOLS, str(threads)),
        "OPENBLAS_THREAD_TIMEOUT": SPIN,
        "JAX_PLATFORMS": "cpu",
        "KERAS_BACKEND": "torch",
        "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
    }


def description(packages):
    """Lines that say where and when: date, machine, versions."""
    return [
        f"Date: {date.today()}.",
        f"Machine: {processor()}, {len(cores())} cores, {platform.system()} {platform.machine()}.",
        f"Versions: Python {platform.python_version()}, {', '.join(versions(packages))}.",
    ]


def processor():
    """The processor's name, as the system gives it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    found = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return found[0] if found else platform.processor() or "unknown processor"


def cores():
    """The numbers of the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def versions(packages):
    """Each package with its version; those that are not installed are left out."""
    for name in packages:
        try:
            yield f"{name} {metadata.version(name)}"
        except metadata.PackageNotFoundError:
            continue


def kernels():
    """For which processor NumPy's BLAS picked its kernels; empty if it does not tell."""
    from threadpoolctl import threadpool_info

    found = [each.get("architecture") for each in threadpool_info()]
    return next((each for each in found if each), "")
