"""The proof's coordinates ("vectorised Q & K, scalarised V" [P*]) and their update rules P1-P4 [D], exact for
any set of tokens.

    z_a (d,)   the T different tokens, rows of Z (T,d)   G = Z Z^T (T,T)   E_n (M,T) picks sample n's rows
    q_a = W_Q^T z_a, k_a = W_K^T z_a (d_h,), V_a = w_O^T W_V^T z_a: rows of Q, K (T,d_h) and V (T,)
    U = Z W_V (T,d_v), so that V = U w_O
    B = sum_n g_n E_n^T D_n E_n (T,T)      b = sum_n g_n E_n^T a_n (T,)

Why they close: G1-G3 are combinations of tokens, grad W_Q = Z^T B K, grad W_K = Z^T B^T Q, grad W_V = Z^T b
w_O^T. Multiplying GD by Z gives P1-P3, in which d appears no more; and the parameters are known at any time
from the coefficients of the tokens: W_Q(t) = W_Q(0) + Z^T C_Q(t), C_Q(t+1) = C_Q(t) - eta B K(t), and
likewise C_K, C_V. A step costs O(T^2 d_h), whatever d.
"""

import numpy as np

from .gradients import coupling, mean_attention, output_cotangent
from .model import Parameters, logistic, mean_value, softmax


def different_tokens(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Z (T,d), the different tokens of X (N,M,d) in the order in which they first appear, and index (N,M):
    X[n,l] = Z[index[n,l]].
    """
    Z: list[np.ndarray] = []
    index = []
    for x in X.reshape(-1, X.shape[2]):
        a = next((a for a, z in enumerate(Z) if (z == x).all()), len(Z))
        Z += [x] * (a == len(Z))
        index.append(a)
    return np.stack(Z), np.array(index).reshape(X.shape[:2])


def change_of_logits(Q: np.ndarray, K: np.ndarray, dQ: np.ndarray, dK: np.ndarray) -> np.ndarray:
    """P4 [D]: how <q_a,k_b> moves by dQ[a], dK[b]; (T,T). The last term is O(eta^2), and kept."""
    return dQ @ K.T + Q @ dK.T + dQ @ dK.T


class ReferenceProofSpace:
    """P1-P4 as the equations stand: GD from theta on the tokens Z (T,d), labels y (N,); token l of sample n
    is Z[index[n,l]].
    """

    STATE = ("Q", "K", "U", "w_O", "P", "C_Q", "C_K", "C_V")

    def __init__(self, theta: Parameters, Z: np.ndarray, index: np.ndarray, y: np.ndarray,
                 train_w_O: bool = False) -> None:  # fmt: skip
        W_Q, W_K, W_V, self.w_O = theta
        self.theta, self.Z, self.index, self.y, self.train_w_O = theta, Z, index, y, train_w_O
        self.E = np.eye(len(Z), dtype=int)[index]  # (N,M,T)
        self.G, self.Q, self.K, self.U = Z @ Z.T, Z @ W_Q, Z @ W_K, Z @ W_V
        self.P = self.Q @ self.K.T  # (T,T), every logit <q_a,k_b>
        self.C_Q, self.C_K, self.C_V = 0 * self.Q, 0 * self.K, 0 * self.U

    @classmethod
    def of(cls, theta: Parameters, X: np.ndarray, y: np.ndarray,
           train_w_O: bool = False) -> "ReferenceProofSpace":  # fmt: skip
        """The space of tokens X (N,M,d), of which each different one is held once."""
        return cls(theta, *different_tokens(X), y, train_w_O)

    def evaluate(self) -> float:
        """L_S (M2) at the present point; what `move` needs is kept."""
        V = self.U @ self.w_O
        S = [softmax(E_n @ self.P @ E_n.T) for E_n in self.E]
        f = np.array([sum(mean_value(phi, E_n @ V) for phi in S_n) / len(S_n) for E_n, S_n in zip(self.E, S)])
        g = output_cotangent(f, self.y)
        self.B = sum(g_n * E_n.T @ coupling(S_n, E_n @ V) @ E_n for g_n, E_n, S_n in zip(g, self.E, S))
        self.b = sum(g_n * E_n.T @ mean_attention(S_n) for g_n, E_n, S_n in zip(g, self.E, S))
        return logistic(self.y * f).mean()

    def move(self, eta: float) -> None:
        """One step: P1-P4, and the coefficients along."""
        G, B, b, Q, K, U, w_O = self.G, self.B, self.b, self.Q, self.K, self.U, self.w_O
        dQ = -eta * G @ B @ K  # P2
        dK = -eta * G @ B.T @ Q  # P3
        self.P = self.P + change_of_logits(Q, K, dQ, dK)  # P4
        self.Q, self.K = Q + dQ, K + dK
        self.U = U - eta * np.outer(G @ b, w_O)  # P1: V = U w_O moves by -eta ||w_O||^2 G b
        if self.train_w_O:
            self.w_O = w_O - eta * U.T @ b
        self.C_Q = self.C_Q - eta * B @ K
        self.C_K = self.C_K - eta * B.T @ Q
        self.C_V = self.C_V - eta * np.outer(b, w_O)

    def tokens(self) -> tuple[np.ndarray, np.ndarray]:
        """rows [q | k | c] (T,2d_h+1) and index (N,M), as kernels.py describes them."""
        return np.concatenate([self.Q, self.K, (self.U @ self.w_O)[:, None]], axis=1), self.index

    def parameters(self) -> Parameters:
        """theta(t), rebuilt exactly from the coefficients."""
        W_Q, W_K, W_V = (W + self.Z.T @ C for W, C in zip(self.theta, (self.C_Q, self.C_K, self.C_V)))
        return Parameters(W_Q, W_K, W_V, self.w_O.copy())
