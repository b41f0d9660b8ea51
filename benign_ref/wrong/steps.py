"""The single steps of the walk-throughs with one mistake each: a formula gives what a learner gives who made
that mistake.

Letters and shapes are those of teach/solutions.py, which holds the right ones.
"""

from functools import partial
from typing import Callable, NamedTuple

import numpy as np

from ..paper.gradients import coupling, softmax_jacobian
from ..paper.model import Parameters, logistic, softmax
from .gradients import MUTANTS


class Mistake(NamedTuple):
    """step: the name of the right function; hint: what to look at, one step back. formula: of what the step's
    example holds, each argument by its letter, and not always the arguments of the right function.
    """

    step: str
    name: str
    hint: str
    formula: Callable


def _one_block(gradients, block, theta, X, y):
    """One block of whole gradients, of the shape of the block."""
    return getattr(gradients(theta, X, y), block)


def _mean(a):
    return a.mean(axis=1, keepdims=True)


def _heads(qkv, columns, root):
    """Multi-head attention with these columns for the heads, logits divided by root."""
    d = qkv.shape[1] // 3
    parts = [[qkv[:, part * d + h] for part in range(3)] for h in columns(d)]
    return np.concatenate([softmax(q @ k.T / root) @ v for q, k, v in parts], axis=1)


MISTAKES = [
    # those of gradients.py: in g, in the gradient of one f_n, in that of L_S
    *(Mistake("output_cotangent", one.name, one.hint, one.part) for one in MUTANTS if one.block == "all"),
    *(Mistake(f"into_{one.block}", one.name, one.hint, one.part) for one in MUTANTS if one.block != "all"),
    *(Mistake(f"gradient_{block}", one.name, one.hint, partial(_one_block, one.gradients, block))
      for one in MUTANTS for block in Parameters._fields if one.block in (block, "all")),
    # from the loss to the parameters
    Mistake("output", "softmax over columns", "each token l shares out its own attention: rows of P_n",
            lambda X_n, W_Q, W_K, W_V, w_O:
                (softmax((X_n @ W_Q @ W_K.T @ X_n.T).T).T @ X_n @ W_V @ w_O).mean()),
    Mistake("output", "1/M missing", "the output is the mean over the M tokens that look",
            lambda X_n, W_Q, W_K, W_V, w_O: (softmax(X_n @ W_Q @ W_K.T @ X_n.T) @ X_n @ W_V @ w_O).sum()),
    Mistake("output", "queries and keys exchanged",
            "row l of P_n holds the query of token l: X_n W_Q comes first",
            lambda X_n, W_Q, W_K, W_V, w_O: (softmax(X_n @ W_K @ W_Q.T @ X_n.T) @ X_n @ W_V @ w_O).mean()),
    Mistake("empirical_loss", "1/N missing", "L_S is the mean over the N samples",
            lambda y, f: logistic(y * f).sum()),
    Mistake("empirical_loss", "y dropped", "what counts is the sign of y_n f_n",
            lambda y, f: logistic(f).mean()),
    Mistake("empirical_loss", "sign in the exponent", "ell falls with z: log(1 + e^{-z})",
            lambda y, f: logistic(-y * f).mean()),
    Mistake("attention_cotangent", "1/M missing", "f_n is the mean over the M tokens that look",
            lambda S_n, c_n: np.array([c_n for _ in S_n])),
    Mistake("attention_cotangent", "values down the columns",
            "entry [l,j] of S_n weighs the value of token j, not l",
            lambda S_n, c_n: np.array([c_n for _ in S_n]).T / len(S_n)),
    Mistake("softmax_jacobian", "term -phi phi^T dropped", "the denominator depends on every logit",
            lambda phi: np.diag(phi)),
    Mistake("softmax_jacobian", "term diag(phi) dropped", "the numerator e^{p_j} depends on p_j",
            lambda phi: -np.outer(phi, phi)),
    Mistake("softmax_jacobian", "sign of phi phi^T",
            "the denominator stands below: its derivative enters with a minus",
            lambda phi: np.diag(phi) + np.outer(phi, phi)),
    Mistake("coupling", "D transposed", "row l of D_n belongs to row l of P_n",
            lambda S_n, c_n: coupling(S_n, c_n).T),
    Mistake("coupling", "1/M missing", "f_n is the mean over the M tokens that look",
            lambda S_n, c_n: coupling(S_n, c_n) * len(S_n)),
    Mistake("coupling", "softmax over columns", "J is that of a row of S_n",
            lambda S_n, c_n: np.array([softmax_jacobian(phi) @ c_n for phi in S_n.T]) / len(S_n)),
    Mistake("coupling", "softmax term -phi phi^T dropped",
            "subtract from c_n[j] what row l collects: (S_n c_n)[l]",
            lambda S_n, c_n: S_n * c_n / len(S_n)),
    Mistake("mean_attention", "rows of S for columns",
            "a_n[j] is what token j gets; a row sums to 1 whatever it is",
            lambda S_n: S_n.sum(axis=1) / len(S_n)),
    Mistake("mean_attention", "1/M missing", "f_n is the mean over the M tokens that look",
            lambda S_n: S_n.sum(axis=0)),
    Mistake("descent", "sign", "the gradient points uphill",
            lambda W, gradient, eta: W + eta * gradient),
    Mistake("descent", "eta missing", "the step is eta times the gradient",
            lambda W, gradient, eta: W - gradient),
    # to the proof's coordinates
    Mistake("gram", "Z^T Z", "tokens are rows of Z: G is (T,T)",
            lambda Z: Z.T @ Z),
    Mistake("token_values", "w_O dropped",
            "the value of a token is a number: W_V^T z_a is still multiplied with w_O",
            lambda Z, W_V, w_O: (Z @ W_V).sum(axis=1)),
    Mistake("move_of_V_plus", "sign", "descent: minus eta times the gradient",
            lambda X, a, g, mu_plus, w_O, eta:
                eta * (w_O @ w_O) * sum(g_n * (X_n @ mu_plus) @ a_n for g_n, X_n, a_n in zip(g, X, a))),
    Mistake("move_of_V_plus", "||w_O||^2 missing",
            "the gradient ends in w_O^T, and V_+ multiplies with w_O again",
            lambda X, a, g, mu_plus, w_O, eta:
                -eta * sum(g_n * (X_n @ mu_plus) @ a_n for g_n, X_n, a_n in zip(g, X, a))),
    Mistake("move_of_V", "G missing", "Z times the gradient Z^T b w_O^T: Z Z^T = G stands in front of b",
            lambda G, b, w_O, eta: -eta * (w_O @ w_O) * b),
    Mistake("move_of_V", "||w_O||^2 missing", "the gradient ends in w_O^T, and V multiplies with w_O again",
            lambda G, b, w_O, eta: -eta * G @ b),
    Mistake("V_plus_closed", "all samples for S_+", "mu_+ is the first token of the samples of label +1 only",
            lambda S, slope, y, mu_plus, w_O, eta:
                -eta * (mu_plus @ mu_plus) * (w_O @ w_O) / S.shape[0] / S.shape[1]
                * sum(slope_n * S_n[:, 0].sum() for slope_n, S_n in zip(slope, S))),
    Mistake("V_plus_closed", "row of S for column",
            "sum what token 1 gets, S_n[l,1] over l; its own row sums to 1",
            lambda S, slope, y, mu_plus, w_O, eta:
                -eta * (mu_plus @ mu_plus) * (w_O @ w_O) / S.shape[0] / S.shape[1]
                * sum(slope_n * S_n[0].sum() for slope_n, S_n, y_n in zip(slope, S, y) if y_n > 0)),
    Mistake("logits_of_tokens", "queries and keys exchanged", "P_n[l,j] = <q_l, k_j>: Q stands in front",
            lambda E_n, Q, K: E_n @ K @ Q.T @ E_n.T),
    Mistake("move_of_q_plus", "D not transposed",
            "q_+ is a column: the step of W_Q is transposed, and D_n with it",
            lambda X, D, g, mu_plus, W_K, eta:
                -eta * sum(g_n * (X_n @ W_K).T @ D_n @ X_n @ mu_plus for g_n, X_n, D_n in zip(g, X, D))),
    Mistake("move_of_q_plus", "sign", "descent: minus eta times the gradient",
            lambda X, D, g, mu_plus, W_K, eta:
                eta * sum(g_n * (X_n @ W_K).T @ D_n.T @ X_n @ mu_plus for g_n, X_n, D_n in zip(g, X, D))),
    Mistake("move_of_Q", "B transposed",
            "queries belong to the rows of B, which stands as it is; K moves by B^T",
            lambda G, B, Q, K, eta: -eta * G @ B.T @ K),
    Mistake("move_of_Q", "Q for K", "the gradient in W_Q ends in the keys",
            lambda G, B, Q, K, eta: -eta * G @ B @ Q),
    Mistake("move_of_Q", "G missing", "Z times the gradient Z^T B K: Z Z^T = G stands in front",
            lambda G, B, Q, K, eta: -eta * B @ K),
    Mistake("key_coefficients", "collected value not subtracted",
            "D_n[1,j] holds c_n[j] - (S_n c_n)[1], by M3",
            lambda S_n, c_n, slope_n, N, mu_plus, eta:
                -eta * (mu_plus @ mu_plus) / N / len(S_n) * slope_n * S_n[0] * c_n),
    Mistake("key_coefficients", "sign", "descent: minus eta times ell'_n, and ell' is negative",
            lambda S_n, c_n, slope_n, N, mu_plus, eta:
                eta * (mu_plus @ mu_plus) / N / len(S_n) * slope_n * S_n[0] * (c_n - S_n[0] @ c_n)),
    Mistake("q_plus_closed", "k_+ dropped", "the signal's own key counts too, with alpha_{+,+}",
            lambda alpha_signal, alpha_noise, k_plus, noise_keys:
                sum(alpha @ keys for alpha, keys in zip(alpha_noise, noise_keys))),
    # layer norm and attention of the vision transformer
    Mistake("normalise", "variance with 1/(d-1)", "layer norm divides by d",
            lambda u, epsilon: u / np.sqrt(_mean(u**2) * u.shape[1] / (u.shape[1] - 1) + epsilon)),
    Mistake("normalise", "divided by the variance", "z is divided by the root of variance + epsilon",
            lambda u, epsilon: u / (_mean(u**2) + epsilon)),
    Mistake("scale_back", "scale g dropped", "y = g z + b: g stands beside z",
            lambda dy, g: dy),
    Mistake("root_back", "root not differentiated", "the root is of u, so it moves with u: quotient rule",
            lambda dz, z, root: dz / root),
    Mistake("root_back", "sign", "the root stands below: its derivative enters with a minus",
            lambda dz, z, root: (dz + z * _mean(dz * z)) / root),
    Mistake("layer_norm_back", "mean not differentiated", "u = x - mean x: every entry of x is in all of u",
            lambda dz, u, root: (dz - u * _mean(dz * u) / root**2) / root),
    Mistake("layer_norm_back", "root not differentiated",
            "the root is of u, so it moves with u: quotient rule",
            lambda dz, root: (dz - _mean(dz)) / root),
    Mistake("heads_output", "heads interleaved", "in q, in k and in v the heads stand one after the other",
            lambda qkv, heads: _heads(qkv, lambda d: np.arange(d).reshape(-1, heads).T, 2)),
    Mistake("heads_output", "1/sqrt(d/H) for 1/sqrt(d)", "the root is of the whole width d, as published",
            lambda qkv, heads: _heads(qkv, lambda d: np.split(np.arange(d), heads), np.sqrt(2))),
    Mistake("values_back", "S not transposed", "a value is summed over the rows that look at it",
            lambda dO_h, S_h: S_h @ dO_h),
    Mistake("softmax_back", "softmax term -S S^T dropped",
            "the denominator depends on every logit of the row",
            lambda dS_h, S_h: S_h * dS_h),
    Mistake("softmax_back", "sum over columns", "the softmax goes along rows, and so does the sum",
            lambda dS_h, S_h: S_h * (dS_h - (S_h * dS_h).sum(axis=0))),
    Mistake("queries_back", "Q for K", "Z_h = Q_h K_h^T / sqrt d: beside dQ_h stand the keys",
            lambda dZ_h, Q_h, K_h: dZ_h @ Q_h / 2),
    Mistake("queries_back", "Z transposed", "queries belong to the rows of Z_h",
            lambda dZ_h, Q_h, K_h: dZ_h.T @ K_h / 2),
    Mistake("queries_back", "1/sqrt(d) missing", "the logits are divided by sqrt(d)",
            lambda dZ_h, Q_h, K_h: dZ_h @ K_h),
]  # fmt: skip
