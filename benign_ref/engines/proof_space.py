"""P1-P3 by BLAS and the kernels: the fast twin of paper/proof.py:ReferenceProofSpace."""

import math

import numpy as np
from llvmlite.binding import get_host_cpu_features

from ..paper.descent import side_by_side
from ..paper.model import Parameters
from ..runtime import threads
from .attention import Attention

BLOCK = 1008  # columns; with a power of two, the entries of a column would share few lines of the cache
SMALL = 2**20  # multiplications: BLAS has routines of their own for products smaller than about this


def different_tokens(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The fast twin of paper/proof.py:different_tokens, without a pass over all entries of different ones."""
    N, M, d = X.shape
    rows, few = X.reshape(N * M, d), slice(None, None, max(1, d // 8))
    first: list[int] = []
    alike: dict[tuple, list[int]] = {}  # tokens by a few of their entries; only those are compared whole
    index: list[int] = []
    for r, x in enumerate(rows):
        candidates = alike.setdefault(tuple(x[few].tolist()), [])
        a = next((a for a in candidates if (rows[first[a]] == x).all()), len(first))
        if a == len(first):
            first.append(r)
            candidates.append(a)
        index.append(a)
    return rows if len(first) == N * M else rows[first], np.array(index, dtype=np.int64).reshape(N, M)


def columns_of_a_step(T: int, d_h: int) -> int:
    """How many columns Q and K (T,d_h) have in a step: 2T when d_h > 4T. Between 2T and 4T, to find the
    rotation costs more than it saves in 20 steps.
    """
    return 2 * T if d_h > 4 * T else d_h


def small_products_are_quick():
    """Whether BLAS takes the factors of a small product as they lie: OpenBLAS does, on AVX-512 processors.
    With several threads nothing is gained, as they share large products only.
    """
    try:
        return bool(get_host_cpu_features().get("avx512f")) and threads.of_blas() == 1
    except RuntimeError:  # LLVM does not know this processor
        return False


def shape_of_a_step(T: int, w: int) -> tuple[int, int, int]:
    """How a step takes G C, with C (T,w): (so many rows of G at a time, so many columns of C together, so
    many columns are stored, zeros too).

    OpenBLAS first copies the factors of a product that is not SMALL into an order of its own. A stack of
    products of 8 rows each can do without, and takes a tenth less time. It has the same bits if C is filled
    up to whole vectors of 8 columns, where OpenBLAS would not split the whole: sums of at most 384 terms, at
    most 192 columns. One column too many for whole vectors, as V is beside Q and K, is multiplied apart.
    """
    if T * T * w > SMALL and T <= 384 and w <= 192 and small_products_are_quick():
        stored = 8 * math.ceil(w / 8)
        return 8, w - 1 if w % 8 == 1 else stored, stored
    return T, w, w


def blocks(d, work):
    """Slices of range(d), for a product with d columns that is used block by block while it is in the cache.
    work: multiplications for a column.

    The blocks have the bits of the whole product: they begin at multiples of 16, as the tiles of BLAS do, and
    none is so small that BLAS would multiply in another way. The last one takes the rest, and is the longest.
    """
    width = BLOCK * math.ceil(SMALL / (BLOCK * work))
    starts = range(0, max(d - width, 1), width)
    return map(slice, starts, [*starts[1:], d])


class ColumnSpace:
    """GD with w_O fixed from the columns W(0) = [W_Q | W_K | W_V w_O] (d,2d_h+1), which are all of theta that
    f sees, on tokens Z (T,d) and labels y (N,); token l of sample n is Z[index[n,l]].

    rows = [Q | K | V] (T,2d_h+1) are at any time those of the columns that the coefficients C = [C_Q | C_K |
    c] stand for: [Q | K] = [Q(0) | K(0)] + G [C_Q | C_K], V = V(0) + ||w_O||^2 G c. These are P2, P3 and P1,
    summed over the steps: a step adds -eta [BK | B^T Q | b] to C.

    When d_h > 4T, Q and K are rotated into 2T columns: [Q; K]^T = O R with O (d_h,2T) orthonormal, and Q K^T,
    G B K, G B^T Q only see products over these columns, so nothing changes but the last bits.
    """

    STATE = ("rows", "C")

    def __init__(self, Z, W, w_O_norm, index, y):
        T, d_h = len(Z), W.shape[1] // 2
        self.Z, self.W, self.w_O_norm, self.index, self.y = Z, W, w_O_norm, index, y
        start, self.O = Z @ W, None
        if columns_of_a_step(T, d_h) < d_h:
            Q_and_K = np.concatenate([start[:, :d_h], start[:, d_h:-1]])
            self.O, R = np.linalg.qr(Q_and_K.T)  # (d_h,2T), (2T,2T)
            start = np.concatenate([R[:, :T].T, R[:, T:].T, start[:, -1:]], axis=1)
        self.T, self.w = start.shape
        block, self.together, stored = shape_of_a_step(T, self.w)
        height = block * math.ceil(T / block)
        self.wide_G, self.wide_C = np.zeros((height, height)), np.zeros_like(start, shape=(T, stored))
        self.wide_rows, self.wide_start = np.zeros((2, height, stored))
        self.G, self.c_and_zeros = self.wide_G[:T, :T], np.zeros((2, T))
        self.G_by_block = self.wide_G.reshape(-1, block, height)[:, :, :T]
        self.rows_by_block = self.wide_rows.reshape(-1, block, stored)[:, :, : self.together]
        np.matmul(Z, Z.T, out=self.G)
        self.rows = self.wide_start[:T, : self.w] = start
        self.attention = Attention(index, self.w // 2)

    @property
    def rows(self):
        """(T,2d_h+1), a part of wide_rows, which ends in zeros (shape_of_a_step)."""
        return self.wide_rows[: self.T, : self.w]

    @rows.setter
    def rows(self, value):
        self.rows[...] = value

    @property
    def C(self):
        """(T,2d_h+1), a part of wide_C, which ends in columns of zeros."""
        return self.wide_C[:, : self.w]

    @C.setter
    def C(self, value):
        self.C[...] = value

    def evaluate(self):
        """L_S (M2) at the present point; what `move` needs is kept."""
        return self.attention.loss(self.wide_rows, self.y)

    def move(self, eta):
        """One step: P1, P2, P3."""
        self.attention.add_cotangents(self.wide_C, -eta)  # -eta [BK | B^T Q | b]
        self.multiply()
        self.rows[:, -1] *= self.w_O_norm**2
        self.wide_rows += self.wide_start

    def multiply(self):
        """rows = G C."""
        np.matmul(self.G_by_block, self.wide_C[:, : self.together], out=self.rows_by_block)
        if self.together < self.w:  # G c = (c^T G)^T; a second row, of zeros, has BLAS add as in the whole
            self.c_and_zeros[0] = self.C[:, -1]
            self.rows[:, -1] = (self.c_and_zeros @ self.wide_G[: self.T])[0, : self.T]

    def tokens(self):
        """rows (T,2d_h+1) and index (N,M), as kernels.py describes them."""
        return self.rows, self.index

    def coefficients(self):
        """C_Q, C_K (T,d_h): W_Q(t) = W_Q(0) + Z^T C_Q, W_K(t) = W_K(0) + Z^T C_K."""
        h = self.C.shape[1] // 2
        C_Q, C_K = self.C[:, :h], self.C[:, h:-1]
        return (C_Q, C_K) if self.O is None else (C_Q @ self.O.T, C_K @ self.O.T)

    def columns(self):
        """W(t) (d,2d_h+1), rebuilt exactly: W(0) + Z^T [C_Q | C_K | ||w_O||^2 c]."""
        C = np.concatenate([*self.coefficients(), self.w_O_norm**2 * self.C[:, -1:]], axis=1)
        W = self.Z.T @ C
        W += self.W
        return W

    def parameters(self):
        """theta(t) with d_v = 1, which f cannot tell from one of any other d_v that has these columns."""
        W, h = self.columns(), self.W.shape[1] // 2
        return Parameters(W[:, :h], W[:, h:-1], W[:, -1:] / self.w_O_norm, np.array([self.w_O_norm]))


class ProofSpace(ColumnSpace):
    """GD from theta in the proof's coordinates, given back as parameters. With w_O trained, U = Z W_V and its
    coefficients C_V (T,d_v) are carried instead of V and c.
    """

    def __init__(self, theta, Z, index, y, train_w_O=False):
        super().__init__(Z, side_by_side(theta), np.linalg.norm(theta.w_O), index, y)
        self.theta, self.train_w_O, self.w_O = theta, train_w_O, theta.w_O.copy()
        if train_w_O:
            self.STATE = ("rows", "C", "U", "C_V", "w_O")
            self.U, self.C_V = Z @ theta.W_V, np.zeros((len(Z), len(self.w_O)))

    @classmethod
    def of(cls, theta, X, y, train_w_O=False):
        """The space of tokens X (N,M,d), of which each different one is held once."""
        return cls(theta, *different_tokens(X), y, train_w_O)

    def move(self, eta):
        """One step: P1, P2, P3; with w_O trained U, C_V and w_O move along."""
        super().move(eta)
        if self.train_w_O:
            move_b = self.C[:, -1].copy()  # -eta b, as this column was 0
            self.C[:, -1] = 0.0
            move_w_O = self.U.T @ move_b
            self.U += np.outer(self.G @ move_b, self.w_O)
            self.C_V += np.outer(move_b, self.w_O)
            self.w_O += move_w_O
            self.rows[:, -1] = self.U @ self.w_O

    def parameters(self):
        """theta(t), rebuilt exactly: W_Q(0) + Z^T C_Q, W_K(0) + Z^T C_K, W_V(0) + Z^T C_V. With w_O fixed
        C_V = c w_O^T.
        """
        h, C_V = self.theta.W_Q.shape[1], self.C_V if self.train_w_O else self.C[:, -1:]
        C = np.concatenate([*self.coefficients(), C_V], axis=1).T  # (2d_h + d_v or 1, T)
        W_Q, W_K, W_V = (np.empty(W.shape) for W in self.theta[:3])
        for part in blocks(self.Z.shape[1], C.size):
            move = C @ self.Z[:, part]
            move_V = move[2 * h :].T if self.train_w_O else np.outer(move[-1], self.w_O)
            np.add(self.theta.W_Q[part], move[:h].T, out=W_Q[part])
            np.add(self.theta.W_K[part], move[h : 2 * h].T, out=W_K[part])
            np.add(self.theta.W_V[part], move_V, out=W_V[part])
        return Parameters(W_Q, W_K, W_V, self.w_O.copy())
