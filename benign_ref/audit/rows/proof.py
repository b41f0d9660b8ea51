"""P1-P4: the proof's coordinates against tokens times derivatives of the ledger's own loss, and against the
written-out sums.
"""

from fractions import Fraction
from functools import partial

import numpy as np

from ..core import Row, equal, relative_residual
from .gradient import moved as in_steps

EXACT = 1e-8  # measured on 100 seeds: at most 6.3e-11, where a short step is found as a difference of weights


def _different(X):
    """The different tokens Z (T,d), by comparison of each with each, and tokens (N,M)."""
    rows = X.reshape(-1, X.shape[2])
    first = (rows[:, None] == rows).all(axis=2).argmax(axis=1)  # of the rows that are equal to each
    kept, tokens = np.unique(first, return_inverse=True)
    return rows[kept], tokens.reshape(X.shape[:2])


def _kinds(audited):
    return audited.proof.ReferenceProofSpace, audited.proof_space.ProofSpace


def _stepped(audited, problem, eta, train_w_O=False):
    """Z, (Q, K, V) before, and (name, space, change of Q, K, V) after one step of each twin."""
    theta, (Z, tokens) = audited.model.Parameters(*problem.theta), _different(problem.X)
    before, moved = (Z @ theta.W_Q, Z @ theta.W_K, Z @ theta.W_V @ theta.w_O), []
    for kind in _kinds(audited):
        space = in_steps(kind(theta, Z, tokens, problem.y, train_w_O), eta)
        rows, _ = space.tokens()
        h = rows.shape[1] // 2
        O = np.eye(h) if h == theta.W_Q.shape[1] else space.O  # where d_h > 4T Q and K are rotated
        after = rows[:, :h] @ O.T, rows[:, h : 2 * h] @ O.T, rows[:, -1]
        moved.append((kind.__name__, space, [new - old for new, old in zip(after, before)]))
    return Z, before, moved


def _rebuilt(audited, problem, block):
    """theta rebuilt from the tokens' coefficients: after one step as long as the block, and after two."""
    theta, stride = audited.model.Parameters(*problem.theta), problem.stride(block)
    for train_w_O, word in ((False, "fixed"), (True, "trained")):
        steps = {1: (stride, problem.theta[block] - stride * problem.gradient[block])}
        if not problem.saturated:
            steps[2] = problem.eta, problem.path(2, train_w_O)[1][-1][block]
        for kind in _kinds(audited):
            for count, (eta, wanted) in steps.items():
                space = in_steps(kind.of(theta, problem.X, problem.y, train_w_O), eta, count)
                yield (
                    f"{kind.__name__}, w_O {word}, steps {count}: theta rebuilt, by complex step",
                    relative_residual(space.parameters()[block] - theta[block], wanted - theta[block]),
                    EXACT,
                )


def _values_by_sums(problem, Z, eta):
    """P1 written out: -(eta ||w_O||^2/NM) sum_{n'} y_n' ell'_n' sum_{i'} <z_a, x_{n',i'}> sum_l S_n'[l,i'],
    by loops, (T,).
    """
    total, (N, M, _), (_, S) = np.zeros(len(Z)), problem.X.shape, problem.exact
    for a, n, i in np.ndindex(len(Z), N, M):
        total[a] += problem.cotangent[n] * sum(Z[a] * problem.X[n, i]) * sum(S[n, l, i] for l in range(M)) / M
    return -eta * sum(problem.theta[3] ** 2) * total


def _P1(audited, problem):
    eta, W_V, w_O, slope = problem.stride(2), *problem.theta[2:], problem.gradient
    Z, _, moved = _stepped(audited, problem, eta)
    for name, _, (_, _, dV) in moved:
        yield from equal({
            f"{name}: Z times the complex step in W_V": (dV, -eta * Z @ slope[2] @ w_O),
            f"{name}: the sums over samples and tokens": (dV, _values_by_sums(problem, Z, eta)),
        }, EXACT)  # fmt: skip
    eta = 0.7 * problem.stride(2, 3)  # a whole stride could end at w_O = 0
    Z, (_, _, V), moved = _stepped(audited, problem, eta, train_w_O=True)
    step = -eta * slope[3]
    after = Z @ (W_V - eta * slope[2]) @ (w_O + step)
    for name, space, (_, _, dV) in moved:
        yield from equal({
            f"{name}, w_O trained: V by complex step": (dV, after - V),
            f"{name}, w_O trained: w_O by complex step": (space.w_O - w_O, step),
        }, EXACT)  # fmt: skip
    yield from _rebuilt(audited, problem, 2)
    pairs = zip(audited.proof.different_tokens(problem.X), _different(problem.X))
    yield "different_tokens: comparison of each with each", sum(not np.array_equal(*p) for p in pairs), 0.0


def _row_by_alpha(problem, Z, tokens, K, V, eta):
    """P2 for the tokens that stand first in a sample, written out with alpha: these, and changes of q.

    alpha_{n,a,i} = (eta/NM) y_n (-ell'_n) sum_l <z_a, x_l> S_n[l,i] (V_{n,i} - (S_n c_n)[l]); for a signal
    only l = 1 is not orthogonal. V_{n,i} and (S_n c_n)[l] are taken less the value of the token that row l
    attends to most.
    """
    (N, M, _), (_, S) = problem.X.shape, problem.exact
    changes = {a: np.zeros(K.shape[1]) for a in sorted(set(tokens[:, 0].tolist()))}
    for a, n, l in ((a, n, l) for a in changes for n, l in np.ndindex(N, M)):
        inner = sum(Z[a] * problem.X[n, l])
        less = [V[t] - V[tokens[n, S[n, l].argmax()]] for t in tokens[n]]
        mean = sum(S[n, l, j] * less[j] for j in range(M))
        for i in range(M):
            alpha = -eta / M * problem.cotangent[n] * inner * S[n, l, i] * (less[i] - mean)
            changes[a] += alpha * K[tokens[n, i]]
    return list(changes), np.array(list(changes.values()))


def _side(which, audited, problem):
    """P2 (which = 0) or P3 (which = 1)."""
    eta = problem.stride(which)
    Z, (_, K, V), moved = _stepped(audited, problem, eta)
    for name, _, change in moved:
        by_step = f"{name}: Z times the complex step in W_{'QK'[which]}"
        pairs = {by_step: (change[which], -eta * Z @ problem.gradient[which])}
        if which == 0:
            signals, by_alpha = _row_by_alpha(problem, Z, _different(problem.X)[1], K, V, eta)
            pairs[f"{name}: q of the signals by alpha"] = change[0][signals], by_alpha
        yield from equal(pairs, EXACT)
    yield from _rebuilt(audited, problem, which)


def _exact_change(Q, K, dQ, dK):
    """<q+dq, k+dk> - <q, k> in rational numbers, rounded once, (T,T)."""
    Q, K, dQ, dK = (np.array([[Fraction(float(v)) for v in row] for row in A]) for A in (Q, K, dQ, dK))
    return ((Q + dQ) @ (K + dK).T - Q @ K.T).astype(float)


def _P4(audited, problem):
    eta = min(problem.stride(0), problem.stride(1))
    W_Q, W_K = (W - eta * dW for W, dW in zip(problem.theta[:2], problem.gradient[:2]))
    Z, (Q, K, _), moved = _stepped(audited, problem, eta)
    wanted = Z @ (W_Q @ W_K.T - problem.theta[0] @ problem.theta[1].T) @ Z.T
    for name, space, (dQ, dK, _) in moved:
        got, name = audited.proof.change_of_logits(Q, K, dQ, dK), f"change_of_logits in a step of {name}"
        routes = {
            f"{name}: rational arithmetic": (got, _exact_change(Q, K, dQ, dK)),
            f"{name}: complex step": (got, wanted),
        }
        if name.endswith("ReferenceProofSpace"):
            routes["logits that the run carries: complex step"] = space.P - Q @ K.T, wanted
        yield from equal(routes, EXACT)


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
        _P1,
    ),
    Row(
        "P2",
        "Q(t+1) = Q(t) - eta G B K(t), B = sum_n g_n E_n^T D_n E_n; W_Q(t) = W_Q(0) + Z^T C_Q(t)",
        "vectorised Q & K, update rule",
        "[D], idea [P*]",
        MOVES,
        partial(_side, 0),
    ),
    Row(
        "P3",
        "K(t+1) = K(t) - eta G B^T Q(t); W_K(t) = W_K(0) + Z^T C_K(t)",
        "vectorised Q & K, update rule",
        "[D], idea [P*]",
        MOVES,
        partial(_side, 1),
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
        _P4,
    ),
]
