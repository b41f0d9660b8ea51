"""The steps of the walk-through of the gradients with one mistake each: a formula takes the arguments of the
step's function and gives what a learner gives who made that mistake.

Letters and shapes are those of teach/solutions.py, which holds the right ones.
"""

from typing import Callable, NamedTuple

import numpy as np

from ..paper.gradients import coupling, softmax_jacobian
from ..paper.model import logistic, softmax
from .gradients import MUTANTS


class Mistake(NamedTuple):
    """step: the name of the right function; hint: what to look at, one step back."""

    step: str
    name: str
    hint: str
    formula: Callable


MODEL = [
    *(Mistake("output_cotangent", one.name, one.hint, one.part) for one in MUTANTS if one.block == "all"),
    Mistake(
        "output",
        "softmax over columns",
        "each token l shares out its own attention: rows of P_n",
        lambda X_n, W_Q, W_K, W_V, w_O: (softmax((X_n @ W_Q @ W_K.T @ X_n.T).T).T @ X_n @ W_V @ w_O).mean(),
    ),
    Mistake(
        "output",
        "1/M missing",
        "the output is the mean over the M tokens that look",
        lambda X_n, W_Q, W_K, W_V, w_O: (softmax(X_n @ W_Q @ W_K.T @ X_n.T) @ X_n @ W_V @ w_O).sum(),
    ),
    Mistake(
        "output",
        "queries and keys exchanged",
        "row l of P_n holds the query of token l: X_n W_Q comes first",
        lambda X_n, W_Q, W_K, W_V, w_O: (softmax(X_n @ W_K @ W_Q.T @ X_n.T) @ X_n @ W_V @ w_O).mean(),
    ),
    Mistake(
        "empirical_loss",
        "1/N missing",
        "L_S is the mean over the N samples",
        lambda y, f: logistic(y * f).sum(),
    ),
    Mistake(
        "empirical_loss", "y dropped", "what counts is the sign of y_n f_n", lambda y, f: logistic(f).mean()
    ),
    Mistake(
        "empirical_loss",
        "sign in the exponent",
        "ell falls with z: log(1 + e^{-z})",
        lambda y, f: logistic(-y * f).mean(),
    ),
    Mistake(
        "attention_cotangent",
        "1/M missing",
        "f_n is the mean over the M tokens that look",
        lambda S_n, c_n: np.array([c_n for _ in S_n]),
    ),
    Mistake(
        "attention_cotangent",
        "values down the columns",
        "entry [l,j] of S_n weighs the value of token j, not l",
        lambda S_n, c_n: np.array([c_n for _ in S_n]).T / len(S_n),
    ),
    Mistake(
        "softmax_jacobian",
        "term -phi phi^T dropped",
        "the denominator depends on every logit",
        lambda phi: np.diag(phi),
    ),
    Mistake(
        "softmax_jacobian",
        "term diag(phi) dropped",
        "the numerator e^{p_j} depends on p_j",
        lambda phi: -np.outer(phi, phi),
    ),
    Mistake(
        "softmax_jacobian",
        "sign of phi phi^T",
        "the denominator stands below: its derivative enters with a minus",
        lambda phi: np.diag(phi) + np.outer(phi, phi),
    ),
    Mistake(
        "coupling",
        "D transposed",
        "row l of D_n belongs to row l of P_n",
        lambda S_n, c_n: coupling(S_n, c_n).T,
    ),
    Mistake(
        "coupling",
        "1/M missing",
        "f_n is the mean over the M tokens that look",
        lambda S_n, c_n: coupling(S_n, c_n) * len(S_n),
    ),
    Mistake(
        "coupling",
        "softmax over columns",
        "J is that of a row of S_n",
        lambda S_n, c_n: np.array([softmax_jacobian(phi) @ c_n for phi in S_n.T]) / len(S_n),
    ),
    Mistake(
        "coupling",
        "softmax term -phi phi^T dropped",
        "subtract from c_n[j] what row l collects: (S_n c_n)[l]",
        lambda S_n, c_n: S_n * c_n / len(S_n),
    ),
    Mistake(
        "mean_attention",
        "rows of S for columns",
        "a_n[j] is what token j gets; a row sums to 1 whatever it is",
        lambda S_n: S_n.sum(axis=1) / len(S_n),
    ),
    Mistake(
        "mean_attention",
        "1/M missing",
        "f_n is the mean over the M tokens that look",
        lambda S_n: S_n.sum(axis=0),
    ),
    Mistake("descent", "sign", "the gradient points uphill", lambda W, gradient, eta: W + eta * gradient),
    Mistake(
        "descent", "eta missing", "the step is eta times the gradient", lambda W, gradient, eta: W - gradient
    ),
]
