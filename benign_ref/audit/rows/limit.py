"""L1-L5: the 34 numbers against matrices over all tokens of a class, in a basis made explicit, and against GD
on orthogonal tokens.
"""

import numpy as np

from .. import literal
from ..core import Row, equal, relative_residual, within, worst
from ..problems import GENERIC, INITIAL, MIXED, SATURATED
from .data import DRAWN
from .limit_class import Class, on_vectors, orthogonal
from .model import by_rows, coupling_by_step

EXACT = 1e-9  # measured on 100 seeds: at most 9e-13
PAIRS = {"ss": (0, 0), "s2": (0, 1), "si": (0, 2), "2s": (1, 0), "22": (1, 1), "2i": (1, 2),
         "is": (2, 0), "i2": (2, 1), "ii": (2, 2), "ij": (2, 3)}  # fmt: skip
SIZES = {GENERIC: 1.0, SATURATED: 25.0, INITIAL: 1e-3}  # of made-up logits; at the start they are small
TWINS = ("numpy", "numba")
g = -0.4  # slope of a made-up loss


def _classes(problem):
    """A class of one sample, none small; with one small token a sample; with all spaces, each wide."""
    n, m = (int(size) for size in problem.rng(40).integers(2, 5, 2))
    return [Class(1, 0), Class(n, 0), Class(n, 1), Class(1, m), Class(n, m)]


def _random_blocks(audited, problem, one, rng):
    # as large as logits of order 1, or saturating; or as small as they are at the start
    return audited.limit.Blocks(*(SIZES[problem.scale] * rng.standard_normal((k, k)) for k in one.shapes))


def _attended(kernel, one, rows):
    """The kernel's weights and attention by types of tokens, (k,4) each, of logits rows (k,4)."""
    weight, S = kernel.row_weights(one.k, one.m), np.zeros((one.k, 4))
    kernel.attend(np.where(weight > 0, rows, -np.inf), weight, S)
    return weight, S


def _setting(audited, problem, steps):
    """A run through all phases in 40 steps, or the defaults at the start. N even 2-8, M 2-6."""
    N, M = 2 * int(problem.rng(41).integers(1, 5)), int(problem.rng(46).integers(2, 7))
    s = audited.setting.Setting(
        N=N, M=M, d=100, d_h=7, d_v=1, sigma_p=0.03, snr=8.0, w_O_norm=1.7, epsilon=1e-12, max_steps=steps
    )
    return s.replace(eta=20 * s.eta, sigma_h=3 * s.sigma_h) if problem.scale == GENERIC else s


def _L1(audited, problem):
    """The proof engine, and two steps of GD by complex step, on orthogonal tokens."""
    s, short = _setting(audited, problem, 40), _setting(audited, problem, 2).replace(N=2, M=4)
    Z, W_Q, W_K, tokens, y = orthogonal(s)
    columns = np.column_stack([W_Q, W_K, np.zeros(s.T)])
    space = audited.proof_space.ColumnSpace(Z, columns, s.w_O_norm, tokens, y)
    losses, *_, records = audited.records.descend(
        space, eta=s.eta, epsilon=s.epsilon, max_steps=40, record_every=40
    )
    lengths, root = tuple(orthogonal(short)[0].diagonal()), short.sigma_h * short.d_h**0.5
    first = on_vectors(problem.scale, lengths, root, short.w_O_norm, short.eta)
    pairs = {name: at for name, at in PAIRS.items() if max(at) < s.M}
    S, V = records[-1].attention[0] - 1 / s.M, records[-1].values[0]
    for backend in TWINS:
        run, two = (audited.limit_run.train_in_limit(one, backend=backend) for one in (s, short))
        yield from equal({
            f"{backend}: falls of 40 losses, proof engine on orthogonal tokens": (
                run.losses - run.losses[0], losses - losses[0]),
            f"{backend}: attention - 1/M at the end": (
                [run.attention[p] - 1 / s.M for p in pairs], [S[at] for at in pairs.values()]),
            f"{backend}: values at the end": ([run.V_s, run.V_2, run.V_i][: s.M], V[: min(s.M, 3)]),
            f"{backend}: falls of 2 losses, complex step on orthogonal tokens": (
                two.losses - two.losses[0], first - first[0]),
        }, EXACT)  # fmt: skip


def _L2(audited, problem):
    """Logits of one sample, as entries of the dense matrix."""
    for number, one in enumerate(_classes(problem)):
        QK = _random_blocks(audited, problem, one, problem.rng(42, number))
        wanted = one.dense(QK)[np.ix_(one.samples[-1], one.samples[-1])]
        room = [np.pad(block, (0, size - len(block))) for block, size in zip(QK, one.room)]
        kernel = np.zeros((one.k, 4))
        audited.limit_kernel.logits(audited.limit.Blocks(*room), float(one.n), one.m, kernel)
        name, own = f"n = {one.n}, m = {one.m}: the dense matrix's entries", one.constants(audited)
        yield from equal({
            f"sample_logits, {name}": (audited.limit.sample_logits(QK, own), wanted),
            f"kernel logits, {name}": (kernel, one.rows_of(wanted)),
        }, EXACT)  # fmt: skip


def _L3(audited, problem):
    """The coupling of one sample by complex step of its output; its blocks, as projections of the sum over
    samples.
    """
    limit, kernel = audited.limit, audited.limit_kernel
    for number, one in enumerate(_classes(problem)):
        c, rng, k, name = one.constants(audited), problem.rng(43, number), one.k, f"n = {one.n}, m = {one.m}"
        QK, V = _random_blocks(audited, problem, one, rng), rng.standard_normal(k)
        P, values = limit.sample_logits(QK, c), V[np.minimum(np.arange(one.M), 2)]
        D, mean = coupling_by_step(P, values), literal.mean_values(P, values).mean()
        f, slope, _, got = limit.evaluate(limit.State(QK, QK, QK, V), c)
        own, (weight, attended) = np.zeros((k, 4)), _attended(kernel, one, one.rows_of(P))
        f_of_kernel = kernel.output_and_coupling(attended, V, weight, one.M, own)
        yield from within({
            f"evaluate, {name}: D by complex step of f, row by row": by_rows(got, D),
            f"evaluate, {name}: f and g by scalars": relative_residual(
                [f, slope], [mean, literal.slope(mean) / (2 * one.n)]),
            f"kernel output_and_coupling, {name}: f by scalars": relative_residual(f_of_kernel, mean),
            f"kernel output_and_coupling, {name}: D by complex step, row by row": worst(
                own, one.rows_of(D)),
        }, EXACT)  # fmt: skip
        rows = SIZES[problem.scale] * rng.standard_normal((3, 4))
        room, matrix = limit.Blocks(*(np.zeros((size, size)) for size in one.room)), one.by_types(rows)
        kernel.coupling_blocks(np.ascontiguousarray(rows[:k]), g, float(one.n), one.m, *room)
        yield from equal({
            f"{kind}coupling_blocks, {name}: the sum over samples": (
                one.dense(blocks), one.summed(matrix, g))
            for kind, blocks in (("", limit.coupling_blocks(matrix, g, c)), ("kernel ", room))
        }, EXACT)  # fmt: skip


def _L4(audited, problem):
    """A step of QK, QQ, KK as products of moved Q and K; a step of V as the sum over samples."""
    rng, limit, kernel = problem.rng(44), audited.limit, audited.limit_kernel
    for k in (3, 2, 1):
        G, eta, (Q, K) = rng.uniform(0.5, 2, k), rng.uniform(0.1, 0.5), rng.standard_normal((2, k, 6))
        # none near 0: the step is found as a difference
        B = SIZES[problem.scale] * rng.uniform(1, 2, (k, k)) * rng.choice([-1.0, 1.0], (k, k))
        Q2, K2 = Q - eta * np.diag(G) @ B @ K, K - eta * np.diag(G) @ B.T @ Q
        before, after = (np.array([q @ w.T, q @ q.T, w @ w.T]) for q, w in ((Q, K), (Q2, K2)))
        got, moved = limit.move_block(*before, B, np.diag(G), eta), before.copy()
        kernel.move_block(*moved, B, G, eta, np.empty((kernel.ROOM, k, k)))
        yield from equal({
            f"move_block, {k}x{k}: moved Q and K": (np.array(got) - before, after - before),
            f"kernel move_block, {k}x{k}: moved Q and K": (moved - before, after - before),
        }, EXACT)  # fmt: skip
    for one in _classes(problem):
        rows = SIZES[problem.scale] * problem.rng(47, one.n, one.m).standard_normal((3, 4))
        S, b, c, k = literal.softmax(one.by_types(rows)), np.zeros(one.T), one.constants(audited), one.k
        for tokens in one.samples:
            for weights in S:
                b[tokens] += g / one.M * weights
        wanted = -c.eta * c.w_O_squared * c.G * b[one.samples[0][:k]]
        zero = limit.Blocks(*(np.zeros((size, size)) for size in one.shapes))
        got = limit.move(limit.State(zero, zero, zero, np.zeros(k)), g, S, np.zeros((one.M, one.M)), c).V
        V, (weight, by_type) = np.zeros(k), _attended(kernel, one, rows[:k])
        kernel.move_values(by_type, weight, g, c, V)
        name = f"n = {one.n}, m = {one.m}: the sum over samples"
        yield from equal(
            {f"move, V, {name}": (got, wanted), f"kernel move_values, {name}": (V, wanted)}, EXACT
        )


def _L5(audited, problem):
    """The output on a fresh sample, as the model gives it for noise tokens of zero logits and values; the
    test loss and error of a run.
    """
    M = int(problem.rng(48).integers(2, 9))
    A_ss, V_s = SIZES[problem.scale] * np.abs(problem.rng(45).standard_normal(2))
    yield (
        "output_on_fresh_data: loops over scalars",
        relative_residual(audited.limit.output_on_fresh_data(A_ss, V_s, M), _on_fresh_data(A_ss, V_s, M)),
        EXACT,
    )
    s = _setting(audited, problem, 40)
    for backend in () if problem.scale == SATURATED else TWINS:
        run = audited.limit_run.train_in_limit(s, backend=backend)
        f = _on_fresh_data(run.logits["ss"], run.V_s, s.M)
        yield (
            f"{backend}: test loss - log 2 of a run, loops over scalars",
            relative_residual(run.test_loss - np.log(2), np.log(1 + np.exp(-f)) - np.log(2)),
            EXACT,
        )
        yield f"{backend}: error rate of a run", abs(run.error_rate - (f <= 0)), 0.0


def _on_fresh_data(A_ss, V_s, M):
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
        _L1,
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
        _L2,
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
        _L3,
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
        _L4,
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
        _L5,
        shapes=(MIXED,),
    ),
]
