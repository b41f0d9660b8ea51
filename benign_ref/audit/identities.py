"""The identities that exact.py proves: each case runs the code of paper/, or the plain form of the limit, on
Numbers, and yields (route, got, expected), arrays of Numbers.

Constants of these cases are powers of 2, so that the floats in the code (1 - 1/n, 1/sqrt(nm)) are exact.
"""

from collections.abc import Callable, Iterator
from fractions import Fraction

import numpy as np

_TOKENS = np.array([[0, 1, 2], [0, 3, 3]])  # of two samples: one token in both, one twice in a sample
_LABELS = np.array([1, -1])
_CLASSES = (4, 16), (16, 4)  # samples n, small tokens m: squares, and no two of their powers alike
Routes = Iterator[tuple[str, np.ndarray, np.ndarray]]
CASES: dict[str, Callable] = {}


def _case(*labels):
    """Registers a function under its labels; it is given the label as its last argument."""
    return lambda function: [CASES.__setitem__(label, function) for label in labels] and function


def _problem(audited, field):
    """theta, Z (T,d), X (N,M,d), y (N,), eta: N=2, M=3, T=4, d=3, d_h=d_v=2, all drawn."""
    theta = audited.model.Parameters(*map(field.draw, ((3, 2), (3, 2), (3, 2), (2,))))
    Z = field.draw((4, 3))
    return theta, Z, Z[_TOKENS], _LABELS, field.draw(()).item()


def _slope(value):
    """The derivatives of an array of Numbers."""
    return np.frompyfunc(lambda a: a.derivative, 1, 1)(value)


def _softmax(p):
    """e^(p_j - max) over the sum, of one row: shifted as the code under audit is, since e^(a+b) is not
    known.
    """
    e = [(p_j - max(p)).exp() for p_j in p]
    return np.array([e_j / sum(e) for e_j in e])


@_case("M1")
def _model(audited, field, label) -> Routes:
    """Loops over rows and tokens."""
    theta, _, X, _, _ = _problem(audited, field)
    P = [[[sum((x @ theta.W_Q) * (z @ theta.W_K)) for z in X_n] for x in X_n] for X_n in X]
    S = np.array([[_softmax(row) for row in P_n] for P_n in P])
    c = np.array([[sum((x @ theta.W_V) * theta.w_O) for x in X_n] for X_n in X])
    yield "softmax of rows: loops", audited.model.softmax(np.array(P)), S
    yield "attention: loops", audited.model.attention(theta, X), S
    yield "forward: loops", audited.model.forward(theta, X), (S * c[:, None, :]).sum(axis=2).sum(axis=1) / 3


@_case("M2")
def _loss(audited, field, label) -> Routes:
    """ell as it is written, on both sides of 0, and its slope."""
    theta, _, X, y, _ = _problem(audited, field)
    z = 9 * field.draw((6,))
    ell = lambda z: np.array([max(-a, 0) + abs(a).__neg__().exp().log1p() for a in z])  # noqa: E731
    yield "ell", audited.model.logistic(z), ell(z)
    moved, ways = field.moving(z)
    yield "ell': slope of ell", audited.model.logistic_slope(z) * ways, _slope(ell(moved))
    mean = sum(ell(y * audited.model.forward(theta, X))) / 2
    yield "L_S: mean of ell", np.array(audited.model.loss(theta, X, y)), np.array(mean)


@_case("M3")
def _jacobian(audited, field, label) -> Routes:
    """Slopes of the softmax and of its mean against values."""
    P, c = field.draw((3, 3)), field.draw((3,))
    p, ways = field.moving(P)
    S = np.array([_softmax(row) for row in P])
    moving = np.array([_softmax(row) for row in p])
    J = [audited.gradients.softmax_jacobian(phi) @ way for phi, way in zip(S, ways)]
    yield "softmax_jacobian: slope of softmax", np.array(J), _slope(moving)
    D = audited.gradients.coupling(S, c)
    yield "coupling: slope of f in the logits", (D * ways).sum(axis=1), _slope(moving @ c / 3)


@_case("G1", "G2", "G3", "G4")
def _gradient(audited, field, label) -> Routes:
    """Slopes of the loss, and of outputs against a random cotangent, along a drawn direction of one block."""
    theta, _, X, y, _ = _problem(audited, field)
    name = theta._fields[int(label[1]) - 1]
    moved, ways = field.moving(getattr(theta, name))
    at, g = theta._replace(**{name: moved}), field.draw((2,))
    inner = lambda gradients: np.sum(getattr(gradients, name) * ways)  # noqa: E731
    found = audited.gradients.gradients(theta, X, y)
    yield f"{name}: slope of the loss", inner(found), _slope(audited.model.loss(at, X, y))
    pulled = audited.gradients.pull_back(theta, X, g)
    yield f"{name}: slope of g . f", inner(pulled), _slope(g @ audited.model.forward(at, X))


@_case("P1", "P2", "P3", "P4", "GD")
def _step(audited, field, label) -> Routes:
    """A step of the proof's space and of the parameters', by the gradients (which G1-G4 prove)."""
    theta, Z, X, y, eta = _problem(audited, field)
    for train_w_O in (False, True):
        moved = [W - eta * dW for W, dW in zip(theta, audited.gradients.gradients(theta, X, y))]
        moved = audited.model.Parameters(*moved[:3], moved[3] if train_w_O else theta.w_O)
        if label == "GD":
            space = audited.descent.ReferenceSpace(theta, X, y, train_w_O)
        else:
            space = audited.proof.ReferenceProofSpace.of(theta, X, y, train_w_O)
        yield "L_S", np.array(space.evaluate()), np.array(audited.model.loss(theta, X, y))
        space.move(eta)
        for name, W in space.parameters()._asdict().items():
            yield f"{name} after a step", W, getattr(moved, name)
        if label == "GD":
            continue
        Q, K, V = (Z @ W for W in (moved.W_Q, moved.W_K, moved.W_V @ moved.w_O))
        if label == "P1":
            yield "V after a step", space.U @ space.w_O, V
        elif label == "P2":
            yield "Q after a step", space.Q, Q
        elif label == "P3":
            yield "K after a step", space.K, K
        else:
            yield "logits after a step", space.P, Q @ K.T


@_case("I1", "I2", "I3", "I4", "I5")
def _invariant(audited, field, label) -> Routes:
    """The invariants of the gradients and of one step."""
    theta, _, X, y, eta = _problem(audited, field)
    dW = audited.gradients.gradients(theta, X, y)
    inner = lambda a, b: np.sum(a * b)  # noqa: E731
    f = audited.model.forward(theta, X)
    g = audited.gradients.output_cotangent(f, y)
    P = [X_n @ theta.W_Q @ (X_n @ theta.W_K).T for X_n in X]
    D = [
        audited.gradients.coupling(np.array([_softmax(p) for p in P_n]), X_n @ theta.W_V @ theta.w_O)
        for P_n, X_n in zip(P, X)
    ]
    if label == "I1":
        yield "rows of D_n sum to 0", np.sum(D, axis=2), np.zeros((2, 3), dtype=int)
    elif label == "I2":
        yield "<dW_V, W_V> = sum g f", inner(dW.W_V, theta.W_V), inner(g, f)
        yield "<dw_O, w_O> = sum g f", inner(dW.w_O, theta.w_O), inner(g, f)
    elif label == "I3":
        traces = sum(g_n * inner(D_n, P_n) for g_n, D_n, P_n in zip(g, D, P))
        yield "<dW_Q, W_Q> = sum g tr(D^T P)", inner(dW.W_Q, theta.W_Q), traces
        yield "<dW_K, W_K> = sum g tr(D^T P)", inner(dW.W_K, theta.W_K), traces
    else:
        space = audited.descent.ReferenceSpace(theta, X, y, True)
        space.evaluate()
        space.move(eta)
        form = _balance if label == "I4" else _value_balance
        change = form(space.parameters()) - form(theta)
        yield "change of the balance = eta^2 that of the gradients", change, eta**2 * form(dW)


def _balance(W):
    """W_Q^T W_Q - W_K^T W_K."""
    return W.W_Q.T @ W.W_Q - W.W_K.T @ W.W_K


def _value_balance(W):
    """W_V^T W_V - w_O w_O^T."""
    return W.W_V.T @ W.W_V - np.outer(W.w_O, W.w_O)


def _hadamard(size):
    """Orthogonal columns of 1 and -1, the first of 1 alone; size a power of 2."""
    H = np.ones((1, 1), dtype=int)
    while len(H) < size:
        H = np.block([[H, H], [H, -H]])
    return H


def _basis(n, m, sample):
    """Rows of one sample's tokens s, 2, i, ..., i in an orthonormal basis of the class: mean (M,3); between,
    n-1 pairs of columns (M,2); within, m-1 columns (M,1). Fractions all, as n and m are squares.
    """
    n_root, m_root = int(n**0.5), int(m**0.5)
    types = np.eye(3, dtype=int)[[0, 1] + [2] * m]
    mean = types * np.array([Fraction(1), Fraction(1, n_root), Fraction(1, n_root * m_root)])
    pair = types[:, 1:] * np.array([Fraction(1), Fraction(1, m_root)])
    between = [pair * Fraction(int(h), n_root) for h in _hadamard(n)[sample, 1:]]
    columns = [np.concatenate([[0, 0], h])[:, None] for h in _hadamard(m)[:, 1:].T]
    return mean, between, [column * Fraction(1, m_root) for column in columns]


def _class(audited, field, n, m):
    """Constants, a State made of Q and K drawn in each space, those Q and K, and g, S, D by types."""
    limit = audited.limit
    c = limit.Constants(m + 2, m, n, field.draw((3,)), field.draw(()).item(), field.draw(()).item())
    Q, K = ([field.draw((size, 2)) for size in (3, 2, 1)] for _ in range(2))
    products = (limit.Blocks(*(a @ b.T for a, b in zip(*pair))) for pair in ((Q, K), (Q, Q), (K, K)))
    state = limit.State(*products, field.draw((3,)))
    kinds = np.array([0, 1] + [2] * m)
    S, D = (field.draw((4, 4))[np.ix_(kinds, kinds)] for _ in range(2))
    for matrix, same in zip((S, D), field.draw((2,))):
        matrix[range(2, m + 2), range(2, m + 2)] = same
    return c, state, Q, K, field.draw(()).item(), S, D


@_case("L1", "L2", "L3", "L4", "L5")
def _limit(audited, field, label) -> Routes:
    """The limit's blocks against the tokens of a class in an orthonormal basis of fractions."""
    for n, m in _CLASSES:
        c, state, Q, K, g, S, D = _class(audited, field, n, m)
        mean, between, within = _basis(n, m, 1)
        spaces = [mean], between, within
        at = f"n={n}, m={m}: "
        if label == "L1":
            yield from _evaluated(audited, field, c, state, at)
        elif label == "L2":
            P = sum(u @ block @ u.T for block, space in zip(state.QK, spaces) for u in space)
            yield at + "logits", audited.limit.sample_logits(state.QK, c), P
        elif label == "L3":
            samples = [_basis(n, m, i) for i in range(n)]
            B = [
                sum(g * u[0].T @ D @ u[0] for u in samples),
                sum(g * u[1][0].T @ D @ u[1][0] for u in samples),
                g * within[0].T @ D @ within[0],
            ]
            got = audited.limit.coupling_blocks(D, g, c)
            for name, block, expected in zip(got._fields, got, B):
                yield f"{at}{name} of B", block, expected
        elif label == "L4":
            yield from _moved(audited, c, state, (Q, K), (g, S, D), at)
        else:
            P_ss = abs(state.V[1])
            phi = _softmax([P_ss] + [field.number(0)] * (m + 1))
            f = (phi[0] * state.V[0] + (m + 1) * state.V[0] / (m + 2)) / (m + 2)
            got = audited.limit.output_on_fresh_data(P_ss, state.V[0], m + 2)
            yield at + "f on fresh data", np.array(got), np.array(f)


def _evaluated(audited, field, c, state, at):
    """L1: f, g and S of one sample, and the start."""
    f, g, S, _ = audited.limit.evaluate(state, c)
    own = np.array([_softmax(row) for row in audited.limit.sample_logits(state.QK, c)])
    V = state.V[[0, 1] + [2] * c.m]
    yield at + "S", S, own
    yield at + "f: mean over rows", np.array(f), (own @ V).sum() / c.M
    z, way = field.moving(np.array((own @ V).sum() / c.M))
    yield at + "g: slope of ell over N", g * way, _slope(audited.model.logistic(z)) / (2 * c.n)
    start = audited.limit.start(c, state.V[0])
    for name in ("QK", "QQ", "KK"):
        for block, G in zip(getattr(start, name), (c.G, c.G[1:], c.G[2:])):
            yield f"{at}{name} at the start", block, np.diag(0 * G if name == "QK" else state.V[0] * G)


def _moved(audited, c, state, start, sample, at):
    """L4: Q and K moved by P2 and P3 in each space, and the values summed over samples."""
    g, S, D = sample
    new = audited.limit.move(state, g, S, D, c)
    for k, B in enumerate(audited.limit.coupling_blocks(D, g, c)):
        Q, K, G = start[0][k], start[1][k], np.diag(c.G[k:])
        Q, K = Q - c.eta * G @ B @ K, K - c.eta * G @ B.T @ Q
        for name, product in (("QK", Q @ K.T), ("QQ", Q @ Q.T), ("KK", K @ K.T)):
            yield f"{at}{name}, space {k + 1}", getattr(new, name)[k], product
    samples = np.array([c.n, 1, 1])
    b = samples * g * S.sum(axis=0)[:3] / c.M
    yield at + "V", new.V, state.V - c.eta * c.w_O_squared * c.G * b


_OPERATIONS = {  # of the vision transformer, with the shapes of their arguments; GELU's erf is no fraction
    "V1": ("linear", (2, 3), (3, 2), (2,)),
    "V2": ("embed", (2, 2, 4), (4, 3), (3,), (3,), (3, 3)),
    "V3": ("layer_norm", (2, 4), (4,), (4,)),
    "V4": ("attention", (1, 2, 48)),  # four heads of width 4
    "V6": ("relu", (3, 3)),
    "V7": ("log_softmax", (2, 3)),
}


@_case(*_OPERATIONS)
def _vision(audited, field, label) -> Routes:
    """A drawn cotangent pulled back, against the slope of the operation along a drawn direction."""
    name, *shapes = _OPERATIONS[label]
    operation, x = getattr(audited.transformer, name), [field.draw(shape) for shape in shapes]
    y, back = operation(*x)
    dy = field.draw(y.shape)
    found = back(dy)
    for k, dx in enumerate(found if isinstance(found, tuple) else (found,), label == "V2"):
        moving, way = field.moving(x[k])
        moved, _ = operation(*x[:k], moving, *x[k + 1 :])
        yield f"{name}: argument {k}", np.array((dx * way).sum()), np.array(_slope((dy * moved).sum()))
