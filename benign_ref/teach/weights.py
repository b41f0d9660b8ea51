"""The chain from L_S to W_Q, W_K, W_V, w_O: G1-G4 [D] derived step by step on numbers.

After the first steps (model_steps.py) into each of the parameters, the sum over samples, and what a gradient
is for.
"""

from typing import Callable, NamedTuple

import numpy as np

from ..checks import check_gradient
from ..paper.gradients import gradients, softmax_jacobian
from ..paper.model import loss
from .derivation import Check, Step, compare, each, slopes
from .solutions import SOLUTIONS


class Chain(NamedTuple):
    """What is said of one block. equation, why: from f_n into the block; label, G1-G4; short: the gradient of
    L_S as a sum over samples; long: the same as a double sum, whose term (n,l), without y_n ell'_n / NM, is
    term(X_n, x_l, s, J, *theta) with s = S_n[l,:] and J = J(s).
    """

    label: str
    equation: str
    why: str
    short: str
    long: str
    term: Callable


CHAINS = {
    "W_Q": Chain(
        "G1",
        "forward:   P_n = X_n W_Q W_K^T X_n^T\n"
        "dP_n = X_n dW_Q W_K^T X_n^T\n"
        "df_n = <D_n, dP_n> = tr(D_n^T X_n dW_Q W_K^T X_n^T) = <X_n^T D_n X_n W_K, dW_Q>",
        """$P_n$ is linear in $W_Q$. Turning the factors of the trace around until $dW_Q$ stands last
        gives $tr(W_K^T X_n^T D_n^T X_n dW_Q)$, and what stands before $dW_Q$ is the transpose of
        $X_n^T D_n X_n W_K$.""",
        "sum_n g_n X_n^T D_n X_n W_K",
        "(1/NM) sum_n y_n ell'_n sum_l x_l (w_O^T W_V^T X_n^T) J(S_n[l,:]) X_n W_K",
        lambda X_n, x_l, s, J, W_Q, W_K, W_V, w_O: np.outer(x_l, w_O @ W_V.T @ X_n.T @ J @ X_n @ W_K),
    ),
    "W_K": Chain(
        "G2",
        "forward:   P_n = X_n W_Q W_K^T X_n^T\n"
        "dP_n = X_n W_Q dW_K^T X_n^T\n"
        "df_n = <D_n, dP_n> = tr(D_n^T X_n W_Q dW_K^T X_n^T) = <X_n^T D_n^T X_n W_Q, dW_K>",
        """Like $W_Q$, but $W_K$ enters transposed. Turning the trace around gives $tr(X_n^T D_n^T X_n
        W_Q dW_K^T)$, and $tr(A dW_K^T) = <A, dW_K>$. So $D_n$ is transposed here and not for $W_Q$:
        queries belong to the rows of $P_n$, keys to its columns.""",
        "sum_n g_n X_n^T D_n^T X_n W_Q",
        "(1/NM) sum_n y_n ell'_n sum_l X_n^T J(S_n[l,:]) X_n W_V w_O x_l^T W_Q",
        lambda X_n, x_l, s, J, W_Q, W_K, W_V, w_O: np.outer(X_n.T @ J @ X_n @ W_V @ w_O, x_l @ W_Q),
    ),
    "W_V": Chain(
        "G3",
        "forward:   c_n = X_n W_V w_O\ndc_n = X_n dW_V w_O\n"
        "df_n = a_n^T dc_n = a_n^T X_n dW_V w_O = <X_n^T a_n w_O^T, dW_V>",
        """$c_n$ is linear in $W_V$. A row times a matrix times a column, $u^T dW v = sum_{ij} u_i
        dW_{ij} v_j$, is $<u v^T, dW>$, here with $u = X_n^T a_n$, the token that average attention
        sees, and $v = w_O$.""",
        "sum_n g_n X_n^T a_n w_O^T",
        "(1/NM) sum_n y_n ell'_n sum_l X_n^T S_n[l,:]^T w_O^T",
        lambda X_n, x_l, s, J, W_Q, W_K, W_V, w_O: np.outer(X_n.T @ s, w_O),
    ),
    "w_O": Chain(
        "G4",
        "forward:   c_n = X_n W_V w_O\ndc_n = X_n W_V dw_O\n"
        "df_n = a_n^T X_n W_V dw_O = <W_V^T X_n^T a_n, dw_O>",
        """$c_n$ is linear in $w_O$. The row $a_n^T X_n W_V$ stands before $dw_O$, so the gradient is that
        row written as a column.""",
        "sum_n g_n W_V^T X_n^T a_n",
        "(1/NM) sum_n y_n ell'_n sum_l W_V^T X_n^T S_n[l,:]^T",
        lambda X_n, x_l, s, J, W_Q, W_K, W_V, w_O: W_V.T @ X_n.T @ s,
    ),
}


def into_and_sum(ex, name):
    """The gradient of each f_n in the block `name`, from D_n through P_n or from a_n through c_n; then G1,
    G2, G3 or G4: that of L_S, as a sum over samples and as a double sum.
    """
    chain, W = CHAINS[name], getattr(ex.theta, name)
    part, known, arrays, blocks = (
        ("<D_n, P_n>", "D_n", ex.D, ex.theta[:2])
        if name in ("W_Q", "W_K")
        else ("a_n^T c_n", "a_n", ex.a, ex.theta[2:])
    )
    per_sample = [SOLUTIONS[f"into_{name}"](X_n, one, *blocks) for X_n, one in zip(ex.X, arrays)]
    at = lambda W: ex.theta._replace(**{name: W})  # noqa: E731
    both = lambda theta, X_n, D_n, a_n: (  # noqa: E731 - the block is in one of the two
        (D_n * (X_n @ theta.W_Q @ theta.W_K.T @ X_n.T)).sum() + a_n @ X_n @ theta.W_V @ theta.w_O
    )
    yield Step(
        f"From there into ${name}$",
        chain.equation,
        chain.why,
        each(f"gradient of f_n in {name}", per_sample),
        [
            compare(
                f"against the derivative of {part} in {name}, by complex step",
                per_sample,
                [slopes(lambda W, one=one: both(at(W), *one), W) for one in zip(ex.X, ex.D, ex.a)],
            )
        ],
        exercise=f"into_{name}",
    )

    G = gradients(ex.theta, ex.X, ex.y)
    total = sum(g_n * one for g_n, one in zip(ex.g, per_sample))
    double = sum(
        ex.y[n] * ex.slope[n] * chain.term(ex.X[n], ex.X[n, l], s, softmax_jacobian(s), *ex.theta)
        for n in range(ex.N)
        for l, s in enumerate(ex.S[n])
    ) / (ex.N * ex.M)
    yield Step(
        f"Sum over the samples: {chain.label}",
        f"forward:   L_S = (1/N) sum_n ell(y_n f_n)\n"
        f"grad_{{{name}}} L_S = {chain.short}       ({chain.label})\n"
        f"grad_{{{name}}} L_S = {chain.long}",
        f"""$dL_S = sum_n g_n df_n$: each sample's gradient counts with its $g_n$. The last line puts back
        what $g_n$ and ${known}$ stand for: a sum over samples and, in each, over the tokens $l$ that
        look.""",
        [("g", ex.g), (f"gradient of L_S in {name}", total)],
        [
            compare(
                "against the derivative of L_S in the whole model, by complex step",
                total,
                slopes(lambda W: loss(at(W), ex.X, ex.y), W),
                1e-10,
            ),
            Check("the same by central differences", by_central_differences(ex, name, total), 1e-5),
            compare("first sum against the double sum", total, double),
            compare("first sum against paper/gradients.py", total, getattr(G, name)),
        ],
        exercise=f"gradient_{name}",
    )


def by_central_differences(ex, name, total):
    """The error that check_gradient finds in a claimed gradient; NaN on fractions, which it cannot take."""
    if ex.X.dtype == object:
        return np.nan
    f, grad = (lambda p: loss(p, ex.X, ex.y)), (lambda p: p._replace(**{name: total}))
    return check_gradient(f, grad, ex.theta, method="central", blocks=[name]).rows[0].error


def descent(ex, name):
    """GD: L_S after a step in the block `name`, and its slope in eta at 0, -||grad||^2."""
    W, G = getattr(ex.theta, name), getattr(gradients(ex.theta, ex.X, ex.y), name)
    after = lambda eta: loss(ex.theta._replace(**{name: W - eta * G}), ex.X, ex.y)  # noqa: E731
    square, sizes = (G * G).sum(), np.array([0.0, 0.1, 0.2])
    yield Step(
        "What it is for: gradient descent",
        f"{name}(t+1) = {name}(t) - eta grad_{{{name}}} L_S       (GD)\n"
        f"dL_S / d eta = -||grad_{{{name}}} L_S||^2   at eta = 0",
        """A step against the gradient $G$ is $dW = -eta G$, and it changes $L_S$ by $<G, -eta G>$ to first
        order: $-eta$ times the sum of the squares of all entries of $G$. Downhill, unless $G = 0$.""",
        [
            ("eta", sizes),
            ("L_S after a step", np.array([after(eta) for eta in sizes])),
            ("-||G||^2", -square),
        ],
        [
            compare(
                "-||G||^2 against the derivative of L_S in eta, by complex step",
                -square,
                slopes(after, ex.zero),
            )
        ],
        exercise="descent",
    )
