"""The workloads by name, in the order of the report."""

from tests.benchmarks.workloads import lenet, lstm, mlp, small_operations

WORKLOADS = {
    each.name: each
    for each in (
        small_operations.WORKLOAD,
        mlp.BATCH_8,
        mlp.BATCH_128,
        lenet.WORKLOAD,
        lstm.WORKLOAD,
    )
}
