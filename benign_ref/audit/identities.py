"""The identities that exact.py proves: each case runs the code of paper/, or the plain form of the limit, on
Numbers, and yields (route, got, expected), arrays of Numbers.

Constants of these cases are powers of 2, so that the floats in the code (1 - 1/n, 1/sqrt(nm)) are exact.
"""

from collections.abc import Callable, Iterable
from fractions import Fraction
from operator import attrgetter
from types import SimpleNamespace

import numpy as np

_TOKENS = np.array([[0, 1, 2], [0, 3, 3]])  # of two samples: one token in both, one twice in a sample
_CLASSES = (4, 16), (16, 4)  # samples n, small tokens m: squares, and no two of their powers alike
_slope = np.frompyfunc(attrgetter("derivative"), 1, 1)  # the derivatives of an array of Numbers
Routes = Iterable[tuple[str, np.ndarray, np.ndarray]]
CASES: dict[str, Callable] = {}


def _case(*labels):
    """Registers a function under its labels; it is given the label as its last argument."""
    return lambda function: CASES.update(dict.fromkeys(labels, function)) or function


def _problem(audited, field):
    """theta, Z (T,d), X (N,M,d), y (N,), eta: N=2, M=3, T=4, d=3, d_h=d_v=2, all drawn."""
    theta = audited.model.Parameters(*map(field.draw, ((3, 2), (3, 2), (3, 2), (2,))))
    Z = field.draw((4, 3))
    return theta, Z, Z[_TOKENS], np.array([1, -1]), field.draw(()).item()


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
    return [
        ("softmax of rows: loops", audited.model.softmax(np.array(P)), S),
        ("attention: loops", audited.model.attention(theta, X), S),
        ("forward: loops", audited.model.forward(theta, X), (S * c[:, None, :]).sum(axis=2).sum(axis=1) / 3),
    ]


@_case("M2")
def _loss(audited, field, label) -> Routes:
    """ell as it is written, on both sides of 0, and its slope."""
    theta, _, X, y, _ = _problem(audited, field)
    z = 9 * field.draw((6,))
    ell = lambda z: np.array([max(-a, 0) + abs(a).__neg__().exp().log1p() for a in z])  # noqa: E731
    yield "ell", audited.model.logistic(z), ell(z)
    moved, ways = field.moving(z)
    yield "ell': slope of ell", audited.model.logistic_slope(z) * ways, _slope(ell(moved))
    f = audited.model.forward(theta, X)
    yield "L_S: mean of ell", audited.model.loss(theta, X, y), sum(ell(y * f)) / 2


@_case("M3")
def _jacobian(audited, field, label) -> Routes:
    """Slopes of the softmax and of its mean against values."""
    P, c = field.draw((3, 3)), field.draw((3,))
    p, ways = field.moving(P)
    S, moving = (np.array([_softmax(row) for row in rows]) for rows in (P, p))
    J = [audited.gradients.softmax_jacobian(phi) @ way for phi, way in zip(S, ways)]
    along = (audited.gradients.coupling(S, c) * ways).sum(axis=1)
    return [
        ("softmax_jacobian: slope of softmax", J, _slope(moving)),
        ("coupling: slope of f in the logits", along, _slope(moving @ c / 3)),
    ]


@_case("G1", "G2", "G3", "G4")
def _gradient(audited, field, label) -> Routes:
    """Slopes of the loss, and of outputs against a random cotangent, along a drawn direction of one block."""
    theta, _, X, y, _ = _problem(audited, field)
    name = theta._fields[int(label[1]) - 1]
    moved, ways = field.moving(getattr(theta, name))
    at, g = theta._replace(**{name: moved}), field.draw((2,))
    along = lambda made: np.sum(getattr(made, name) * ways)  # noqa: E731
    dL, df = audited.gradients.gradients(theta, X, y), audited.gradients.pull_back(theta, X, g)
    return [
        (f"{name}: slope of the loss", along(dL), _slope(audited.model.loss(at, X, y))),
        (f"{name}: slope of g . f", along(df), _slope(g @ audited.model.forward(at, X))),
    ]


@_case("P1", "P2", "P3", "P4", "GD")
def _step(audited, field, label) -> Routes:
    """A step of the proof's space and of the parameters', by the gradients (which G1-G4 prove)."""
    theta, Z, X, y, eta = _problem(audited, field)
    made = audited.descent.ReferenceSpace if label == "GD" else audited.proof.ReferenceProofSpace.of
    for train_w_O in (False, True):
        moved = [W - eta * dW for W, dW in zip(theta, audited.gradients.gradients(theta, X, y))]
        moved = audited.model.Parameters(*moved[:3], moved[3] if train_w_O else theta.w_O)
        space = made(theta, X, y, train_w_O)
        yield "L_S", space.evaluate(), audited.model.loss(theta, X, y)
        space.move(eta)
        yield from zip([f"{name} after a step" for name in theta._fields], space.parameters(), moved)
        if label != "GD":
            Q, K, V = (Z @ W for W in (moved.W_Q, moved.W_K, moved.W_V @ moved.w_O))
            yield {
                "P1": ("V after a step", space.U @ space.w_O, V),
                "P2": ("Q after a step", space.Q, Q),
                "P3": ("K after a step", space.K, K),
                "P4": ("logits after a step", space.P, Q @ K.T),
            }[label]


@_case("I1", "I2", "I3")
def _euler(audited, field, label) -> Routes:
    theta, _, X, y, _ = _problem(audited, field)
    inner = lambda a, b: np.sum(a * b)  # noqa: E731
    dW, f = audited.gradients.gradients(theta, X, y), audited.model.forward(theta, X)
    g = audited.gradients.output_cotangent(f, y)
    P = [X_n @ theta.W_Q @ (X_n @ theta.W_K).T for X_n in X]
    S = np.array([[_softmax(p) for p in P_n] for P_n in P])
    D = [audited.gradients.coupling(S_n, X_n @ theta.W_V @ theta.w_O) for S_n, X_n in zip(S, X)]
    traces = sum(g_n * inner(D_n, P_n) for g_n, D_n, P_n in zip(g, D, P))
    return {
        "I1": [("rows of D_n sum to 0", np.sum(D, axis=2), np.zeros((2, 3), dtype=int))],
        "I2": [
            ("<dW_V, W_V> = sum g f", inner(dW.W_V, theta.W_V), inner(g, f)),
            ("<dw_O, w_O> = sum g f", inner(dW.w_O, theta.w_O), inner(g, f)),
        ],
        "I3": [
            ("<dW_Q, W_Q> = sum g tr(D^T P)", inner(dW.W_Q, theta.W_Q), traces),
            ("<dW_K, W_K> = sum g tr(D^T P)", inner(dW.W_K, theta.W_K), traces),
        ],
    }[label]


@_case("I4", "I5")
def _balanced(audited, field, label) -> Routes:
    """I4: W_Q^T W_Q - W_K^T W_K. I5: W_V^T W_V - w_O w_O^T."""

    def balance(W):
        A, B = (W.W_Q, W.W_K) if label == "I4" else (W.W_V, W.w_O[None])
        return A.T @ A - B.T @ B

    theta, _, X, y, eta = _problem(audited, field)
    dW, space = audited.gradients.gradients(theta, X, y), audited.descent.ReferenceSpace(theta, X, y, True)
    space.evaluate()
    space.move(eta)
    change = balance(space.parameters()) - balance(theta)
    return [("change of the balance = eta^2 that of the gradients", change, eta**2 * balance(dW))]


def _orthogonal(size):
    """Orthogonal columns of 1 and -1, the first of 1 alone; size a power of 2."""
    return np.array([[(-1) ** (i & k).bit_count() for k in range(size)] for i in range(size)])


def _basis(n, m, sample):
    """Rows of one sample's tokens s, 2, i, ..., i in an orthonormal basis of the class: mean (M,3); between,
    n-1 pairs of columns (M,2); within, m-1 columns (M,1). Fractions all, as n and m are squares.
    """
    a, b = Fraction(1, int(n**0.5)), Fraction(1, int(m**0.5))
    types = np.eye(3, dtype=int)[[0, 1] + [2] * m]
    between = [types[:, 1:] * np.array([a, a * b]) * int(h) for h in _orthogonal(n)[sample, 1:]]
    within = [np.array([0, 0, *h])[:, None] * b for h in _orthogonal(m)[:, 1:].T]
    return types * np.array([1, a, a * b]), between, within


def _class(limit, field, n, m):
    """Constants c, a state made of Q and K drawn in each space, those Q and K, and g, S, D by types."""
    c = limit.Constants(m + 2, m, n, field.draw((3,)), field.draw(()).item(), field.draw(()).item())
    Q, K = ([field.draw((size, 2)) for size in (3, 2, 1)] for _ in range(2))
    products = (limit.Blocks(*(a @ b.T for a, b in zip(*pair))) for pair in ((Q, K), (Q, Q), (K, K)))
    state, kinds = limit.State(*products, field.draw((3,))), [0, 1] + [2] * m
    S, D = (field.draw((4, 4))[np.ix_(kinds, kinds)] for _ in range(2))
    for matrix, same in zip((S, D), field.draw((2,))):
        matrix[range(2, m + 2), range(2, m + 2)] = same
    return SimpleNamespace(c=c, state=state, Q=Q, K=K, S=S, D=D, g=field.draw(()).item())


@_case("L1", "L2", "L3", "L4", "L5")
def _limit(audited, field, label) -> Routes:
    """The limit's blocks against the tokens of a class in an orthonormal basis of fractions."""
    case = {"L1": _evaluated, "L2": _logits, "L3": _coupled, "L4": _moved, "L5": _fresh}[label]
    for n, m in _CLASSES:
        for route, got, expected in case(audited, field, _class(audited.limit, field, n, m)):
            yield f"n={n}, m={m}: {route}", got, expected


def _evaluated(audited, field, one):
    """L1: f, g and S of one sample, and the start."""
    c, V = one.c, one.state.V[[0, 1] + [2] * one.c.m]
    f, g, S, _ = audited.limit.evaluate(one.state, c)
    own = np.array([_softmax(row) for row in audited.limit.sample_logits(one.state.QK, c)])
    mean = (own @ V).sum() / c.M
    z, way = field.moving(np.array(mean))
    start = audited.limit.start(c, V[0])
    return [
        ("S", S, own),
        ("f: mean over rows", f, mean),
        ("g: slope of ell over N", g * way, _slope(audited.model.logistic(z)) / (2 * c.n)),
        *(
            (f"{name} at the start", block, np.diag(size * c.G[k:]))
            for name, size in (("QK", 0), ("QQ", V[0]), ("KK", V[0]))
            for k, block in enumerate(getattr(start, name))
        ),
    ]


def _logits(audited, field, one):
    """L2: the logits of one sample."""
    mean, between, within = _basis(one.c.n, one.c.m, 1)
    spaces = zip(one.state.QK, ([mean], between, within))
    P = sum(u @ block @ u.T for block, space in spaces for u in space)
    return [("logits", audited.limit.sample_logits(one.state.QK, one.c), P)]


def _coupled(audited, field, one):
    """L3: B, from the D of every sample."""
    bases = [_basis(one.c.n, one.c.m, sample) for sample in range(one.c.n)]
    columns = [mean for mean, _, _ in bases], [between[0] for _, between, _ in bases], [bases[0][2][0]]
    B = [sum(one.g * u.T @ one.D @ u for u in space) for space in columns]
    got = audited.limit.coupling_blocks(one.D, one.g, one.c)
    return zip([f"{name} of B" for name in got._fields], got, B)


def _moved(audited, field, one):
    """L4: Q and K moved by P2 and P3 in each space, and the values summed over samples."""
    c, g, S, D = one.c, one.g, one.S, one.D
    new = audited.limit.move(one.state, g, S, D, c)
    for k, B in enumerate(audited.limit.coupling_blocks(D, g, c)):
        Q, K, G = one.Q[k], one.K[k], np.diag(c.G[k:])
        Q, K = Q - c.eta * G @ B @ K, K - c.eta * G @ B.T @ Q
        for name, product in (("QK", Q @ K.T), ("QQ", Q @ Q.T), ("KK", K @ K.T)):
            yield f"{name}, space {k + 1}", getattr(new, name)[k], product
    b = np.array([c.n, 1, 1]) * g * S.sum(axis=0)[:3] / c.M
    yield "V", new.V, one.state.V - c.eta * c.w_O_squared * c.G * b


def _fresh(audited, field, one):
    """L5: f of a fresh sample, in which the signal alone has a logit."""
    M, V_s, P_ss = one.c.M, one.state.V[0], abs(one.state.V[1])
    phi = _softmax([P_ss] + [field.number(0)] * (M - 1))
    f = (phi[0] * V_s + (M - 1) * V_s / M) / M
    return [("f on fresh data", audited.limit.output_on_fresh_data(P_ss, V_s, M), f)]


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
        yield f"{name}: argument {k}", (dx * way).sum(), _slope((dy * moved).sum())
