"""P1-P4: the proof's coordinates against tokens times derivatives of the ledger's own loss, and against the
written-out sums.
"""

from fractions import Fraction

import numpy as np

from ..core import Row, relative_residual

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


def kinds(audited):
    """The class of both twins, by name."""
    return {
        "ReferenceProofSpace": audited.proof.ReferenceProofSpace,
        "ProofSpace": audited.proof_space.ProofSpace,
    }


def spaces(audited, problem, train_w_O=False):
    """(name, space, Z, coordinates before) of both twins, evaluated at the problem's theta."""
    Z, tokens = different(problem.X)
    W_Q, W_K, W_V, w_O = problem.theta
    theta = audited.model.Parameters(*problem.theta)
    for name, kind in kinds(audited).items():
        space = kind(theta, Z, tokens, problem.y, train_w_O)
        space.evaluate()
        yield name, space, Z, (Z @ W_Q, Z @ W_K, Z @ W_V @ w_O)


def coordinates(space, width):
    """Q, K (T,d_h), V (T,) of a space at its present point, copied; where d_h > 4T Q and K are rotated."""
    rows, _ = space.tokens()
    d_h = rows.shape[1] // 2
    O = space.O if width != d_h else np.eye(d_h)
    return rows[:, :d_h] @ O.T, rows[:, d_h : 2 * d_h] @ O.T, rows[:, -1].copy()


def moved(audited, problem, which):
    """(name, change of coordinate number `which`, eta, Z, before) after one step of each twin, w_O fixed, as
    long as the coordinate.
    """
    eta = problem.stride(which)
    for name, space, Z, before in spaces(audited, problem):
        space.move(eta)
        yield name, coordinates(space, before[0].shape[1])[which] - before[which], eta, Z, before


def check_tokens(audited, problem):
    """The set of different tokens."""
    Z, tokens = different(problem.X)
    got, index = audited.proof.different_tokens(problem.X)
    shapes = got.shape == Z.shape and index.shape == tokens.shape
    same = shapes and (got == Z).all() and (index == tokens).all()
    yield "different_tokens: comparison of each with each", float(not same), 0.0


def check_rebuilt(audited, problem, block):
    """theta rebuilt from the tokens' coefficients: after two steps, and after one as long as the block."""
    theta = audited.model.Parameters(*problem.theta)
    for train_w_O in (False, True):
        steps = {
            1: (
                problem.stride(block),
                [W - problem.stride(block) * dW for W, dW in zip(theta, problem.gradient)],
            )
        }
        if not problem.saturated:
            steps[2] = problem.eta, problem.path(2, train_w_O)[1]
        for name, kind in kinds(audited).items():
            for count, (eta, wanted) in steps.items():
                space = kind.of(theta, problem.X, problem.y, train_w_O)
                for _ in range(count):
                    space.evaluate()
                    space.move(eta)
                got = space.parameters()[block] - theta[block]
                name_of_run = f"{name}, w_O {'trained' if train_w_O else 'fixed'}, steps {count}"
                yield (
                    f"{name_of_run}: theta rebuilt, by complex step",
                    relative_residual(got, wanted[block] - theta[block]),
                    EXACT,
                )


def values_by_sums(problem, Z, eta):
    """P1 written out: -(eta ||w_O||^2/NM) sum_{n'} y_n' ell'_n' sum_{i'} <z_a, x_{n',i'}> sum_l S_n'[l,i'],
    by loops, (T,).
    """
    _, S = problem.exact
    N, M, _ = problem.X.shape
    total = np.zeros(len(Z))
    for a, z in enumerate(Z):
        for n in range(N):
            for i in range(M):
                inner = sum(z * problem.X[n, i])
                total[a] += problem.cotangent[n] * inner * sum(S[n, l, i] for l in range(M)) / M
    return -eta * sum(problem.theta[3] ** 2) * total


def check_P1(audited, problem):
    """V, and the w_O that is trained with it."""
    for name, change, eta, Z, _ in moved(audited, problem, 2):
        wanted = -eta * Z @ problem.gradient[2] @ problem.theta[3]
        yield f"{name}: Z times the complex step in W_V", relative_residual(change, wanted), EXACT
        yield (
            f"{name}: the sums over samples and tokens",
            relative_residual(change, values_by_sums(problem, Z, eta)),
            EXACT,
        )
    eta = 0.7 * problem.stride(2, 3)  # a whole stride could end at w_O = 0
    for name, space, Z, before in spaces(audited, problem, train_w_O=True):
        space.move(eta)
        step = -eta * problem.gradient[3]
        V = Z @ (problem.theta[2] - eta * problem.gradient[2]) @ (problem.theta[3] + step)
        yield (
            f"{name}, w_O trained: V by complex step",
            relative_residual(coordinates(space, before[0].shape[1])[2] - before[2], V - before[2]),
            EXACT,
        )
        yield (
            f"{name}, w_O trained: w_O by complex step",
            relative_residual(space.w_O - problem.theta[3], step),
            EXACT,
        )
    yield from check_rebuilt(audited, problem, 2)
    yield from check_tokens(audited, problem)


def row_by_alpha(problem, Z, tokens, K, V, eta):
    """P2 for each token that stands first in a sample, written out with alpha: {token: change of q}.

    alpha_{n,a,i} = (eta/NM) y_n (-ell'_n) sum_l <z_a, x_l> S_n[l,i] (V_{n,i} - (S_n c_n)[l]); for a signal
    only l = 1 is not orthogonal. V_{n,i} and (S_n c_n)[l] are taken less the value of the token that row l
    attends to most.
    """
    _, S = problem.exact
    N, M, _ = problem.X.shape
    changes = {}
    for a in sorted(set(tokens[:, 0].tolist())):
        changes[a] = np.zeros(K.shape[1])
        for n in range(N):
            for l in range(M):
                inner = sum(Z[a] * problem.X[n, l])
                less = [V[t] - V[tokens[n, S[n, l].argmax()]] for t in tokens[n]]
                mean = sum(S[n, l, j] * less[j] for j in range(M))
                for i in range(M):
                    alpha = -eta / M * problem.cotangent[n] * inner * S[n, l, i] * (less[i] - mean)
                    changes[a] += alpha * K[tokens[n, i]]
    return changes


def check_side(which, letter):
    """A check of P2 (which = 0) or P3 (which = 1)."""

    def check(audited, problem):
        for name, change, eta, Z, before in moved(audited, problem, which):
            yield (
                f"{name}: Z times the complex step in W_{letter}",
                relative_residual(change, -eta * Z @ problem.gradient[which]),
                EXACT,
            )
            if which == 0:
                alphas = row_by_alpha(problem, Z, different(problem.X)[1], before[1], before[2], eta)
                got = np.array([change[a] for a in alphas])
                yield (
                    f"{name}: q of the signals by alpha",
                    relative_residual(got, np.array(list(alphas.values()))),
                    EXACT,
                )
        yield from check_rebuilt(audited, problem, which)

    return check


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
    eta = min(problem.stride(0), problem.stride(1))
    W_Q, W_K = (W - eta * dW for W, dW in zip(problem.theta[:2], problem.gradient[:2]))
    for name, space, Z, (Q, K, _) in spaces(audited, problem):
        space.move(eta)
        after = coordinates(space, Q.shape[1])
        dQ, dK = after[0] - Q, after[1] - K
        got = audited.proof.change_of_logits(Q, K, dQ, dK)
        yield (
            f"change_of_logits in a step of {name}: rational arithmetic",
            relative_residual(got, exact_change(Q, K, dQ, dK)),
            EXACT,
        )
        wanted = Z @ (W_Q @ W_K.T - problem.theta[0] @ problem.theta[1].T) @ Z.T
        yield f"change_of_logits in a step of {name}: complex step", relative_residual(got, wanted), EXACT
        if name == "ReferenceProofSpace":
            yield (
                "logits that the run carries: complex step",
                relative_residual(space.P - Q @ K.T, wanted),
                EXACT,
            )


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
        "V(t+1) = V(t) - eta ||w_O||^2 G b, b = sum_n g_n E_n^T a_n; w_O trained: U - eta G b w_O^T, w_O "
        "- eta U^T b",
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
