"""The functions that check their arguments, choose the backend, and hand over to the mathematics."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from . import validate
from .engines import cost, parameter_space
from .engines.proof_space import ProofSpace
from .engines.records import Record, descend_at, digest_of
from .paper import descent, model, proof
from .paper.data import Dataset
from .paper.gradients import gradients as gradients_by_hand
from .paper.model import Parameters
from .paper.setting import Setting

BACKENDS = ("numpy", "numba")
ENGINES = ("auto", "parameters", "proof")
SPACES = {  # (engine, backend): what makes the space from theta, X, y, train_w_O
    ("parameters", "numpy"): descent.ReferenceSpace,
    ("parameters", "numba"): parameter_space.ParameterSpace,
    ("proof", "numpy"): proof.ReferenceProofSpace.of,
    ("proof", "numba"): ProofSpace.of,
}


def _checked(theta: Any, X: Any, backend: str, *y: Any) -> tuple:
    validate.choice("backend", backend, BACKENDS)
    sizes: dict[str, int] = {}
    blocks = Parameters(*validate.parameters(theta, sizes))
    X = validate.array("X", X, "N,M,d", sizes)
    return blocks, X, *(validate.labels("y", one, sizes) for one in y)


def forward(theta: Parameters, X: np.ndarray, backend: str = "numpy") -> np.ndarray:
    """M1 [P*]: the outputs f (N,) of tokens X (N,M,d).

    backend "numpy": model.forward, line by line; "numba": the same by BLAS and the kernels. Raises ValueError
    or TypeError.
    """
    theta, X = _checked(theta, X, backend)
    return model.forward(theta, X) if backend == "numpy" else parameter_space.forward_numba(theta, X)


def attention(theta: Parameters, X: np.ndarray) -> np.ndarray:
    """M1 [P*]: the attention S (N,M,M) on tokens X (N,M,d); each row sums to 1. Raises ValueError or
    TypeError.
    """
    theta, X = _checked(theta, X, "numpy")
    return model.attention(theta, X)


def loss(theta: Parameters, X: np.ndarray, y: np.ndarray, backend: str = "numpy") -> float:
    """M2 [P*]: L_S, the mean logistic loss on X (N,M,d), y (N,) of -1 and +1; a float. Raises ValueError or
    TypeError.
    """
    theta, X, y = _checked(theta, X, backend, y)
    return float(model.logistic(y * forward(theta, X, backend)).mean())


def gradients(theta: Parameters, X: np.ndarray, y: np.ndarray, backend: str = "numpy") -> Parameters:
    """G1-G4 [D]: the gradients of L_S with respect to W_Q, W_K, W_V, w_O, as Parameters.

    backend "numpy": gradients.gradients, line by line; "numba": the same by BLAS and the kernels. Raises
    ValueError or TypeError.
    """
    theta, X, y = _checked(theta, X, backend, y)
    return gradients_by_hand(theta, X, y) if backend == "numpy" else parameter_space.gradients(theta, X, y)


def test_loss(theta: Parameters, X: np.ndarray, y: np.ndarray) -> float:
    """M2 [P*] on data that were not trained on: the mean logistic loss, a float. Raises ValueError or
    TypeError.
    """
    return loss(theta, X, y, backend="numba")


def error_rate(theta: Parameters, X: np.ndarray, y: np.ndarray) -> float:
    """The 0-1 error: the fraction of samples with y_n f(X_n) <= 0, a float in [0,1]. Raises ValueError or
    TypeError.
    """
    theta, X, y = _checked(theta, X, "numba", y)
    return float(np.mean(y * parameter_space.forward_numba(theta, X) <= 0))


test_loss.__test__ = False  # type: ignore[attr-defined]  # a public name, not a test to collect


class Run(NamedTuple):
    """A run of gradient descent.

    losses (steps+1,): losses[t] is L_S before step t. converged: some loss is <= epsilon (without extra steps
    the last one). steps: steps taken, extra ones included. parameters: theta at the end. records: list of
    Record, empty unless asked for. engine, backend: those that ran.
    """

    losses: np.ndarray
    steps: int
    converged: bool
    parameters: Parameters
    records: list[Record]
    engine: str
    backend: str

    def __str__(self) -> str:
        ended = "converged" if self.converged else "NOT converged"
        shapes = ", ".join(f"{name} {W.shape}" for name, W in self.parameters._asdict().items())
        return (
            f"Run of the {self.engine!r} engine, backend {self.backend!r}\n"
            f"  steps       {self.steps}, {ended}\n"
            f"  losses      {self.losses[0]:.6g} at step 0, {self.losses[-1]:.6g} at the end\n"
            f"  parameters  {shapes}\n"
            f"  records     {len(self.records)}"
        )


def log_spaced_steps(last: int, per_decade: int = 20) -> np.ndarray:
    """The steps 0, 1, 2, … spaced evenly on a logarithmic axis up to `last`, an increasing integer array; for
    `record_every`.
    """
    validate.integer("last", last, 1)
    validate.integer("per_decade", per_decade, 1)
    count = int(np.ceil(np.log10(last) * per_decade)) + 1
    return np.unique(
        np.concatenate([[0, last], np.round(np.logspace(0, np.log10(last), count))]).astype(np.int64)
    )


def _checked_run(s: Any, data: Any, theta: Any, engine: str, backend: str) -> tuple:
    """The engine that will run, theta, X, y."""
    validate.instance("s", s, Setting)
    validate.instance("data", data, Dataset)
    validate.choice("engine", engine, ENGINES)
    validate.choice("backend", backend, BACKENDS)
    sizes = {name: getattr(s, name) for name in ("N", "M", "d", "d_h", "d_v")}
    theta = Parameters(*validate.parameters(theta, sizes))
    X, y = validate.array("data.X", data.X, "N,M,d", sizes), validate.labels("data.y", data.y, sizes)
    if engine == "auto":
        engine = "parameters" if backend == "numpy" else cost.cheaper(s)
    if engine == "proof":
        validate.fits_memory("N * M", s.N * s.M, 2 * s.T**2)
    return engine, theta, X, y


def train(
    s: Setting,
    data: Dataset,
    theta: Parameters,
    *,
    engine: str = "auto",
    backend: str = "numba",
    train_w_O: bool = False,
    record_every: int | Sequence[int] | None = None,
    observe: Callable[[Parameters], Any] | None = None,
    progress: bool | Callable[[int, int, float], Any] | None = None,
    checkpoint: str | Path | None = None,
) -> Run:
    """GD [P*]: full-batch gradient descent from theta on data, step s.eta, until L_S <= s.epsilon or
    s.max_steps, then s.extra_steps more. Returns a Run.

    engine "parameters": in d dimensions, G1-G4, O(N M d d_h) a step; "proof": in the proof's coordinates,
    P1-P3, the same run at O(T^2 d_h) a step whatever d, after O(T^2 d + T d d_h) once. "auto": the one that
    multiplies less in the first 100 steps (engines/cost.py). The proof engine wins where T = 2 + N (M-1) is
    well below 2 d and the run is not over in a few steps; the parameter engine where tokens outnumber
    dimensions, or for a few steps on many tokens. run.engine says which one ran; with backend "numpy" it is
    "parameters". backend "numpy": the equations as they stand; "numba": the same by BLAS and the kernels.

    train_w_O: train w_O too. record_every: None, an integer k (steps 0, k, 2k, …) or a sequence of steps;
    these and the last are kept in run.records, and `observe(theta)`, if given, is called there and its value
    kept in the record. Not reaching epsilon is no error (run.converged is False).

    progress: called as progress(step, max_steps, loss) after each step; True or False: a line on stderr, or
    none; None: a line if that is a terminal. checkpoint: a file that keeps where the run is, every second or
    so. The same call with that file, after the run was killed, goes on from there and gives the same bits,
    records included (so `observe` is refused beside it); a file that is damaged, or of another run, is
    refused and left alone.

    Raises ValueError or TypeError for a bad argument, DivergenceError at a loss that is not finite, OSError
    if the checkpoint cannot be written.
    """
    train_w_O = validate.boolean("train_w_O", train_w_O)
    engine, theta, X, y = _checked_run(s, data, theta, engine, backend)
    which = {"engine": engine, "backend": backend, "train_w_O": train_w_O}
    space, losses, steps, converged, records = descend_at(
        s, lambda: SPACES[engine, backend](theta, X, y, train_w_O), name="train",
        decides=lambda: {**which, "data_and_start": digest_of(X, y, *theta)},
        of="theta", seen=lambda space: space.parameters(), observe=observe, record_every=record_every,
        progress=progress, checkpoint=checkpoint,
    )  # fmt: skip
    return Run(losses, steps, converged, space.parameters(), records, engine, backend)
