"""The arithmetic of paper/ once more, fast: numba kernels, and BLAS around them."""
