"""Wrong gradients on purpose: G1-G4 with one mistake each that a derivation by hand can make. A checker is
worth as many as it rejects.

A mutant's `gradients` is a function of (theta, X, y), as paper.gradients.gradients is, and differs from it in
the blocks that its mistake reaches. Its `part` is the mistake by itself: the wrong gradient of one output f_n
in one block, or the wrong g.

    g_n number   X_n (M,d)   S_n, D_n (M,M)   a_n, c_n (M,): as in paper/gradients.py
"""

from typing import Any, Callable, NamedTuple

import numpy as np

from ..paper.gradients import coupling, gradients, mean_attention, output_cotangent, pull_back
from ..paper.model import attention_of, forward, logistic, logistic_slope


class GradientMutant(NamedTuple):
    """block: what is wrong, "W_Q", "W_K", "W_V", "w_O", or "all" if the mistake is in g_n, which every block
    holds. hint: what to look at.
    """

    block: str
    name: str
    gradients: Callable
    hint: str = ""
    part: Any = None


MUTANTS: list[GradientMutant] = []


def wrong_gradient(block: str, name: str, hint: str) -> Callable:
    """Registers part(theta, X_n, S_n, c_n): the wrong gradient of f_n in one block; the others are right."""

    def register(part):
        def wrong(theta, X, y):
            g, parts = output_cotangent(forward(theta, X), y), []
            for X_n in X:
                parts.append(part(theta, X_n, attention_of(theta, X_n), X_n @ theta.W_V @ theta.w_O))
            return gradients(theta, X, y)._replace(**{block: sum(g_n * one for g_n, one in zip(g, parts))})

        MUTANTS.append(GradientMutant(block, name, wrong, hint, part))
        return part

    return register


def wrong_cotangent(name: str, hint: str) -> Callable:
    """Registers part(y, f), a wrong g = dL_S/df; every block inherits the mistake."""

    def register(part):
        wrong = lambda theta, X, y: pull_back(theta, X, part(y, forward(theta, X)))  # noqa: E731
        MUTANTS.append(GradientMutant("all", name, wrong, hint, part))
        return part

    return register


def through(D_n, X_n, W):
    """X_n^T D_n X_n W, the shape of G1 and G2."""
    return X_n.T @ D_n @ X_n @ W


# G1: the gradient of f_n in W_Q is X_n^T D_n X_n W_K


@wrong_gradient("W_Q", "sign", "the sign is in ell' already: g_n = y_n ell'_n / N")
def negative_in_W_Q(theta, X_n, S_n, c_n):
    """-X_n^T D_n X_n W_K."""
    return -through(coupling(S_n, c_n), X_n, theta.W_K)


@wrong_gradient("W_Q", "W_Q for W_K", "P_n = X_n W_Q W_K^T X_n^T: beside dW_Q stand the keys X_n W_K")
def queries_for_keys(theta, X_n, S_n, c_n):
    """X_n^T D_n X_n W_Q."""
    return through(coupling(S_n, c_n), X_n, theta.W_Q)


@wrong_gradient("W_Q", "D transposed", "queries belong to the rows of P_n and D_n, so D_n stands as it is")
def transposed_in_W_Q(theta, X_n, S_n, c_n):
    """X_n^T D_n^T X_n W_K."""
    return through(coupling(S_n, c_n).T, X_n, theta.W_K)


@wrong_gradient(
    "W_Q", "softmax term -phi phi^T dropped", "the softmax's denominator depends on the logits too"
)
def numerator_alone_in_W_Q(theta, X_n, S_n, c_n):
    """X_n^T D X_n W_K with D[l,j] = S_n[l,j] c_n[j] / M."""
    return through(S_n * c_n / len(S_n), X_n, theta.W_K)


@wrong_gradient("W_Q", "softmax term diag(phi) dropped", "the softmax's numerator depends on its own logit")
def denominator_alone_in_W_Q(theta, X_n, S_n, c_n):
    """X_n^T D X_n W_K with D[l,j] = -S_n[l,j] (S_n c_n)[l] / M."""
    return through(-S_n * (S_n @ c_n)[:, None] / len(S_n), X_n, theta.W_K)


@wrong_gradient(
    "W_Q", "softmax over columns", "a token's attention sums to 1 over what it looks at: rows of S_n"
)
def columns_in_W_Q(theta, X_n, S_n, c_n):
    """X_n^T D X_n W_K with D from the columns of S_n."""
    return through(coupling(S_n.T, c_n), X_n, theta.W_K)


@wrong_gradient("W_Q", "1/M missing", "f_n is the mean over the M tokens that look")
def sum_over_tokens_in_W_Q(theta, X_n, S_n, c_n):
    """M X_n^T D_n X_n W_K."""
    return len(S_n) * through(coupling(S_n, c_n), X_n, theta.W_K)


@wrong_gradient(
    "W_Q", "first row of attention only", "all M tokens look, and f_n is the mean over all of them"
)
def first_row_in_W_Q(theta, X_n, S_n, c_n):
    """x_1 (D_n[1,:] X_n W_K), one row of the sum."""
    return np.outer(X_n[0], coupling(S_n, c_n)[0] @ X_n @ theta.W_K)


@wrong_gradient("W_Q", "token with itself only", "P_n[l,j] pairs every token l with every token j")
def diagonal_in_W_Q(theta, X_n, S_n, c_n):
    """X_n^T diag(D_n[l,l]) X_n W_K."""
    return through(np.diag(np.diag(coupling(S_n, c_n))), X_n, theta.W_K)


# G2: the gradient of f_n in W_K is X_n^T D_n^T X_n W_Q


@wrong_gradient("W_K", "sign", "the sign is in ell' already: g_n = y_n ell'_n / N")
def negative_in_W_K(theta, X_n, S_n, c_n):
    """-X_n^T D_n^T X_n W_Q."""
    return -through(coupling(S_n, c_n).T, X_n, theta.W_Q)


@wrong_gradient("W_K", "W_K for W_Q", "P_n = X_n W_Q W_K^T X_n^T: beside dW_K stand the queries X_n W_Q")
def keys_for_queries(theta, X_n, S_n, c_n):
    """X_n^T D_n^T X_n W_K."""
    return through(coupling(S_n, c_n).T, X_n, theta.W_K)


@wrong_gradient("W_K", "D not transposed", "keys belong to the columns of P_n and D_n: D_n is transposed")
def not_transposed_in_W_K(theta, X_n, S_n, c_n):
    """X_n^T D_n X_n W_Q."""
    return through(coupling(S_n, c_n), X_n, theta.W_Q)


@wrong_gradient(
    "W_K", "softmax term -phi phi^T dropped", "the softmax's denominator depends on the logits too"
)
def numerator_alone_in_W_K(theta, X_n, S_n, c_n):
    """X_n^T D^T X_n W_Q with D[l,j] = S_n[l,j] c_n[j] / M."""
    return through((S_n * c_n / len(S_n)).T, X_n, theta.W_Q)


@wrong_gradient("W_K", "1/M missing", "f_n is the mean over the M tokens that look")
def sum_over_tokens_in_W_K(theta, X_n, S_n, c_n):
    """M X_n^T D_n^T X_n W_Q."""
    return len(S_n) * through(coupling(S_n, c_n).T, X_n, theta.W_Q)


@wrong_gradient(
    "W_K", "first row of attention only", "all M tokens look, and f_n is the mean over all of them"
)
def first_row_in_W_K(theta, X_n, S_n, c_n):
    """(X_n^T D_n[1,:]) (x_1^T W_Q), one row of the sum."""
    return np.outer(coupling(S_n, c_n)[0] @ X_n, X_n[0] @ theta.W_Q)


# G3: the gradient of f_n in W_V is X_n^T a_n w_O^T


@wrong_gradient("W_V", "sign", "the sign is in ell' already: g_n = y_n ell'_n / N")
def negative_in_W_V(theta, X_n, S_n, c_n):
    """-X_n^T a_n w_O^T."""
    return -np.outer(X_n.T @ mean_attention(S_n), theta.w_O)


@wrong_gradient(
    "W_V", "rows of S for columns", "a_n[j] is what token j gets: column j of S_n; each row sums to 1"
)
def rows_in_W_V(theta, X_n, S_n, c_n):
    """X_n^T a w_O^T with a[l] = sum_j S_n[l,j] / M = 1/M."""
    return np.outer(X_n.T @ S_n.mean(axis=1), theta.w_O)


@wrong_gradient("W_V", "1/M missing", "f_n is the mean over the M tokens that look")
def sum_over_tokens_in_W_V(theta, X_n, S_n, c_n):
    """M X_n^T a_n w_O^T."""
    return len(S_n) * np.outer(X_n.T @ mean_attention(S_n), theta.w_O)


# G4: the gradient of f_n in w_O is W_V^T X_n^T a_n


@wrong_gradient("w_O", "sign", "the sign is in ell' already: g_n = y_n ell'_n / N")
def negative_in_w_O(theta, X_n, S_n, c_n):
    """-W_V^T X_n^T a_n."""
    return -theta.W_V.T @ X_n.T @ mean_attention(S_n)


@wrong_gradient(
    "w_O", "rows of S for columns", "a_n[j] is what token j gets: column j of S_n; each row sums to 1"
)
def rows_in_w_O(theta, X_n, S_n, c_n):
    """W_V^T X_n^T a with a[l] = sum_j S_n[l,j] / M = 1/M."""
    return theta.W_V.T @ X_n.T @ S_n.mean(axis=1)


# g_n = y_n ell'(y_n f_n) / N


@wrong_cotangent("y dropped", "ell depends on f_n through y_n f_n, whose inner derivative is y_n")
def without_y(y, f):
    """ell'(y_n f_n) / N."""
    return logistic_slope(y * f) / len(y)


@wrong_cotangent("1/N missing", "L_S is the mean over the N samples")
def sum_over_samples(y, f):
    """y_n ell'(y_n f_n)."""
    return y * logistic_slope(y * f)


@wrong_cotangent("ell' at f for y f", "the loss is ell(y_n f_n), so ell' is taken at y_n f_n")
def slope_at_f(y, f):
    """y_n ell'(f_n) / N."""
    return y * logistic_slope(f) / len(y)


@wrong_cotangent("ell for ell'", "g_n is a derivative: ell'(z) = -1/(1 + e^z)")
def loss_for_slope(y, f):
    """y_n ell(y_n f_n) / N."""
    return y * logistic(y * f) / len(y)
