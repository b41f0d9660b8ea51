"""What lies between the matrix products of M1-M3 and G1-G4, in numba, for every engine.

    rows (R,2d_h+1)    projected tokens side by side, [q | k | c]: q = x W_Q, k = x W_K, c = x W_V w_O; here
                       and in drows, rows and columns beyond those are left alone
    tokens (N,M)       which row is token l of sample n; samples may share rows
    q, k (N,M,d_h)     of the samples, E_n q and E_n k; c (N,M); S, D (N,M,M)

The products themselves are BLAS's (attention.py). These kernels call nothing from other modules and take
every constant as an argument, so that numba's cache on disk can never be stale.
"""

from math import exp, fabs, inf, log1p

from numba import njit


def cached(function):
    """`function` compiled, and kept on disk where a folder may be written. Only for what calls nothing from
    other modules: numba does not see it when these change.
    """
    try:
        return njit(cache=True)(function)
    except RuntimeError:  # no folder may be written, the package's or the user's: compile in each process
        return njit(function)


@cached
def gather(rows, tokens, q, k, c):
    """q[n,l,:], k[n,l,:], c[n,l] = the three parts of rows[tokens[n,l],:]."""
    N, M, d_h = q.shape
    for n in range(N):
        for l in range(M):
            row = rows[tokens[n, l]]
            for h in range(d_h):
                q[n, l, h] = row[h]
            for h in range(d_h):
                k[n, l, h] = row[d_h + h]
            c[n, l] = row[2 * d_h]


@cached
def scatter_add(dq, dk, dc, tokens, scale, drows):
    """The transpose of `gather`: drows[tokens[n,l],:] += scale [dq | dk | dc][n,l,:]."""
    N, M, d_h = dq.shape
    for n in range(N):
        for l in range(M):
            row = drows[tokens[n, l]]
            for h in range(d_h):
                row[h] += scale * dq[n, l, h]
            for h in range(d_h):
                row[d_h + h] += scale * dk[n, l, h]
            row[2 * d_h] += scale * dc[n, l]


@cached
def subtract_largest(P):
    """P[n,l,:] -= its largest: softmax does not change, and e^P <= 1 (for range)."""
    N, M, _ = P.shape
    for n in range(N):
        for l in range(M):
            largest = -inf
            for j in range(M):
                largest = max(largest, P[n, l, j])
            for j in range(M):
                P[n, l, j] -= largest


@cached
def average(S, c, top, excess, f):
    """S holds e^P, the largest entry of each row being e^0 = 1, and becomes softmax(P); f is M1.

    S[n,l,:] . c[n] = top + excess, (N,M) both: the value of the most attended token, and the sum over j of
    S[n,l,j] (c[n,j] - top). `couple` needs them apart, to keep the digits of D (model.shifted).
    """
    N, M, _ = S.shape
    for n in range(N):
        f[n] = 0.0
        for l in range(M):
            total, c_top, above = 0.0, c[n, 0], 0.0
            for j in range(M):
                total += S[n, l, j]
                if S[n, l, j] == 1.0:
                    c_top = c[n, j]
            inverse = 1.0 / total
            for j in range(M):
                S[n, l, j] *= inverse
            for j in range(M):
                above += S[n, l, j] * (c[n, j] - c_top)
            top[n, l], excess[n, l] = c_top, above
            f[n] += c_top + above
        f[n] /= M


@cached
def couple(S, c, top, excess, f, y, D, dc):
    """L_S (M2), and its derivatives in the logits and in the values: D[n] = g_n D_n (M3), dc[n] = g_n a_n."""
    N, M, _ = S.shape
    loss = 0.0
    for n in range(N):
        z = y[n] * f[n]
        e = exp(-fabs(z))  # <= 1
        loss += (log1p(e) + max(-z, 0.0)) / N
        g_n = y[n] * (-e if z >= 0 else -1.0) / (1.0 + e) / N
        share = g_n / M
        dc[n] = 0.0
        for l in range(M):
            for j in range(M):
                weight = share * S[n, l, j]
                dc[n, j] += weight
                D[n, l, j] = weight * (c[n, j] - top[n, l] - excess[n, l])  # J(phi) c = phi (c - phi.c)
    return loss
