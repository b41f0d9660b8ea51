"""L1-L5: the 34 numbers against matrices over all tokens of a class, in a basis made explicit, and against GD
on orthogonal tokens.
"""

import numpy as np

from .. import literal
from ..core import Row, relative_residual
from ..problems import GENERIC, MIXED, SATURATED
from .data import DRAWN
from .limit_class import Class, on_vectors, orthogonal
from .model import by_rows, coupling_by_step

EXACT = 1e-9  # measured on 100 seeds: at most 9e-13
PAIRS = {"ss": (0, 0), "s2": (0, 1), "si": (0, 2), "2s": (1, 0), "22": (1, 1), "2i": (1, 2),
         "is": (2, 0), "i2": (2, 1), "ii": (2, 2), "ij": (2, 3)}  # fmt: skip
SIZES = {GENERIC: 1.0, SATURATED: 25.0}  # of made-up logits; at the start 1e-3, as small as they are there


def classes(problem):
    """A class of one sample, none small; with one small token a sample; with all spaces, each wide."""
    n, m = problem.rng(40).integers(2, 5, 2)
    return [Class(1, 0), Class(int(n), 0), Class(int(n), 1), Class(1, int(m)), Class(int(n), int(m))]


def size(problem):
    """Of made-up blocks: O(1), or as small as logits and couplings are at the start, or saturating."""
    return SIZES.get(problem.scale, 1e-3)


def random_blocks(audited, one, rng, scale):
    """Blocks of a class's sizes."""
    return audited.limit.Blocks(*(scale * rng.standard_normal((k, k)) for k in one.shapes()))


def empty_blocks(audited, one):
    """Room for the kernel's blocks, which are written to whatever the class has."""
    k = one.shapes()[0]
    return audited.limit.Blocks(np.zeros((k, k)), np.zeros((k - 1, k - 1)), np.zeros((1, 1)))


def trimmed(blocks, one):
    """The blocks that the class has."""
    return type(blocks)(*(block[:k, :k] for block, k in zip(blocks, one.shapes())))


def setting(audited, problem, steps):
    """A run through all phases in 40 steps, or the defaults at the start. N even 2-8, M 2-6."""
    N, M = 2 * int(problem.rng(41).integers(1, 5)), int(problem.rng(46).integers(2, 7))
    sizes = dict(N=N, M=M, d=100, d_h=7, d_v=1, sigma_p=0.03, snr=8.0, w_O_norm=1.7)
    s = audited.setting.Setting(**sizes, epsilon=1e-12, max_steps=steps)
    return s.replace(eta=20 * s.eta, sigma_h=3 * s.sigma_h) if problem.scale == GENERIC else s


def check_L1(audited, problem):
    """Losses, values and attention of both twins, against the proof engine and GD by complex step on
    orthogonal tokens.
    """
    steps = 40
    s = setting(audited, problem, steps)
    Z, W_Q, W_K, tokens, y = orthogonal(s)
    columns = np.concatenate([W_Q, W_K, np.zeros((s.T, 1))], axis=1)
    space = audited.proof_space.ColumnSpace(Z, columns, s.w_O_norm, tokens, y)
    options = dict(eta=s.eta, epsilon=s.epsilon, max_steps=steps, record_every=steps)
    losses, *_, records = audited.records.descend(space, **options)
    short = setting(audited, problem, 2).replace(N=2, M=4)
    lengths, root = tuple(orthogonal(short)[0].diagonal()), short.sigma_h * short.d_h**0.5
    first = on_vectors(problem.scale, lengths, root, short.w_O_norm, short.eta)
    pairs = {name: at for name, at in PAIRS.items() if max(at) < s.M}
    S, V = records[-1].attention[0] - 1 / s.M, records[-1].values[0]
    for backend in ("numpy", "numba"):
        run = audited.limit_run.train_in_limit(s, backend=backend)
        two = audited.limit_run.train_in_limit(short, backend=backend).losses
        at_end, values = [run.attention[p] - 1 / s.M for p in pairs], [run.V_s, run.V_2, run.V_i][: s.M]
        for name, got, expected in (
            (
                "falls of 40 losses, proof engine on orthogonal tokens",
                run.losses - run.losses[0],
                losses - losses[0],
            ),
            ("attention - 1/M at the end", at_end, [S[at] for at in pairs.values()]),
            ("values at the end", values, V[: min(s.M, 3)]),
            ("falls of 2 losses, complex step on orthogonal tokens", two - two[0], first - first[0]),
        ):
            yield f"{backend}: {name}", relative_residual(got, expected), EXACT


def check_L2(audited, problem):
    """Logits of one sample, as entries of the dense matrix."""
    for number, one in enumerate(classes(problem)):
        QK, k = random_blocks(audited, one, problem.rng(42, number), size(problem)), one.shapes()[0]
        wanted = one.dense(QK)[np.ix_(one.samples[-1], one.samples[-1])]
        got = audited.limit.sample_logits(QK, one.constants(audited))
        name = f"n = {one.n}, m = {one.m}: the dense matrix's entries"
        yield f"sample_logits, {name}", relative_residual(got, wanted), EXACT
        room, kernel = empty_blocks(audited, one), np.zeros((k, 4))
        for block, values in zip(room, QK):
            block[: len(values), : len(values)] = values
        audited.limit_kernel.logits(room, float(one.n), one.m, kernel)
        pairs = [at for at in PAIRS.values() if max(at) < one.M and at[0] < k]
        got = [kernel[at] for at in pairs]
        yield f"kernel logits, {name}", relative_residual(got, [wanted[at] for at in pairs]), EXACT


def check_L3(audited, problem):
    """The coupling of one sample by complex step of its output; its blocks, as projections of the sum over
    samples.
    """
    limit, kernel = audited.limit, audited.limit_kernel
    for number, one in enumerate(classes(problem)):
        c, rng, k = one.constants(audited), problem.rng(43, number), one.shapes()[0]
        name = f"n = {one.n}, m = {one.m}"
        QK, V = random_blocks(audited, one, rng, size(problem)), rng.standard_normal(k)
        P, values = limit.sample_logits(QK, c), V[np.minimum(np.arange(one.M), 2)]
        D = coupling_by_step(P, values)
        f, g, S, got = limit.evaluate(limit.State(QK, QK, QK, V), c)
        mean = literal.mean_values(P, values).mean()
        yield f"evaluate, {name}: D by complex step of f, row by row", by_rows(got, D), EXACT
        yield (
            f"evaluate, {name}: f and g by scalars",
            relative_residual([f, g], [mean, literal.slope(mean) / (2 * one.n)]),
            EXACT,
        )
        weight, types, attended, own = kernel.row_weights(k, one.m), np.zeros((k, 4)), *np.zeros((2, k, 4))
        pairs = [at for at in PAIRS.values() if max(at) < one.M and at[0] < k]
        for at in pairs:
            types[at] = P[at]
        kernel.attend(types, weight, attended)
        f = kernel.output_and_coupling(attended, V, weight, one.M, own)
        yield f"kernel output_and_coupling, {name}: f by scalars", relative_residual(f, mean), EXACT
        yield (
            f"kernel output_and_coupling, {name}: D by complex step, row by row",
            max(
                relative_residual([own[p] for p in row], [D[p] for p in row])
                for row in ([p for p in pairs if p[0] == j] for j in range(k))
            ),
            EXACT,
        )
        rows = size(problem) * rng.standard_normal((3, 4))
        matrix, B = one.by_types(rows), one.summed(one.by_types(rows), -0.4)
        yield (
            f"coupling_blocks, {name}: the sum over samples",
            relative_residual(one.dense(limit.coupling_blocks(matrix, -0.4, c)), B),
            EXACT,
        )
        room = empty_blocks(audited, one)
        kernel.coupling_blocks(np.ascontiguousarray(rows[:k]), -0.4, float(one.n), one.m, *room)
        yield (
            f"kernel coupling_blocks, {name}: the sum over samples",
            relative_residual(one.dense(trimmed(room, one)), B),
            EXACT,
        )


def check_L4(audited, problem):
    """A step of QK, QQ, KK as products of moved Q and K; a step of V as the sum over samples."""
    rng, limit = problem.rng(44), audited.limit
    for k in (3, 2, 1):
        G, eta, (Q, K) = rng.uniform(0.5, 2, k), rng.uniform(0.1, 0.5), rng.standard_normal((2, k, 6))
        # none near 0: the step is found as a difference
        B = size(problem) * rng.uniform(1, 2, (k, k)) * rng.choice([-1.0, 1.0], (k, k))
        Q2, K2 = Q - eta * np.diag(G) @ B @ K, K - eta * np.diag(G) @ B.T @ Q
        before, after = (Q @ K.T, Q @ Q.T, K @ K.T), (Q2 @ K2.T, Q2 @ Q2.T, K2 @ K2.T)
        got, wanted = np.array(limit.move_block(*before, B, np.diag(G), eta)), np.array(after) - before
        yield f"move_block, {k}x{k}: moved Q and K", relative_residual(got - before, wanted), EXACT
        moved = [one.copy() for one in before]
        audited.limit_kernel.move_block(*moved, B, G, eta, np.empty((12, k, k)))
        yield (
            f"kernel move_block, {k}x{k}: moved Q and K",
            relative_residual(np.array(moved) - before, wanted),
            EXACT,
        )
    for one in classes(problem):
        yield from check_values(audited, problem, one)


def check_values(audited, problem, one):
    """L4 of the values, of a class."""
    limit, kernel, c, k, g = (
        audited.limit,
        audited.limit_kernel,
        one.constants(audited),
        one.shapes()[0],
        -0.4,
    )
    rows = size(problem) * problem.rng(47, one.n, one.m).standard_normal((3, 4))
    S, b = literal.softmax(one.by_types(rows)), np.zeros(one.T)
    for tokens in one.samples:
        for l in range(one.M):
            for j in range(one.M):
                b[tokens[j]] += g / one.M * S[l, j]
    wanted = -c.eta * c.w_O_squared * c.G * b[one.samples[0][:k]]
    zero = limit.Blocks(*(np.zeros((size, size)) for size in one.shapes()))
    got = limit.move(limit.State(zero, zero, zero, np.zeros(k)), g, S, np.zeros((one.M, one.M)), c).V
    name = f"n = {one.n}, m = {one.m}: the sum over samples"
    yield f"move, V, {name}", relative_residual(got, wanted), EXACT
    V, by_type, weight = np.zeros(k), np.zeros((k, 4)), kernel.row_weights(k, one.m)
    kernel.attend(np.ascontiguousarray(rows[:k]), weight, by_type)
    kernel.move_values(by_type, weight, g, c, V)
    yield f"kernel move_values, {name}", relative_residual(V, wanted), EXACT


def check_L5(audited, problem):
    """The output on a fresh sample, as the model gives it for noise tokens of zero logits and values; the
    test loss of a run, also of one with half a sample more in each class (limit_diagram, N odd).
    """
    M = int(problem.rng(48).integers(2, 9))
    A_ss, V_s = size(problem) * np.abs(problem.rng(45).standard_normal(2))
    yield (
        "output_on_fresh_data: loops over scalars",
        relative_residual(audited.limit.output_on_fresh_data(A_ss, V_s, M), on_fresh_data(A_ss, V_s, M)),
        EXACT,
    )
    if problem.scale == SATURATED:
        return
    s = setting(audited, problem, 40)
    for backend in ("numpy", "numba"):
        run = audited.limit_run.train_in_limit(s, backend=backend)
        f = on_fresh_data(run.logits["ss"], run.V_s, s.M)
        yield (
            f"{backend}: test loss - log 2 of a run, loops over scalars",
            relative_residual(run.test_loss - np.log(2), np.log(1 + np.exp(-f)) - np.log(2)),
            EXACT,
        )
        yield f"{backend}: error rate of a run", abs(run.error_rate - (f <= 0)), 0.0


def on_fresh_data(A_ss, V_s, M):
    """f of a sample whose token l is e_l: q of the signal times k of the signal is A_ss, all else 0."""
    W = np.eye(M, 1)
    return literal.triple_loop((A_ss * W, W, V_s * W, np.ones(1)), np.eye(M)[None])[0][0]


PAPER = "none: the limit of large d and d_h"
ROWS = [
    Row(
        "L1",
        "d, d_h -> infinity: GD closes on the blocks 3x3, 2x2, 1x1 of QK^T, QQ^T, KK^T of one class and "
        "V_s, V_2, V_i",
        PAPER,
        "[D]",
        (
            "derived/limit_run.py:train_in_limit",
            "derived/limit_run.py:advance_numpy",
            "derived/limit_run.py:advance_numba",
            "derived/limit.py:evaluate",
        ),
        check_L1,
        "Exact for orthogonal tokens; how near finite d and d_h come is measured elsewhere.",
        scales=DRAWN,
        shapes=(MIXED,),
    ),
    Row(
        "L2",
        "logits: P_ss = A_ss, P_s2 = A_s2/sqrt n, P_si = A_si/sqrt(nm), ..., P_ij = (A_ii/n + w B_ii)/m "
        "- I/m, w = 1 - 1/n",
        PAPER,
        "[D]",
        ("derived/limit.py:sample_logits", "derived/limit.py:projections", "derived/limit_kernel.py:logits"),
        check_L2,
        shapes=(MIXED,),
    ),
    Row(
        "L3",
        "blocks of B: g [n D_ss, sqrt n D_s2, sqrt(nm) D_si; ...; ..., D_ii + (m-1) D_ij], its lower "
        "2x2, and g (D_ii - D_ij)",
        PAPER,
        "[D]",
        (
            "derived/limit.py:evaluate",
            "derived/limit.py:coupling_blocks",
            "derived/limit_kernel.py:output_and_coupling",
            "derived/limit_kernel.py:coupling_blocks",
        ),
        check_L3,
        shapes=(MIXED,),
    ),
    Row(
        "L4",
        "QK <- QK - eta (GB KK + QQ BG) + eta^2 GB QK^T BG, QQ, KK alike; V_s <- V_s - eta ||w_O||^2 "
        "||mu||^2 n b_s, V_2, V_i alike",
        PAPER,
        "[D]",
        (
            "derived/limit.py:move_block",
            "derived/limit.py:move",
            "derived/limit_kernel.py:move_block",
            "derived/limit_kernel.py:move_values",
        ),
        check_L4,
        shapes=(MIXED,),
    ),
    Row(
        "L5",
        "f_test = (1/M) (S* V_s + (M-1) V_s/M), S* = e^{A_ss}/(e^{A_ss} + M-1)",
        PAPER,
        "[D]",
        (
            "derived/limit.py:output_on_fresh_data",
            "derived/limit_run.py:snapshot",
            "derived/limit_run.py:train_in_limit",
        ),
        check_L5,
        shapes=(MIXED,),
    ),
]
