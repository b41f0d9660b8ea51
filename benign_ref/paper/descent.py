"""GD: full-batch gradient descent, theta(t+1) = theta(t) - eta grad L_S(theta(t)), until L_S <= epsilon. One
loop, whatever space it runs in.

A space has three methods: `evaluate()` gives L_S at the present point (and keeps what `move` needs),
`move(eta)` takes one step, `tokens()` gives the projected tokens (rows, tokens) as kernels.py describes them,
from which a Record is made.
"""

import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from .. import validate
from .gradients import forward_and_back, output_cotangent
from .model import Parameters, logistic, softmax


class DivergenceError(ArithmeticError):
    """A training loss that is not finite. Attributes: step, eta, loss."""

    def __init__(self, step, eta, loss):
        super().__init__(
            f"training diverged: the loss is {loss} at step {step} with eta={eta:g}; a smaller eta may help"
        )
        self.step, self.eta, self.loss = step, eta, loss

    def __reduce__(self):  # so that a worker process can hand it over
        return type(self), (self.step, self.eta, self.loss)


class Record(NamedTuple):
    """The training set as the model sees it before step `step`.

    logits P (N,M,M), P[n,l,j] = <q_l, k_j>; attention S (N,M,M); values c (N,M), c[n,l] = x_l W_V w_O;
    outputs f (N,); observed: what the caller's `observe` gave, or None.
    """

    step: int
    logits: np.ndarray
    attention: np.ndarray
    values: np.ndarray
    outputs: np.ndarray
    observed: Any


class Run(NamedTuple):
    """A run of gradient descent.

    losses (steps+1,): losses[t] is L_S before step t. converged: some loss is <= epsilon (without extra steps
    the last one). steps: steps taken, extra ones included. parameters: theta at the end. records: list of
    Record, empty unless asked for.
    """

    losses: np.ndarray
    steps: int
    converged: bool
    parameters: Any
    records: list


def steps_to_record(record_every):
    """A predicate on the step. None: never; an integer k >= 1: steps 0, k, 2k, …; a sequence of integers >=
    0: those steps.
    """
    if record_every is None:
        return lambda step: False
    chosen = validate.steps("record_every", record_every)
    if isinstance(chosen, int):
        return lambda step: step % chosen == 0
    chosen = frozenset(chosen)
    return lambda step: step in chosen


def log_spaced_steps(last, per_decade=20):
    """The steps 0, 1, 2, … spaced evenly on a logarithmic axis up to `last`, an increasing integer array; for
    `record_every`.
    """
    validate.integer("last", last, 1)
    validate.integer("per_decade", per_decade, 1)
    count = int(np.ceil(np.log10(last) * per_decade)) + 1
    return np.unique(
        np.concatenate([[0, last], np.round(np.logspace(0, np.log10(last), count))]).astype(np.int64)
    )


def make_record(space, step, observe):
    """The Record of a space at its present point."""
    rows, tokens = space.tokens()
    d_h = rows.shape[1] // 2
    q, k, values = rows[tokens, :d_h], rows[tokens, d_h:-1], rows[tokens, -1]  # (N,M,d_h) twice, (N,M)
    P = q @ k.swapaxes(1, 2)  # (N,M,M)
    S = softmax(P)
    return Record(
        step, P, S, values, (S @ values[..., None])[..., 0].mean(axis=1), observe(space) if observe else None
    )


def descend(
    space: Any,
    *,
    eta: float,
    epsilon: float,
    max_steps: int,
    extra_steps: int = 0,
    record_every: int | Sequence[int] | None = None,
    observe: Callable[[Any], Any] | None = None,
) -> tuple[np.ndarray, int, bool, list[Record]]:
    """Run GD in `space` until L_S <= epsilon (converged), then `extra_steps` more, at most max_steps in all.
    Returns (losses, steps, converged, records).

    Recorded are the steps that `record_every` names and the last one. Raises DivergenceError at the first
    loss that is not finite; warns (UserWarning) where the loss is exactly 0.
    """
    wanted = steps_to_record(record_every)
    losses, records, converged, last = [], [], False, max_steps
    for step in range(max_steps + 1):
        loss = float(space.evaluate())
        losses.append(loss)
        if not np.isfinite(loss):
            raise DivergenceError(step, eta, loss)
        if loss <= epsilon and not converged:
            converged, last = True, min(step + extra_steps, max_steps)
        if wanted(step) or (step == last and record_every is not None):
            records.append(make_record(space, step, observe))
        if step == last:
            break
        space.move(eta)
    if loss == 0:
        warnings.warn(
            f"the loss is exactly 0 at step {step}: eta={eta:g} is too large to train by", stacklevel=3
        )
    return np.array(losses), step, converged, records


def own_rows(N, M):
    """tokens (N,M) for the kernels when every token has a row of its own."""
    return np.arange(N * M, dtype=np.int64).reshape(N, M)


def side_by_side(theta):
    """W = [W_Q | W_K | W_V w_O], (d,2d_h+1): tokens times W are the rows [q | k | c] of the kernels."""
    return np.concatenate([theta.W_Q, theta.W_K, (theta.W_V @ theta.w_O)[:, None]], axis=1)


class ReferenceSpace:
    """M1-M2, G1-G4 and GD as model.py and gradients.py write them. X (N,M,d), y (N,)."""

    def __init__(self, theta, X, y, train_w_O=False):
        self.theta, self.X, self.y, self.train_w_O = Parameters(*(W.copy() for W in theta)), X, y, train_w_O

    def evaluate(self):
        """L_S (M2) at the present point; keeps what `move` needs."""
        f, self.back = forward_and_back(self.theta, self.X)
        self.g = output_cotangent(f, self.y)
        return logistic(self.y * f).mean()

    def move(self, eta):
        """One step of GD, by G1-G4."""
        moved = [W - eta * dW for W, dW in zip(self.theta, self.back(self.g))]
        self.theta = Parameters(*moved[:3], moved[3] if self.train_w_O else self.theta.w_O)

    def tokens(self):
        """Rows [q | k | c] (R,2d_h+1) and tokens (N,M), as kernels.py describes them."""
        N, M, d = self.X.shape
        return self.X.reshape(N * M, d) @ side_by_side(self.theta), own_rows(N, M)

    def parameters(self):
        """theta at the present point, as Parameters."""
        return self.theta
