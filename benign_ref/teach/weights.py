"""The chain from L_S to W_Q, W_K, W_V, w_O: G1-G4 [D] derived step by step on numbers.

What a step claims is computed by the package's own functions (gradients.py) and checked by another route: the
derivative of the line before (slopes), or literal loops.
"""

import numpy as np

from ..checks import check_gradient
from ..paper.gradients import gradients, softmax_jacobian
from ..paper.model import Parameters, logistic, loss, softmax
from .derivation import Check, Example, Step, by_loops, compare, slopes


def model_step(ex):
    """Step M1 in four parts: P_n, S_n (M,M), c_n (M,), f_n."""
    outputs = np.array([(S_n @ c_n).mean() for S_n, c_n in zip(ex.S, ex.c)])
    return Step(
        "The model",
        """
        f_n = f(X_n) = (1/M) sum_l phi(x_l^T W_Q W_K^T X_n^T) X_n W_V w_O       (M1)
        in four parts:
        P_n = X_n W_Q W_K^T X_n^T       (M,M)   logits: how well tokens l and j match
        S_n[l,:] = phi(P_n[l,:])        (M,M)   attention: phi(p)_j = e^{p_j} / sum_i e^{p_i}
        c_n = X_n W_V w_O               (M)     the value of each token
        f_n = (1/M) sum_l S_n[l,:] c_n          the average row of attention takes the average value
        """,
        """A sample $X_n$ has $M$ tokens $x_1, ..., x_M$, its rows. Each token $l$ looks at all tokens $j$,
        the more the better they match, and collects their values; the output is the mean over $l$.
        Reading M1 from the inside out gives the four parts, and the derivation goes through them
        backwards.""",
        [
            *ex.each("X_n", ex.X),
            ("y", ex.y),
            *zip(Parameters._fields, ex.theta),
            ("P_1", ex.P[0]),
            ("S_1", ex.S[0]),
            ("c_1", ex.c[0]),
            ("f", ex.f),
        ],
        [
            compare(
                "the four parts against M1 in loops over single numbers", outputs, by_loops(ex.theta, ex.X)
            )
        ],
        exercise="output",
    )


def loss_step(ex):
    """Step M2: L_S, a number, from y and f (N,)."""
    z = ex.y * ex.f
    L = loss(ex.theta, ex.X, ex.y)
    return Step(
        "The loss",
        """
        L_S = (1/N) sum_n ell(y_n f_n),   ell(z) = log(1 + e^{-z})       (M2)
        """,
        """The label $y_n$ is +1 or -1, so $z = y_n f_n$ is positive when the output has the right sign.
        $ell$ falls with $z$: about $-z$ far on the wrong side, about $e^{-z}$ far on the right one. To
        be found is $grad L_S$ in a parameter $W$: the array $G$ of the shape of $W$ with $dL_S = <G,
        dW>$ for every small change $dW$, where $<A, B> = sum_{ij} A_{ij} B_{ij} = tr(A^T B)$.""",
        [("y", ex.y), ("f", ex.f), ("z", z), ("ell(z)", logistic(z)), ("L_S", L)],
        [
            compare(
                "L_S against -(1/N) log of the product of all 1/(1 + e^{-z})",
                L,
                -np.log(np.prod(1 / (1 + np.exp(-z)))) / ex.N,
            )
        ],
        exercise="empirical_loss",
    )


def output_step(ex):
    """Step B1: g (N,), g_n = dL_S/df_n."""
    found = slopes(lambda f: logistic(ex.y * f).mean(), ex.f)
    return Step(
        "From the loss to the outputs",
        """
        forward:   L_S = (1/N) sum_n ell(y_n f_n),   ell(z) = log(1 + e^{-z})
        g_n = dL_S/df_n = y_n ell'(y_n f_n) / N,   ell'(z) = -1/(1 + e^z)
        so that   dL_S = sum_n g_n df_n
        """,
        """$L_S$ is a mean of $N$ terms, and only the $n$-th holds $f_n$. The derivative of $log(1 +
        e^{-z})$ is $-e^{-z}/(1 + e^{-z}) = -1/(1 + e^z)$; the inner derivative of $y_n f_n$ is $y_n$.
        $ell'$ is always negative, so $g_n$ has the sign of $-y_n$, and descent moves $f_n$ towards
        $y_n$. From here each sample is treated alone; a later step sums them with weights $g_n$.""",
        [("ell'(y f)", ex.slope), ("g", ex.g)],
        [compare("g against the derivative of L_S as a function of f, by complex step", ex.g, found)],
        exercise="output_cotangent",
    )


def values_step(ex):
    """Step: a_n = df_n/dc_n (M,), the attention that each token gets on average."""
    found = [slopes(lambda c, S_n=S_n: (S_n @ c).mean(), c_n) for S_n, c_n in zip(ex.S, ex.c)]
    return Step(
        "From an output to the values of its tokens",
        """
        forward:   f_n = (1/M) sum_l sum_j S_n[l,j] c_n[j]
        f_n = sum_j a_n[j] c_n[j],   a_n[j] = (1/M) sum_l S_n[l,j]
        df_n/dc_n[j] = a_n[j]
        """,
        """Neither $W_V$ nor $w_O$ is in $S_n$, so attention is a constant here. $a_n[j]$ is the attention
        that token $j$ gets on average; the rows of $S_n$ sum to 1, hence so does $a_n$.""",
        [*ex.each("S_n", ex.S), *ex.each("a_n", ex.a)],
        [
            compare("a_n against the derivative of f_n in c_n, by complex step", list(ex.a), found),
            compare("each a_n sums to 1", ex.a.sum(axis=1), np.ones(ex.N)),
        ],
        exercise="mean_attention",
    )


def attention_step(ex):
    """Step: df_n/dS_n (M,M), c_n/M in every row."""
    claimed = [np.tile(c_n / ex.M, (ex.M, 1)) for c_n in ex.c]
    found = [slopes(lambda S, c_n=c_n: (S @ c_n).mean(), S_n) for S_n, c_n in zip(ex.S, ex.c)]
    return Step(
        "From an output to its attention",
        """
        forward:   f_n = (1/M) sum_l sum_j S_n[l,j] c_n[j]
        df_n/dS_n[l,j] = c_n[j] / M
        """,
        """$W_Q$ and $W_K$ are in $S_n$ only, so here the values $c_n$ are constants. $f_n$ is linear in
        the entries of $S_n$, and the coefficient of entry $[l,j]$ is $c_n[j]/M$, the same in every row.""",
        [*ex.each("S_n", ex.S), *ex.each("c_n", ex.c), *ex.each("c_n/M", ex.c / ex.M)],
        [compare("c_n/M in every row against the derivative of f_n in S_n, by complex step", claimed, found)],
        exercise="attention_cotangent",
    )


def softmax_step(ex):
    """Step M3: the Jacobian of the softmax, J(phi) = diag(phi) - phi phi^T (M,M)."""
    J = softmax_jacobian(ex.S[0, 0])
    found = np.array([slopes(lambda p, j=j: softmax(p)[j], ex.P[0, 0]) for j in range(ex.M)])
    return Step(
        "Through the softmax",
        """
        forward:   phi_j = e^{p_j} / sum_i e^{p_i}
        d phi_j / d p_i = phi_j (1[i=j] - phi_i),   that is   J(phi) = diag(phi) - phi phi^T       (M3)
        """,
        """Quotient rule: the numerator $e^{p_j}$ depends on $p_i$ only if $i = j$, which gives $phi_j
        1[i=j]$; the denominator always does, which gives $-phi_j phi_i$. $J$ is symmetric, and its rows
        sum to 0, since adding one number to all logits changes no softmax.""",
        [("p = P_1[1,:]", ex.P[0, 0]), ("phi = S_1[1,:]", ex.S[0, 0]), ("J(phi)", J)],
        [compare("J against the derivatives of the softmax at P_1[1,:], by complex step", J, found)],
        exercise="softmax_jacobian",
    )


def coupling_step(ex):
    """Step M3: D_n = df_n/dP_n (M,M), its rows (1/M) J(S_n[l,:]) c_n."""
    found = [slopes(lambda P, c_n=c_n: (softmax(P) @ c_n).mean(), P_n) for P_n, c_n in zip(ex.P, ex.c)]
    return Step(
        "From an output to its logits",
        """
        forward:   f_n = (1/M) sum_l S_n[l,:] c_n,   S_n[l,:] = phi(P_n[l,:])
        D_n = df_n/dP_n,   D_n[l,:] = (1/M) J(S_n[l,:]) c_n       (M3)
        entry by entry:   D_n[l,j] = (1/M) S_n[l,j] (c_n[j] - sum_i S_n[l,i] c_n[i])
        """,
        """Chain rule over the two steps before: row $l$ of $P_n$ feeds row $l$ of $S_n$ and no other, so
        $D_n[l,:]$ is $J(S_n[l,:])^T$ times $c_n/M$, and $J$ is symmetric. In words: to raise a logit
        helps if that token's value is above the average that the row now collects. The rows of $D_n$
        sum to 0 (I1).""",
        [*ex.each("c_n", ex.c), *ex.each("D_n", ex.D)],
        [compare("D_n against the derivative of f_n in P_n, by complex step", list(ex.D), found)],
        exercise="coupling",
    )


def into(ex, name):
    """(equation, reason, the gradients of f_1, f_2, ... in the block, the part of f_n that holds the block as
    a function of it and n).
    """
    W_Q, W_K, W_V, w_O = ex.theta
    X, D, a = ex.X, ex.D, ex.a
    if name == "W_Q":
        return (
            "forward:   P_n = X_n W_Q W_K^T X_n^T\n"
            "dP_n = X_n dW_Q W_K^T X_n^T\n"
            "df_n = <D_n, dP_n> = tr(D_n^T X_n dW_Q W_K^T X_n^T) = <X_n^T D_n X_n W_K, dW_Q>",
            """$P_n$ is linear in $W_Q$. Turning the factors of the trace around until $dW_Q$ stands last
            gives $tr(W_K^T X_n^T D_n^T X_n dW_Q)$, and what stands before $dW_Q$ is the transpose of
            $X_n^T D_n X_n W_K$.""",
            [X_n.T @ D_n @ X_n @ W_K for X_n, D_n in zip(X, D)],
            lambda W, n: (D[n] * (X[n] @ W @ W_K.T @ X[n].T)).sum(),
        )
    if name == "W_K":
        return (
            "forward:   P_n = X_n W_Q W_K^T X_n^T\n"
            "dP_n = X_n W_Q dW_K^T X_n^T\n"
            "df_n = <D_n, dP_n> = tr(D_n^T X_n W_Q dW_K^T X_n^T) = <X_n^T D_n^T X_n W_Q, dW_K>",
            """Like $W_Q$, but $W_K$ enters transposed. Turning the trace around gives $tr(X_n^T D_n^T X_n
            W_Q dW_K^T)$, and $tr(A dW_K^T) = <A, dW_K>$. So $D_n$ is transposed here and not for $W_Q$:
            queries belong to the rows of $P_n$, keys to its columns.""",
            [X_n.T @ D_n.T @ X_n @ W_Q for X_n, D_n in zip(X, D)],
            lambda W, n: (D[n] * (X[n] @ W_Q @ W.T @ X[n].T)).sum(),
        )
    if name == "W_V":
        return (
            "forward:   c_n = X_n W_V w_O\ndc_n = X_n dW_V w_O\n"
            "df_n = a_n^T dc_n = a_n^T X_n dW_V w_O = <X_n^T a_n w_O^T, dW_V>",
            """$c_n$ is linear in $W_V$. A row times a matrix times a column, $u^T dW v = sum_{ij} u_i
            dW_{ij} v_j$, is $<u v^T, dW>$, here with $u = X_n^T a_n$, the token that average attention
            sees, and $v = w_O$.""",
            [np.outer(X_n.T @ a_n, w_O) for X_n, a_n in zip(X, a)],
            lambda W, n: a[n] @ X[n] @ W @ w_O,
        )
    return (
        "forward:   c_n = X_n W_V w_O\ndc_n = X_n W_V dw_O\n"
        "df_n = a_n^T X_n W_V dw_O = <W_V^T X_n^T a_n, dw_O>",
        """$c_n$ is linear in $w_O$. The row $a_n^T X_n W_V$ stands before $dw_O$, so the gradient is that
        row written as a column.""",
        [W_V.T @ X_n.T @ a_n for X_n, a_n in zip(X, a)],
        lambda w, n: a[n] @ X[n] @ W_V @ w,
    )


def parameter_step(ex, name):
    """Step: the gradient of each f_n in the block `name`, of the shape of the block."""
    equation, why, per_sample, part = into(ex, name)
    found = [slopes(lambda W, n=n: part(W, n), getattr(ex.theta, name)) for n in range(ex.N)]
    return Step(
        f"From there into ${name}$",
        equation,
        why,
        [*ex.each(f"gradient of f_n in {name}", per_sample)],
        [
            compare(
                f"against the derivative of <D_n, P_n> in {name}, by complex step"
                if name in ("W_Q", "W_K")
                else f"against the derivative of a_n^T c_n in {name}, by complex step",
                per_sample,
                found,
            )
        ],
        exercise=f"into_{name}",
    )


SUMMED = {  # block: label, G1-G4, and the same as a double sum
    "W_Q": (
        "G1",
        "sum_n g_n X_n^T D_n X_n W_K",
        "(1/NM) sum_n y_n ell'_n sum_l x_l (w_O^T W_V^T X_n^T) J(S_n[l,:]) X_n W_K",
    ),
    "W_K": (
        "G2",
        "sum_n g_n X_n^T D_n^T X_n W_Q",
        "(1/NM) sum_n y_n ell'_n sum_l X_n^T J(S_n[l,:]) X_n W_V w_O x_l^T W_Q",
    ),
    "W_V": ("G3", "sum_n g_n X_n^T a_n w_O^T", "(1/NM) sum_n y_n ell'_n sum_l X_n^T S_n[l,:]^T w_O^T"),
    "w_O": ("G4", "sum_n g_n W_V^T X_n^T a_n", "(1/NM) sum_n y_n ell'_n sum_l W_V^T X_n^T S_n[l,:]^T"),
}


def term(ex, name, n, l):
    """The term (n,l) of the double sum in SUMMED, without y_n ell'_n / NM, as it stands there."""
    W_Q, W_K, W_V, w_O = ex.theta
    X_n, x_l, s = ex.X[n], ex.X[n, l], ex.S[n, l]
    J = np.diag(s) - np.outer(s, s)
    if name == "W_Q":
        return np.outer(x_l, w_O @ W_V.T @ X_n.T @ J @ X_n @ W_K)
    if name == "W_K":
        return np.outer(X_n.T @ J @ X_n @ W_V @ w_O, x_l @ W_Q)
    return np.outer(X_n.T @ s, w_O) if name == "W_V" else W_V.T @ X_n.T @ s


def sum_step(ex, name):
    """Step G1, G2, G3 or G4: the gradient of L_S in the block `name`, as a sum over samples and as a double
    sum.
    """
    label, short, long = SUMMED[name]
    total = sum(g_n * one for g_n, one in zip(ex.g, into(ex, name)[2]))
    double = sum(ex.y[n] * ex.slope[n] * term(ex, name, n, l) for n in range(ex.N) for l in range(ex.M)) / (
        ex.N * ex.M
    )
    in_block = lambda W: loss(ex.theta._replace(**{name: W}), ex.X, ex.y)  # noqa: E731
    return Step(
        f"Sum over the samples: {label}",
        f"forward:   L_S = (1/N) sum_n ell(y_n f_n)\n"
        f"grad_{{{name}}} L_S = {short}       ({label})\n"
        f"grad_{{{name}}} L_S = {long}",
        f"""$dL_S = sum_n g_n df_n$: each sample's gradient counts with its $g_n$. The last line puts back
        what $g_n$ and ${"D_n" if name in ("W_Q", "W_K") else "a_n"}$ stand for: a sum over samples and,
        in each, over the tokens $l$ that look.""",
        [("g", ex.g), (f"gradient of L_S in {name}", total)],
        [
            compare(
                "against the derivative of L_S in the whole model, by complex step",
                total,
                slopes(in_block, getattr(ex.theta, name)),
                1e-10,
            ),
            Check("the same by central differences", by_central_differences(ex, name, total), 1e-5),
            compare("first sum against the double sum", total, double),
            compare(
                "first sum against paper/gradients.py", total, getattr(gradients(ex.theta, ex.X, ex.y), name)
            ),
        ],
        exercise=f"gradient_{name}",
    )


def by_central_differences(ex, name, total):
    """The error that check_gradient finds in a claimed gradient; NaN on fractions, which it cannot take."""
    if ex.X.dtype == object:
        return np.nan
    f, grad = (lambda p: loss(p, ex.X, ex.y)), (lambda p: p._replace(**{name: total}))
    return check_gradient(f, grad, ex.theta, method="central", blocks=[name]).rows[0].error


def descent_step(ex, name):
    """Step GD: L_S after a step in the block `name`, and its slope in eta at 0, -||grad||^2."""
    W, G = getattr(ex.theta, name), getattr(gradients(ex.theta, ex.X, ex.y), name)
    after = lambda eta: loss(ex.theta._replace(**{name: W - eta * G}), ex.X, ex.y)  # noqa: E731
    square, sizes = (G * G).sum(), np.array([0.0, 0.1, 0.2])
    return Step(
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


def steps(name, seed, field=None):
    """The steps from L_S to W_Q, W_K, W_V or w_O, on two samples with labels +1, -1."""
    ex = Example(seed, (1, -1), field)
    middle = [attention_step, softmax_step, coupling_step] if name in ("W_Q", "W_K") else [values_step]
    shared = [make(ex) for make in [model_step, loss_step, output_step, *middle]]
    return shared + [parameter_step(ex, name), sum_step(ex, name), descent_step(ex, name)]
