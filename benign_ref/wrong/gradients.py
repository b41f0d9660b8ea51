"""Wrong gradients on purpose: G1-G4 with one mistake each that a derivation by hand can make. A checker is
worth as many as it rejects.

A mutant is a function of (theta, X, y), as gradients.gradients is, and differs from it in the blocks that its
mistake reaches.

    g_n number   X_n (M,d)   S_n, D_n (M,M)   a_n, c_n (M,): as in gradients.py
"""

from typing import NamedTuple

import numpy as np

from ..paper.gradients import coupling, gradients, mean_attention, output_cotangent, pull_back
from ..paper.model import attention_of, forward, logistic, logistic_slope


class GradientMutant(NamedTuple):
    """block: what is wrong, "W_Q", "W_K", "W_V", "w_O", or "all" if the mistake is in g_n, which every block
    holds.
    """

    block: str
    name: str
    gradients: object


MUTANTS = []


def wrong_term(block, name):
    """Registers term(theta, g_n, X_n, S_n, a_n, c_n, D_n): one sample's wrong contribution to one block; the
    other blocks are right.
    """

    def register(term):
        def wrong(theta, X, y):
            total = 0.0
            for X_n, g_n in zip(X, output_cotangent(forward(theta, X), y)):
                S_n, c_n = attention_of(theta, X_n), X_n @ theta.W_V @ theta.w_O
                total = total + term(theta, g_n, X_n, S_n, mean_attention(S_n), c_n, coupling(S_n, c_n))
            return gradients(theta, X, y)._replace(**{block: total})

        MUTANTS.append(GradientMutant(block, name, wrong))
        return term

    return register


def wrong_cotangent(name):
    """Registers g(f, y), a wrong dL_S/df; every block inherits the mistake."""

    def register(cotangent):
        MUTANTS.append(
            GradientMutant(
                "all", name, lambda theta, X, y: pull_back(theta, X, cotangent(forward(theta, X), y))
            )
        )
        return cotangent

    return register


def through(D_n, X_n, W):
    """X_n^T D_n X_n W, the shape of G1 and G2."""
    return X_n.T @ D_n @ X_n @ W


# G1, right: g_n X_n^T D_n X_n W_K


@wrong_term("W_Q", "sign")
def _(theta, g_n, X_n, S_n, a_n, c_n, D_n):
    return -g_n * through(D_n, X_n, theta.W_K)


@wrong_term("W_Q", "W_Q for W_K")
def _(theta, g_n, X_n, S_n, a_n, c_n, D_n):
    return g_n * through(D_n, X_n, theta.W_Q)


@wrong_term("W_Q", "D transposed")
def _(theta, g_n, X_n, S_n, a_n, c_n, D_n):
    return g_n * through(D_n.T, X_n, theta.W_K)


@wrong_term("W_Q", "softmax term -phi phi^T dropped")
def _(theta, g_n, X_n, S_n, a_n, c_n, D_n):
    return g_n * through(S_n * c_n / len(S_n), X_n, theta.W_K)


@wrong_term("W_Q", "softmax term diag(phi) dropped")
def _(theta, g_n, X_n, S_n, a_n, c_n, D_n):
    return g_n * through(-S_n * (S_n @ c_n)[:, None] / len(S_n), X_n, theta.W_K)


@wrong_term("W_Q", "softmax over columns")
def _(theta, g_n, X_n, S_n, a_n, c_n, D_n):
    return g_n * through(coupling(S_n.T, c_n), X_n, theta.W_K)


@wrong_term("W_Q", "1/M missing")
def _(theta, g_n, X_n, S_n, a_n, c_n, D_n):
    return len(S_n) * g_n * through(D_n, X_n, theta.W_K)


@wrong_term("W_Q", "first row of attention only")
def _(theta, g_n, X_n, S_n, a_n, c_n, D_n):
    return g_n * np.outer(X_n[0], D_n[0] @ X_n @ theta.W_K)


@wrong_term("W_Q", "token with itself only")
def _(theta, g_n, X_n, S_n, a_n, c_n, D_n):
    return g_n * through(np.diag(np.diag(D_n)), X_n, theta.W_K)


# G2, right: g_n X_n^T D_n^T X_n W_Q


@wrong_term("W_K", "sign")
def _(theta, g_n, X_n, S_n, a_n, c_n, D_n):
    return -g_n * through(D_n.T, X_n, theta.W_Q)


@wrong_term("W_K", "W_K for W_Q")
def _(theta, g_n, X_n, S_n, a_n, c_n, D_n):
    return g_n * through(D_n.T, X_n, theta.W_K)


@wrong_term("W_K", "D not transposed")
def _(theta, g_n, X_n, S_n, a_n, c_n, D_n):
    return g_n * through(D_n, X_n, theta.W_Q)


@wrong_term("W_K", "softmax term -phi phi^T dropped")
def _(theta, g_n, X_n, S_n, a_n, c_n, D_n):
    return g_n * through((S_n * c_n / len(S_n)).T, X_n, theta.W_Q)


@wrong_term("W_K", "1/M missing")
def _(theta, g_n, X_n, S_n, a_n, c_n, D_n):
    return len(S_n) * g_n * through(D_n.T, X_n, theta.W_Q)


@wrong_term("W_K", "first row of attention only")
def _(theta, g_n, X_n, S_n, a_n, c_n, D_n):
    return g_n * np.outer(D_n[0] @ X_n, X_n[0] @ theta.W_Q)


# G3, right: g_n X_n^T a_n w_O^T


@wrong_term("W_V", "sign")
def _(theta, g_n, X_n, S_n, a_n, c_n, D_n):
    return -g_n * np.outer(X_n.T @ a_n, theta.w_O)


@wrong_term("W_V", "rows of S for columns")
def _(theta, g_n, X_n, S_n, a_n, c_n, D_n):
    return g_n * np.outer(X_n.T @ S_n.mean(axis=1), theta.w_O)


@wrong_term("W_V", "1/M missing")
def _(theta, g_n, X_n, S_n, a_n, c_n, D_n):
    return len(S_n) * g_n * np.outer(X_n.T @ a_n, theta.w_O)


# G4, right: g_n W_V^T X_n^T a_n


@wrong_term("w_O", "sign")
def _(theta, g_n, X_n, S_n, a_n, c_n, D_n):
    return -g_n * theta.W_V.T @ X_n.T @ a_n


@wrong_term("w_O", "rows of S for columns")
def _(theta, g_n, X_n, S_n, a_n, c_n, D_n):
    return g_n * theta.W_V.T @ X_n.T @ S_n.mean(axis=1)


# B1, right: y_n ell'(y_n f_n) / N


@wrong_cotangent("y dropped")
def _(f, y):
    return logistic_slope(y * f) / len(y)


@wrong_cotangent("1/N missing")
def _(f, y):
    return y * logistic_slope(y * f)


@wrong_cotangent("ell' at f for y f")
def _(f, y):
    return y * logistic_slope(f) / len(y)


@wrong_cotangent("ell for ell'")
def _(f, y):
    return y * logistic(y * f) / len(y)
