"""Changes by the syntax tree that are no wrong version of anything, each with the reason; argued one by one.

(file, the line as it is, the line as it became): why no input tells the two apart. What holds of a change
wherever it stands is argued once, in `reason`.
"""

import re

# A length of -2 in a reshape, an argument by itself
LENGTH = re.compile(r"(\breshape\((?:(?:[^()]|\((?:[^()]|\([^()]*\))*\))*, )?)-2(?=[,)])")


def reason(file: str, old: str, new: str) -> str:
    """Why a change is equivalent; "" if nobody said so."""
    if LENGTH.sub(r"\1-1", new) == old:
        return "NumPy finds the length for which any negative number stands"
    return EQUIVALENT.get((file, old, new), "")


EQUIVALENT: dict[tuple[str, str, str], str] = {
    (
        "engines/proof_space.py",
        "self.U += np.outer(self.G @ move_b, self.w_O)",
        "self.U += np.outer(((move_b) @ (self.G)), self.w_O)",
    ): "G is a Gram matrix, so symmetric: both products are the same, up to the order of a sum",
    (
        "derived/limit.py",
        "f = mean_attention(S) @ values",
        "f = ((values) @ (mean_attention(S)))",
    ): "the inner product of two vectors",
    (
        "engines/proof_space.py",
        "h, C_V = self.theta.W_Q.shape[1], self.C_V if self.train_w_O else self.C[:, -1:]",
        "h, C_V = self.theta.W_Q.shape[1], self.C_V if self.train_w_O else self.C[:, (1):]",
    ): "K and V are among the columns then, but only the first 2 d_h and the last are used",
    (
        "engines/kernels.py",
        "total, c_top, above = 0.0, c[n, 0], 0.0",
        "total, c_top, above = 0.0, c[n, (-1)], 0.0",
    ): "overwritten: the largest entry of a row is e^0 = 1",
    (
        "engines/kernels.py",
        "g_n = y[n] * (-e if z >= 0 else -1.0) / (1.0 + e) / N",
        "g_n = y[n] * (-e if z > 0 else -1.0) / (1.0 + e) / N",
    ): "at z = 0 both branches are -1/(1 + e) with e = 1",
    (
        "derived/limit_kernel.py",
        "g = (-e if f >= 0 else -1.0) / (1 + e) / (2 * n)  # ell'(f)/N",
        "g = (-e if f > 0 else -1.0) / (1 + e) / (2 * n)  # ell'(f)/N",
    ): "at f = 0 both branches are -1/(1 + e) with e = 1",
    (
        "paper/model.py",
        "return np.where(z >= 0, -e, -1) / (1 + e)",
        "return np.where(z > 0, -e, -1) / (1 + e)",
    ): "at z = 0 both branches are -1/(1 + e) with e = 1; the slope of neither is asked for there",
    (
        "paper/model.py",
        "sign = np.where(z.real >= 0, 1, -1)  # |z| = sign z, and for complex z too that is smooth",
        "sign = np.where(z.real > 0, 1, -1)  # |z| = sign z, and for complex z too that is smooth",
    ): "at z = 0 log(1 + e^-z) and -z + log(1 + e^z) are one function, up to rounding",
    (
        "derived/limit_kernel.py",
        "ROOM = 6  # matrices that a step keeps in each space",
        "ROOM = 7  # matrices that a step keeps in each space",
    ): "room to work in: the first six are used",
    (
        "experiments/theorem.py",
        "N=N, M=4, d=3, d_h=64, d_v=1, snr=10 * sqrt(x / N), C_p=10.0, epsilon=epsilon, max_steps=10**8",
        "N=N, M=4, d=4, d_h=64, d_v=1, snr=10 * sqrt(x / N), C_p=10.0, epsilon=epsilon, max_steps=10**8",
    ): "d is given afresh by the next line but one, and sigma_p sqrt(d) is 1 at any d",
    (
        "experiments/sharpness.py",
        "if abs(beyond - start) > log(10):",
        "if abs(beyond - start) >= log(10):",
    ): "a whole number of steps of log 1.12 is never log 10",
    (
        "engines/proof_space.py",
        "rows, few = X.reshape(N * M, d), slice(None, None, max(1, d // 8))",
        "rows, few = X.reshape(N * M, d), slice(None, None, max(2, d // 8))",
    ): "which entries are looked at first decides the time alone: tokens alike in these are compared whole",
    (
        "engines/proof_space.py",
        "rows, few = X.reshape(N * M, d), slice(None, None, max(1, d // 8))",
        "rows, few = X.reshape(N * M, d), slice(None, None, max(1, d * 8))",
    ): "which entries are looked at first decides the time alone: tokens alike in these are compared whole",
    (
        "engines/proof_space.py",
        "rows, few = X.reshape(N * M, d), slice(None, None, max(1, d // 8))",
        "rows, few = X.reshape(N * M, d), slice(None, None, max(1, d // (7)))",
    ): "which entries are looked at first decides the time alone: tokens alike in these are compared whole",
    (
        "engines/proof_space.py",
        "rows, few = X.reshape(N * M, d), slice(None, None, max(1, d // 8))",
        "rows, few = X.reshape(N * M, d), slice(None, None, max(1, d // 9))",
    ): "which entries are looked at first decides the time alone: tokens alike in these are compared whole",
    (
        "engines/records.py",
        '"last": np.array(-1 if history.last is None else history.last),',
        '"last": np.array(-2 if history.last is None else history.last),',
    ): "any negative number stands for none",
    (
        "experiments/fits.py",
        "exponent = float(centred @ log_y / (centred @ centred))",
        "exponent = float(((log_y) @ (centred)) / (centred @ centred))",
    ): "the inner product of two vectors",
    (
        "vision/transformer.py",
        "for n in range(1, 200):",
        "for n in range(1, (199)):",
    ): "within +-9, and so near the real axis, the terms are below the last bit of the sum long before",
    (
        "vision/transformer.py",
        "for n in range(1, 200):",
        "for n in range(1, 201):",
    ): "within +-9, and so near the real axis, the terms are below the last bit of the sum long before",
    (
        "paper/model.py",
        "return c[phi.real.argmax()] + phi @ shifted(c, phi)",
        "return c[phi.real.argmax()] + ((shifted(c, phi)) @ (phi))",
    ): "the inner product of two vectors",
    (
        "paper/gradients.py",
        "return np.array([softmax_jacobian(phi) @ shifted(c_n, phi) for phi in S_n]) / len(S_n)",
        "return np.array([((shifted(c_n, phi)) @ (softmax_jacobian(phi))) for phi in S_n]) / len(S_n)",
    ): "J is symmetric, so J c and c^T J are the same, up to the order of a sum",
    (
        "paper/proof.py",
        "self.U = U - eta * np.outer(G @ b, w_O)  # P1: V = U w_O moves by -eta ||w_O||^2 G b",
        "self.U = U - eta * np.outer(((b) @ (G)), w_O)  # P1: V = U w_O moves by -eta ||w_O||^2 G b",
    ): "G is a Gram matrix, so symmetric: both products are the same, up to the order of a sum",
    (
        "engines/proof_space.py",
        "if T * T * w > SMALL and T <= 384 and w <= 192 and small_products_are_quick():",
        "if T * T * w > SMALL and T <= 384 and w < 192 and small_products_are_quick():",
    ): "w = 2 d_h + 1 is odd",
    (
        "engines/proof_space.py",
        "starts = range(0, max(d - width, 1), width)",
        "starts = range(0, max(d - width, 2), width)",
    ): "a width is at least 1008, so the range of 1 and of 2 is 0 alone",
}
