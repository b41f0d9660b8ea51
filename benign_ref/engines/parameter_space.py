"""GD in the parameters by BLAS and the kernel: the fast twin of paper/descent.py:ReferenceSpace.

It costs O(NMd d_h) a step: two products with the tokens, and the kernel between them.
"""

import numpy as np

from ..paper.descent import own_rows, side_by_side
from ..paper.model import Parameters
from . import kernels


class ParameterSpace:
    """The same by BLAS and the kernel. W = [W_Q | W_K | W_V w_O] (d, 2d_h+1) is kept side by side, so that a
    step is rows = X W, the kernel, dW = X^T d(rows). With w_O fixed, w_O enters G3 only as dW_V = (X^T dc)
    w_O^T, so W_V w_O moves along X^T dc and W_V is rebuilt at the end from the sum of what moved it; with w_O
    trained, W_V itself is carried.
    """

    def __init__(self, theta, X, y, train_w_O):
        N, M, d = X.shape
        self.d_h, self.train_w_O = theta.W_Q.shape[1], train_w_O
        self.X, self.y = X.reshape(N * M, d), y
        self.W_V, self.w_O = theta.W_V.copy(), theta.w_O.copy()
        self.W = side_by_side(theta)
        self.v_0 = self.W[:, -1].copy()
        self.dW = np.empty_like(self.W)
        self.index = own_rows(N, M)
        self.f = np.empty(N)
        self.rows = np.empty((N * M, 2 * self.d_h + 1))
        self.drows = np.empty_like(self.rows)

    def tokens(self):
        """Rows [q | k | c] (R,2d_h+1) and tokens (N,M), as kernels.py describes them."""
        return np.matmul(self.X, self.W, out=self.rows), self.index

    def evaluate(self):
        """L_S (M2) at the present point; keeps what `move` needs."""
        return kernels.loss_and_cotangents(*self.tokens(), self.y, self.f, self.drows)

    def gradient(self):
        """dW = X^T d(rows), (d, 2d_h+1): G1 | G2 | X^T dc."""
        return np.matmul(self.X.T, self.drows, out=self.dW)

    def move(self, eta):
        """One step of GD, by G1-G4."""
        dW = self.gradient()
        if self.train_w_O:
            dv = dW[:, -1].copy()
            dW[:, -1] = 0.0
            dw_O = self.W_V.T @ dv  # G4
            self.W_V -= eta * np.outer(dv, self.w_O)  # G3
            self.w_O -= eta * dw_O
        else:
            dW[:, -1] *= self.w_O @ self.w_O  # G3 w_O = X^T dc ||w_O||^2
        dW *= eta
        self.W -= dW
        if self.train_w_O:
            np.matmul(self.W_V, self.w_O, out=self.W[:, -1])

    def parameters(self):
        """theta at the present point, as Parameters."""
        h = self.d_h
        W_V = self.W_V
        if not self.train_w_O:  # W_V moved along w_O^T only
            W_V = W_V + np.outer(self.W[:, -1] - self.v_0, self.w_O / (self.w_O @ self.w_O))
        return Parameters(self.W[:, :h].copy(), self.W[:, h : 2 * h].copy(), W_V.copy(), self.w_O.copy())


def gradients(theta, X, y):
    """G1-G4 by BLAS and the kernel, as Parameters; the numba twin of gradients.gradients."""
    space = ParameterSpace(theta, X, y, train_w_O=True)
    space.evaluate()
    dW, h = space.gradient(), space.d_h
    dv = dW[:, -1]  # X^T dc
    return Parameters(dW[:, :h].copy(), dW[:, h : 2 * h].copy(), np.outer(dv, theta.w_O), theta.W_V.T @ dv)


def forward_numba(theta, X, chunk=4096):
    """M1 by BLAS and the kernel: f (N,), in chunks of about `chunk` tokens so that memory stays flat."""
    N, M, d = X.shape
    W = side_by_side(theta)
    f, step = np.empty(N), max(1, chunk // M)
    for start in range(0, N, step):
        part = X[start : start + step]
        kernels.outputs(part.reshape(-1, d) @ W, own_rows(len(part), M), f[start : start + step])
    return f
