"""M3, G1-G4: the four gradients, by hand, line by line, in NumPy alone.

The forward pass of one sample has three steps. Each is a function here whose forward line stands directly
above the lines that differentiate it; it returns its value and the function that takes a cotangent of that
value back, dV meaning the derivative of what follows in V.

    forward                                        backward, in reverse order
    1  P_n = X_n W_Q W_K^T X_n^T      (M,M)        3  D_n = df_n/dP_n, a_n = df_n/dc_n    M3
    2  c_n = X_n W_V w_O              (M,)         2  W_V, w_O                            G3, G4
    3  f_n = (1/M) sum_l phi(P_n[l,:]) . c_n       1  W_Q, W_K                            G1, G2
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from .model import Parameters, logistic_slope, mean_value, shifted, softmax


def logits(X_n: np.ndarray, W_Q: np.ndarray, W_K: np.ndarray) -> tuple[np.ndarray, Callable]:
    """Step 1: P_n (M,M), and back from dP_n = g_n D_n (M,M) to dW_Q, dW_K (d,d_h) [D].

    P_n is linear in W_Q. Moving it by H moves sum_lj dP_n[l,j] P_n[l,j] by <dP_n, X_n H W_K^T X_n^T> =
    <X_n^T dP_n X_n W_K, H>, so dW_Q is what stands beside H; W_K alike.
    """
    P_n = X_n @ W_Q @ W_K.T @ X_n.T  # forward 1

    def back(dP_n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        dW_Q = X_n.T @ (dP_n @ (X_n @ W_K))  # G1: g_n X_n^T D_n X_n W_K
        dW_K = X_n.T @ (dP_n.T @ (X_n @ W_Q))  # G2: g_n X_n^T D_n^T X_n W_Q
        return dW_Q, dW_K

    return P_n, back


def values(X_n: np.ndarray, W_V: np.ndarray, w_O: np.ndarray) -> tuple[np.ndarray, Callable]:
    """Step 2: c_n (M,), and back from dc_n = g_n a_n to dW_V (d,d_v), dw_O (d_v,) [D]: linear in each."""
    c_n = X_n @ W_V @ w_O  # forward 2

    def back(dc_n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        dW_V = np.outer(X_n.T @ dc_n, w_O)  # G3: g_n X_n^T a_n w_O^T
        dw_O = W_V.T @ (X_n.T @ dc_n)  # G4: g_n W_V^T X_n^T a_n
        return dW_V, dw_O

    return c_n, back


def softmax_jacobian(phi: np.ndarray) -> np.ndarray:
    """M3 [D]: J(phi) = diag(phi) - phi phi^T, (M,M). Forward: phi_j = e^{p_j} / sum_i e^{p_i}, so that
    d phi_j/d p_i = phi_j (1[i=j] - phi_i).
    """
    return np.diag(phi) - np.outer(phi, phi)


def coupling(S_n: np.ndarray, c_n: np.ndarray) -> np.ndarray:
    """M3 [D]: D_n = df_n/dP_n, (M,M); row l is (1/M) J(S_n[l,:]) c_n. Its rows sum to 0 (I1).

    Forward: f_n = (1/M) sum_l S_n[l,:] . c_n, whose term l depends on row l of P_n alone. As J 1 = 0, c_n may
    be `shifted`, and by that D_n keeps its digits at saturated attention.
    """
    return np.array([softmax_jacobian(phi) @ shifted(c_n, phi) for phi in S_n]) / len(S_n)


def mean_attention(S_n: np.ndarray) -> np.ndarray:
    """a_n = df_n/dc_n = (1/M) S_n^T 1, (M,) [D]: what each token gets on the average row. Sums to 1."""
    return S_n.sum(axis=0) / len(S_n)


def output(P_n: np.ndarray, c_n: np.ndarray) -> tuple[Any, Callable]:
    """Step 3: f_n, a number, and back from its cotangent g_n to dP_n (M,M), dc_n (M,)."""
    S_n = softmax(P_n)  # (M,M), row by row
    f_n = sum(mean_value(phi, c_n) for phi in S_n) / len(S_n)  # forward 3

    def back(g_n: float) -> tuple[np.ndarray, np.ndarray]:
        D_n, a_n = coupling(S_n, c_n), mean_attention(S_n)  # M3
        return g_n * D_n, g_n * a_n

    return f_n, back


def sample(theta: Parameters, X_n: np.ndarray) -> tuple[np.ndarray, Callable]:
    """Steps 1, 2, 3 of one sample X_n (M,d): f_n, and back from g_n to the four blocks by 3, 2, 1."""
    P_n, to_W_Q_and_W_K = logits(X_n, theta.W_Q, theta.W_K)
    c_n, to_W_V_and_w_O = values(X_n, theta.W_V, theta.w_O)
    f_n, to_P_and_c = output(P_n, c_n)

    def back(g_n: float) -> tuple[np.ndarray, ...]:
        dP_n, dc_n = to_P_and_c(g_n)
        return *to_W_Q_and_W_K(dP_n), *to_W_V_and_w_O(dc_n)

    return f_n, back


def forward_and_back(theta: Parameters, X: np.ndarray) -> tuple[np.ndarray, Callable]:
    """f (N,) of samples X (N,M,d), and the function that takes any cotangent g (N,) of f to the gradients of
    sum_n g_n f_n, as Parameters.
    """
    samples = [sample(theta, X_n) for X_n in X]

    def back(g: np.ndarray) -> Parameters:
        total: list[Any] = [0, 0, 0, 0]
        for (_, back_n), g_n in zip(samples, g):
            total = [block + more for block, more in zip(total, back_n(g_n))]
        return Parameters(*total)

    return np.array([f_n for f_n, _ in samples]), back


def output_cotangent(f: np.ndarray, y: np.ndarray) -> np.ndarray:
    """g_n = dL_S/df_n = y_n ell'(y_n f_n)/N, (N,) [D]. Forward: L_S = (1/N) sum_n ell(y_n f_n)."""
    return y * logistic_slope(y * f) / len(y)


def pull_back(theta: Parameters, X: np.ndarray, g: np.ndarray) -> Parameters:
    """G1-G4 [D] for any cotangent g (N,): the gradients of sum_n g_n f(X_n, theta)."""
    return forward_and_back(theta, X)[1](g)


def gradients(theta: Parameters, X: np.ndarray, y: np.ndarray) -> Parameters:
    """G1-G4 [D]: the gradients of L_S (M2) with respect to all four parameters."""
    f, back = forward_and_back(theta, X)
    return back(output_cotangent(f, y))
