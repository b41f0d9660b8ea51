"""Setting: every size and scale of an experiment, checked once, and how it stands to the theory's Condition.

Marks, here and everywhere: [P] in the paper's abstract or a caption; [P*] in the paper as summarised
elsewhere, not checked against it; [A] read in the authors' public code or data; [D] derived, true by algebra;
[C] our choice.
"""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from inspect import Signature, signature
from math import log, sqrt
from typing import ClassVar

from .. import validate
from ..checked import Checked
from .theorems import Clause, condition

DERIVED = {  # name: (the default, as an expression in the other values, mark)
    "sigma_p": ("1 / sqrt(d)", "so that sigma_p sqrt(d) = 1 [C], no loss of generality [D]"),
    "C_p": ("5 * sqrt(M)", "[P*]"),
    "eta": ("0.3 * M / s**2", "[C]"),
    "sigma_h": ("0.2 * d_h**-0.25 / s", "[C]"),
    "sigma_V": ("0.01 / (w_O_norm * s)", "[C]"),
    "max_steps": ("ceil(30 * N * M / (eta * epsilon * w_O_norm**2 * s**2))", "[C]"),
}
SCALES = "snr", "sigma_p", "C_p", "epsilon", "w_O_norm"


@dataclass(frozen=True, kw_only=True)
class Setting(Checked):
    """Every size and scale of one experiment (D1, M1, M2, GD).

    N, M, d, d_h, d_v   samples >= 1, tokens a sample >= 2, token dimension >= 3, query/key and value width
    snr                 SNR = ||mu|| / (sigma_p sqrt(d)) [P*], > 0
    sigma_p, C_p        noise level of tokens 3..M; token 2 has C_p sigma_p; > 0
    sigma_h, sigma_V    standard deviations of the entries of W_Q, W_K and of W_V at the start, >= 0
    w_O_norm            ||w_O||, > 0 [C: 1]; with init="uniform" the root mean square of it
    eta, epsilon        step size; training loss at which a run stops; > 0
    max_steps           the most steps a run may take, >= 1
    balanced            labels in equal numbers (an odd one drawn) [C]; False: each drawn uniformly (D1)
    noise               "orthogonal": off both signals, as D1 says [P*]; "full": in all of d dimensions [A]
    init                "gaussian" [P*] or "uniform" [A]: the law of the entries at the start
    extra_steps         steps still taken after L_S <= epsilon, >= 0

    A value left at None is derived as DERIVED says, with s = max(||mu||, C_p sigma_p sqrt(d));
    `print(setting)` shows all of them. Raises ValueError or TypeError that names the argument, its value and
    what is allowed; warns (UserWarning) of an epsilon that is reached at step 0.
    """

    N: int = 20
    M: int = 16
    d: int = 1024
    d_h: int = 64
    d_v: int = 64
    snr: float = 8.0
    sigma_p: float = None  # type: ignore[assignment]
    C_p: float = None  # type: ignore[assignment]
    sigma_h: float = None  # type: ignore[assignment]
    sigma_V: float = None  # type: ignore[assignment]
    w_O_norm: float = 1.0
    eta: float = None  # type: ignore[assignment]
    epsilon: float = 0.01
    max_steps: int = None  # type: ignore[assignment]
    balanced: bool = True
    noise: str = "orthogonal"
    init: str = "gaussian"
    extra_steps: int = 0
    sources: Mapping[str, str] = field(init=False, repr=False, compare=False)  # where a given value is from
    RULES = DERIVED
    __signature__: ClassVar[Signature]

    def __post_init__(self) -> None:
        given = [name for name in DERIVED if getattr(self, name) is not None]
        self._store("sources", dict.fromkeys(given, "set by hand"))
        for name, least in (("N", 1), ("M", 2), ("d", 3), ("d_h", 1), ("d_v", 1), ("extra_steps", 0)):
            self._store(name, validate.integer(name, getattr(self, name), least))
        for name in ("snr", "w_O_norm", "epsilon"):
            self._store(name, validate.real(name, getattr(self, name)))
        self._store("balanced", validate.boolean("balanced", self.balanced))
        validate.choice("noise", self.noise, ("orthogonal", "full"))
        validate.choice("init", self.init, ("gaussian", "uniform"))
        for name in DERIVED:
            s = {} if name in ("sigma_p", "C_p") else {"s": self.largest_norm}
            value = getattr(self, name) if name in given else self._derived(name, SCALES, **s)
            whole, positive = name == "max_steps", name not in ("sigma_h", "sigma_V")
            check = validate.integer(name, value, 1) if whole else validate.real(name, value, positive)
            self._store(name, check)
        if self.epsilon >= log(2):
            what = f"epsilon={self.epsilon:g} is not below log 2 = 0.693, the loss at outputs 0:"
            warnings.warn(f"{what} a run from a small start ends at step 0", stacklevel=4)

    @property
    def noise_norm(self) -> float:
        """sigma_p sqrt(d): the norm of a noise token i >= 3, to leading order in d."""
        return self.sigma_p * sqrt(self.d)

    @property
    def mu_norm(self) -> float:
        """||mu|| = SNR sigma_p sqrt(d) [P*]."""
        return self.snr * self.noise_norm

    @property
    def largest_norm(self) -> float:
        """s = max(||mu||, C_p sigma_p sqrt(d)), the norm of the longest token; it sets the scales [C]."""
        return max(self.mu_norm, self.C_p * self.noise_norm)

    @property
    def T(self) -> int:
        """Number of different tokens in the training set, 2 + N (M-1)."""
        return 2 + self.N * (self.M - 1)

    @property
    def N_snr2(self) -> float:
        """N SNR^2, the quantity of T1 and T2 [P]."""
        return self.N * self.snr**2

    @property
    def x(self) -> float:
        """x = N SNR^2 / C_p^2, on which the limit alone depends [D]."""
        return self.N_snr2 / self.C_p**2

    def condition(self) -> list[Clause]:
        """The theory's Condition [P*], both sides of each clause, every constant and logarithm set to 1."""
        return condition(self)

    def condition_text(self) -> str:
        """The clauses of `condition`, one a line, under a line that says what was set to 1."""
        head = "The theory's Condition [P*], every constant and logarithm set to 1:"
        return "\n".join([head, *(f"  {clause}" for clause in self.condition())])

    def __str__(self) -> str:
        more = [("||mu||", self.mu_norm, ""), ("T", self.T, ""), ("SNR", self.snr, "")]
        more += [("N SNR^2", self.N_snr2, ""), ("x", self.x, "= N SNR^2 / C_p^2")]
        return self._text([*more, ("s", self.largest_norm, "= max(||mu||, C_p sigma_p sqrt(d))")])


Setting.__signature__ = signature(Setting.__init__)  # of __init__, not of __new__, for help()
