"""GD in the parameters by BLAS and the kernels: the fast twin of paper/descent.py:ReferenceSpace.

It costs O(NMd d_h) a step: two products with the tokens, and the attention between them.
"""

import numpy as np

from ..paper.descent import own_rows, side_by_side
from ..paper.model import Parameters
from .attention import Attention, outputs


class ParameterSpace:
    """W = [W_Q | W_K | W_V w_O] (d,2d_h+1) is kept side by side, so that a step is rows = X W, the attention,
    and dW = X^T drows. With w_O fixed, W_V w_O moves along X^T dc (G3), and W_V is rebuilt from how far that
    came; with w_O trained, W_V itself is carried.
    """

    STATE = ("W", "W_V", "w_O")

    def __init__(self, theta, X, y, train_w_O=False):
        N, M, d = X.shape
        self.X, self.y, self.train_w_O, self.index = X.reshape(N * M, d), y, train_w_O, own_rows(N, M)
        self.W_V, self.w_O = theta.W_V.copy(), theta.w_O.copy()
        self.W = side_by_side(theta)
        self.v_0, self.dW = self.W[:, -1].copy(), np.empty_like(self.W)
        self.rows = np.empty((N * M, self.W.shape[1]))
        self.attention = Attention(self.index, theta.W_Q.shape[1])

    def tokens(self):
        """rows [q | k | c] (N M,2d_h+1) and index (N,M), as kernels.py describes them."""
        return np.matmul(self.X, self.W, out=self.rows), self.index

    def evaluate(self):
        """L_S (M2) at the present point; what `gradient` needs is kept."""
        return self.attention.loss(self.tokens()[0], self.y)

    def gradient(self):
        """dW = X^T drows (d,2d_h+1): [G1 | G2 | X^T dc]."""
        drows = np.zeros_like(self.rows)
        self.attention.add_cotangents(drows)
        return np.matmul(self.X.T, drows, out=self.dW)

    def move(self, eta):
        """One step of GD, by G1-G4."""
        dW = self.gradient()
        if self.train_w_O:
            dv = dW[:, -1].copy()
            dw_O = self.W_V.T @ dv  # G4
            self.W_V -= eta * np.outer(dv, self.w_O)  # G3
            self.w_O -= eta * dw_O
        else:
            dW[:, -1] *= self.w_O @ self.w_O  # G3 w_O = X^T dc ||w_O||^2
        dW *= eta
        self.W -= dW
        if self.train_w_O:
            self.W[:, -1] = self.W_V @ self.w_O

    def parameters(self):
        """theta at the present point, as Parameters."""
        h, W_V = self.W.shape[1] // 2, self.W_V
        if not self.train_w_O:  # W_V moved along w_O^T only
            W_V = W_V + np.outer(self.W[:, -1] - self.v_0, self.w_O / (self.w_O @ self.w_O))
        return Parameters(self.W[:, :h].copy(), self.W[:, h:-1].copy(), W_V.copy(), self.w_O.copy())


def gradients(theta, X, y):
    """G1-G4 by BLAS and the kernels, as Parameters; the fast twin of paper/gradients.py:gradients."""
    space, h = ParameterSpace(theta, X, y, train_w_O=True), theta.W_Q.shape[1]
    space.evaluate()
    dW = space.gradient()
    dv = dW[:, -1]  # X^T dc
    return Parameters(dW[:, :h].copy(), dW[:, h:-1].copy(), np.outer(dv, theta.w_O), theta.W_V.T @ dv)


def forward_numba(theta, X, chunk=4096):
    """M1 by BLAS and the kernels: f (N,), in chunks of about `chunk` tokens so that memory stays flat."""
    N, M, d = X.shape
    W, step = side_by_side(theta), max(1, chunk // M)
    parts = (X[start : start + step] for start in range(0, N, step))
    return np.concatenate([outputs(part.reshape(-1, d) @ W, own_rows(len(part), M)) for part in parts])
