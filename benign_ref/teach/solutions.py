"""The functions that the exercises ask for, one for each step of the walk-throughs, as a solution should
look. Where the reference itself holds the function, it is that one.

    X (N,M,d), y (N,)   X_n (M,d), S_n, D_n (M,M), c_n, a_n (M,): one sample   phi (M,): one row of attention
    W_Q, W_K (d,d_h), W_V (d,d_v), w_O (d_v,)   eta: the step size   f, g, slope = ell'(y f) (N,)
    Z (T,d): the different tokens; Q, K (T,d_h), V (T,): their queries, keys, values
    G, B (T,T), b (T,): as in paper/proof.py
    E_n (M,T): picks the tokens of one sample   mu_plus (d,)
    x, u, z, dx, du, dy, dz (M,d), g (d,), root (M,1): tokens of a layer norm, and their cotangents
    qkv (M,3d)   S_h, dS_h, dZ_h (M,M), Q_h, K_h, V_h, dO_h (M,d/H): of one head
"""

import numpy as np

from ..paper.gradients import coupling, mean_attention, softmax_jacobian
from ..paper.model import Parameters, attention_of, forward, logistic, logistic_slope, output_of, softmax


def output(X_n, W_Q, W_K, W_V, w_O):
    """f_n, a number: the output of the model for one sample."""
    return output_of(Parameters(W_Q, W_K, W_V, w_O), X_n)


def empirical_loss(y, f):
    """L_S, a number, from labels y and outputs f (N,)."""
    return logistic(y * f).mean()


def output_cotangent(y, f):
    """g = dL_S/df (N,)."""
    return y * logistic_slope(y * f) / len(y)


def attention_cotangent(S_n, c_n):
    """df_n/dS_n (M,M)."""
    return np.array([c_n / len(S_n) for _ in S_n])


def into_W_Q(X_n, D_n, W_Q, W_K):
    """The gradient of f_n in W_Q (d,d_h), from D_n = df_n/dP_n."""
    return X_n.T @ D_n @ X_n @ W_K


def into_W_K(X_n, D_n, W_Q, W_K):
    """The gradient of f_n in W_K (d,d_h), from D_n = df_n/dP_n."""
    return X_n.T @ D_n.T @ X_n @ W_Q


def into_W_V(X_n, a_n, W_V, w_O):
    """The gradient of f_n in W_V (d,d_v), from a_n = df_n/dc_n."""
    return np.outer(X_n.T @ a_n, w_O)


def into_w_O(X_n, a_n, W_V, w_O):
    """The gradient of f_n in w_O (d_v,), from a_n = df_n/dc_n."""
    return W_V.T @ X_n.T @ a_n


def _attention_and_g(X, y, W_Q, W_K, W_V, w_O):
    """S (N lists of rows) and g (N,)."""
    theta = Parameters(W_Q, W_K, W_V, w_O)
    return [attention_of(theta, X_n) for X_n in X], output_cotangent(y, forward(theta, X))


def gradient_W_Q(X, y, W_Q, W_K, W_V, w_O):
    """The gradient of L_S in W_Q (d,d_h): G1."""
    S, g = _attention_and_g(X, y, W_Q, W_K, W_V, w_O)
    D = [coupling(S_n, X_n @ W_V @ w_O) for S_n, X_n in zip(S, X)]
    return sum(g_n * X_n.T @ D_n @ X_n @ W_K for g_n, X_n, D_n in zip(g, X, D))


def gradient_W_K(X, y, W_Q, W_K, W_V, w_O):
    """The gradient of L_S in W_K (d,d_h): G2."""
    S, g = _attention_and_g(X, y, W_Q, W_K, W_V, w_O)
    D = [coupling(S_n, X_n @ W_V @ w_O) for S_n, X_n in zip(S, X)]
    return sum(g_n * X_n.T @ D_n.T @ X_n @ W_Q for g_n, X_n, D_n in zip(g, X, D))


def gradient_W_V(X, y, W_Q, W_K, W_V, w_O):
    """The gradient of L_S in W_V (d,d_v): G3."""
    S, g = _attention_and_g(X, y, W_Q, W_K, W_V, w_O)
    return sum(g_n * np.outer(X_n.T @ mean_attention(S_n), w_O) for g_n, X_n, S_n in zip(g, X, S))


def gradient_w_O(X, y, W_Q, W_K, W_V, w_O):
    """The gradient of L_S in w_O (d_v,): G4."""
    S, g = _attention_and_g(X, y, W_Q, W_K, W_V, w_O)
    return sum(g_n * W_V.T @ X_n.T @ mean_attention(S_n) for g_n, X_n, S_n in zip(g, X, S))


def descent(W, gradient, eta):
    """W after one step of gradient descent, of the shape of W."""
    return W - eta * gradient


def gram(Z):
    """G (T,T), the inner products of the tokens."""
    return Z @ Z.T


def token_values(Z, W_V, w_O):
    """V (T,), the values of the tokens."""
    return Z @ W_V @ w_O


def move_of_V_plus(X, a, g, mu_plus, w_O, eta):
    """How V_+, a number, moves in one step of W_V; a (N,M), w_O is not trained."""
    return -eta * (w_O @ w_O) * sum(g_n * (X_n @ mu_plus) @ a_n for g_n, X_n, a_n in zip(g, X, a))


def move_of_V(G, b, w_O, eta):
    """How V (T,) moves in one step: P1."""
    return -eta * (w_O @ w_O) * G @ b


def V_plus_closed(S, slope, y, mu_plus, w_O, eta):
    """How V_+, a number, moves: P1 as a sum over the samples of label +1; S (N,M,M), slope (N,)."""
    N, M, _ = S.shape
    attended = sum(slope_n * S_n[:, 0].sum() for slope_n, S_n, y_n in zip(slope, S, y) if y_n > 0)
    return -eta * (mu_plus @ mu_plus) * (w_O @ w_O) / (N * M) * attended


def logits_of_tokens(E_n, Q, K):
    """P_n (M,M), from the queries and keys of the tokens."""
    return E_n @ Q @ K.T @ E_n.T


def move_of_q_plus(X, D, g, mu_plus, W_K, eta):
    """How q_+ (d_h,) moves in one step of W_Q; D (N,M,M)."""
    return -eta * sum(g_n * (X_n @ W_K).T @ D_n.T @ (X_n @ mu_plus) for g_n, X_n, D_n in zip(g, X, D))


def move_of_Q(G, B, Q, K, eta):
    """How Q (T,d_h) moves in one step: P2."""
    return -eta * G @ B @ K


def key_coefficients(S_n, c_n, slope_n, N, mu_plus, eta):
    """The coefficients (M,) of the keys of one sample of label +1 in the move of q_+: P2."""
    return -eta * (mu_plus @ mu_plus) / (N * len(S_n)) * slope_n * S_n[0] * (c_n - S_n[0] @ c_n)


def q_plus_closed(alpha_signal, alpha_noise, k_plus, noise_keys):
    """How q_+ (d_h,) moves: P2 as a combination of k_+ (d_h,) and of the noise keys (samples,M-1,d_h) of the
    samples of label +1, with coefficients alpha_signal, a number, and alpha_noise (samples,M-1).
    """
    return alpha_signal * k_plus + sum(alpha @ keys for alpha, keys in zip(alpha_noise, noise_keys))


def normalise(x, epsilon):
    """z (M,d): each row of x without its mean, divided by the root of its variance (with 1/d) + epsilon."""
    u = x - x.mean(axis=1, keepdims=True)
    return u / np.sqrt((u * u).mean(axis=1, keepdims=True) + epsilon)


def scale_back(dy, g):
    """dz (M,d) from dy (M,d), where y = g z + b with one scale g and one shift b (d,) for all rows."""
    return dy * g


def root_back(dz, z, root):
    """du (M,d) from dz (M,d), where z = u / root (M,d), root = sqrt(mean u^2 + epsilon) (M,1) row by row."""
    return (dz - z * (dz * z).mean(axis=1, keepdims=True)) / root


def layer_norm_back(dy, x, g, epsilon):
    """dx (M,d) from dy (M,d), where y = g z + b and z = normalise(x, epsilon)."""
    u = x - x.mean(axis=1, keepdims=True)
    root = np.sqrt((u * u).mean(axis=1, keepdims=True) + epsilon)
    du = root_back(dy * g, u / root, root)
    return du - du.mean(axis=1, keepdims=True)


def heads_output(qkv, heads):
    """O (M,d) from qkv (M,3d): q, then k, then v, in each the heads in turn; logits divided by sqrt(d)."""
    d, outputs = qkv.shape[1] // 3, []
    for h in np.split(np.arange(d), heads):
        q, k, v = (qkv[:, part * d + h] for part in range(3))
        outputs.append(softmax(q @ k.T / np.sqrt(d)) @ v)
    return np.concatenate(outputs, axis=1)


def values_back(dO_h, S_h):
    """dV_h from dO_h, of one head, where O_h = S_h V_h."""
    return S_h.T @ dO_h


def softmax_back(dS_h, S_h):
    """dZ_h (M,M) from dS_h (M,M), where S_h = softmax(Z_h) row by row."""
    return S_h * (dS_h - (S_h * dS_h).sum(axis=1, keepdims=True))


def queries_back(dZ_h, Q_h, K_h):
    """dQ_h from dZ_h (M,M), where Z_h = Q_h K_h^T / sqrt(d) and d = 4, the width of two heads of 2."""
    return dZ_h @ K_h / 2


SOLUTIONS = {
    function.__name__: function
    for function in [
        *(output, empirical_loss, output_cotangent, attention_cotangent, softmax_jacobian, coupling),
        *(mean_attention, into_W_Q, into_W_K, into_W_V, into_w_O),
        *(gradient_W_Q, gradient_W_K, gradient_W_V, gradient_w_O, descent),
        *(gram, token_values, move_of_V_plus, move_of_V, V_plus_closed),
        *(normalise, scale_back, root_back, layer_norm_back),
        *(heads_output, values_back, softmax_back, queries_back),
        *(logits_of_tokens, move_of_q_plus, move_of_Q, key_coefficients, q_plus_closed),
    ]
}
ASKED = {  # where the docstring of the reference gives the answer away
    "softmax_jacobian": "J (M,M), J[j,i] = d phi_j / d p_i, from phi = softmax(p) (M,).",
    "coupling": "D_n = df_n/dP_n (M,M); f_n = (1/M) sum_l S_n[l,:] . c_n, S_n = softmax(P_n) by rows.",
    "mean_attention": "a_n = df_n/dc_n (M,); f_n = (1/M) sum_l S_n[l,:] . c_n.",
}
