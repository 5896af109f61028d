"""Abstract evaluation: arrays with a shape and a dtype but no numbers, and their functions.

The modules imported here by name fill the tables in `optshare.shapes.table`.
"""

from optshare.shapes import arranging as arranging
from optshare.shapes import creation as creation
from optshare.shapes import einsum as einsum
from optshare.shapes import elementwise as elementwise
from optshare.shapes import indexing as indexing
from optshare.shapes import joining as joining
from optshare.shapes import loops as loops
from optshare.shapes import nn as nn
from optshare.shapes import products as products
from optshare.shapes import reductions as reductions
from optshare.shapes import views as views
from optshare.shapes.array import Shaped
from optshare.shapes.counting import Count, counted
from optshare.shapes.table import ops

Shaped.optshare_ops = ops

__all__ = ["Count", "Shaped", "counted", "ops"]
