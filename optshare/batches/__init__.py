"""Updates of many parameters at once: what is alike for all of them is worked out once.

A `Batch` is what one kernel updates in one call: parameters of one engine, one dtype and one
program. It begins with the second update, for the first one checks every parameter by itself
and allocates its state. `Batches` keeps those of an optimizer.
"""
