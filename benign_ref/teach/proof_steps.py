"""On to the proof's coordinates: how V_+ and q_+ move in one GD step, P1 and P2 [D] derived on numbers, in
general and in closed form.

What a step claims is checked against a real GD step on the parameters: W - eta times the gradient of
paper/gradients.py, projected afterwards.
"""

import numpy as np

from ..checks.equality import values
from ..paper.gradients import gradients
from ..paper.model import loss
from . import solutions
from .derivation import Example, Step, compare, each, slopes


class ProofExample(Example):
    """Three samples, labels +1, -1, +1, in the proof's coordinates: Z (T,d) with rows mu_+, mu_-, then the
    noise tokens; T = 8.

    E (N,M,T); G (T,T); Q, K (T,2); V (T,); B (T,T); b (T,). after: the parameters after one GD step of size
    eta, w_O fixed.
    """

    def __init__(self, seed, field=None, labels=(1, -1, 1), d_v=2):
        super().__init__(seed, labels, field, d_v)
        noise = [(n, i) for n in range(self.N) for i in range(1, self.M)]
        self.Z = Z = np.array([self.mu_plus, self.mu_minus] + [self.X[n, i] for n, i in noise])
        self.names = ["+", "-"] + [f"{n + 1},{i + 1}" for n, i in noise]
        self.E = np.array([[[float((z == x).all()) for z in Z] for x in X_n] for X_n in self.X])
        self.G = Z @ Z.T
        W_Q, W_K, W_V, w_O = self.theta
        self.Q, self.K, self.V = Z @ W_Q, Z @ W_K, Z @ W_V @ w_O
        self.B = sum(g_n * E_n.T @ D_n @ E_n for g_n, E_n, D_n in zip(self.g, self.E, self.D))
        self.b = sum(g_n * E_n.T @ a_n for g_n, E_n, a_n in zip(self.g, self.E, self.a))
        grads = gradients(self.theta, self.X, self.y)
        self.after = self.theta._replace(
            **{W: getattr(self.theta, W) - self.eta * getattr(grads, W) for W in ("W_Q", "W_K", "W_V")}
        )
        self.mu_square, self.w_O_square = self.mu_plus @ self.mu_plus, w_O @ w_O
        self.plus = np.flatnonzero(self.y > 0)

    def tokens(self, name, values):
        """Pairs: name_+, name_-, name_{1,2}, ... of the tokens."""
        return [(f"{name}_{{{token}}}", value) for token, value in zip(self.names, values)]


def to_tokens(ex):
    """D1: the different tokens Z (T,d), X_n = E_n Z, and their inner products G (T,T)."""
    yield Step(
        "The tokens and their inner products",
        """
        z_+ = mu_+,  z_- = mu_-,  z_{n,i} = xi_{n,i} for i >= 2:   the rows of Z (T,d),   T = 2 + N(M-1)
        X_n = E_n Z,   where E_n (M,T) holds one 1 in each row
        G_{ab} = <z_a, z_b>
        G_{++} = G_{--} = ||mu||^2,   G_{+b} = 0 for every b other than +,   likewise for -       (D1)
        """,
        """All samples of one label share their first token; every noise token is its own. The signals are
        orthogonal to each other, and noise is drawn orthogonal to both (D1), so the rows of $mu_+$ and
        $mu_-$ in the Gram matrix $G$ hold one entry each. Between noise tokens nothing vanishes.""",
        [*ex.tokens("z", ex.Z), ("G", ex.G)],
        [
            compare("E_n Z against X_n", ex.E @ ex.Z, ex.X),
            compare(
                "rows + and - of G against ||mu||^2 and zeros", ex.G[:2], ex.mu_square * np.eye(len(ex.Z))[:2]
            ),
            compare(
                "as many tokens as different rows in the data",
                len(ex.Z),
                len(np.unique(np.vstack(values(ex.X)), axis=0)),
            ),
        ],
        exercise="gram",
    )


def to_values(ex):
    """The values V = Z W_V w_O (T,) of the tokens, and c_n = E_n V (M,); G3 in a step of GD, projected on
    mu_+: how V_+, a number, moves.
    """
    yield Step(
        "The value of a token",
        """
        V_a = w_O^T W_V^T z_a,   so   V_+ = w_O^T W_V^T mu_+
        c_n = E_n V
        """,
        """The model never sees $W_V$ but through the numbers $w_O^T W_V^T x$ of the tokens $x$ (the
        proof's "scalarised V"). Sample $n$ of label +1 has $c_n = (V_+, V_{n,2}, ..., V_{n,M})$.""",
        [*ex.tokens("V", ex.V), *each("c_n", ex.c)],
        [compare("E_n V against c_n = X_n W_V w_O", ex.E @ ex.V, ex.c)],
        exercise="token_values",
    )

    W_V, w_O = ex.theta.W_V, ex.theta.w_O
    slope = slopes(
        lambda t: loss(ex.theta._replace(W_V=W_V + t * np.outer(ex.mu_plus, w_O)), ex.X, ex.y), ex.zero
    )
    move = solutions.move_of_V_plus(ex.X, ex.a, ex.g, ex.mu_plus, w_O, ex.eta)
    yield Step(
        "One step of $W_V$, seen from $mu_+$",
        """
        W_V(t+1) = W_V(t) - eta grad_{W_V} L_S = W_V(t) - eta sum_n g_n X_n^T a_n w_O^T   (GD, G3)
        V_+(t+1) - V_+(t) = mu_+^T (W_V(t+1) - W_V(t)) w_O = -eta ||w_O||^2 sum_n g_n (X_n mu_+)^T a_n
        """,
        """Multiply the step from the left by $mu_+^T$ and from the right by $w_O$, which is not trained.
        $w_O^T w_O = ||w_O||^2$ is a number and comes out in front; $mu_+^T X_n^T = (X_n mu_+)^T$.""",
        [
            ("eta", ex.eta),
            ("||w_O||^2", ex.w_O_square),
            *each("X_n mu_+", ex.X @ ex.mu_plus),
            ("move of V_+", move),
        ],
        [
            compare(
                "against a real step: V_+ from W_V(t+1) minus V_+ from W_V(t)",
                move,
                ex.mu_plus @ (ex.after.W_V - W_V) @ w_O,
            ),
            compare(
                "against -eta times the slope of L_S along mu_+ w_O^T, by complex step",
                move,
                -ex.eta * slope,
                1e-10,
            ),
        ],
        exercise="move_of_V_plus",
    )


def values_in_closed_form(ex):
    """P1: how V (T,) moves, -eta ||w_O||^2 G b; row +: how V_+ moves, a sum over the samples of label +1."""
    move = solutions.move_of_V(ex.G, ex.b, ex.theta.w_O, ex.eta)
    found = ex.Z @ (ex.after.W_V - ex.theta.W_V) @ ex.theta.w_O
    yield Step(
        "All tokens at once: P1",
        """
        b = sum_n g_n E_n^T a_n   (T)
        V(t+1) = V(t) - eta ||w_O||^2 G b       (P1)
        """,
        """The same with any token $z_a$ in place of $mu_+$: $z_a^T X_n^T a_n = z_a^T Z^T E_n^T a_n$, which
        is row $a$ of $G$ times $E_n^T a_n$. The dimension $d$ has gone: tokens enter by their inner
        products alone.""",
        [("b", ex.b), ("move of V: by P1, by a real step", np.column_stack([move, found]))],
        [compare("P1 against a real step, all tokens", move, found)],
        exercise="move_of_V",
    )

    move = solutions.V_plus_closed(ex.S, ex.slope, ex.y, ex.mu_plus, ex.theta.w_O, ex.eta)
    yield Step(
        "$V_+$ in closed form",
        """
        V_+(t+1) - V_+(t) = -(eta ||mu||^2 ||w_O||^2 / NM) sum_{n in S_+} ell'_n sum_l S_n[l,1]   (P1)
        """,
        """Row + of $G$ holds $||mu||^2$ alone, so only $b_+$ is needed: the samples of label +1, which are
        the set $S_+$, and their token 1. There $g_n a_n[1] = (y_n ell'_n / N) (1/M) sum_l S_n[l,1]$
        with $y_n = 1$. As $ell'_n < 0$ and attention is positive, $V_+$ always grows, and the faster
        the more attention the signal gets.""",
        [
            ("ell'_n, n in S_+", ex.slope[ex.plus]),
            ("sum_l S_n[l,1], n in S_+", np.array([ex.S[n, :, 0].sum() for n in ex.plus])),
            ("move of V_+", move),
        ],
        [compare("against a real step", move, ex.mu_plus @ (ex.after.W_V - ex.theta.W_V) @ ex.theta.w_O)],
        exercise="V_plus_closed",
    )


def to_queries(ex):
    """The queries Q = Z W_Q and keys K = Z W_K (T,d_h) of the tokens, and P_n = E_n Q K^T E_n^T (M,M)."""
    yield Step(
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


def queries_in_closed_form(ex):
    """P2, row +: the coefficients alpha_{+,+}, a number, and alpha_{n,+,i} (|S_+|,M-1), from the first row of
    each D_n; how q_+ (d_h,) moves, as a combination of k_+ and the noise keys k_{n,i}.
    """
    rest = ex.N, ex.mu_plus, ex.eta
    alphas = np.array([solutions.key_coefficients(ex.S[n], ex.c[n], ex.slope[n], *rest) for n in ex.plus])
    signal, noise = alphas[:, 0].sum(), alphas[:, 1:]
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

    parts = [signal * ex.K[0], sum(alpha @ k for alpha, k in zip(noise, ex.X[ex.plus, 1:] @ ex.theta.W_K))]
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
