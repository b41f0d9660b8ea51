"""Checks of anyone's gradient: complex step and central differences (gradient.py), exact arithmetic
(exactly.py, on the numbers of exact.py); the one verdict on fractions (equality.py) and the one relative
residual (residual.py). Nothing here knows the model.
"""

from .exactly import ExactCheck, check_exactly
from .gradient import METHODS, BlockCheck, GradientCheck, check_gradient, derivative
from .residual import Vacuous, relative_residual

__all__ = [
    "METHODS",
    "BlockCheck",
    "ExactCheck",
    "GradientCheck",
    "Vacuous",
    "check_exactly",
    "check_gradient",
    "derivative",
    "relative_residual",
]
