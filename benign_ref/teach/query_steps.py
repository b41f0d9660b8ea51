"""How q_+ moves in one GD step: P2 [D] derived on numbers, in general and in closed form.

The example is the one of proof_steps.py, in the proof's coordinates, and what a step claims is checked
against the same real GD step.
"""

import numpy as np

from ..paper.model import loss
from . import solutions
from .derivation import Step, compare, each, slopes


def queries_step(ex):
    """Step: the queries Q = Z W_Q and keys K = Z W_K (T,d_h) of the tokens, and P_n = E_n Q K^T E_n^T
    (M,M).
    """
    return Step(
        "The query and key of a token",
        """
        q_a = W_Q^T z_a,   k_a = W_K^T z_a:   rows of Q = Z W_Q and K = Z W_K
        P_n = E_n Q K^T E_n^T,   that is   P_n[l,j] = <q, k> of tokens l and j
        """,
        """The model sees $W_Q$ and $W_K$ only through these vectors (the proof's "vectorised Q & K"). $q_+
        = W_Q^T mu_+$ is the query of every sample of label +1 at its token 1.""",
        [*ex.tokens("q", ex.Q), *ex.tokens("k", ex.K), ("P_1", ex.P[0])],
        [
            compare(
                "E_n Q K^T E_n^T against P_n = X_n W_Q W_K^T X_n^T",
                ex.E @ ex.Q @ ex.K.T @ ex.E.transpose(0, 2, 1),
                ex.P,
            )
        ],
        exercise="logits_of_tokens",
    )


def moves_of_queries(ex):
    """G1 in a step of GD, projected on mu_+: how q_+ (d_h,) moves; P2: how Q (T,d_h) moves, -eta G B K."""
    W_Q, W_K = ex.theta.W_Q, ex.theta.W_K
    terms = [
        -ex.eta * g_n * (X_n @ W_K).T @ D_n.T @ (X_n @ ex.mu_plus) for g_n, X_n, D_n in zip(ex.g, ex.X, ex.D)
    ]
    move = sum(terms)
    slope = slopes(
        lambda t: loss(ex.theta._replace(W_Q=W_Q + np.outer(ex.mu_plus, t)), ex.X, ex.y), 0 * ex.Q[0]
    )
    yield Step(
        "One step of $W_Q$, seen from $mu_+$",
        """
        W_Q(t+1) = W_Q(t) - eta grad_{W_Q} L_S = W_Q(t) - eta sum_n g_n X_n^T D_n X_n W_K   (GD, G1)
        q_+(t+1) - q_+(t) = (W_Q(t+1) - W_Q(t))^T mu_+ = -eta sum_n g_n (X_n W_K)^T D_n^T (X_n mu_+)
        """,
        """Transpose the step and multiply it with $mu_+$. The rows of $X_n W_K$ are the keys of the
        sample's tokens, so $q_+$ moves along a combination of keys.""",
        [
            ("eta", ex.eta),
            *each("X_n mu_+", ex.X @ ex.mu_plus),
            *each("term of X_n", terms),
            ("move of q_+", move),
        ],
        [
            compare(
                "against a real step: q_+ from W_Q(t+1) minus q_+ from W_Q(t)",
                move,
                (ex.after.W_Q - W_Q).T @ ex.mu_plus,
            ),
            compare(
                "against -eta times the slope of L_S along mu_+, by complex step",
                move,
                -ex.eta * slope,
                1e-10,
            ),
        ],
        exercise="move_of_q_plus",
    )

    move = solutions.move_of_Q(ex.G, ex.B, ex.Q, ex.K, ex.eta)
    found = ex.Z @ (ex.after.W_Q - ex.theta.W_Q)
    yield Step(
        "All tokens at once: P2",
        """
        B = sum_n g_n E_n^T D_n E_n   (T,T)
        Q(t+1) = Q(t) - eta G B K(t)       (P2)
        """,
        """With $X_n = E_n Z$, $grad_{W_Q} L_S = Z^T B Z W_K = Z^T B K$. Multiplied with $Z$ from the left
        it is $Z Z^T B K = G B K$. Again $d$ has gone.""",
        [("B", ex.B), ("move of Q: by P2, by a real step", np.hstack([move, found]))],
        [compare("P2 against a real step, all tokens", move, found)],
        exercise="move_of_Q",
    )


def alphas(ex):
    """alpha_{+,+}, a number, and alpha_{n,+,i}, one row for each n in S_+, i = 2..M, as the closed forms
    say.
    """
    rest = ex.N, ex.mu_plus, ex.eta
    each = np.array([solutions.key_coefficients(ex.S[n], ex.c[n], ex.slope[n], *rest) for n in ex.plus])
    return each[:, 0].sum(), each[:, 1:]


def to_closed_form(ex):
    """P2, row +: the coefficients alpha_{+,+}, a number, and alpha_{n,+,i} (|S_+|,M-1), from the first row of
    each D_n; how q_+ (d_h,) moves, as a combination of k_+ and the noise keys k_{n,i}.
    """
    signal, noise = alphas(ex)
    plain = np.array([-ex.eta * ex.mu_square * ex.g[n] * ex.D[n, 0] for n in ex.plus])
    yield Step(
        "What $mu_+$ picks out: the first row of $D_n$",
        """
        q_+(t+1) - q_+(t) = -eta ||mu||^2 sum_{n in S_+} g_n sum_j D_n[1,j] k_{n,j}
        alpha_{+,+}   = (eta ||mu||^2 / NM) sum_{n in S_+} (-ell'_n) S_n[1,1] (V_+ - (S_n c_n)[1])
        alpha_{n,+,i} = (eta ||mu||^2 / NM) (-ell'_n) S_n[1,i] (V_{n,i} - (S_n c_n)[1])       (P2)
        """,
        """$X_n mu_+$ is $||mu||^2$ in place 1 and 0 elsewhere if $n$ is in $S_+$, and 0 otherwise: only
        row 1 of $D_n$ is left. By M3, $D_n[1,j] = (1/M) S_n[1,j] (c_n[j] - (S_n c_n)[1])$ and $g_n =
        ell'_n / N$, $c_n[1] = V_+$, $c_n[i] = V_{n,i}$. Call the coefficient of $k_+$, which all
        samples of $S_+$ share, $alpha_{+,+}$, and that of $k_{n,i}$ $alpha_{n,+,i}$. A token whose
        value is above what the signal's row collects draws $q_+$ towards its key; the others repel it.""",
        [
            *((f"-eta ||mu||^2 g_{n + 1} D_{n + 1}[1,:]", row) for n, row in zip(ex.plus, plain)),
            ("alpha_{+,+}", signal),
            *((f"alpha_{{{n + 1},+,i}}, i = 2..M", row) for n, row in zip(ex.plus, noise)),
        ],
        [
            compare("alpha_{+,+} against the sum of -eta ||mu||^2 g_n D_n[1,1]", signal, plain[:, 0].sum()),
            compare("alpha_{n,+,i} against -eta ||mu||^2 g_n D_n[1,i]", noise, plain[:, 1:]),
        ],
        exercise="key_coefficients",
    )

    signal, noise = alphas(ex)
    keys = np.array([ex.X[n, 1:] @ ex.theta.W_K for n in ex.plus])
    parts = [signal * ex.K[0], sum(alpha @ k for alpha, k in zip(noise, keys))]
    yield Step(
        "$q_+$ in closed form",
        """
        q_+(t+1) - q_+(t) = alpha_{+,+} k_+ + sum_{n in S_+} sum_{i >= 2} alpha_{n,+,i} k_{n,i}   (P2)
        """,
        """The sum of the step before, sorted by key. It is exact for every step size $eta$: $W_Q$ moves by
        a multiple of a gradient that is fixed while it moves.""",
        [
            ("alpha_{+,+} k_+", parts[0]),
            ("sum of alpha_{n,+,i} k_{n,i}", parts[1]),
            ("move of q_+", sum(parts)),
        ],
        [compare("against a real step", sum(parts), (ex.after.W_Q - ex.theta.W_Q).T @ ex.mu_plus)],
        exercise="q_plus_closed",
    )
