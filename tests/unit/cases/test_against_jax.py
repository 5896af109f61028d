"""Some cases of every table on both engines against JAX: value, gradient, Hessian-vector product.

JAX compiles each operation for each shape, so these are few.
"""

import pytest

from tests.unit.cases.agreement import assert_agree, by_engine, by_jax
from tests.unit.cases.tables import TABLES

SOME = {
    "elementwise": [
        "cbrt",
        "sinc (3,)",
        "tan (2, 3)",
    ],
    "pairs": [
        "copysign",
        "logaddexp (2, 1, 4) (3, 1)",
        "logaddexp2 (1, 4) ()",
        "remainder (3, 4) (1, 4)",
        "select",
    ],
    "reductions": [
        "max (2, 3) axis=0 keepdims=True",
        "mean (2, 3, 4) axis=(0, 2) keepdims=False",
        "var (3, 4) ddof=1",
        "cumprod of 5",
    ],
    "indexing": [
        "[4:0:-2, ..., ::2]",
        "[column, row]",
        "[mask of two axes]",
        "take_along_axis",
    ],
    "arranged": [
        "diff with ends",
        "gradient (5, 5) 1",
        "pad ((1, 2), (3, 4))",
        "pad by reflect",
        "pad with a number",
        "tile with more axes",
        "unstack",
    ],
    "joined": ["append", "column_stack", "dstack (2, 3)", "hstack", "stack -1"],
    "products": [
        "cross {'axis': 0}",
        "kron of a vector and a matrix",
        "matmul (2, 1, 4, 3) (5, 3, 2)",
    ],
    "matrices": [
        "diag of a vector 1",
        "linspace",
        "norm of rows",
        "sort along an axis",
        "tril (5, 5) -1",
    ],
    "einsum": [
        "...i,...j->...ij, axes of 1",
        "abcd->bd [(3, 2, 3, 2)]",
        "iij,j->i",
        "ijk,lji,lli->lki",
    ],
}
LISTED = [(table, name) for table, names in SOME.items() for name in names]


@pytest.mark.parametrize(("table", "name"), LISTED, ids=map(": ".join, LISTED))
def test_a_case_agrees_with_jax_to_the_second_order(table, name, engine):
    case = TABLES[table][name]
    assert_agree(by_engine(engine, case), by_jax(case))
