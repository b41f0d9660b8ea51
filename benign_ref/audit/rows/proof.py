"""P1-P4: the proof's coordinates against tokens times derivatives of the ledger's own loss, and against the
written-out sums.
"""

from fractions import Fraction

import numpy as np

from ..core import Row, worst

EXACT = 1e-8  # measured on 100 seeds: at most 6.3e-11, where a short step is found as a difference of weights


def different(X):
    """The different tokens Z (T,d), by comparison of each with each, and tokens (N,M)."""
    Z, tokens = [], []
    for x in X.reshape(-1, X.shape[2]):
        same = [a for a, z in enumerate(Z) if (z == x).all()]
        if not same:
            Z.append(x)
        tokens.append(same[0] if same else len(Z) - 1)
    return np.array(Z), np.array(tokens).reshape(X.shape[:2])


def space_kind(audited, name):
    """The class of one of KINDS."""
    return getattr(audited.proof if name == "ReferenceProofSpace" else audited.proof_space, name)


def spaces(audited, problem, train_w_O=False):
    """(name, space, Z, coordinates before) of both twins, evaluated at the problem's theta."""
    Z, tokens = different(problem.X)
    W_Q, W_K, W_V, w_O = problem.theta
    for name in ("ReferenceProofSpace", "ProofSpace"):
        theta = audited.model.Parameters(*problem.theta)
        space = space_kind(audited, name)(theta, Z, tokens, problem.y, train_w_O)
        space.evaluate()
        yield name, space, Z, (Z @ W_Q, Z @ W_K, Z @ W_V @ w_O)


def coordinates(space):
    """Q, K (T,d_h), V (T,) of a space at its present point, copied."""
    rows, _ = space.tokens()
    d_h = rows.shape[1] // 2
    return rows[:, :d_h].copy(), rows[:, d_h : 2 * d_h].copy(), rows[:, -1].copy()


def moved(audited, problem, which):
    """(name, change of coordinate number `which`, Z, before) after one step of each twin with w_O fixed."""
    for name, space, Z, before in spaces(audited, problem):
        space.move(problem.eta)
        yield name, coordinates(space)[which] - before[which], Z, before


def check_tokens(audited, problem):
    """The set of different tokens."""
    Z, tokens = different(problem.X)
    got, index = audited.proof.different_tokens(problem.X)
    same = (
        got.shape == Z.shape and index.shape == tokens.shape and (got == Z).all() and (index == tokens).all()
    )
    yield "different_tokens: comparison of each with each", float(not same), 0.0


def check_rebuilt(audited, problem, block):
    """theta after two steps, rebuilt from the coefficients of the tokens."""
    theta = audited.model.Parameters(*problem.theta)
    for train_w_O in (False, True):
        _, wanted = problem.path(2, train_w_O)
        for kind in ("ReferenceProofSpace", "ProofSpace"):
            space = space_kind(audited, kind).of(theta, problem.X, problem.y, train_w_O)
            for _ in range(2):
                space.evaluate()
                space.move(problem.eta)
            got = space.parameters()[block] - theta[block]
            name = f"{kind}, w_O {'trained' if train_w_O else 'fixed'}"
            yield (
                f"{name}: theta rebuilt after two steps, by complex step",
                worst(got, wanted[block] - theta[block]),
                EXACT,
            )


def values_by_sums(problem, Z):
    """P1 written out: -(eta ||w_O||^2/NM) sum_{n'} y_n' ell'_n' sum_{i'} <z_a, x_{n',i'}> sum_l S_n'[l,i'],
    by loops, (T,).
    """
    f, S = problem.exact
    N, M, _ = problem.X.shape
    slope = [-1 / (1 + np.exp(y_n * f_n)) for y_n, f_n in zip(problem.y, f)]
    total = np.zeros(len(Z))
    for a, z in enumerate(Z):
        for n in range(N):
            for i in range(M):
                total[a] += (
                    problem.y[n] * slope[n] * sum(z * problem.X[n, i]) * sum(S[n, l, i] for l in range(M))
                )
    return -problem.eta * sum(problem.theta[3] ** 2) / (N * M) * total


def check_P1(audited, problem):
    """V, and the w_O that is trained with it."""
    wanted = None
    for name, change, Z, _ in moved(audited, problem, 2):
        wanted = -problem.eta * Z @ problem.gradient[2] @ problem.theta[3]
        yield f"{name}: Z times the complex step in W_V", worst(change, wanted), EXACT
        yield f"{name}: the sums over samples and tokens", worst(change, values_by_sums(problem, Z)), EXACT
    for name, space, Z, before in spaces(audited, problem, train_w_O=True):
        space.move(problem.eta)
        w_O = problem.theta[3] - problem.eta * problem.gradient[3]
        V = Z @ (problem.theta[2] - problem.eta * problem.gradient[2]) @ w_O
        yield (
            f"{name}, w_O trained: V by complex step",
            worst(coordinates(space)[2] - before[2], V - before[2]),
            EXACT,
        )
        yield (
            f"{name}, w_O trained: w_O by complex step",
            worst(space.w_O - problem.theta[3], w_O - problem.theta[3]),
            EXACT,
        )
    yield from check_rebuilt(audited, problem, 2)
    yield from check_tokens(audited, problem)


def row_by_alpha(problem, Z, tokens, K, V):
    """P2 for each token that stands first in a sample, written out with alpha: {token: change of q}.

    alpha_{n,a,i} = (eta/NM) y_n (-ell'_n) sum_l <z_a, x_l> S_n[l,i] (V_{n,i} - (S_n c_n)[l]); for a signal
    only l = 1 is not orthogonal.
    """
    f, S = problem.exact
    N, M, _ = problem.X.shape
    changes = {}
    for a in sorted(set(tokens[:, 0].tolist())):
        change = np.zeros(K.shape[1])
        for n in range(N):
            minus_slope = 1 / (1 + np.exp(problem.y[n] * f[n]))
            for l in range(M):
                inner = sum(Z[a] * problem.X[n, l])
                mean = sum(S[n, l, j] * V[tokens[n, j]] for j in range(M))
                for i in range(M):
                    alpha = (
                        problem.eta
                        / (N * M)
                        * problem.y[n]
                        * minus_slope
                        * inner
                        * S[n, l, i]
                        * (V[tokens[n, i]] - mean)
                    )
                    change += alpha * K[tokens[n, i]]
        changes[a] = change
    return changes


def check_side(which, letter):
    """A check of P2 (which = 0) or P3 (which = 1)."""

    def check(audited, problem):
        for name, change, Z, before in moved(audited, problem, which):
            yield (
                f"{name}: Z times the complex step in W_{letter}",
                worst(change, -problem.eta * Z @ problem.gradient[which]),
                EXACT,
            )
            if which == 0:
                alphas = row_by_alpha(problem, Z, different(problem.X)[1], before[1], before[2])
                yield (
                    f"{name}: q of the signals by alpha",
                    max(worst(change[a], wanted) for a, wanted in alphas.items()),
                    EXACT,
                )
        yield from check_rebuilt(audited, problem, which)
        yield from check_wide(audited, problem, which)

    return check


def check_wide(audited, problem, which):
    """d_h > 2T, where ProofSpace rotates Q and K into 2T columns: one sample of two tokens, d_h = 5."""
    rng = problem.rng(11)
    scale = problem.theta[0].std()
    wide = type(problem)(
        problem.scale,
        problem.seed,
        (*(scale * rng.standard_normal((2, problem.X.shape[2], 5))), *problem.theta[2:]),
        problem.X[:1, :2].copy(),
        problem.y[:1],
        problem.eta,
    )
    eta = (
        np.abs(wide.theta[which]).max() / np.abs(wide.gradient[which]).max()
    )  # a step as long as the weights
    for kind in ("ReferenceProofSpace", "ProofSpace"):
        theta = audited.model.Parameters(*wide.theta)
        space = space_kind(audited, kind).of(theta, wide.X, wide.y)
        space.evaluate()
        space.move(eta)
        got = space.parameters()[which] - theta[which]
        yield (
            f"{kind}, d_h > 2T: theta rebuilt after a step, by complex step",
            worst(got, -eta * wide.gradient[which]),
            EXACT,
        )


def exact_change(Q, K, dQ, dK):
    """<q+dq, k+dk> - <q, k> in rational numbers, rounded once, (T,T)."""
    Q, K, dQ, dK = ([[Fraction(float(v)) for v in row] for row in A] for A in (Q, K, dQ, dK))
    inner = lambda u, v: sum(a * b for a, b in zip(u, v))  # noqa: E731
    after_Q = [[a + b for a, b in zip(u, v)] for u, v in zip(Q, dQ)]
    after_K = [[a + b for a, b in zip(u, v)] for u, v in zip(K, dK)]
    return np.array(
        [[float(inner(q2, k2) - inner(q, k)) for k, k2 in zip(K, after_K)] for q, q2 in zip(Q, after_Q)]
    )


def check_P4(audited, problem):
    """The change of the logits in a real step, and of the attention's logits in the run."""
    for name, space, _, (Q, K, _) in spaces(audited, problem):
        space.move(problem.eta)
        after = coordinates(space)
        dQ, dK = after[0] - Q, after[1] - K
        got = audited.proof.change_of_logits(Q, K, dQ, dK)
        yield (
            f"change_of_logits in a step of {name}: rational arithmetic",
            worst(got, exact_change(Q, K, dQ, dK)),
            EXACT,
        )
        _, theta = problem.path(1, False)
        Z, tokens = different(problem.X)
        wanted = Z @ (theta[0] @ theta[1].T - problem.theta[0] @ problem.theta[1].T) @ Z.T
        yield f"change_of_logits in a step of {name}: complex step", worst(got, wanted), EXACT
        if name == "ReferenceProofSpace":
            yield "logits that the run carries: complex step", worst(space.P - Q @ K.T, wanted), EXACT


MOVES = (
    "paper/proof.py:ReferenceProofSpace.move",
    "engines/proof_space.py:ColumnSpace.move",
    "engines/proof_space.py:ColumnSpace.coefficients",
    "engines/proof_space.py:ProofSpace.parameters",
    "paper/proof.py:ReferenceProofSpace.parameters",
)
ROWS = [
    Row(
        "P1",
        "V(t+1) = V(t) - eta ||w_O||^2 G b, b = sum_n g_n E_n^T a_n; w_O trained: U - eta G b w_O^T, w_O - eta U^T b",
        "scalarised V, update rule",
        "[D], idea [P*]",
        (
            "paper/proof.py:ReferenceProofSpace.move",
            "paper/proof.py:ReferenceProofSpace.evaluate",
            "engines/proof_space.py:ColumnSpace.move",
            "engines/proof_space.py:ColumnSpace.evaluate",
            "paper/proof.py:different_tokens",
            "engines/proof_space.py:ProofSpace.parameters",
            "paper/proof.py:ReferenceProofSpace.parameters",
        ),
        check_P1,
    ),
    Row(
        "P2",
        "Q(t+1) = Q(t) - eta G B K(t), B = sum_n g_n E_n^T D_n E_n; W_Q(t) = W_Q(0) + Z^T C_Q(t)",
        "vectorised Q & K, update rule",
        "[D], idea [P*]",
        MOVES,
        check_side(0, "Q"),
    ),
    Row(
        "P3",
        "K(t+1) = K(t) - eta G B^T Q(t); W_K(t) = W_K(0) + Z^T C_K(t)",
        "vectorised Q & K, update rule",
        "[D], idea [P*]",
        MOVES,
        check_side(1, "K"),
    ),
    Row(
        "P4",
        "<q_a,k_b> moves by <dq_a,k_b> + <q_a,dk_b> + <dq_a,dk_b>, the last O(eta^2) and kept",
        "change of the attention's logits",
        "[D]",
        (
            "paper/proof.py:change_of_logits",
            "paper/proof.py:ReferenceProofSpace.move",
            "engines/proof_space.py:ColumnSpace.move",
        ),
        check_P4,
    ),
]
