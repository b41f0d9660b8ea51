"""Checks of anyone's gradient: complex step and central differences (gradient.py). Nothing here knows the
model.
"""

from .gradient import METHODS, BlockCheck, GradientCheck, check_gradient, derivative

__all__ = ["METHODS", "BlockCheck", "GradientCheck", "check_gradient", "derivative"]
