"""The steps of the walk-throughs of the proof, of values and of queries and keys, with one mistake each, as
steps.py has them.
"""

from .steps import Mistake

PROOF = [
    Mistake("gram", "Z^T Z", "tokens are rows of Z: G is (T,T)", lambda Z: Z.T @ Z),
    Mistake(
        "token_values",
        "w_O dropped",
        "the value of a token is a number: W_V^T z_a is still multiplied with w_O",
        lambda Z, W_V, w_O: (Z @ W_V).sum(axis=1),
    ),
    Mistake(
        "move_of_V_plus",
        "sign",
        "descent: minus eta times the gradient",
        lambda X, a, g, mu_plus, w_O, eta: (
            eta * (w_O @ w_O) * sum(g_n * (X_n @ mu_plus) @ a_n for g_n, X_n, a_n in zip(g, X, a))
        ),
    ),
    Mistake(
        "move_of_V_plus",
        "||w_O||^2 missing",
        "the gradient ends in w_O^T, and V_+ multiplies with w_O again",
        lambda X, a, g, mu_plus, w_O, eta: (
            -eta * sum(g_n * (X_n @ mu_plus) @ a_n for g_n, X_n, a_n in zip(g, X, a))
        ),
    ),
    Mistake(
        "move_of_V",
        "G missing",
        "Z times the gradient Z^T b w_O^T: Z Z^T = G stands in front of b",
        lambda G, b, w_O, eta: -eta * (w_O @ w_O) * b,
    ),
    Mistake(
        "move_of_V",
        "||w_O||^2 missing",
        "the gradient ends in w_O^T, and V multiplies with w_O again",
        lambda G, b, w_O, eta: -eta * G @ b,
    ),
    Mistake(
        "V_plus_closed",
        "all samples for S_+",
        "mu_+ is the first token of the samples of label +1 only",
        lambda S, slope, y, mu_plus, w_O, eta: (
            -eta
            * (mu_plus @ mu_plus)
            * (w_O @ w_O)
            / S.shape[0]
            / S.shape[1]
            * sum(slope_n * S_n[:, 0].sum() for slope_n, S_n in zip(slope, S))
        ),
    ),
    Mistake(
        "V_plus_closed",
        "row of S for column",
        "sum what token 1 gets, S_n[l,1] over l; its own row sums to 1",
        lambda S, slope, y, mu_plus, w_O, eta: (
            -eta
            * (mu_plus @ mu_plus)
            * (w_O @ w_O)
            / S.shape[0]
            / S.shape[1]
            * sum(slope_n * S_n[0].sum() for slope_n, S_n, y_n in zip(slope, S, y) if y_n > 0)
        ),
    ),
    Mistake(
        "logits_of_tokens",
        "queries and keys exchanged",
        "P_n[l,j] = <q_l, k_j>: Q stands in front",
        lambda E_n, Q, K: E_n @ K @ Q.T @ E_n.T,
    ),
    Mistake(
        "move_of_q_plus",
        "D not transposed",
        "q_+ is a column: the step of W_Q is transposed, and D_n with it",
        lambda X, D, g, mu_plus, W_K, eta: (
            -eta * sum(g_n * (X_n @ W_K).T @ D_n @ X_n @ mu_plus for g_n, X_n, D_n in zip(g, X, D))
        ),
    ),
    Mistake(
        "move_of_q_plus",
        "sign",
        "descent: minus eta times the gradient",
        lambda X, D, g, mu_plus, W_K, eta: (
            eta * sum(g_n * (X_n @ W_K).T @ D_n.T @ X_n @ mu_plus for g_n, X_n, D_n in zip(g, X, D))
        ),
    ),
    Mistake(
        "move_of_Q",
        "B transposed",
        "queries belong to the rows of B, which stands as it is; K moves by B^T",
        lambda G, B, Q, K, eta: -eta * G @ B.T @ K,
    ),
    Mistake(
        "move_of_Q",
        "Q for K",
        "the gradient in W_Q ends in the keys",
        lambda G, B, Q, K, eta: -eta * G @ B @ Q,
    ),
    Mistake(
        "move_of_Q",
        "G missing",
        "Z times the gradient Z^T B K: Z Z^T = G stands in front",
        lambda G, B, Q, K, eta: -eta * B @ K,
    ),
    Mistake(
        "key_coefficients",
        "collected value not subtracted",
        "D_n[1,j] holds c_n[j] - (S_n c_n)[1], by M3",
        lambda S_n, c_n, slope_n, N, mu_plus, eta: (
            -eta * (mu_plus @ mu_plus) / N / len(S_n) * slope_n * S_n[0] * c_n
        ),
    ),
    Mistake(
        "key_coefficients",
        "sign",
        "descent: minus eta times ell'_n, and ell' is negative",
        lambda S_n, c_n, slope_n, N, mu_plus, eta: (
            eta * (mu_plus @ mu_plus) / N / len(S_n) * slope_n * S_n[0] * (c_n - S_n[0] @ c_n)
        ),
    ),
    Mistake(
        "q_plus_closed",
        "k_+ dropped",
        "the signal's own key counts too, with alpha_{+,+}",
        lambda alpha_signal, alpha_noise, k_plus, noise_keys: sum(
            alpha @ keys for alpha, keys in zip(alpha_noise, noise_keys)
        ),
    ),
]
