"""The rules of frameworks that do not install beside the others, written from their sources.

Apart from optshare's own. Each begins with a value and the framework's defaults;
`update` takes a gradient, and none is left out. `decay` is what the framework
calls weight decay. `NAMES` are a framework's names of our hyperparameters; none
is for one that chooses the rule.
"""
