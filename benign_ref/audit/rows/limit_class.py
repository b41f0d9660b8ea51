"""A class of the limit written out: all its tokens, and the basis in which L1 has its blocks; the orthogonal
tokens on which gradient descent is the limit.
"""

from functools import cache
from typing import NamedTuple

import numpy as np

from ..problems import Problem


class Class(NamedTuple):
    """One class written out: n samples of the signal, token 2 and m small ones; all its 1 + n + nm tokens.
    k kinds of token, M tokens a sample, T in all, of sample i those of `samples[i]`; shapes: the sizes of its
    blocks; room: those of the kernel's, which are written to whatever the class has.
    """

    n: int
    m: int
    M = property(lambda self: self.m + 2)
    T = property(lambda self: 1 + self.n * (self.m + 1))
    k = property(lambda self: 3 if self.m else 2)
    shapes = property(lambda self: (self.k, self.k - 1 if self.n > 1 else 0, 1 if self.m > 1 else 0))
    room = property(lambda self: (self.k, self.k - 1, 1))

    @property
    def samples(self):
        """The tokens of each sample, (n,M)."""
        return np.pad(np.arange(1, self.T).reshape(self.n, -1), ((0, 0), (1, 0)))

    def basis(self):
        """Orthonormal columns over the tokens: mean (T,k), between (T,(k-1)(n-1)), within (T,n(m-1))."""
        n, two = self.n, np.eye(self.m + 1, 1)
        kinds = [two, 1 - two][: self.k - 1]
        mean = [np.kron(np.full((n, 1), (n * kind.sum()) ** -0.5), kind) for kind in kinds]
        between = [np.kron(_differences(n), kind) / kind.sum() ** 0.5 for kind in kinds]
        within = np.kron(np.eye(n), _below(_differences(self.m)))
        return (
            np.hstack([np.eye(self.T, 1), _below(np.hstack(mean))]),
            _below(np.hstack(between)),
            _below(within),
        )

    def dense(self, blocks):
        """The (T,T) matrix of an operator from its blocks."""
        copies = np.eye(self.n - 1), np.eye(self.n * max(self.m - 1, 0))
        parts = blocks.mean, np.kron(blocks.between, copies[0]), np.kron(copies[1], blocks.within)
        return sum(base @ part @ base.T for base, part in zip(self.basis(), parts))

    def constants(self, audited):
        """Constants of the class, ||w_O||^2 = 1.7."""
        return audited.limit.Constants(
            self.M, self.m, float(self.n), np.array([2.0, 1.5, 0.7])[: self.k], 0.3, 1.7
        )

    def by_types(self, rows):
        """A sample's (M,M) matrix that depends on types of tokens alone, from the kernel's rows (3,4)."""
        types = np.minimum(np.arange(self.M), 2)
        matrix = rows[np.ix_(types, types)]
        matrix[2:, 2:] = np.where(np.eye(self.m) > 0, rows[2, 2], rows[2, 3])
        return matrix

    def rows_of(self, matrix):
        """The kernel's rows (k,4) of a sample's matrix; 0 where they have no entry."""
        rows = np.ascontiguousarray(np.pad(matrix, (0, 2))[: self.k, :4])
        rows[:2, 3] = 0
        return rows

    def summed(self, D, g):
        """B = sum_n g E_n^T D E_n over the class, (T,T), sample by sample; its tokens are different ones."""
        return sum(E.T @ (g * D) @ E for E in np.eye(self.T)[self.samples])


def _below(columns):
    """Columns with a row of zeros on top, for a token that they do not have."""
    return np.pad(columns, ((1, 0), (0, 0)))


def _differences(size):
    """Orthonormal columns whose sums are 0, (size, size-1); none where size is 0."""
    return np.linalg.qr(np.eye(size) - 1 / max(size, 1))[0][:, : size - 1]


def orthogonal(s):
    """Tokens and Q(0), K(0): Z = diag(||z||), Q = sqrt(kappa) Z [I 0], K = sqrt(kappa) Z [0 I], d_h = 2T;
    labels alternate.
    """
    noise, root = s.sigma_p * s.d**0.5, s.sigma_h * s.d_h**0.5
    Z = np.diag([s.snr * noise] * 2 + ([s.C_p * noise] + [noise] * (s.M - 2)) * s.N)
    y = np.array([1.0, -1.0] * (s.N // 2))
    tokens = np.column_stack([y < 0, np.arange(2, s.T).reshape(s.N, s.M - 1)])
    return Z, root * np.eye(s.T, 2 * s.T), root * np.eye(s.T, 2 * s.T, s.T), tokens, y


@cache
def on_vectors(scale, lengths, root, w_O_norm, eta):
    """Two losses of GD by complex step on N=2, M=4 orthogonal tokens of these lengths; kept, as it is
    slow.
    """
    T = len(lengths)
    X = np.diag(lengths)[[[0, 2, 3, 4], [1, 5, 6, 7]]]
    theta = (root * np.eye(T, 2 * T), root * np.eye(T, 2 * T, T), np.zeros((T, 1)), np.array([w_O_norm]))
    return Problem(scale, 0, theta, X, np.array([1.0, -1.0]), eta).path(2, False)[0]
