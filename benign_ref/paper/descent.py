"""GD: full-batch gradient descent, theta(t+1) = theta(t) - eta grad L_S(theta(t)), until L_S <= epsilon. One
loop, whatever space it runs in.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np

from .. import validate
from .gradients import forward_and_back, output_cotangent
from .model import Parameters, logistic, softmax


class Space(Protocol):
    """What gradient descent runs in: the parameters themselves, or the proof's coordinates.

    STATE: the names of what a step changes; with these attributes kept, a run can go on later.
    """

    STATE: tuple[str, ...]

    def evaluate(self) -> float:
        """L_S (M2) at the present point; what `move` needs is kept."""

    def move(self, eta: float) -> None:
        """One step of GD."""

    def tokens(self) -> tuple[np.ndarray, np.ndarray]:
        """rows (R,2d_h+1), projected tokens side by side, [q | k | c]: q = x W_Q, k = x W_K, c = x W_V w_O;
        and index (N,M): which row is token l of sample n.
        """

    def parameters(self) -> Parameters:
        """theta at the present point."""


class DivergenceError(ArithmeticError):
    """A training loss that is not finite. Attributes: step, eta, loss."""

    def __init__(self, step: int, eta: float, loss: float) -> None:
        super().__init__(
            f"training diverged: the loss is {loss} at step {step} with eta={eta:g}; a smaller eta may help"
        )
        self.step, self.eta, self.loss = step, eta, loss

    def __reduce__(self) -> tuple:  # so that a worker process can hand it over
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


def steps_to_record(record_every: int | Sequence[int] | None) -> Callable[[int], bool]:
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


def make_record(space: Space, step: int, observe: Callable[[Any], Any] | None) -> Record:
    """The Record of a space at its present point."""
    rows, tokens = space.tokens()
    d_h = rows.shape[1] // 2
    q, k, values = rows[tokens, :d_h], rows[tokens, d_h:-1], rows[tokens, -1]  # (N,M,d_h) twice, (N,M)
    P = q @ k.swapaxes(1, 2)  # (N,M,M)
    S = softmax(P)
    return Record(
        step, P, S, values, (S @ values[..., None])[..., 0].mean(axis=1), observe(space) if observe else None
    )


@dataclass
class History:
    """What a run has seen so far: the loss and the records of each step taken; the step it ends with."""

    losses: list[float] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    converged: bool = False
    last: int | None = None


def descend(
    space: Space,
    *,
    eta: float,
    epsilon: float,
    max_steps: int,
    extra_steps: int = 0,
    record_every: int | Sequence[int] | None = None,
    observe: Callable[[Any], Any] | None = None,
    history: History | None = None,
    after_step: Callable[[History], None] | None = None,
) -> tuple[np.ndarray, int, bool, list[Record]]:
    """Run GD in `space` until L_S <= epsilon (converged), then `extra_steps` more, at most max_steps in all.
    Returns (losses, steps, converged, records).

    Recorded are the steps that `record_every` names and the last one. history: of the steps that brought the
    space where it is, for a run that goes on. after_step(history) is called after each step and at the end.
    Raises DivergenceError at the first loss that is not finite; warns (UserWarning) where the loss is 0.
    """
    wanted, history = steps_to_record(record_every), history or History()
    losses, last = history.losses, max_steps if history.last is None else history.last
    for step in range(len(losses), last + 1):
        loss = float(space.evaluate())
        losses.append(loss)
        if not np.isfinite(loss):
            raise DivergenceError(step, eta, loss)
        if loss <= epsilon and not history.converged:
            last = min(step + extra_steps, max_steps)
            history.converged, history.last = True, last
        if wanted(step) or (step == last and record_every is not None):
            history.records.append(make_record(space, step, observe))
        if step < last:
            space.move(eta)
        if after_step:
            after_step(history)
        if step == last:
            break
    steps = len(losses) - 1
    if losses[-1] == 0:
        warnings.warn(
            f"the loss is exactly 0 at step {steps}: eta={eta:g} is too large to train by", stacklevel=4
        )
    return np.array(losses), steps, history.converged, history.records


def own_rows(N: int, M: int) -> np.ndarray:
    """tokens (N,M) for the kernels when every token has a row of its own."""
    return np.arange(N * M, dtype=np.int64).reshape(N, M)


def side_by_side(theta: Parameters) -> np.ndarray:
    """W = [W_Q | W_K | W_V w_O], (d,2d_h+1): tokens times W are the rows [q | k | c] of the kernels."""
    return np.concatenate([theta.W_Q, theta.W_K, (theta.W_V @ theta.w_O)[:, None]], axis=1)


class ReferenceSpace:
    """M1-M2, G1-G4 and GD as model.py and gradients.py write them. X (N,M,d), y (N,)."""

    STATE = ("theta",)

    def __init__(self, theta: Parameters, X: np.ndarray, y: np.ndarray, train_w_O: bool = False) -> None:
        self.theta, self.X, self.y, self.train_w_O = Parameters(*(W.copy() for W in theta)), X, y, train_w_O

    def evaluate(self) -> float:
        """L_S (M2) at the present point; keeps what `move` needs."""
        f, self.back = forward_and_back(self.theta, self.X)
        self.g = output_cotangent(f, self.y)
        return logistic(self.y * f).mean()

    def move(self, eta: float) -> None:
        """One step of GD, by G1-G4."""
        moved = [W - eta * dW for W, dW in zip(self.theta, self.back(self.g))]
        moved[3] = moved[3] if self.train_w_O else self.theta.w_O
        self.theta = Parameters(*moved)

    def tokens(self) -> tuple[np.ndarray, np.ndarray]:
        """Rows [q | k | c] (R,2d_h+1) and tokens (N,M), as kernels.py describes them."""
        N, M, d = self.X.shape
        return self.X.reshape(N * M, d) @ side_by_side(self.theta), own_rows(N, M)

    def parameters(self) -> Parameters:
        """theta at the present point, as Parameters."""
        return self.theta
