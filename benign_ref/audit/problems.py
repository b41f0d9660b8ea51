"""What the rows are checked on: problems at three scales of weights and in four shapes, drawn for each row
and seed, small, and not by data.py.

    generic     weights of order 1
    initial     D1 and the start at the default scales of Setting
    saturated   attention within e^-10 to e^-60 of one token, |f| up to 600; what is smallest, e^-650, is no
                underflow yet

    mixed       N 1-5, M 2-9, both labels where N > 1, tokens that stand in several samples and twice in one
    one class   N 1-5, M 2-9, all labels equal
    wide        d_h > 64 and > 4T
    one token   N 1-5, M = 1
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from . import literal

SCALES = GENERIC, INITIAL, SATURATED = "generic", "initial", "saturated"
SHAPES = MIXED, ONE_CLASS, WIDE = "mixed", "one class", "wide"
ONE_TOKEN = "one token"


@dataclass(frozen=True)
class Problem:
    """theta: four arrays; X (N,M,d), y (N,); eta; and the derivatives of the ledger's own loss, computed
    once. seed, key: for rows that draw.
    """

    scale: str
    seed: int
    theta: tuple
    X: np.ndarray
    y: np.ndarray
    eta: float
    shape: str = MIXED
    key: tuple = ()

    @property
    def sizes(self):
        """The shape in words."""
        (N, M, d), d_h, d_v = self.X.shape, self.theta[0].shape[1], len(self.theta[3])
        return f"{self.shape}: N={N}, M={M}, d={d}, d_h={d_h}, d_v={d_v}"

    @property
    def saturated(self):
        """Whether attention is: then a step cannot be as long as all weights, nor a difference be taken."""
        return self.scale == SATURATED

    def rng(self, *key):
        """A Generator for a row, independent of the problem's own draws."""
        return _rng(self.seed, SCALES.index(self.scale), 1, *self.key, *key)

    @cached_property
    def exact(self):
        """f (N,), S (N,M,M) by the triple loop."""
        return literal.triple_loop(self.theta, self.X)

    @cached_property
    def cotangent(self):
        """g (N,), y ell'(y f)/N by scalars."""
        f = self.exact[0]
        return np.array([y_n * literal.slope(y_n * f_n) / len(f) for y_n, f_n in zip(self.y, f)])

    def loss(self, theta):
        """The ledger's own L_S."""
        return literal.loss(theta, self.X, self.y)

    @cached_property
    def gradient(self):
        """grad L_S by complex step."""
        return literal.complex_step(self.loss, self.theta)

    def difference(self, block):
        """dL_S by one block by central differences. Steps move the logits, or the values, by about 1/100."""
        size = np.abs(self.X).max() * np.sqrt(self.X.shape[2])
        W_Q, W_K, W_V, w_O = (np.abs(W).max() for W in self.theta)
        moves = size**2 * W_K, size**2 * W_Q, size * w_O, size * W_V
        return literal.central(self.loss, self.theta, block, 1e-2 / moves[block])

    def stride(self, *blocks):
        """The least eta of a step that is as long as the weights in each of these blocks, or longer."""
        return max(np.abs(self.theta[b]).max() / np.abs(self.gradient[b]).max() for b in blocks)

    def path(self, steps, train_w_O):
        """GD by these derivatives: losses (steps+1,), and theta before each step and after the last."""
        thetas = [list(self.theta)]
        for t in range(steps):
            slope = literal.complex_step(self.loss, thetas[t]) if t else self.gradient
            moved = [W - self.eta * dW for W, dW in zip(thetas[t], slope)]
            thetas.append(moved if train_w_O else [*moved[:3], self.theta[3]])
        return np.array([self.loss(theta) for theta in thetas]), thetas


def _rng(seed, *key):
    return np.random.default_rng(np.random.SeedSequence(entropy=seed, spawn_key=key))


def _sizes(shape, rng):
    """N, M, d, d_h, d_v."""
    N, M, d, d_h, d_v = (int(rng.integers(*ends)) for ends in ((1, 6), (2, 10), (3, 10), (1, 8), (1, 5)))
    if shape == WIDE:
        N, M, d, d_h = (int(rng.integers(*ends)) for ends in ((1, 3), (2, 4), (3, 4), (65, 71)))
    return N, 1 if shape == ONE_TOKEN else M, d, d_h, d_v


def _labels(shape, rng, N):
    """Both labels where N > 1, or all equal."""
    first = rng.choice([-1.0, 1.0])
    if shape == ONE_CLASS:
        return np.full(N, first)
    return np.array([first, -first, *rng.choice([-1.0, 1.0], N)])[:N]


def _repeat(X, place):
    """Let tokens of X (N,M,...) stand in several samples and twice in one, if there is room after `place`."""
    if X.shape[1] > place + 2:
        X[-1, place] = X[0, -1]  # in two samples, or (N = 1) twice in one
        X[0, place] = X[0, place + 1]


def _generic(rng, shape, N, M, d, d_h, d_v):
    X = rng.standard_normal((N, M, d))
    _repeat(X, 0)
    W_Q, W_K = 0.66 * d_h**-0.25 * rng.standard_normal((2, d, d_h))
    W_V, w_O = 0.5 * rng.standard_normal((d, d_v)), 0.5 * rng.standard_normal(d_v) + 0.2
    return (W_Q, W_K, W_V, w_O), X, _labels(shape, rng, N), 0.3


def _initial(rng, shape, N, M, d, d_h, d_v):
    # were ||w_O|| = 1, a missing ||w_O||^2 would not show
    snr, w_O_norm = rng.uniform(1, 6), rng.uniform(1.2, 2)
    (plus, minus), y = np.linalg.qr(rng.standard_normal((d, 2)))[0].T, _labels(shape, rng, N)
    X, C_p = rng.standard_normal((N, M, d)) / np.sqrt(d), 5 * np.sqrt(M)
    X[:, 1:2] *= C_p
    X -= (X @ plus)[..., None] * plus + (X @ minus)[..., None] * minus
    _repeat(X, 1)
    X[:, 0] = snr * np.where(y[:, None] > 0, plus, minus)
    s = max(snr, C_p)
    W_Q, W_K = 0.2 * d_h**-0.25 / s * rng.standard_normal((2, d, d_h))
    W_V, w_O = 0.01 / (w_O_norm * s) * rng.standard_normal((d, d_v)), rng.standard_normal(d_v)
    return (W_Q, W_K, W_V, w_O * w_O_norm / np.sqrt(w_O @ w_O)), X, y, 0.3 * M / s**2


def _saturated(rng, shape, N, M, d, d_h, d_v):
    """Logits c a_l b_j and a little more: the |a_l| are 1 to a, and of the b_j of a sample one is largest and
    one smallest, each by 1 to 1.4, so that gaps of the two largest are c to 1.4 c a.
    """
    a = rng.choice([1.02, 1.7])
    c = rng.uniform(10.5, 45 / a)
    X = 0.3 * rng.standard_normal((N, M, d))
    A = rng.uniform(1, a, (N, M)) * rng.choice([-1, 1], (N, M))
    B = np.concatenate([np.full((N, 1), -rng.uniform(1, 1.1)), 0.3 * rng.random((N, M - 1))], axis=1)
    C = np.repeat(_labels(shape, rng, N)[:, None], M, axis=1)  # the sign of most of f, whatever d_v
    for tokens in (X, A, B, C):
        _repeat(tokens, 2)
    if M > 2:
        B[:, 1] = B[:, 2:].max() + rng.uniform(1, 1.1)
    basis = np.linalg.qr(rng.standard_normal((d, 3)))[0].T
    X += np.stack([A, B, C], axis=-1) @ basis - X @ basis.T @ basis
    h, w_O = rng.standard_normal(d_h), rng.standard_normal(d_v)
    h /= np.sqrt(h @ h)
    W_Q = c * (np.outer(basis[0], h) + 0.01 * rng.standard_normal((d, d_h)) / np.sqrt(d_h))
    W_K = np.outer(basis[1], h) + 0.01 * rng.standard_normal((d, d_h)) / np.sqrt(d_h)
    W_V = np.outer(basis[2], w_O) / (w_O @ w_O) + 0.2 * rng.standard_normal((d, d_v)) / np.sqrt(w_O @ w_O)
    X = np.array([X_n[rng.permutation(M)] for X_n in X])
    P, f = literal.logits((W_Q, W_K), X), literal.outputs((W_Q, W_K, W_V, w_O), X)
    most = min(600.0, 650 - (P.max(axis=2) - P.min(axis=2)).max())  # no margin and spread underflow
    margin = rng.choice([rng.uniform(0.1, 20), rng.uniform(0.8, 1) * most])
    theta = W_Q, W_K, W_V * margin / np.abs(f).max(), w_O
    return theta, X, _labels(shape, rng, N) * C[:, 0] if rng.integers(2) else C[:, 0], 0.3


_DRAW = {GENERIC: _generic, INITIAL: _initial, SATURATED: _saturated}


def _problem(seed, label, scale, number, shape):
    key = *label.encode(), number
    rng = _rng(seed, SCALES.index(scale), 0, *key)
    return Problem(scale, seed, *_DRAW[scale](rng, shape, *_sizes(shape, rng)), shape, key)


@lru_cache(maxsize=256)
def drawn(seed, label, scales=SCALES, shapes=SHAPES):
    """The problems of a row and a seed, at these scales and in these shapes; kept, with what was computed."""
    return [_problem(seed, label, scale, *shape) for scale in scales for shape in enumerate(shapes)]
