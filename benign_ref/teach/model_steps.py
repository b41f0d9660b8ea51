"""The first steps of every walk: the model M1, the loss M2, and back from it to the logits M3 [D].

What a step claims is computed by the package's own functions (paper/gradients.py) and checked by another
route: the derivative of the line before (slopes), or literal loops.
"""

import numpy as np

from ..paper.gradients import softmax_jacobian
from ..paper.model import Parameters, logistic, loss, softmax
from .derivation import Step, by_loops, compare, each, slopes


def model_and_loss(ex):
    """M1 in four parts, P_n, S_n (M,M), c_n (M,), f_n; M2: L_S, a number, from y and f (N,)."""
    yield Step(
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
            *each("X_n", ex.X),
            ("y", ex.y),
            *zip(Parameters._fields, ex.theta),
            ("P_1", ex.P[0]),
            ("S_1", ex.S[0]),
            ("c_1", ex.c[0]),
            ("f", ex.f),
        ],
        [
            compare(
                "the four parts against M1 in loops over single numbers",
                np.array([(S_n @ c_n).mean() for S_n, c_n in zip(ex.S, ex.c)]),
                by_loops(ex.theta, ex.X),
            )
        ],
        exercise="output",
    )

    z, L = ex.y * ex.f, loss(ex.theta, ex.X, ex.y)
    yield Step(
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


def to_outputs(ex):
    """Back to the outputs: g (N,), g_n = dL_S/df_n."""
    yield Step(
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
        [
            compare(
                "g against the derivative of L_S as a function of f, by complex step",
                ex.g,
                slopes(lambda f: logistic(ex.y * f).mean(), ex.f),
            )
        ],
        exercise="output_cotangent",
    )


def to_values(ex):
    """a_n = df_n/dc_n (M,), the attention that each token gets on average."""
    yield Step(
        "From an output to the values of its tokens",
        """
        forward:   f_n = (1/M) sum_l sum_j S_n[l,j] c_n[j]
        f_n = sum_j a_n[j] c_n[j],   a_n[j] = (1/M) sum_l S_n[l,j]
        df_n/dc_n[j] = a_n[j]
        """,
        """Neither $W_V$ nor $w_O$ is in $S_n$, so attention is a constant here. $a_n[j]$ is the attention
        that token $j$ gets on average; the rows of $S_n$ sum to 1, hence so does $a_n$.""",
        [*each("S_n", ex.S), *each("a_n", ex.a)],
        [
            compare(
                "a_n against the derivative of f_n in c_n, by complex step",
                list(ex.a),
                [slopes(lambda c, S_n=S_n: (S_n @ c).mean(), c_n) for S_n, c_n in zip(ex.S, ex.c)],
            ),
            compare("each a_n sums to 1", ex.a.sum(axis=1), np.ones(ex.N)),
        ],
        exercise="mean_attention",
    )


def to_attention(ex):
    """df_n/dS_n (M,M), c_n/M in every row."""
    yield Step(
        "From an output to its attention",
        """
        forward:   f_n = (1/M) sum_l sum_j S_n[l,j] c_n[j]
        df_n/dS_n[l,j] = c_n[j] / M
        """,
        """$W_Q$ and $W_K$ are in $S_n$ only, so here the values $c_n$ are constants. $f_n$ is linear in
        the entries of $S_n$, and the coefficient of entry $[l,j]$ is $c_n[j]/M$, the same in every row.""",
        [*each("S_n", ex.S), *each("c_n", ex.c), *each("c_n/M", ex.c / ex.M)],
        [
            compare(
                "c_n/M in every row against the derivative of f_n in S_n, by complex step",
                [np.tile(c_n / ex.M, (ex.M, 1)) for c_n in ex.c],
                [slopes(lambda S, c_n=c_n: (S @ c_n).mean(), S_n) for S_n, c_n in zip(ex.S, ex.c)],
            )
        ],
        exercise="attention_cotangent",
    )


def to_logits(ex):
    """M3: the Jacobian of the softmax, J(phi) = diag(phi) - phi phi^T (M,M); and D_n = df_n/dP_n (M,M), its
    rows (1/M) J(S_n[l,:]) c_n.
    """
    J = softmax_jacobian(ex.S[0, 0])
    yield Step(
        "Through the softmax",
        """
        forward:   phi_j = e^{p_j} / sum_i e^{p_i}
        d phi_j / d p_i = phi_j (1[i=j] - phi_i),   that is   J(phi) = diag(phi) - phi phi^T       (M3)
        """,
        """Quotient rule: the numerator $e^{p_j}$ depends on $p_i$ only if $i = j$, which gives $phi_j
        1[i=j]$; the denominator always does, which gives $-phi_j phi_i$. $J$ is symmetric, and its rows
        sum to 0, since adding one number to all logits changes no softmax.""",
        [("p = P_1[1,:]", ex.P[0, 0]), ("phi = S_1[1,:]", ex.S[0, 0]), ("J(phi)", J)],
        [
            compare(
                "J against the derivatives of the softmax at P_1[1,:], by complex step",
                J,
                [slopes(lambda p, j=j: softmax(p)[j], ex.P[0, 0]) for j in range(ex.M)],
            )
        ],
        exercise="softmax_jacobian",
    )

    yield Step(
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
        [*each("c_n", ex.c), *each("D_n", ex.D)],
        [
            compare(
                "D_n against the derivative of f_n in P_n, by complex step",
                list(ex.D),
                [slopes(lambda P, c_n=c_n: (softmax(P) @ c_n).mean(), P_n) for P_n, c_n in zip(ex.P, ex.c)],
            )
        ],
        exercise="coupling",
    )
