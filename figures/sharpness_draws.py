"""What the figure of sharpness draws: its axes, its tasks, one for each draw and place, and their results."""

import numpy as np

from benign_ref.experiments.sharpness import Draw, summary

D_H = 32
WHERE = {"test_loss": "test loss 0.2", "attention": "attention 0.5"}


def sizes(quick):
    """Every axis of the figure: of (a), (c); of (b); seeds of x_c; the values of (e) and (f); points of a
    line.
    """
    if quick:
        return {
            "curves": [(8, 2), (8, 6), (3, 6)], "x": [0.5, 1.5, 2.0, 2.4, 4.0], "seeds": 2,
            "d": [10**3, 10**5], "near": [1.0, 2.1, 4.0], "d_seeds": 3, "wide_seeds": 0,
            "M": [2, 3], "N": [2], "c_seeds": 2, "sigma_h": [3.0], "epsilon": [3.0], "line": 10,
        }  # fmt: skip
    return {
        "curves": [(8, 2), (8, 6), (8, 16), (3, 6), (16, 6)],
        "x": [0.4, 0.6, 0.9, 1.2, 1.5, 1.8, 2.0, 2.1, 2.2, 2.4, 3.0, 5.0, 8.0], "seeds": 3,
        "d": [10**3, 10**4, 10**5, 10**6], "near": [0.5, 1.0, 1.6, 2.0, 2.15, 2.4, 4.0],
        "d_seeds": 10, "wide_seeds": 6, "M": [2, 3, 4, 8, 16], "N": [2, 12], "c_seeds": 4,
        "sigma_h": [0.1, 0.3, 3.0], "epsilon": [0.3, 3.0], "line": 80,
    }  # fmt: skip


def drawn(M=8, N=6, d=10**5, d_h=D_H, epsilon=0.01, sigma_h=1.0):
    """A Draw of seed 0, to be replaced."""
    return Draw(M, N, d, d_h, 0, epsilon, sigma_h)


def places(size):
    """Where x_c is measured: {(panel's axis, value): Draw}. At (e) and (f) d = 1e5."""
    found = {("d", d): drawn(d=d) for d in size["d"]}
    for name in ("M", "N", "sigma_h", "epsilon"):
        found |= {(name, value): drawn(**in_draw(name, value)) for value in size[name]}
    return found


def of_seeds(what, x, draw, first, count):
    """Tasks for `measure`: one a seed."""
    return [(what, x, *draw._replace(seed=seed)) for seed in range(first, first + count)]


def all_tasks(size, first):
    """Every task of the figure, the longest kinds first."""
    tasks = []
    for (axis, _), draw in places(size).items():
        for what in ("attention",) if axis == "d" else WHERE:
            tasks += of_seeds(what, 2.2, draw, first, size["d_seeds"] if axis == "d" else size["c_seeds"])
    for d in size["d"]:
        tasks += of_seeds("attention", 2.2, drawn(d=d, d_h=256), first, size["wide_seeds"])
        for x in size["near"]:
            tasks += of_seeds("point", x, drawn(d=d), first, size["d_seeds"])
    for M, N in size["curves"]:
        for x in size["x"]:
            tasks += of_seeds("point", x, drawn(M, N), first, size["seeds"])
    return sorted(
        tasks, key=lambda task: (task[0] == "point", -task[2] * task[3] / task[7])
    )  # searches first, by M N / epsilon


class Measured:
    """The results of all tasks, to be asked by seeds."""

    def __init__(self, results, first):
        self.results, self.first = results, first

    def critical(self, what, draw, count):
        """CriticalX over `count` seeds."""
        return summary([self.results[task] for task in of_seeds(what, 2.2, draw, self.first, count)])

    def points(self, xs, draw, count):
        """Arrays (len(xs), count) of the test loss and of the attention."""
        values = np.array(
            [[self.results[task][:3] for task in of_seeds("point", x, draw, self.first, count)] for x in xs]
        )
        return values[..., 0], values[..., 2]


def in_draw(name, value):
    """The argument of `drawn` that an axis of (e), (f) changes; that of epsilon is a factor."""
    return {name: 0.01 * value if name == "epsilon" else value}


def spreads(found, size):
    """(d): {label: one spread for each d}."""
    values = {
        r"$x_c$, $d_h=32$": [
            found.critical("attention", drawn(d=d), size["d_seeds"]).spread for d in size["d"]
        ]
    }
    if size["wide_seeds"]:
        values[r"$x_c$, $d_h=256$"] = [
            found.critical("attention", drawn(d=d, d_h=256), size["wide_seeds"]).spread for d in size["d"]
        ]
    for x in (1.0, 4.0):
        losses = [found.points([x], drawn(d=d), size["d_seeds"])[0][0] for d in size["d"]]
        values[f"test loss, $x={x:g}$"] = [float(np.std(np.log(loss), ddof=1)) for loss in losses]
    return values
