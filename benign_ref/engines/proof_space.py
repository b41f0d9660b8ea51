"""P1-P3 by BLAS and the kernel: the fast twin of paper/proof.py:ReferenceProofSpace."""

import numpy as np

from . import kernels


class ProofSpace:
    """The same by BLAS and the kernel: rows = [Q | K | V], drows = [BK | B^T Q | b], and G drows in one
    product.

    With w_O fixed C_V = c_V w_O^T, and only V (T,) and c_V (T,) are carried; with w_O trained, U (T,d_v) and
    C_V too. When d_h > 2T, Q and K are rotated into 2T columns: [Q; K] = R^T O^T with O (d_h,2T) orthonormal,
    and Q K^T, G B K, G B^T Q only see products over these columns, so nothing changes but the last bits. The
    coefficients are rotated back when asked for.
    """

    def __init__(self, G, Q, K, U, w_O, tokens, y, train_w_O):
        T, d_h = Q.shape
        self.O = None
        if d_h > 2 * T:
            self.O, R = np.linalg.qr(np.concatenate([Q, K]).T)  # (d_h,2T), (2T,2T)
            Q, K = R[:, :T].T, R[:, T:].T
        self.G, self.index, self.y, self.train_w_O = np.ascontiguousarray(G), tokens, y, train_w_O
        self.U, self.w_O = (U.copy() if train_w_O else None), w_O.copy()
        self.rows = np.concatenate([Q, K, (U @ w_O)[:, None]], axis=1)
        self.drows, self.moved, self.C = (
            np.empty_like(self.rows),
            np.empty_like(self.rows),
            np.zeros_like(self.rows),
        )
        self.C_V = np.zeros_like(U) if train_w_O else None
        self.f = np.empty(len(y))

    def evaluate(self):
        """L_S (M2) at the present point; keeps what `move` needs."""
        return kernels.loss_and_cotangents(self.rows, self.index, self.y, self.f, self.drows)

    def move(self, eta):
        """One step: P1, P2, P3, and the coefficients along."""
        np.matmul(self.G, self.drows, out=self.moved)
        kernels.advance(self.rows, self.moved, self.C, self.drows, eta, self.w_O @ self.w_O)
        if self.train_w_O:
            b = self.drows[:, -1]
            step_w_O = eta * (self.U.T @ b)
            self.U -= np.outer(eta * self.moved[:, -1], self.w_O)
            self.C_V -= np.outer(eta * b, self.w_O)
            self.w_O -= step_w_O
            self.rows[:, -1] = self.U @ self.w_O

    def tokens(self):
        """Rows [q | k | c] (R,2d_h+1) and tokens (N,M), as kernels.py describes them."""
        return self.rows, self.index

    def coefficients(self):
        """C_Q, C_K (T,d_h), C_V (T,d_v)."""
        h = self.rows.shape[1] // 2
        C_Q, C_K = self.C[:, :h], self.C[:, h : 2 * h]
        if self.O is not None:
            C_Q, C_K = C_Q @ self.O.T, C_K @ self.O.T
        return C_Q, C_K, self.C_V if self.train_w_O else np.outer(self.C[:, -1], self.w_O)


class ColumnSpace:
    """GD with w_O fixed from tokens Z (T,d), sample n being Z[index[n]], and the columns W(0) = [W_Q | W_K |
    W_V w_O] (d,2d_h+1), which are all of theta that f sees. W(t) = W(0) + Z^T C(t).
    """

    def __init__(self, Z, W, w_O_norm, index, y):
        self.Z, self.W, self.w_O_norm, h = Z, W, w_O_norm, W.shape[1] // 2
        rows = Z @ W
        V, w_O = rows[:, -1:] / w_O_norm, np.array([w_O_norm])  # as if d_v = 1
        self.space = ProofSpace(Z @ Z.T, rows[:, :h], rows[:, h:-1], V, w_O, index, y, False)
        self.evaluate, self.move, self.tokens = self.space.evaluate, self.space.move, self.space.tokens

    def columns(self):
        """W(t) (d,2d_h+1)."""
        C_Q, C_K, C_V = self.space.coefficients()
        W = self.Z.T @ np.concatenate([C_Q, C_K, self.w_O_norm * C_V], axis=1)
        W += self.W
        return W
