"""G1-G4: the four gradients, by hand, line by line, in NumPy alone. Read it beside model.py.

forward (one sample, M1)                          backward, in reverse order
F1  P_n = X_n W_Q W_K^T X_n^T      (M,M)          B5  W_Q, W_K   G1, G2
F2  S_n = phi(P_n), row by row     (M,M)          B4  P_n        D_n, by the softmax Jacobian M3
F3  c_n = X_n W_V w_O              (M,)           B3  W_V, w_O   G3, G4
F4  f_n = (1/M) sum_l S_n[l,:] c_n                B2  c_n        a_n
F5  L   = (1/N) sum_n ell(y_n f_n)                B1  f_n        g_n
"""

import numpy as np

from .model import Parameters, attention_of, forward, logistic_slope


def softmax_jacobian(phi):
    """M3 [D]: J(phi) = diag(phi) - phi phi^T, (M,M). From phi_j = e^{p_j}/sum e^{p}: d phi_j/d p_i = phi_j
    (1[i=j] - phi_i).
    """
    return np.diag(phi) - np.outer(phi, phi)


def coupling(S_n, c_n):
    """M3 [D]: D_n = df_n/dP_n, (M,M); row l is (1/M) J(S_n[l,:]) c_n. Its rows sum to 0 (I1)."""
    M = len(S_n)
    # forward F4: f_n = (1/M) sum_l S_n[l,:] c_n, and only row l of S_n depends on row l of P_n (F2)
    return np.array([softmax_jacobian(S_n[l]) @ c_n / M for l in range(M)])


def mean_attention(S_n):
    """a_n = df_n/dc_n = (1/M) S_n^T 1, (M,) [D]: what each token gets on the average row. Sums to 1."""
    return S_n.sum(axis=0) / len(S_n)


def pull_back(theta, X, g):
    """G1-G4 [D] for any cotangent g (N,): the gradients of sum_n g_n f(X_n, theta), as Parameters of theta's
    shapes.
    """
    W_Q, W_K, W_V, w_O = theta
    dW_Q, dW_K, dW_V, dw_O = (np.zeros_like(W) for W in theta)
    for X_n, g_n in zip(X, g):
        S_n = attention_of(theta, X_n)  # (M,M)  F1, F2
        c_n = X_n @ W_V @ w_O  # (M,)   F3
        # B2, forward F4: f_n = a_n . c_n
        a_n = mean_attention(S_n)  # (M,)
        # B3, forward F3: c_n = X_n W_V w_O
        dW_V += g_n * np.outer(X_n.T @ a_n, w_O)  # G3: g_n X_n^T a_n w_O^T
        dw_O += g_n * (W_V.T @ (X_n.T @ a_n))  # G4: g_n W_V^T X_n^T a_n
        # B4, forward F2: S_n = phi(P_n)
        D_n = coupling(S_n, c_n)  # (M,M)
        # B5, forward F1: P_n = X_n W_Q W_K^T X_n^T
        dW_Q += g_n * (X_n.T @ (D_n @ (X_n @ W_K)))  # G1: g_n X_n^T D_n X_n W_K
        dW_K += g_n * (X_n.T @ (D_n.T @ (X_n @ W_Q)))  # G2: g_n X_n^T D_n^T X_n W_Q
    return Parameters(dW_Q, dW_K, dW_V, dw_O)


def output_cotangent(f, y):
    """B1 [D]: g_n = dL_S/df_n = y_n ell'(y_n f_n)/N, (N,), from F5."""
    return y * logistic_slope(y * f) / len(y)


def gradients(theta, X, y):
    """G1-G4 [D]: the gradients of L_S (M2) with respect to all four parameters, as Parameters."""
    return pull_back(theta, X, output_cotangent(forward(theta, X), y))
