"""The proof's coordinates ("vectorised Q & K, scalarised V" [P*]) and their update rules P1-P4 [D], exact for
any set of tokens.

    z_a (d,)   the T different tokens, rows of Z (T,d)   G = Z Z^T (T,T)   E_n (M,T) picks sample n's rows
    q_a = W_Q^T z_a, k_a = W_K^T z_a (d_h,), V_a = w_O^T W_V^T z_a: rows of Q, K (T,d_h) and V (T,)
    B = sum_n g_n E_n^T D_n E_n (T,T)      b = sum_n g_n E_n^T a_n (T,)

Why they close: G1-G3 are combinations of tokens, grad W_Q = Z^T B K, grad W_K = Z^T B^T Q, grad W_V = Z^T b
w_O^T. Multiplying GD by Z gives P1-P3, in which d appears no more; and the parameters are known at any time
from the coefficients of the tokens: W_Q(t) = W_Q(0) + Z^T C_Q(t), C_Q(t+1) = C_Q(t) - eta B K(t), and
likewise C_K, C_V. A step costs O(T^2 d_h), whatever d.
"""

import numpy as np

from .gradients import coupling, mean_attention, output_cotangent
from .model import Parameters, logistic, softmax


def different_tokens(X):
    """Z (T,d), the different tokens of X (N,M,d) in the order in which they first appear, and tokens (N,M):
    X[n,l] = Z[tokens[n,l]].
    """
    N, M, d = X.shape
    place = {}
    tokens = np.array(
        [place.setdefault(x.tobytes(), len(place)) for x in X.reshape(N * M, d)], dtype=np.int64
    )
    _, first = np.unique(tokens, return_index=True)
    return X.reshape(N * M, d)[first], tokens.reshape(N, M)


def change_of_logits(Q, K, dQ, dK):
    """P4 [D]: how <q_a,k_b> moves when q_a moves by dQ[a], k_b by dK[b]; (T,T). The last term is O(eta^2),
    and kept.
    """
    return dQ @ K.T + Q @ dK.T + dQ @ dK.T


class ReferenceProofSpace:
    """P1-P3 as the equations stand. G (T,T); Q, K (T,d_h); U = Z W_V (T,d_v), so that V = U w_O; tokens
    (N,M); y (N,).
    """

    def __init__(self, G, Q, K, U, w_O, tokens, y, train_w_O):
        self.G, self.Q, self.K, self.U, self.w_O, self.y, self.train_w_O = G, Q, K, U, w_O, y, train_w_O
        self.index = tokens
        self.E = np.eye(len(G), dtype=int)[tokens]  # (N,M,T)
        self.C_Q, self.C_K, self.C_V = np.zeros_like(Q), np.zeros_like(K), np.zeros_like(U)

    def evaluate(self):
        """L_S (M2) at the present point; keeps what `move` needs."""
        V = self.U @ self.w_O
        S = [softmax(E_n @ self.Q @ (E_n @ self.K).T) for E_n in self.E]
        a = [mean_attention(S_n) for S_n in S]
        f = np.array([a_n @ E_n @ V for a_n, E_n in zip(a, self.E)])
        g = output_cotangent(f, self.y)
        self.B = sum(g_n * E_n.T @ coupling(S_n, E_n @ V) @ E_n for g_n, E_n, S_n in zip(g, self.E, S))
        self.b = sum(g_n * E_n.T @ a_n for g_n, E_n, a_n in zip(g, self.E, a))
        return logistic(self.y * f).mean()

    def move(self, eta):
        """One step: P1, P2, P3, and the coefficients along."""
        G, B, b, Q, K, U, w_O = self.G, self.B, self.b, self.Q, self.K, self.U, self.w_O
        self.Q = Q - eta * G @ B @ K  # P2
        self.K = K - eta * G @ B.T @ Q  # P3
        self.U = U - eta * np.outer(G @ b, w_O)  # P1: V = U w_O moves by -eta ||w_O||^2 G b
        if self.train_w_O:
            self.w_O = w_O - eta * U.T @ b
        self.C_Q, self.C_K, self.C_V = (
            self.C_Q - eta * B @ K,
            self.C_K - eta * B.T @ Q,
            self.C_V - eta * np.outer(b, w_O),
        )

    def tokens(self):
        """Rows [q | k | c] (R,2d_h+1) and tokens (N,M), as kernels.py describes them."""
        return np.concatenate([self.Q, self.K, (self.U @ self.w_O)[:, None]], axis=1), self.index

    def coefficients(self):
        """C_Q, C_K (T,d_h), C_V (T,d_v)."""
        return self.C_Q, self.C_K, self.C_V


class TokenSpace:
    """GD from parameters theta on tokens X (N,M,d), y (N,), run in the proof's coordinates and given back as
    parameters.

    kind: ReferenceProofSpace, or its fast twin engines.proof_space.ProofSpace.
    """

    def __init__(self, theta, X, y, train_w_O, kind=ReferenceProofSpace):
        self.theta = theta
        self.Z, tokens = different_tokens(X)
        Z = self.Z
        self.space = kind(
            Z @ Z.T, Z @ theta.W_Q, Z @ theta.W_K, Z @ theta.W_V, theta.w_O, tokens, y, train_w_O
        )
        self.evaluate, self.move, self.tokens = self.space.evaluate, self.space.move, self.space.tokens

    def parameters(self):
        """theta(t), rebuilt exactly: W_Q(0) + Z^T C_Q(t) and so on."""
        moved = [W + self.Z.T @ C for W, C in zip(self.theta, self.space.coefficients())]
        return Parameters(*moved, self.space.w_O.copy())
