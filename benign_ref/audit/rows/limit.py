"""L1-L5: the 34 numbers against matrices over all tokens of a class, in a basis made explicit, and against GD
on orthogonal tokens.
"""

from functools import cache

import numpy as np

from .. import literal
from ..core import Row, worst
from ..problems import GENERIC, Problem

EXACT = 1e-9  # measured on 100 seeds: at most 9e-13
n, m, M = (
    3,
    3,
    5,
    # samples of the class, small tokens and tokens a sample: all spaces are there, each of more than one
    # dimension
)
TOKENS = [
    np.array([0, *range(1 + i * (m + 1), 1 + (i + 1) * (m + 1))]) for i in range(n)
]  # of each sample: s, 2, i, i, i
TYPES = np.array([0, 1, 2, 2, 2])


def differences(size):
    """Orthonormal columns whose sums are 0, (size, size-1)."""
    return np.linalg.qr(np.eye(size) - 1 / size)[0][:, : size - 1]


def basis():
    """Orthonormal columns over the 1 + n + nm tokens: mean (13,3), between (13,2(n-1)), within
    (13,n(m-1)).
    """
    mean, between, within = np.zeros((13, 3)), np.zeros((13, 2 * (n - 1))), np.zeros((13, n * (m - 1)))
    mean[0, 0] = 1
    for i, tokens in enumerate(TOKENS):
        two, small = tokens[1], tokens[2:]
        mean[two, 1], mean[small, 2] = n**-0.5, (n * m) ** -0.5
        between[two, : n - 1] = differences(n)[i]
        between[small, n - 1 :] = differences(n)[i] / m**0.5
        within[small, i * (m - 1) : (i + 1) * (m - 1)] = differences(m)
    return mean, between, within


def dense(blocks):
    """The (13,13) matrix of an operator from its blocks."""
    mean, between, within = basis()
    parts = blocks.mean, np.kron(blocks.between, np.eye(n - 1)), np.kron(np.eye(n * (m - 1)), blocks.within)
    return sum(base @ part @ base.T for base, part in zip((mean, between, within), parts))


def size(problem):
    """Of made-up blocks: O(1), or as small as logits and couplings are at the start."""
    return 1.0 if problem.scale == GENERIC else 1e-3


def random_blocks(audited, problem, rng):
    """Blocks of the sizes 3, 2, 1."""
    return audited.limit.Blocks(*(size(problem) * rng.standard_normal((k, k)) for k in (3, 2, 1)))


def by_types(problem, rng):
    """A random (M,M) matrix that depends on the types of tokens alone, and the same by types (3,4) as the
    kernel has it.
    """
    rows = size(problem) * rng.standard_normal((3, 4))
    matrix = rows[np.ix_(TYPES, TYPES)]
    matrix[2:, 2:] = np.where(np.eye(m) > 0, rows[2, 2], rows[2, 3])
    return matrix, rows


def constants(audited):
    """Constants of a class of n samples, ||w_O||^2 = 1.7."""
    return audited.limit.Constants(M, m, float(n), np.array([2.0, 1.5, 0.7]), 0.3, 1.7)


def setting(audited, problem, steps):
    """A run through all phases in 40 steps, or the defaults at the start. N=6, M=4."""
    s = audited.setting.Setting(
        N=6, M=4, d=100, d_h=7, d_v=1, sigma_p=0.03, snr=8.0, w_O_norm=1.7, epsilon=1e-12, max_steps=steps
    )
    return s.replace(eta=20 * s.eta, sigma_h=3 * s.sigma_h) if problem.scale == GENERIC else s


def orthogonal(s):
    """Tokens and Q(0), K(0): Z = diag(||z||), Q = sqrt(kappa) Z [I 0], K = sqrt(kappa) Z [0 I], d_h = 2T;
    labels alternate.
    """
    noise, root = s.sigma_p * s.d**0.5, s.sigma_h * s.d_h**0.5
    Z = np.diag([s.snr * noise] * 2 + ([s.C_p * noise] + [noise] * (s.M - 2)) * s.N)
    y = np.array([1.0, -1.0] * (s.N // 2))
    tokens = np.array(
        [[0 if y[k] > 0 else 1, *range(2 + k * (s.M - 1), 2 + (k + 1) * (s.M - 1))] for k in range(s.N)]
    )
    return Z, root * np.eye(s.T, 2 * s.T), root * np.eye(s.T, 2 * s.T, s.T), tokens, y


@cache
def on_vectors(scale, lengths, root, w_O_norm, eta):
    """Two losses of GD by complex step on N=2, M=4 orthogonal tokens of these lengths; kept, as it is
    slow.
    """
    T = len(lengths)
    X = np.diag(lengths)[[[0, 2, 3, 4], [1, 5, 6, 7]]]
    theta = (root * np.eye(T, 2 * T), root * np.eye(T, 2 * T, T), np.zeros((T, 1)), np.array([w_O_norm]))
    return Problem(scale, 0, theta, X, np.array([1.0, -1.0]), eta).path(2, False)[0]


def check_L1(audited, problem):
    """Losses, values and attention of both twins, against the proof engine and GD by complex step on
    orthogonal tokens.
    """
    steps = 40
    s = setting(audited, problem, steps)
    Z, W_Q, W_K, tokens, y = orthogonal(s)
    columns = np.concatenate([W_Q, W_K, np.zeros((s.T, 1))], axis=1)
    space = audited.proof_space.ColumnSpace(Z, columns, s.w_O_norm, tokens, y)
    losses, *_, records = audited.descent.descend(
        space, eta=s.eta, epsilon=s.epsilon, max_steps=steps, record_every=steps
    )
    short = setting(audited, problem, 2).replace(N=2, M=4)
    first = on_vectors(
        problem.scale,
        tuple(orthogonal(short)[0].diagonal()),
        short.sigma_h * short.d_h**0.5,
        short.w_O_norm,
        short.eta,
    )
    for backend in ("numpy", "numba"):
        run = audited.limit_run.train_in_limit(s, backend=backend)
        yield (
            f"{backend}: falls of 40 losses, proof engine on orthogonal tokens",
            worst(run.losses - run.losses[0], losses - losses[0]),
            EXACT,
        )
        pairs = {
            "ss": (0, 0),
            "s2": (0, 1),
            "si": (0, 2),
            "2s": (1, 0),
            "22": (1, 1),
            "2i": (1, 2),
            "is": (2, 0),
            "i2": (2, 1),
            "ii": (2, 2),
            "ij": (2, 3),
        }
        S, V = records[-1].attention[0] - 1 / s.M, records[-1].values[0]
        yield (
            f"{backend}: attention - 1/M at the end",
            worst([run.attention[p] - 1 / s.M for p in pairs], [S[at] for at in pairs.values()]),
            EXACT,
        )
        yield f"{backend}: values at the end", worst([run.V_s, run.V_2, run.V_i], V[:3]), EXACT
        got = audited.limit_run.train_in_limit(short, backend=backend).losses
        yield (
            f"{backend}: falls of 2 losses, complex step on orthogonal tokens",
            worst(got - got[0], first - first[0]),
            EXACT,
        )


def check_L2(audited, problem):
    """Logits of one sample, as entries of the dense matrix."""
    X = random_blocks(audited, problem, problem.rng(42))
    kernel, wanted = np.zeros((3, 4)), dense(X)[np.ix_(TOKENS[1], TOKENS[1])]
    yield (
        "sample_logits: the dense matrix's entries",
        worst(audited.limit.sample_logits(X, constants(audited)), wanted),
        EXACT,
    )
    audited.limit_kernel.logits(X, float(n), m, kernel)
    rows = np.concatenate([kernel[:2, :3].ravel(), kernel[2]])
    yield (
        "kernel logits: the dense matrix's entries",
        worst(rows, [*wanted[0, :3], *wanted[1, :3], *wanted[2, [0, 1, 2, 3]]]),
        EXACT,
    )


def coupled(D, g):
    """B = sum_n g E_n^T D E_n over the class, (13,13), by loops."""
    B = np.zeros((13, 13))
    for tokens in TOKENS:
        for l in range(M):
            for j in range(M):
                B[tokens[l], tokens[j]] += g * D[l, j]
    return B


def check_L3(audited, problem):
    """The coupling's blocks, as projections of the sum over samples."""
    D, rows = by_types(problem, problem.rng(43))
    B = coupled(D, -0.4)
    got = audited.limit.coupling_blocks(D, -0.4, constants(audited))
    yield "coupling_blocks: the sum over samples", worst(dense(got), B), EXACT
    kernel = audited.limit.Blocks(np.empty((3, 3)), np.empty((2, 2)), np.empty((1, 1)))
    audited.limit_kernel.coupling_blocks(rows, -0.4, float(n), m, *kernel)
    yield "kernel coupling_blocks: the sum over samples", worst(dense(kernel), B), EXACT


def check_L4(audited, problem):
    """A step of X, Y, W as products of moved Q and K; a step of V as the sum over samples."""
    rng, c, limit = problem.rng(44), constants(audited), audited.limit
    for k, G in ((3, c.G), (2, c.G[1:]), (1, c.G[2:])):
        Q, K = rng.standard_normal((2, k, 6))
        B = (
            size(problem) * rng.uniform(1, 2, (k, k)) * rng.choice([-1.0, 1.0], (k, k))
        )  # none near 0: the step is found as a difference
        Q2, K2 = Q - c.eta * np.diag(G) @ B @ K, K - c.eta * np.diag(G) @ B.T @ Q
        before, after = (Q @ K.T, Q @ Q.T, K @ K.T), (Q2 @ K2.T, Q2 @ Q2.T, K2 @ K2.T)
        got = np.array(limit.move_block(*before, B, np.diag(G), c.eta))
        yield f"move_block, {k}x{k}: moved Q and K", worst(got - before, np.array(after) - before), EXACT
        X, Y, W = (one.copy() for one in before)
        audited.limit_kernel.move_block(X, Y, W, B, G, c.eta, np.empty((12, k, k)))
        yield (
            f"kernel move_block, {k}x{k}: moved Q and K",
            worst(np.array([X, Y, W]) - before, np.array(after) - before),
            EXACT,
        )
    P, rows = by_types(problem, rng)
    S, g = literal.softmax(P), -0.4
    b = np.zeros(13)
    for tokens in TOKENS:
        for l in range(M):
            for j in range(M):
                b[tokens[j]] += g / M * S[l, j]
    wanted = -c.eta * c.w_O_squared * c.G * b[TOKENS[0][:3]]
    zero = limit.Blocks(np.zeros((3, 3)), np.zeros((2, 2)), np.zeros((1, 1)))
    got = limit.move(limit.State(zero, zero, zero, np.zeros(3)), g, S, np.zeros((M, M)), c).V
    yield "move, V: the sum over samples", worst(got, wanted), EXACT
    V, by_type = np.zeros(3), np.empty((3, 4))
    audited.limit_kernel.attend(rows, audited.limit_kernel.row_weights(3, m), by_type)
    audited.limit_kernel.move_values(by_type, audited.limit_kernel.row_weights(3, m), g, c, V)
    yield "kernel move_values: the sum over samples", worst(V, wanted), EXACT


def check_L5(audited, problem):
    """The output on a fresh sample, as the model gives it for noise tokens of zero logits and values; the
    test loss of a run.
    """
    A_ss, V_s = size(problem) * np.abs(problem.rng(45).standard_normal(2))
    X = np.eye(M)[None]  # token l is e_l: q of the signal times k of the signal is A_ss, all else 0
    W = np.zeros((M, 1))
    W[0] = 1.0
    f, _ = literal.triple_loop((A_ss * W, W, V_s * W, np.ones(1)), X)
    yield (
        "output_on_fresh_data: loops over scalars",
        worst(audited.limit.output_on_fresh_data(A_ss, V_s, M), f[0]),
        EXACT,
    )
    s = setting(audited, problem, 40)
    for backend in ("numpy", "numba"):
        run = audited.limit_run.train_in_limit(s, backend=backend)
        X, W = np.eye(s.M)[None], np.zeros((s.M, 1))
        W[0] = 1.0
        f, _ = literal.triple_loop((run.logits["ss"] * W, W, run.V_s * W, np.ones(1)), X)
        yield (
            f"{backend}: test loss - log 2 of a run, loops over scalars",
            worst(run.test_loss - np.log(2), np.log(1 + np.exp(-f[0])) - np.log(2)),
            EXACT,
        )
        yield f"{backend}: error rate of a run", abs(run.error_rate - (f[0] <= 0)), 0.0


PAPER = "none: the limit of large d and d_h"
ROWS = [
    Row(
        "L1",
        "d, d_h -> infinity: GD closes on the blocks 3x3, 2x2, 1x1 of X = QK^T, Y = QQ^T, W = KK^T of one class and V_s, V_2, V_i",
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
    ),
    Row(
        "L2",
        "logits: P_ss = A_ss, P_s2 = A_s2/sqrt n, P_si = A_si/sqrt(nm), ..., P_ij = (A_ii/n + w B_ii)/m - I/m, w = 1 - 1/n",
        PAPER,
        "[D]",
        ("derived/limit.py:sample_logits", "derived/limit.py:projections", "derived/limit_kernel.py:logits"),
        check_L2,
    ),
    Row(
        "L3",
        "blocks of B: g [n D_ss, sqrt n D_s2, sqrt(nm) D_si; ...; ..., D_ii + (m-1) D_ij], its lower 2x2, and g (D_ii - D_ij)",
        PAPER,
        "[D]",
        ("derived/limit.py:coupling_blocks", "derived/limit_kernel.py:coupling_blocks"),
        check_L3,
    ),
    Row(
        "L4",
        "X <- X - eta (GBW + YBG) + eta^2 GBX^T BG, Y, W alike; V_s <- V_s - eta ||w_O||^2 ||mu||^2 n b_s, V_2, V_i alike",
        PAPER,
        "[D]",
        (
            "derived/limit.py:move_block",
            "derived/limit.py:move",
            "derived/limit_kernel.py:move_block",
            "derived/limit_kernel.py:move_values",
        ),
        check_L4,
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
    ),
]
