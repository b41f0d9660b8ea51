"""Experiments made of runs: grids, published settings, dynamics, convergence, sharpness, images."""
