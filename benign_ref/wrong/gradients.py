"""Wrong gradients on purpose: G1-G4 with one mistake each that a derivation by hand can make. A checker is
worth as many as it rejects.

A mutant's `gradients` is called as paper.gradients.gradients is, and differs from it in the blocks that its
mistake reaches. Its `part` is the mistake by itself: the wrong gradient of one output f_n in one block, or
the wrong g.

    g_n number   X_n (M,d)   S_n, D_n (M,M)   a_n, c_n (M,): as in paper/gradients.py
"""

from typing import Any, NamedTuple

import numpy as np

from ..paper.gradients import coupling, gradients, mean_attention, output_cotangent, pull_back
from ..paper.model import Parameters, attention_of, forward, logistic, logistic_slope


class GradientMutant(NamedTuple):
    """block: what is wrong, "W_Q", "W_K", "W_V", "w_O", or "all" if the mistake is in g_n, which every block
    holds. hint: what to look at. part: part(theta, X_n, S_n, c_n), the wrong gradient of f_n in the block; or
    part(y, f), a wrong g; or None, and nothing is wrong.
    """

    block: str
    name: str
    hint: str = ""
    part: Any = None

    def gradients(self, theta: Parameters, X: np.ndarray, y: np.ndarray) -> Parameters:
        """The gradients of L_S with the mistake; blocks that it does not reach are right."""
        if self.block == "all":
            return pull_back(theta, X, self.part(y, forward(theta, X)))
        right = gradients(theta, X, y)
        if self.part is None:
            return right
        g = output_cotangent(forward(theta, X), y)
        parts = [self.part(theta, X_n, attention_of(theta, X_n), X_n @ theta.W_V @ theta.w_O) for X_n in X]
        return right._replace(**{self.block: sum(g_n * one for g_n, one in zip(g, parts))})


def through(D_n, X_n, W):
    """X_n^T D_n X_n W, the shape of G1 and G2."""
    return X_n.T @ D_n @ X_n @ W


SIGN = "the sign is in ell' already: g_n = y_n ell'_n / N"
MEAN = "f_n is the mean over the M tokens that look"
EVERY_ROW = "all M tokens look, and f_n is the mean over all of them"
DENOMINATOR = "the softmax's denominator depends on the logits too"
COLUMN = "a_n[j] is what token j gets: column j of S_n; each row sums to 1"

MUTANTS: list[GradientMutant] = [
    # G1. Right is X_n^T D_n X_n W_K with D_n = coupling(S_n, c_n)
    GradientMutant("W_Q", "sign", SIGN,
              lambda theta, X_n, S_n, c_n: -through(coupling(S_n, c_n), X_n, theta.W_K)),
    GradientMutant("W_Q", "W_Q for W_K", "P_n = X_n W_Q W_K^T X_n^T: beside dW_Q stand the keys X_n W_K",
              lambda theta, X_n, S_n, c_n: through(coupling(S_n, c_n), X_n, theta.W_Q)),
    GradientMutant("W_Q", "D transposed", "queries belong to the rows of P_n and D_n, so D_n stands as it is",
              lambda theta, X_n, S_n, c_n: through(coupling(S_n, c_n).T, X_n, theta.W_K)),
    GradientMutant("W_Q", "softmax term -phi phi^T dropped", DENOMINATOR,  # D[l,j] = S_n[l,j] c_n[j] / M
              lambda theta, X_n, S_n, c_n: through(S_n * c_n / len(S_n), X_n, theta.W_K)),
    GradientMutant("W_Q", "softmax term diag(phi) dropped",
              "the softmax's numerator depends on its own logit",
              # D[l,j] = -S_n[l,j] (S_n c_n)[l] / M
              lambda theta, X_n, S_n, c_n: through(-S_n * (S_n @ c_n)[:, None] / len(S_n), X_n, theta.W_K)),
    GradientMutant("W_Q", "softmax over columns",
              "a token's attention sums to 1 over what it looks at: rows of S_n",
              lambda theta, X_n, S_n, c_n: through(coupling(S_n.T, c_n), X_n, theta.W_K)),
    GradientMutant("W_Q", "1/M missing", MEAN,
              lambda theta, X_n, S_n, c_n: len(S_n) * through(coupling(S_n, c_n), X_n, theta.W_K)),
    GradientMutant("W_Q", "first row of attention only", EVERY_ROW,  # x_1 (D_n[1,:] X_n W_K), one of the rows
              lambda theta, X_n, S_n, c_n: np.outer(X_n[0], coupling(S_n, c_n)[0] @ X_n @ theta.W_K)),
    GradientMutant("W_Q", "token with itself only", "P_n[l,j] pairs every token l with every token j",
              lambda theta, X_n, S_n, c_n: through(np.diag(np.diag(coupling(S_n, c_n))), X_n, theta.W_K)),
    # G2. Right is X_n^T D_n^T X_n W_Q
    GradientMutant("W_K", "sign", SIGN,
              lambda theta, X_n, S_n, c_n: -through(coupling(S_n, c_n).T, X_n, theta.W_Q)),
    GradientMutant("W_K", "W_K for W_Q", "P_n = X_n W_Q W_K^T X_n^T: beside dW_K stand the queries X_n W_Q",
              lambda theta, X_n, S_n, c_n: through(coupling(S_n, c_n).T, X_n, theta.W_K)),
    GradientMutant("W_K", "D not transposed", "keys belong to the columns of P_n and D_n: D_n is transposed",
              lambda theta, X_n, S_n, c_n: through(coupling(S_n, c_n), X_n, theta.W_Q)),
    GradientMutant("W_K", "softmax term -phi phi^T dropped", DENOMINATOR,
              lambda theta, X_n, S_n, c_n: through((S_n * c_n / len(S_n)).T, X_n, theta.W_Q)),
    GradientMutant("W_K", "1/M missing", MEAN,
              lambda theta, X_n, S_n, c_n: len(S_n) * through(coupling(S_n, c_n).T, X_n, theta.W_Q)),
    GradientMutant("W_K", "first row of attention only", EVERY_ROW,  # (X_n^T D_n[1,:]) (x_1^T W_Q)
              lambda theta, X_n, S_n, c_n: np.outer(coupling(S_n, c_n)[0] @ X_n, X_n[0] @ theta.W_Q)),
    # G3. Right is X_n^T a_n w_O^T with a_n = mean_attention(S_n)
    GradientMutant("W_V", "sign", SIGN,
              lambda theta, X_n, S_n, c_n: -np.outer(X_n.T @ mean_attention(S_n), theta.w_O)),
    GradientMutant("W_V", "rows of S for columns", COLUMN,  # a[l] = sum_j S_n[l,j] / M = 1/M
              lambda theta, X_n, S_n, c_n: np.outer(X_n.T @ S_n.mean(axis=1), theta.w_O)),
    GradientMutant("W_V", "1/M missing", MEAN,
              lambda theta, X_n, S_n, c_n: len(S_n) * np.outer(X_n.T @ mean_attention(S_n), theta.w_O)),
    # G4. Right is W_V^T X_n^T a_n
    GradientMutant("w_O", "sign", SIGN,
              lambda theta, X_n, S_n, c_n: -theta.W_V.T @ X_n.T @ mean_attention(S_n)),
    GradientMutant("w_O", "rows of S for columns", COLUMN,
              lambda theta, X_n, S_n, c_n: theta.W_V.T @ X_n.T @ S_n.mean(axis=1)),
    # Right is g_n = y_n ell'(y_n f_n) / N
    GradientMutant("all", "y dropped", "ell depends on f_n through y_n f_n, whose inner derivative is y_n",
          lambda y, f: logistic_slope(y * f) / len(y)),
    GradientMutant("all", "1/N missing", "L_S is the mean over the N samples",
          lambda y, f: y * logistic_slope(y * f)),
    GradientMutant("all", "ell' at f for y f", "the loss is ell(y_n f_n), so ell' is taken at y_n f_n",
          lambda y, f: y * logistic_slope(f) / len(y)),
    GradientMutant("all", "ell for ell'", "g_n is a derivative: ell'(z) = -1/(1 + e^z)",
          lambda y, f: y * logistic(y * f) / len(y)),
]  # fmt: skip
