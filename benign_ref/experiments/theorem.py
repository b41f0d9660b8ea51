"""T1 and T2 where their Condition holds, each quantity varied alone, and the rule by which an exponent is
judged.

The base has every one-sided clause of the Condition met with a margin of ten, its constants and logarithms
set to 1 (sigma_h ~ ... is read as <~; N >~ polylog(d) with its logarithms is met by no N at hand). There one
quantity at a time is multiplied by factors, all else held, and the local exponents of T between neighbouring
points are read off: their smallest and largest are the interval. T is that of the limit; runs in law show how
far it is to be trusted (`ends`).

The rule, fixed beforehand: a claimed exponent **holds over this range** if at every point it is nearer to the
local exponent than any rival half a unit away would be, that is nearer than 1/4; it **does not hold over this
range** if at no point; else it is **undecided**. What that says of a Theta: nothing for certain. A Theta is a
statement about the limit, which no finite range proves or refutes; a verdict says whether an experimenter who
stays in this range would see the claimed exponent.
"""

from math import ceil, sqrt
from typing import NamedTuple

import numpy as np

from .. import validate
from ..derived.law import train_in_law
from ..derived.limit_run import train_in_limit
from ..paper import Setting, make_rng
from ..paper.theorems import ORDERS, THEOREMS, condition, quantities
from .convergence import moved

HOLDS, FAILS, UNDECIDED = "holds over this range", "does not hold over this range", "undecided"
NEARER = 0.25  # half way to a rival half a unit away
MARGIN = 10
X = {"benign": 8.0, "harmful": 0.25}  # N SNR^2 / C_p^2 [C], four times the boundary and an eighth of it
EPSILON = {"benign": 0.003, "harmful": 0.01}  # [C]
FACTORS = tuple(2 ** (k / 4) for k in (-2, -1, 0, 1, 2))
N_FACTORS = (0.7, 0.85, 1.0, 1.2, 1.4)  # of N = 20: 14, 17, 20, 24, 28
TEST_SAMPLES = 2000
EPSILON_FACTORS = tuple(10 ** (k / 4) for k in (2, 1, 0, -1, -2))


def condition_setting(x, N, epsilon, *, margin=MARGIN, d_margin=None):
    """The Setting at x = N SNR^2 / C_p^2 with every one-sided clause of the Condition met by a margin, M = 4,
    C_p = 10, d_h = 64, sigma_p sqrt(d) = 1 and ||w_O|| = 1 [C]; every value given by hand, so that it stays
    when others change. d_margin: another margin of the clause on d.
    """
    x, margin = validate.real("x", x), validate.real("margin", margin)
    s = Setting(
        N=N, M=4, d=3, d_h=64, d_v=1, snr=10 * sqrt(x / N), C_p=10.0, epsilon=epsilon, max_steps=10**8
    )
    least_d, *_, eta, sigma_V, sigma_h = (clause.right for clause in condition(s))
    s = s.replace(d=ceil((margin if d_margin is None else d_margin) * least_d))
    return s.replace(sigma_p=s.sigma_p, eta=eta / margin, sigma_V=sigma_V / margin, sigma_h=sigma_h / margin)


def base_setting(regime, N=20):
    """Where the exponents of a regime, "benign" or "harmful", are measured."""
    return condition_setting(X[validate.choice("regime", regime, tuple(ORDERS))], N, EPSILON[regime])


class Exponent(NamedTuple):
    """The measured exponent of `what`, T or L_D, in a quantity: the quantity's values, what was measured at
    each, and the claimed exponent; None for o(1) in epsilon, an exponent of any positive size.
    """

    what: str
    quantity: str
    values: tuple
    measured: tuple
    claimed: float | None

    @property
    def local(self):
        """Exponents between neighbouring points, (n-1,)."""
        return np.diff(np.log(self.measured)) / np.diff(np.log(self.values))

    @property
    def verdict(self):
        """HOLDS, FAILS or UNDECIDED, by the rule above."""
        return verdict(self.local, self.claimed)

    def __str__(self):
        claimed = "> 0" if self.claimed is None else f"{self.claimed:.4g}"
        overall = np.log(self.measured[-1] / self.measured[0]) / np.log(self.values[-1] / self.values[0])
        return (
            f"exponent of {self.what} in {self.quantity}, {min(self.values):.3g} to {max(self.values):.3g}: "
            f"{overall:.2f}, locally {self.local.min():.2f} to {self.local.max():.2f}; "
            f"claimed {claimed}: {self.verdict}"
        )


def verdict(local, claimed):
    """HOLDS, FAILS or UNDECIDED for local exponents (n,) and a claimed one (None: any > 0), by the rule
    above.
    """
    local = np.asarray(local)
    near = np.abs(local - claimed) < NEARER if claimed is not None else local > NEARER
    return HOLDS if near.all() else UNDECIDED if near.any() else FAILS


def steps_to(epsilon, run):
    """T of a run, in law or in the limit; RuntimeError where it did not reach epsilon."""
    validate.require(run.converged, f"epsilon={epsilon:g} was not reached in {run.steps} steps", RuntimeError)
    return run.steps


def through_epsilon(regime):
    """One run in the limit through all epsilon: the setting whose epsilon is the last, the values of epsilon,
    and the Exponents of T in epsilon and of L_S in the step, claimed to be -1 in phase III (T3).
    """
    s = base_setting(regime)
    s, values = moved(s, "epsilon", EPSILON_FACTORS[-1]), [s.epsilon * factor for factor in EPSILON_FACTORS]
    losses = train_in_limit(s).losses
    times = [int(np.argmax(losses <= epsilon)) for epsilon in values]
    return (
        s,
        Exponent("T", "epsilon", tuple(values), tuple(times), ORDERS[regime]["epsilon"]),
        Exponent("L_S", "the step", tuple(times), tuple(losses[times]), -1),
    )


def exponents(regime, stride=1):
    """The Exponents of T in each quantity of T1 ("benign") or T2 ("harmful"), and of L_D in epsilon; in the
    limit. stride 2 leaves out every other point between the ends.
    """
    s, in_epsilon, _ = through_epsilon(regime)
    yield in_epsilon
    test_losses = train_in_limit(s, record_every=in_epsilon.measured).history.test_loss
    vanishes = THEOREMS[regime].test_loss.startswith("o(1)")
    yield Exponent("L_D", "epsilon", in_epsilon.values, tuple(test_losses), None if vanishes else 0)
    s, T_of_base = base_setting(regime), in_epsilon.measured[EPSILON_FACTORS.index(1.0)]
    for name in [name for name in ORDERS[regime] if name != "epsilon"]:
        factors = (N_FACTORS if name == "N" else FACTORS)[::stride]
        times = (
            T_of_base if factor == 1 else steps_to(s.epsilon, train_in_limit(moved(s, name, factor)))
            for factor in factors
        )
        values = tuple(quantities(s)[name] * factor for factor in factors)
        yield Exponent("T", name, values, tuple(times), ORDERS[regime][name])


def end_in_law(regime, N, epsilon, d_margin, seed):
    """(T, L_D) of one draw in law at the Condition, d `d_margin` times what its clause asks; of its arguments
    alone.
    """
    s = condition_setting(X[regime], N, epsilon, d_margin=d_margin)
    run = train_in_law(s, make_rng(seed, (0,)), progress=False)
    return steps_to(epsilon, run), run.test_loss(TEST_SAMPLES, make_rng(seed, (1,)))


def end_in_limit(regime, N, epsilon):
    """The same in the limit."""
    run = train_in_limit(condition_setting(X[regime], N, epsilon))
    return steps_to(epsilon, run), run.test_loss
