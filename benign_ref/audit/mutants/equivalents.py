"""Changes by the syntax tree that are no wrong version of anything, each with the reason; argued one by one.

(file, the line as it is, the line as it became): why no input tells the two apart.
"""

EQUIVALENT: dict[tuple[str, str, str], str] = {
    (
        "checks/exact.py",
        "_DIGITS = Context(prec=60, Emin=-(10**6), Emax=10**6)",
        "_DIGITS = Context(prec=60, Emin=-(10**6), Emax=(9)**6)",
    ): "arguments of e^a are at most 1000 by the choice of the unit, so no exponent comes near 9^6",
    (
        "experiments/claims.py",
        "same = HOLDS if median <= MEDIAN else FAILS",
        "same = HOLDS if median < MEDIAN else FAILS",
    ): "a median of differences of measured losses is not exactly the bound, which is ours",
    (
        "engines/proof_space.py",
        "self.U += np.outer(self.G @ move_b, self.w_O)",
        "self.U += np.outer(((move_b) @ (self.G)), self.w_O)",
    ): "G is a Gram matrix, so symmetric: both products are the same, up to the order of a sum",
    (
        "engines/proof_space.py",
        "return 2 * T if d_h > 4 * T else d_h",
        "return 2 * T if d_h >= 4 * T else d_h",
    ): "at d_h = 4T the rotation into 2T columns changes nothing but time and the last bits",
    (
        "derived/fresh.py",
        "BLOCK = 128  # columns of a product with a triangular matrix that are taken together",
        "BLOCK = 129  # columns of a product with a triangular matrix that are taken together",
    ): "the same product by other blocks of columns: only zeros are multiplied, or not",
    (
        "derived/fresh.py",
        "BLOCK = 128  # columns of a product with a triangular matrix that are taken together",
        "BLOCK = (127)  # columns of a product with a triangular matrix that are taken together",
    ): "the same product by other blocks of columns: only zeros are multiplied, or not",
    (
        "derived/limit_kernel.py",
        "P, S, D = np.zeros((k, 4)), np.empty((k, 4)), np.empty((k, 4))",
        "P, S, D = np.zeros((k, 4)), np.empty((k, 4)), np.empty((k, 5))",
    ): "D is room to work in; its columns are addressed by the four kinds of tokens, a fifth is never read",
    (
        "checks/exact.py",
        "return Field(seed, 1 / max(Fraction(1), max(seen, default=Fraction(0)) / 1000))",
        "return Field(seed, 1 / max(Fraction(2), max(seen, default=Fraction(0)) / 1000))",
    ): "the unit is free, as long as arguments stay below 1000: E(a) = e^(a/2) is as true as e^a",
    (
        "engines/records.py",
        "step, P, S, values, (S @ values[..., None])[..., 0].mean(axis=1), "
        "observe(space) if observe else None",
        "step, P, S, values, (S @ values[..., None])[..., (-1)].mean(axis=1), "
        "observe(space) if observe else None",
    ): "the last axis has one entry, which is its first and its last",
    (
        "derived/law.py",
        "return np.concatenate([np.where(y > 0, 0, 1)[:, None], noise], axis=1).astype(np.int64)",
        "return np.concatenate([np.where(y >= 0, 0, 1)[:, None], noise], axis=1).astype(np.int64)",
    ): "labels are -1 and 1, never 0",
    (
        "experiments/cell.py",
        "CHUNK = 50  # fresh samples that are in memory at a time",
        "CHUNK = 51  # fresh samples that are in memory at a time",
    ): "the same samples in the same order, in other parts",
    (
        "experiments/cell.py",
        "CHUNK = 50  # fresh samples that are in memory at a time",
        "CHUNK = (49)  # fresh samples that are in memory at a time",
    ): "the same samples in the same order, in other parts",
    (
        "derived/limit_run.py",
        "STEPS_AT_ONCE = 4096  # taken between two looks at the loss from outside; it bounds the memory a "
        "piece takes",
        "STEPS_AT_ONCE = 4097  # taken between two looks at the loss from outside; it bounds the memory a "
        "piece takes",
    ): "the same steps in other pieces",
    (
        "derived/limit_run.py",
        "STEPS_AT_ONCE = 4096  # taken between two looks at the loss from outside; it bounds the memory a "
        "piece takes",
        "STEPS_AT_ONCE = (4095)  # taken between two looks at the loss from outside; it bounds the memory a "
        "piece takes",
    ): "the same steps in other pieces",
    (
        "experiments/claims.py",
        "verdict=verdict(far <= 3, said, not np.isnan(far)),",
        "verdict=verdict(far < 3, said, not np.isnan(far)),",
    ): "a quotient of measured numbers is not exactly the bound, which is ours",
    (
        "experiments/more_draws.py",
        "return N in CROSSINGS and len(rows[N]) < MOST and not crossing_of_rows(rows[N]).error <= ENOUGH",
        "return N in CROSSINGS and len(rows[N]) < MOST and not crossing_of_rows(rows[N]).error < ENOUGH",
    ): "a standard error of measured crossings is not exactly the bound, which is ours",
    (
        "experiments/dynamics.py",
        "sample = int(np.argmax(y > 0))",
        "sample = int(np.argmax(y > (-1)))",
    ): "labels are -1 and 1",
    (
        "derived/limit_kernel.py",
        "work_mean, work_between = np.empty((12, k, k)), np.empty((12, k - 1, k - 1))",
        "work_mean, work_between = np.empty((12, k, k)), np.empty((13, k - 1, k - 1))",
    ): "room to work in: the first twelve are used",
    (
        "derived/limit_kernel.py",
        "mean, between, within = np.empty((k, k)), np.empty((k - 1, k - 1)), np.empty((1, 1))",
        "mean, between, within = np.empty((k, k)), np.empty((k - 1, k - (0))), np.empty((1, 1))",
    ): "`between` is filled and read by its k - 1 rows, as far as their k - 1 first columns",
    (
        "experiments/claims.py",
        'figures = {name: published_setting(name, N=10, mu=20.0) for name in ("figure1", "figure3", '
        '"figure4")}',
        'figures = {name: published_setting(name, N=(9), mu=20.0) for name in ("figure1", "figure3", '
        '"figure4")}',
    ): "only C_p and M of these are read, which are the figure's own at any N",
    (
        "derived/limit.py",
        "f = mean_attention(S) @ values",
        "f = ((values) @ (mean_attention(S)))",
    ): "the inner product of two vectors",
    (
        "checks/lines.py",
        "error[best] = max(error[best], kink if kink > 0 else 0)",
        "error[best] = max(error[best], kink if kink > 0 else (-1))",
    ): "an error is never negative",
    (
        "experiments/claims.py",
        'last, benign, number = int(trajectories[0].steps[-1]), regime == "benign", PUBLISHED[regime][-1]',
        'last, benign, number = int(trajectories[(-1)].steps[-1]), regime == "benign", PUBLISHED[regime][-1]',
    ): "all runs of a figure end at the same step, 500 whatever the loss",
    (
        "derived/boundary.py",
        "losses[i, j] = snapshots[-1].test_loss",
        "losses[i, j] = snapshots[-(0)].test_loss",
    ): "no step is named, so there is one Snapshot, of the end",
    (
        "experiments/claims.py",
        "verdict=verdict(max(far) <= 3, said, not np.isnan(far[1])),",
        "verdict=verdict(max(far) < 3, said, not np.isnan(far[1])),",
    ): "a quotient of measured numbers is not exactly the bound, which is ours",
    (
        "engines/proof_space.py",
        "h, C_V = self.theta.W_Q.shape[1], self.C_V if self.train_w_O else self.C[:, -1:]",
        "h, C_V = self.theta.W_Q.shape[1], self.C_V if self.train_w_O else self.C[:, (1):]",
    ): "K and V are among the columns then, but only the first 2 d_h and the last are used",
    (
        "checks/exact.py",
        "_DIGITS = Context(prec=60, Emin=-(10**6), Emax=10**6)",
        "_DIGITS = Context(prec=60, Emin=-(10**7), Emax=10**6)",
    ): "arguments of e^a are at most 1000 by the choice of the unit, so no exponent comes near either bound",
    (
        "experiments/grid.py",
        "s = base.replace(snr=snrs[0], N=max(Ns))",
        "s = base.replace(snr=snrs[(-1)], N=max(Ns))",
    ): "only sizes are looked at, which do not depend on SNR",
    (
        "derived/fresh.py",
        "flat = x.reshape(-1, x.shape[2])[:, :a]  # one product for all samples",
        "flat = x.reshape(-2, x.shape[2])[:, :a]  # one product for all samples",
    ): "NumPy finds the length for which any negative number stands",
    (
        "experiments/authors.py",
        'return published_setting("figure1", N=2, mu=mu).snr',
        'return published_setting("figure1", N=(1), mu=mu).snr',
    ): "SNR follows ||mu|| alone",
}
