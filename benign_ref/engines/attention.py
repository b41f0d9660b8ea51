"""M1-M3 and their derivatives on projected tokens, by BLAS and the kernels: what every engine shares.

The parameter engine multiplies the cotangents by X^T, the proof engine by G. An array's first axis is the
sample, so that one call of NumPy takes the small products of all samples.
"""

import numpy as np

from . import kernels


class Attention:
    """The samples of tokens (N,M) with queries and keys of width d_h, in memory that is allocated once.

    rows, tokens: as kernels.py describes them.
    """

    def __init__(self, tokens, d_h):
        N, M = tokens.shape
        self.tokens = np.ascontiguousarray(tokens, dtype=np.int64)
        self.q, self.k, self.dq, self.dk = np.empty((4, N, M, d_h))
        self.S, self.D = np.empty((2, N, M, M))
        self.c, self.dc, self.top, self.excess = np.empty((4, N, M))
        self.f = np.empty(N)
        self.k_T, self.D_T = self.k.swapaxes(1, 2), self.D.swapaxes(1, 2)

    def forward(self, rows):
        """f (N,), M1; what `loss` needs is kept. Overwritten by the next call."""
        kernels.gather(rows, self.tokens, self.q, self.k, self.c)
        np.matmul(self.q, self.k_T, out=self.S)  # P_n = q_n k_n^T
        kernels.subtract_largest(self.S)
        np.exp(self.S, out=self.S)
        kernels.average(self.S, self.c, self.top, self.excess, self.f)
        return self.f

    def loss(self, rows, y):
        """L_S, M2; what `add_cotangents` needs is kept."""
        self.forward(rows)
        return kernels.couple(self.S, self.c, self.top, self.excess, self.f, y, self.D, self.dc)

    def add_cotangents(self, drows, scale=1.0):
        """Add scale [dq | dk | dc] of the last `loss` to drows (R,2d_h+1). dq is dL_S/dq, and so on; a row
        that samples share collects from all of them.
        """
        np.matmul(self.D, self.k, out=self.dq)  # forward: P_n = q_n k_n^T, so dq_n = D_n k_n
        np.matmul(self.D_T, self.q, out=self.dk)  # and dk_n = D_n^T q_n
        kernels.scatter_add(self.dq, self.dk, self.dc, self.tokens, scale, drows)


def outputs(rows, tokens):
    """M1: f (N,) of samples tokens (N,M) of rows (R,2d_h+1)."""
    return Attention(tokens, rows.shape[1] // 2).forward(rows)
