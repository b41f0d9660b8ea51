"""What the figure of sharpness draws: its axes, its tasks, one for each draw and place, and their results."""

from typing import NamedTuple

import numpy as np

from benign_ref.experiments.sharpness import Draw, summary

D_H, WIDE, START = 32, 256, 2.2  # two widths; x, where a search begins
WHERE = {"test_loss": "test loss 0.2", "attention": "attention 0.5"}
# Every axis: of (a), (c); of (b); seeds of x_c; the values of (e) and (f); points of a line
SIZES = {
    "quick": {
        "curves": [(8, 2), (8, 6), (3, 6)], "x": [0.5, 1.5, 2.0, 2.4, 4.0], "seeds": 2,
        "d": [10**3, 10**5], "near": [1.0, 2.1, 4.0], "d_seeds": 3, "wide_seeds": 0,
        "M": [2, 3], "N": [2], "c_seeds": 2, "sigma_h": [3.0], "epsilon": [3.0], "line": 10,
    },
    "full": {
        "curves": [(8, 2), (8, 6), (8, 16), (3, 6), (16, 6)],
        "x": [0.4, 0.6, 0.9, 1.2, 1.5, 1.8, 2.0, 2.1, 2.2, 2.4, 3.0, 5.0, 8.0], "seeds": 3,
        "d": [10**3, 10**4, 10**5, 10**6], "near": [0.5, 1.0, 1.6, 2.0, 2.15, 2.4, 4.0],
        "d_seeds": 10, "wide_seeds": 6, "M": [2, 3, 4, 8, 16], "N": [2, 12], "c_seeds": 4,
        "sigma_h": [0.1, 0.3, 3.0], "epsilon": [0.3, 3.0], "line": 80,
    },
}  # fmt: skip


def drawn(M=8, N=6, d=10**5, d_h=D_H, epsilon=1, sigma_h=1.0):
    """A Draw of seed 0, to be replaced; epsilon and sigma_h by factors."""
    return Draw(M, N, d, d_h, 0, 0.01 * epsilon, sigma_h)


def places(size):
    """Where x_c is measured: {(panel's axis, value): Draw}. At (e) and (f) d = 1e5."""
    axes = "d", "M", "N", "sigma_h", "epsilon"
    return {(name, value): drawn(**{name: value}) for name in axes for value in size[name]}


def of_seeds(what, x, draw, first, count):
    """Tasks for `measure`: one a seed."""
    return [(what, x, *draw._replace(seed=seed)) for seed in range(first, first + count)]


def all_tasks(size, first):
    """Every task of the figure, the longest kinds first: searches, by M N / epsilon."""
    asked = [
        *((what, START, draw, size["d_seeds" if axis == "d" else "c_seeds"])
          for (axis, _), draw in places(size).items() for what in (WHERE if axis != "d" else ["attention"])),
        *(("attention", START, drawn(d=d, d_h=WIDE), size["wide_seeds"]) for d in size["d"]),
        *(("point", x, drawn(d=d), size["d_seeds"]) for d in size["d"] for x in size["near"]),
        *(("point", x, drawn(*of), size["seeds"]) for of in size["curves"] for x in size["x"]),
    ]  # fmt: skip
    tasks = [task for *of, count in asked for task in of_seeds(*of, first, count)]
    return sorted(tasks, key=lambda task: (task[0] == "point", -task[2] * task[3] / task[7]))


class Measured(NamedTuple):
    """The results of all tasks, by task, to be asked by the number of seeds, from the `first` on."""

    results: dict
    first: int

    def critical(self, what, draw, count):
        """CriticalX over `count` seeds."""
        return summary([self.results[task] for task in of_seeds(what, START, draw, self.first, count)])

    def points(self, xs, draw, count):
        """Arrays (len(xs), count) of the test loss and of the attention."""
        tasks = [of_seeds("point", x, draw, self.first, count) for x in xs]
        return np.array([[self.results[task][:3:2] for task in of_x] for of_x in tasks]).transpose(2, 0, 1)


def spreads(found, size):
    """(d): {label: one spread for each d}."""
    return {
        f"$x_c$, $d_h={d_h}$": [
            found.critical("attention", drawn(d=d, d_h=d_h), count).spread for d in size["d"]
        ]
        for d_h, count in ((D_H, size["d_seeds"]), (WIDE, size["wide_seeds"])) if count
    } | {
        f"test loss, $x={x:g}$": [
            float(np.std(np.log(found.points([x], drawn(d=d), size["d_seeds"])[0, 0]), ddof=1))
            for d in size["d"]
        ] for x in (1.0, 4.0)
    }  # fmt: skip
