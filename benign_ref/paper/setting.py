"""Setting: every size and scale of an experiment, checked once, and how it stands to the theory's Condition.

Marks, here and everywhere: [P] in the paper's abstract or a caption; [P*] in the paper as summarised
elsewhere, not checked against it; [D] derived, true by algebra; [C] our choice.
"""

from dataclasses import dataclass, field, fields
from math import ceil, inf, isfinite, sqrt
from typing import NamedTuple

from .. import validate

# name: (how the default is derived, mark). The formulas themselves are in Setting._derive.
DERIVED = {
    "sigma_p": ("1/sqrt(d), so that sigma_p sqrt(d) = 1", "[C], no loss of generality [D]"),
    "C_p": ("5 sqrt(M)", "[P*]"),
    "eta": ("0.3 M / s^2", "[C]"),
    "sigma_h": ("0.2 d_h^(-1/4) / s", "[C]"),
    "sigma_V": ("0.01 / (w_O_norm s)", "[C]"),
    "max_steps": ("30 N M / (eta epsilon w_O_norm^2 s^2), rounded up", "[C]"),
}


class Clause(NamedTuple):
    """One clause of the theory's Condition [P*]: the statement and its two sides as numbers, every constant
    and logarithm set to 1.
    """

    statement: str
    left: float
    relation: str
    right: float

    @property
    def ratio(self):
        """left / right (infinite if right is 0)."""
        return self.left / self.right if self.right else inf

    def __str__(self):
        return f"{self.statement:<62} {self.left:>10.3g} {self.relation} {self.right:<10.3g} left/right = {self.ratio:.3g}"


@dataclass(frozen=True, kw_only=True)
class Setting:
    """Every size and scale of one experiment (D1, M1, M2, GD).

    N, M, d, d_h, d_v   samples, tokens a sample, token dimension, query/key width, value width (integers; N
                        >= 1, M >= 2, d >= 3, widths >= 1)
    snr                 SNR = ||mu|| / (sigma_p sqrt(d)) [P*], > 0
    sigma_p, C_p        noise level of tokens 3..M; token 2 has C_p sigma_p; > 0
    sigma_h, sigma_V    standard deviations of the entries of W_Q, W_K and of W_V at the start, >= 0
    w_O_norm            ||w_O||, > 0 [C: 1]
    eta, epsilon        step size; training loss at which a run stops; > 0
    max_steps           the most steps a run may take, >= 1
    balanced            labels in equal numbers (an odd one drawn) [C]; False: each drawn uniformly, as D1
                        says

    A value left at None is derived as DERIVED says, with s = max(||mu||, C_p sigma_p sqrt(d));
    `print(setting)` shows all of them. Raises ValueError or TypeError that names the argument, its value and
    what is allowed.
    """

    N: int = 20
    M: int = 16
    d: int = 1024
    d_h: int = 64
    d_v: int = 64
    snr: float = 8.0
    sigma_p: float | None = None
    C_p: float | None = None
    sigma_h: float | None = None
    sigma_V: float | None = None
    w_O_norm: float = 1.0
    eta: float | None = None
    epsilon: float = 0.01
    max_steps: int | None = None
    balanced: bool = True
    given: frozenset = field(init=False, repr=False, compare=False)

    def __post_init__(self):
        store = lambda name, value: object.__setattr__(self, name, value)  # noqa: E731 - the dataclass is frozen
        store("given", frozenset(name for name in DERIVED if getattr(self, name) is not None))
        for name, least in (("N", 1), ("M", 2), ("d", 3), ("d_h", 1), ("d_v", 1)):
            store(name, validate.integer(name, getattr(self, name), least))
        for name in ("snr", "w_O_norm", "epsilon"):
            store(name, validate.real(name, getattr(self, name)))
        store("balanced", validate.boolean("balanced", self.balanced))
        for name in DERIVED:
            store(
                name, self._checked(name, getattr(self, name)) if name in self.given else self._derive(name)
            )

    @staticmethod
    def _checked(name, value):
        if name == "max_steps":
            return validate.integer(name, value, 1)
        return validate.real(name, value, positive=name not in ("sigma_h", "sigma_V"))

    def _derive(self, name):
        if name == "sigma_p":
            return 1 / sqrt(self.d)
        if name == "C_p":
            return 5 * sqrt(self.M)
        try:
            s = self.largest_norm
            value = {
                "eta": lambda: 0.3 * self.M / s**2,
                "sigma_h": lambda: 0.2 * self.d_h**-0.25 / s,
                "sigma_V": lambda: 0.01 / (self.w_O_norm * s),
                "max_steps": lambda: (
                    30 * self.N * self.M / (self.eta * self.epsilon * self.w_O_norm**2 * s**2)
                ),
            }[name]()
        except (OverflowError, ZeroDivisionError):
            value = inf
        if not (isfinite(value) and value > 0):
            raise ValueError(
                f"{name} cannot be derived as {DERIVED[name][0]}: it would be {value!r} at snr={self.snr!r}, sigma_p={self.sigma_p!r}, "
                f"C_p={self.C_p!r}, epsilon={self.epsilon!r}, w_O_norm={self.w_O_norm!r}; give {name} or less extreme values"
            )
        return ceil(value) if name == "max_steps" else value

    @property
    def noise_norm(self):
        """sigma_p sqrt(d): the norm of a noise token i >= 3, to leading order in d."""
        return self.sigma_p * sqrt(self.d)

    @property
    def mu_norm(self):
        """||mu|| = SNR sigma_p sqrt(d) [P*]."""
        return self.snr * self.noise_norm

    @property
    def largest_norm(self):
        """s = max(||mu||, C_p sigma_p sqrt(d)), the norm of the longest token, which sets the stable scales
        [C].
        """
        return max(self.mu_norm, self.C_p * self.noise_norm)

    @property
    def T(self):
        """Number of different tokens in the training set, 2 + N (M-1)."""
        return 2 + self.N * (self.M - 1)

    @property
    def N_snr2(self):
        """N SNR^2, the quantity of T1 and T2 [P]."""
        return self.N * self.snr**2

    @property
    def x(self):
        """x = N SNR^2 / C_p^2, on which the limit alone depends [D]."""
        return self.N_snr2 / self.C_p**2

    def replace(self, **changes):
        """A Setting with some values changed; every default that was not set by hand is derived afresh. None
        derives one that was.
        """
        names = [f.name for f in fields(self) if f.init]
        unknown = sorted(set(changes) - set(names))
        if unknown:
            raise TypeError(f"replace() got unknown name {unknown[0]!r}, allowed are {', '.join(names)}")
        kept = {name: getattr(self, name) for name in names if name in self.given or name not in DERIVED}
        return Setting(**{**kept, **changes})

    def condition(self):
        """The theory's Condition [P*] clause by clause, as a list of Clause: both sides, with every constant
        and logarithm set to 1.
        """
        least = min(1 / self.mu_norm, 1 / self.noise_norm)
        width = self.d_h**-0.25
        return [
            Clause("d >~ N^2 d_h / epsilon^2", self.d, ">~", self.N**2 * self.d_h / self.epsilon**2),
            Clause("N >~ polylog(d), the logarithms set to 1", self.N, ">~", 1.0),
            Clause("M = Theta(1)", self.M, "~", 1.0),
            Clause("||w_O|| = Theta(1)", self.w_O_norm, "~", 1.0),
            Clause("eta <~ min{||mu||^-2, (sigma_p^2 d)^-1} d_h^(-1/2)", self.eta, "<~", least**2 * width**2),
            Clause(
                "sigma_V <~ min{||mu||^-1, (sigma_p sqrt d)^-1} d_h^(-1/4)/||w_O||",
                self.sigma_V,
                "<~",
                least * width / self.w_O_norm,
            ),
            Clause(
                "sigma_h ~ min{||mu||^-1, (sigma_p sqrt d)^-1} d_h^(-1/4), no logs",
                self.sigma_h,
                "~",
                least * width,
            ),
        ]

    def condition_text(self):
        """The clauses of `condition`, one a line, under a line that says what was set to 1."""
        return "\n".join(
            ["The theory's Condition [P*], every constant and logarithm set to 1:"]
            + [f"  {c}" for c in self.condition()]
        )

    def __str__(self):
        lines = ["Setting"]
        for f in fields(self):
            if not f.init:
                continue
            value = getattr(self, f.name)
            note = (
                "set by hand"
                if f.name in self.given
                else "= {}  {}".format(*DERIVED[f.name])
                if f.name in DERIVED
                else ""
            )
            shown = f"{value:.6g}" if isinstance(value, float) else str(value)
            lines.append(f"  {f.name:<10} {shown:<12} {note}".rstrip())
        lines += [
            f"  {'||mu||':<10} {self.mu_norm:.6g}",
            f"  {'T':<10} {self.T}",
            f"  {'SNR':<10} {self.snr:.6g}",
            f"  {'N SNR^2':<10} {self.N_snr2:.6g}",
            f"  {'x':<10} {self.x:<12.6g} = N SNR^2 / C_p^2",
            f"  {'s':<10} {self.largest_norm:<12.6g} = max(||mu||, C_p sigma_p sqrt(d))",
        ]
        return "\n".join(lines)
