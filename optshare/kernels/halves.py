"""Half precision in C++, by the bits: NVRTC, nvcc and a compiler of the host take it alike."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

C_TYPES: Mapping[str, str] = MappingProxyType(
    {"float16": "Half", "bfloat16": "Brain", "float32": "float", "float64": "double"}
)
"""The type of each dtype; those of half precision stand in `CONVERSIONS`."""

CONVERSIONS = r"""
struct Half { unsigned short bits; };
struct Brain { unsigned short bits; };
union Single { float number; unsigned int bits; };

__device__ inline double widened(double x) { return x; }
__device__ inline float widened(float x) { return x; }

__device__ inline float widened(Brain x)
{
    Single wide;
    wide.bits = (unsigned int)x.bits << 16;
    return wide.number;
}

__device__ inline float widened(Half x)
{
    Single wide, scale;
    scale.bits = 0x77800000u;  // 2**112 moves the exponent, and makes subnormals normal
    wide.bits = (x.bits & 0x7fffu) << 13;
    wide.number *= scale.number;
    if ((x.bits & 0x7c00u) == 0x7c00u) wide.bits |= 0x7f800000u;  // infinite, or no number
    wide.bits |= (x.bits & 0x8000u) << 16;
    return wide.number;
}

// The nearest float, but an odd one if x is between two: to round it again is to round x once.
__device__ inline float odd(double x)
{
    Single near;
    near.number = (float)x;
    const double found = near.number;
    if (found == x || x != x || (near.bits & 1u)) return near.number;
    near.bits += (found < 0 ? -found : found) > (x < 0 ? -x : x) ? -1 : 1;
    return near.number;
}

__device__ inline void store(double* at, double x) { *at = x; }
__device__ inline void store(float* at, float x) { *at = x; }
__device__ inline void store(float* at, double x) { *at = (float)x; }

__device__ inline void store(Brain* at, float x)
{
    Single wide;
    wide.number = x;
    const unsigned int even = (wide.bits >> 16) & 1u;
    at->bits = x != x ? (wide.bits >> 16) | 0x40u : (wide.bits + 0x7fffu + even) >> 16;
}

__device__ inline void store(Half* at, float x)
{
    Single wide, half;
    wide.number = x;
    const unsigned int sign = wide.bits & 0x80000000u;
    wide.bits ^= sign;
    half.bits = 0x3f000000u;  // 0.5, whose last bit is the smallest half's
    if (x != x) wide.bits = 0x7e00u;
    else if (wide.bits >= 0x47800000u) wide.bits = 0x7c00u;  // 65536
    else if (wide.bits < 0x38800000u) {  // 2**-14: subnormal
        wide.number += half.number;
        wide.bits -= half.bits;
    }
    else wide.bits = (wide.bits - 0x38000000u + 0xfffu + ((wide.bits >> 13) & 1u)) >> 13;
    at->bits = wide.bits | (sign >> 16);
}

__device__ inline void store(Brain* at, double x) { store(at, odd(x)); }
__device__ inline void store(Half* at, double x) { store(at, odd(x)); }
"""
"""`widened` gives a number in a type to compute with, and `store` rounds one to the nearest.

Ties go to the even one, as in IEEE 754 and NumPy; what is too large becomes infinite.
"""
