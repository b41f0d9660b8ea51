"""GD: theta(t+1) = theta(t) - eta grad L_S(theta(t)), full batch, until L_S <= epsilon, in whatever space."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from ..checked import DivergenceError as DivergenceError
from .gradients import forward_and_back, output_cotangent
from .model import Parameters, logistic


class Space(Protocol):
    """What gradient descent runs in: the parameters, or the proof's coordinates. STATE: names what a step
    changes; with these attributes kept, a run can go on later.
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


@dataclass
class History:
    """The losses of a run so far, whether one of them was <= epsilon, and the step that the run ends with."""

    losses: list[float] = field(default_factory=list)
    converged: bool = False
    last: int | None = None


def descend(
    space: Space, *, eta: float, epsilon: float, max_steps: int, extra_steps: int = 0,
    history: History | None = None, before_step: Callable[[int, bool], None] = lambda step, ends: None,
    after_step: Callable[[], None] = lambda: None,
) -> History:  # fmt: skip
    """Run GD in `space` until L_S <= epsilon (converged), then `extra_steps` more, at most max_steps in all.
    losses[t] is L_S before step t.

    history: of the steps that brought the space where it is, for a run that goes on; the same one is
    returned. before_step(step, whether the run ends here), after_step(): called around each step. Raises
    DivergenceError at the first loss that is not finite; warns (UserWarning) where the last loss is 0.
    """
    history = history or History()
    losses, last = history.losses, max_steps if history.last is None else history.last
    for step in range(len(losses), last + 1):
        loss = float(space.evaluate())
        losses.append(loss)
        if not np.isfinite(loss):
            raise DivergenceError(step, eta, loss)
        if loss <= epsilon and not history.converged:
            last = min(step + extra_steps, max_steps)
            history.converged, history.last = True, last
        before_step(step, step == last)
        if step < last:
            space.move(eta)
        after_step()
        if step == last:
            break
    if losses[-1] == 0:
        what = f"the loss is exactly 0 at step {len(losses) - 1}:"
        warnings.warn(f"{what} eta={eta:g} is too large to train by", stacklevel=4)
    return history


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
