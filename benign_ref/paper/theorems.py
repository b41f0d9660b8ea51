"""The theory's statements [P*]: the Condition, T1, T2, T3, as far as numbers can be put to them.

~, <~, >~ and Theta hide constants and logarithms, here set to 1; no finite run proves or refutes an order.
"""

from math import inf, prod
from typing import Any, NamedTuple

SYMBOLS = {"epsilon": "epsilon", "eta": "eta", "w_O": "||w_O||", "mu": "||mu||", "N": "N",
           "sigma_p^2 d": "(sigma_p^2 d)"}  # fmt: skip


class Clause(NamedTuple):
    """One clause of the Condition: the statement and its two sides as numbers."""

    statement: str
    left: float
    relation: str
    right: float

    @property
    def ratio(self) -> float:
        """left / right (infinite if right is 0)."""
        return self.left / self.right if self.right else inf

    def __str__(self) -> str:
        sides = f"{self.left:>10.3g} {self.relation} {self.right:<10.3g}"
        return f"{self.statement:<62} {sides} left/right = {self.ratio:.3g}"


def condition(s: Any) -> list[Clause]:
    """The Condition clause by clause, for a Setting s."""
    least = min(1 / s.mu_norm, 1 / s.noise_norm)
    width, bound = s.d_h**-0.25, "min{||mu||^-1, (sigma_p sqrt d)^-1}"
    return [
        Clause("d >~ N^2 d_h / epsilon^2", s.d, ">~", s.N**2 * s.d_h / s.epsilon**2),
        Clause("N >~ polylog(d), the logarithms set to 1", s.N, ">~", 1.0),
        Clause("M = Theta(1)", s.M, "~", 1.0),
        Clause("||w_O|| = Theta(1)", s.w_O_norm, "~", 1.0),
        Clause("eta <~ min{||mu||^-2, (sigma_p^2 d)^-1} d_h^(-1/2)", s.eta, "<~", least**2 * width**2),
        Clause(f"sigma_V <~ {bound} d_h^(-1/4)/||w_O||", s.sigma_V, "<~", least * width / s.w_O_norm),
        Clause(f"sigma_h ~ {bound} d_h^(-1/4), no logs", s.sigma_h, "~", least * width),
    ]


def quantities(s: Any) -> dict[str, float]:
    """The quantities that the orders of T name, for a Setting s."""
    values = s.epsilon, s.eta, s.w_O_norm, s.mu_norm, s.N, s.noise_norm**2
    return dict(zip(SYMBOLS, values, strict=True))


class Theorem(NamedTuple):
    """When `regime` holds, then at some T = Theta(product of the quantities to the powers `orders`) L_S <=
    epsilon and L_D = `test_loss`.
    """

    label: str
    name: str
    regime: str
    test_loss: str
    orders: dict[str, float]

    def order(self, s: Any) -> float:
        """The order of T as a number, every constant 1."""
        return prod(value ** self.orders[name] for name, value in quantities(s).items())

    def __str__(self) -> str:
        powers = (
            f"{SYMBOLS[name]}^{power:g}".removesuffix("^1") for name, power in self.orders.items() if power
        )
        T = f"T = Theta({' '.join(powers)})"
        return f"{self.regime}: at some {T} L_S <= epsilon and L_D = {self.test_loss}"


T1 = Theorem("T1", "benign overfitting", "N SNR^2 = Omega(1)", "o(1), with probability >= 1 - 1/d",
             {"epsilon": -1, "eta": -1, "w_O": -2, "mu": -2, "N": 0, "sigma_p^2 d": 0})  # fmt: skip
T2 = Theorem("T2", "harmful overfitting", "N^-1 SNR^-2 = Omega(1)", "Theta(1)",
             {"epsilon": -1, "eta": -1, "w_O": -2, "mu": 0, "N": 1, "sigma_p^2 d": -1})  # fmt: skip
T3 = (
    "Phase I: V grows while attention stays near 1/M. Phase II: <q,k> grow and attention concentrates, on "
    "the signal when benign, on xi_2 when harmful. Phase III: attention has settled and the loss falls like "
    "1/t. All through, max_n |ell'_n| / min_n |ell'_n| stays bounded."
)
THEOREMS = {"benign": T1, "harmful": T2}
ORDERS = {regime: theorem.orders for regime, theorem in THEOREMS.items()}
