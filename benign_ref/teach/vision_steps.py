"""Two parts of a vision transformer backwards, on one sample each: layer norm and multi-head attention [D].

A cotangent dy of the output y arrives from what follows and is taken back to the inputs. It is drawn at
random, and what a step claims is checked against the derivative of <dy, y>.
"""

from types import SimpleNamespace

import numpy as np

from ..paper.data import make_rng
from ..paper.model import softmax
from . import solutions
from .derivation import Step, compare, decimals, each, slopes


def norm_example(seed, field=None):
    """Three tokens x (3,4), scale g, shift b (4,), cotangent dy (3,4); u, z, dz, du (3,4), root (3,1)."""
    rng, epsilon = make_rng(seed), 1e-5
    x, dy, g, b = (decimals(rng, shape, field) for shape in ((3, 4), (3, 4), 4, 4))
    u = x - x.mean(axis=1, keepdims=True)
    root = np.sqrt((u**2).mean(axis=1, keepdims=True) + epsilon)
    z, dz = u / root, dy * g
    du = solutions.root_back(dz, z, root)
    return SimpleNamespace(x=x, dy=dy, g=g, b=b, epsilon=epsilon, u=u, root=root, z=z, dz=dz, du=du)


def norm_forward_and_scale(ex):
    """V3, forward: z (3,4), each row of mean 0 and mean square nearly 1; back to dz (3,4), dg, db (4,)."""
    z = solutions.normalise(ex.x, ex.epsilon)
    mean = [sum(row) / len(row) for row in ex.x.tolist()]
    var = [sum((x - m) ** 2 for x in row) / len(row) for row, m in zip(ex.x.tolist(), mean)]
    loops = [[(x - m) / (v + ex.epsilon) ** 0.5 for x in row] for row, m, v in zip(ex.x.tolist(), mean, var)]
    yield Step(
        "Centre and scale each token",
        """
        u = x - mean x       (d)   the token without its mean
        r = sqrt(mean u^2 + epsilon)       a number
        z = u / r       (d)
        """,
        """A token $x$ is one row; layer norm treats each by itself. $u$ has mean 0, and $z$ has mean
        square $1 - epsilon / r^2$. The variance is taken with $1/d$.""",
        [("x", ex.x), ("u", ex.u), ("r", ex.root), ("z", z)],
        [compare("z against loops over single numbers", z, np.array(loops))],
        exercise="normalise",
    )

    dg, db = (ex.dy * ex.z).sum(axis=0), ex.dy.sum(axis=0)
    total = lambda z=ex.z, g=ex.g, b=ex.b: (ex.dy * (g * z + b)).sum()  # noqa: E731
    yield Step(
        "Back through scale and shift",
        """
        forward:   y = g z + b, entry by entry, with one g and one b (d) for all tokens
        dz = g dy       dg = sum_tokens dy z       db = sum_tokens dy
        """,
        """Each entry of $y$ is linear in its $z$, its $g$ and its $b$. A product with what stands beside
        it is the derivative; $g$ and $b$ serve all tokens, so theirs are sums over tokens.""",
        [("dy", ex.dy), ("g", ex.g), ("dz", ex.dz), ("dg", dg), ("db", db)],
        [
            compare(
                "dz against the derivative of <dy, y> in z",
                ex.dz,
                slopes(total, ex.z),
            ),
            compare("dg against that in g", dg, slopes(lambda g: total(g=g), ex.g)),
            compare("db against that in b", db, slopes(lambda b: total(b=b), ex.b)),
        ],
        exercise="scale_back",
    )


def root_and_mean(ex):
    """V3: du (3,4), the cotangent of the centred tokens, and dx (3,4)."""
    root = lambda u: np.sqrt((u * u).mean(axis=1, keepdims=True) + ex.epsilon)  # noqa: E731
    yield Step(
        "Back through the root",
        """
        forward:   z = u / r,   r = sqrt(mean u^2 + epsilon),   so that   dr / du_i = u_i / (d r) = z_i / d
        du = (dz - z mean(dz z)) / r
        """,
        """Quotient rule: $u$ above gives $dz / r$. $r$ below gives $-sum_i dz_i u_i / r^2 = -sum_i dz_i
        z_i / r$ times $z_j / d$ for each entry $j$. In words: a change along $z$ itself changes the
        length only, which is scaled away.""",
        [("dz", ex.dz), ("z", ex.z), ("r", ex.root), ("du", ex.du)],
        [
            compare(
                "du against the derivative of <dz, u/r> in u",
                ex.du,
                slopes(lambda u: (ex.dz * u / root(u)).sum(), ex.u),
            )
        ],
        exercise="root_back",
    )

    dx = solutions.layer_norm_back(ex.dy, ex.x, ex.g, ex.epsilon)
    yield Step(
        "Back through the mean: V3",
        """
        forward:   u = x - mean x,   so that   dx = du - mean du
        dx = (dz - mean dz - z mean(dz z)) / r       (V3)
        """,
        """Every entry of $x$ is in its own $u$ with 1 and in all $d$ of them with $-1/d$. The mean of $z$
        is 0 already, so the second term has none to lose. Rows of $dx$ sum to 0: adding one number to a
        token changes nothing.""",
        [("du", ex.du), ("dx", dx)],
        [
            compare(
                "dx against the derivative of <dy, y> in x",
                dx,
                slopes(lambda x: (ex.dy * (ex.g * solutions.normalise(x, ex.epsilon) + ex.b)).sum(), ex.x),
                1e-11,
            ),
            compare("second line against du - mean du", dx, ex.du - ex.du.mean(axis=1, keepdims=True)),
        ],
        exercise="layer_norm_back",
    )


def heads_example(seed, field=None):
    """Three tokens, width d = 4, H = 2 heads of width 2: Q, K, V, dO (2,3,2), one head after the other;
    S, dS, dZ (2,3,3).
    """
    rng = make_rng(seed)
    qkv, dO = decimals(rng, (3, 12), field), decimals(rng, (2, 3, 2), field)
    Q, K, V = qkv.reshape(3, 3, 2, 2).transpose(1, 2, 0, 3)
    S = np.array([softmax(Q_h @ K_h.T / 2) for Q_h, K_h in zip(Q, K)])
    dS = np.array([dO_h @ V_h.T for dO_h, V_h in zip(dO, V)])
    dZ = np.array([solutions.softmax_back(dS_h, S_h) for dS_h, S_h in zip(dS, S)])
    return SimpleNamespace(qkv=qkv, heads=2, dO=dO, Q=Q, K=K, V=V, S=S, dS=dS, dZ=dZ)


def heads_and_values(ex):
    """V4, forward: O (3,4), the heads side by side; back to dV_h (3,2), dS_h (3,3)."""
    out, q = solutions.heads_output(ex.qkv, ex.heads), ex.qkv
    loops = np.zeros((3, 4), dtype=q.dtype)
    for h, l in np.ndindex(2, 3):
        logits = [sum(q[l, 2 * h + k] * q[j, 4 + 2 * h + k] for k in range(2)) / 2 for j in range(3)]
        e = [np.exp(z - max(logits)) for z in logits]
        for k in range(2):
            loops[l, 2 * h + k] = sum(e[j] * q[j, 8 + 2 * h + k] for j in range(3)) / sum(e)
    yield Step(
        "Heads side by side",
        """
        qkv = (q, k, v), each (M,d), in each the H heads one after the other, of width d/H
        S_h = softmax(Z_h), row by row,   Z_h = Q_h K_h^T / sqrt d       (M,M)
        O_h = S_h V_h       (M,d/H)   O = (O_1, ..., O_H)       (M,d)
        """,
        """Every head sees its own columns and nothing of the others. The root is of the whole width $d$,
        as the published code has it [A], not of a head's $d/H$.""",
        [("qkv", ex.qkv), *each("S_h", ex.S), ("O", out)],
        [compare("O against loops over single numbers", out, loops)],
        exercise="heads_output",
    )

    dV = np.array([solutions.values_back(dO_h, S_h) for dO_h, S_h in zip(ex.dO, ex.S)])
    yield Step(
        "Back to values and attention",
        """
        forward:   O_h = S_h V_h
        dV_h = S_h^T dO_h       dS_h = dO_h V_h^T
        """,
        """$<dO_h, S_h dV> = <S_h^T dO_h, dV>$ and $<dO_h, dS V_h> = <dO_h V_h^T, dS>$: the product rule,
        and the other factor goes to the other side, transposed.""",
        [*each("dO_h", ex.dO), *each("dV_h", dV), *each("dS_h", ex.dS)],
        [
            compare(
                "dV_h against the derivative of <dO, O> in V",
                dV,
                slopes(lambda V: (ex.dO * (ex.S @ V)).sum(), ex.V),
            ),
            compare("dS_h against that in S", ex.dS, slopes(lambda S: (ex.dO * (S @ ex.V)).sum(), ex.S)),
        ],
        exercise="values_back",
    )


def logits_and_queries(ex):
    """V4: dZ_h (3,3), then dQ_h, dK_h (3,2)."""
    Z = ex.Q @ ex.K.swapaxes(1, 2) / 2
    yield Step(
        "Back through the softmax",
        """
        forward:   S_h[l,:] = softmax(Z_h[l,:]),   J = diag(S_h[l,:]) - S_h[l,:] S_h[l,:]^T       (M3)
        dZ_h[l,j] = S_h[l,j] (dS_h[l,j] - sum_i S_h[l,i] dS_h[l,i])
        """,
        """$J$ is symmetric, so $dZ_h[l,:] = J dS_h[l,:]$, written out. Rows of $dZ_h$ sum to 0.""",
        [*each("dS_h", ex.dS), *each("dZ_h", ex.dZ)],
        [
            compare(
                "dZ_h against the derivative of <dS, S> in Z",
                ex.dZ,
                slopes(lambda Z: (ex.dS * softmax(Z)).sum(), Z),
            )
        ],
        exercise="softmax_back",
    )

    dQ = np.array([solutions.queries_back(dZ_h, Q_h, K_h) for dZ_h, Q_h, K_h in zip(ex.dZ, ex.Q, ex.K)])
    dK = np.array([dZ_h.T @ Q_h / 2 for dZ_h, Q_h in zip(ex.dZ, ex.Q)])
    whole = lambda Q, K: (ex.dO * (softmax(Q @ K.swapaxes(1, 2) / 2) @ ex.V)).sum()  # noqa: E731
    yield Step(
        "Back to queries and keys: V4",
        """
        forward:   Z_h = Q_h K_h^T / sqrt d
        dQ_h = dZ_h K_h / sqrt d       dK_h = dZ_h^T Q_h / sqrt d       (V4)
        """,
        """As for $W_Q$ and $W_K$: queries belong to the rows of $Z_h$, keys to its columns, so the one has
        $dZ_h$ and the other its transpose. $dq$, $dk$, $dv$ are then put side by side as $q$, $k$, $v$
        were.""",
        [*each("dQ_h", dQ), *each("dK_h", dK)],
        [
            compare(
                "dQ_h against the derivative of <dO, O> in Q", dQ, slopes(lambda Q: whole(Q, ex.K), ex.Q)
            ),
            compare("dK_h against that in K", dK, slopes(lambda K: whole(ex.Q, K), ex.K)),
        ],
        exercise="queries_back",
    )
