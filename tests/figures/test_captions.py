"""Numbers in captions come from the run. What is typed in a template is the same with --quick and at full
size; what is filled in, as stored of a run of each size (figures/reference), is what the module asks of that
size, and what the run's own table holds.
"""

import csv
import importlib
import re
import string
from pathlib import Path

import pytest

from benign_ref.experiments import border, convergence, dynamics, images, published, sharpness
from benign_ref.experiments import theorem as condition
from benign_ref.teach.notation import mathml
from figures import NAMES, common, compare, speed_worker

REFERENCE = Path(compare.__file__).with_name("reference")
NO_NUMBERS = re.compile(
    r"\{[^{}]*\}"  # filled in from the run
    r"|\b(fig|Figures? )\d( and \d)?|\b[A-Z]\d(-[A-Z]?\d)?\b"  # names of figures, labels of statements
    r"|\b\w+_\{*[\w,]+\}*|\^\{*[-\w/]+\}*|\d+/[A-Z(]\w*"  # indices, powers, fractions of symbols
)
TYPED = {  # what is typed, and is so whatever the size: constants of the protocol, and rules
    "fig1": "6.4 1000", "fig2": "1 1 100 256 255 255 3.0", "fig3": "500 2 50 1 3 2", "fig4": "500 2 50 1 3 2",
    "departures": "20 5 10 0.01 3 2 3", "theorem": "1", "boundary": "2 1000 8 6 10 2.2 64 1 2",
    "small_steps": "1000", "phases": "2 0 3 0 1 1 0 0", "sharpness": "0.01 5 8 6 1 4 1 2 6 8 8 6",
    "digits": "1 2 1 2 1000 3.0",
}  # fmt: skip
SIZES = ("quick", "full")


@pytest.mark.parametrize("name", sorted(TYPED))
def test_no_other_number_is_typed_in_a_caption(name):
    caption = NO_NUMBERS.sub("", importlib.import_module(f"figures.{name}").CAPTION)
    found = re.findall(r"(?<![\w.])\d+(?:\.\d+)?", caption)
    assert set(found) <= set(TYPED[name].split()), found


def test_every_caption_is_looked_at():
    without = {"claims", "convergence", "speed", "checkers", "ledger"}
    assert set(NAMES) == set(TYPED) | without


@pytest.mark.parametrize("name", NAMES)
def test_words_in_capitals_are_no_products_of_letters_on_the_page(name):
    caption = (REFERENCE / "full" / f"{name}.txt").read_text(encoding="utf-8")
    text = f"{importlib.import_module(f'figures.{name}').TITLE} {caption}"
    words = set(re.findall(r"(?<![\^_{])\b[A-Z]{2,}\b", text)) - {"SNR"}
    assert [word for word in words if mathml(word) != word] == []


def filled(name, size):
    """[(field, its format, the text)] of a stored caption, read by the module's template."""
    template = importlib.import_module(f"figures.{name}").CAPTION.strip()
    pattern, fields = "", []
    for words, field, form, _ in string.Formatter().parse(template):
        pattern += re.escape(words) + "(.*?)" * (field is not None)
        fields += [(field, form)] * (field is not None)
    caption = (REFERENCE / size / f"{name}.txt").read_text(encoding="utf-8")
    found = re.match(pattern + r"\s*Marks: ", caption, re.DOTALL)
    assert found, f"the caption of {name}, {size}, is not of this template"
    return [(*field, text) for field, text in zip(fields, found.groups(), strict=True)]


def table_of(name, size):
    with open(REFERENCE / size / f"{name}.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def many(rows, column, **where):
    """How many values a column has, in the rows that are so."""
    return len({row[column] for row in rows if all(row[key] == value for key, value in where.items())})


def fig1(module, options, rows):
    mus, Ns, draws = module.SIZES[options.size]
    drawn = [row for row in rows if row["what"] == "draw"]
    assert len(drawn) == draws * len(mus) * len(Ns) and many(drawn, "N") == len(Ns)
    return {
        "draws": draws, "cells": len(drawn), "pairs": len(mus) * len(Ns), "N_first": min(Ns),
        "N_last": max(Ns), "mu_first": min(mus), "mu_last": max(mus), "n_test": module.N_TEST,
        "commit": published.COMMIT, "level": 0.2, "limit_pairs": sum(row["what"] == "limit" for row in rows),
        "steps_least": min(int(row["steps"]) for row in drawn),
        "steps_most": max(int(row["steps"]) for row in drawn),
        **{name: getattr(module.BASE, name) for name in ("M", "d", "d_h", "eta", "epsilon")},
    }  # fmt: skip


def fig2(module, options, rows):
    sizes = module.grid(options)
    snrs = sorted(float(row["snr"]) for row in rows)
    assert many(rows, "N") == len(sizes["Ns"])
    return {"epochs": sizes["epochs"], "precision": "double", "level": border.LEVEL, "low": snrs[0],
            "high": snrs[-1]}  # fmt: skip


def published_run(module, options, rows):
    number = module.TITLE[len("the paper's Figure ")]
    regime = {"3": "benign", "4": "harmful"}[number]
    s = published.published_setting(f"figure{number}")
    shared = importlib.import_module("figures.published_dynamics")
    runs = shared.RUNS[options.size]
    assert sum(row["what"].startswith("seed") for row in rows) == 2 * runs
    last = max(int(row["step"]) for row in rows if row["what"] == "runs")
    sizes = {name: getattr(s, name) for name in ("N", "M", "d", "d_h", "d_v", "C_p", "eta", "x")}
    return {**sizes, "number": number, "regime": regime, "mu": s.mu_norm, "runs": runs, "last": last,
            "n_test": shared.N_TEST}  # fmt: skip


def claims(module, options, rows):
    fig1_rows, runs = table_of("fig1", options.size), table_of("fig3", options.size)
    return {
        "rows": len(rows), "cells": sum(row["what"] == "draw" for row in fig1_rows),
        "runs": many([row for row in runs if row["what"].startswith("seed")], "what"),
        "holds": sum(row["verdict"].startswith("holds") for row in rows),
    }  # fmt: skip


def departures(module, options, rows):
    Ns, draws, few, _ = module.SIZES[options.size]
    assert {row["N"] for row in rows} == set(map(str, Ns)) and max(int(row["rows"]) for row in rows) == draws
    return {"Ns": ", ".join(map(str, Ns)), "draws": draws, "slow": few, "large": max(Ns), "level": 0.2}


def theorem(module, options, rows):
    Ns, epsilons, _, draws = module.SIZES[options.size]
    drawn = [row for row in rows if row["engine"] == "law"]
    assert many(drawn, "seed") == draws and many(drawn, "N") == len(Ns)
    s = condition.base_setting("benign")
    return {
        **condition.X, "M": s.M, "C_p": s.C_p, "d_h": s.d_h, "draws": draws, "N_of_d": Ns[1],
        "epsilon_of_d": epsilons[1], "least_d": min(int(row["d"]) for row in drawn),
        "largest_d": max(int(row["d"]) for row in drawn),
    }  # fmt: skip


def boundary(module, options, rows):
    size = module.SIZES[options.size]
    against = [row for row in rows if row["what"] == "error against d"]
    assert {row["d_h"] for row in against} == {str(size["wide"])}
    assert sorted({float(row["snr or x"]) for row in against}) == list(size["xs"])
    seeds = importlib.import_module("figures.small_steps").SIZES[options.size][2]
    return {"d": module.BASE.d, "wide": size["wide"], "seeds": size["seeds"], "cell_seeds": seeds,
            "level": 0.2, "xs": ", ".join(f"{x:g}" for x in size["xs"])}  # fmt: skip


def small_steps(module, options, rows):
    s = module.BASE
    sizes = {name: getattr(s, name) for name in ("d", "epsilon", "M", "C_p", "d_h")}
    assert many(rows, "d", engine="proof") == 1 and many(rows, "seed") == module.SIZES[options.size][2]
    law = next(int(row["d"]) for row in rows if row["engine"] == "law")
    return {**sizes, "d_law": law, "seeds": many(rows, "seed"), "level": 0.2}


def phases(module, options, rows):
    s = dynamics.setting_of("benign", options.size)
    ends = [int(row["step"]) for row in rows if row["what"].endswith("end") and row["quantity"] == "V_2"]
    assert len(ends) == 2 * (3 if options.quick else 10)
    sizes = {name: getattr(s, name) for name in ("N", "M", "d", "d_h", "C_p", "epsilon")}
    return {**sizes, "snr_benign": 16, "benign": 2560, "snr_harmful": 2, "harmful": 40,
            "seeds": len(ends) // 2, "shortest": min(ends), "longest": max(ends)}  # fmt: skip


def of_convergence(module, options, rows):
    size = module.SIZES[options.size]
    seeds = many([row for row in rows if row["what"] == "T" and row["moved"] == "eta"], "seed")
    few = many([row for row in rows if row["what"] == "T" and row["moved"] == "epsilon"], "seed")
    assert size["base"] == (size["N"], convergence.base_setting("benign", *size["base"]).epsilon)
    return {"N": size["N"], "epsilon": size["base"][1], "seeds": seeds, "few": few}


def of_sharpness(module, options, rows):
    return {"d_h": module.D_H, "curve_d": 10**5, "level": 0.2,
            "attention": sharpness.LEVELS["attention"]}  # fmt: skip


def digits(module, options, rows):
    d = 784 + (256 if options.quick else 1024)
    return {"level": 0.2, "middle": 0.4, "pixels": images.PIXELS, "off": d - 784, "d": d, "M": 16, "C_p": 20,
            "d_h": 8 if options.quick else 16, "epsilon": 0.01, "n_test": module.N_TEST,
            "seeds": many(rows, "seed")}  # fmt: skip


def speed(module, options, rows):
    size, shape = module.SIZES[options.size], module.SHAPE
    join = " and ".join
    return {
        "N": shape["N"], "M": shape["M"], "d_h": shape["d_h"], "first_d": size["d"][0],
        "steps": size["part_steps"], "part_d": join(map(str, size["part_d"])), "repeats": size["repeats"],
        "n_test": speed_worker.N_TEST, "run_steps": size["steps"],
        "cell_N": join(str(N) for N, _ in speed_worker.AUTHORS),
    }  # fmt: skip


def checkers(module, options, rows):
    wrong = {(row["block"], row["mutant"]) for row in rows if row["block"] not in ("none", "")}
    return {"count": len(wrong), "seeds": many([row for row in rows if row["seed"]], "seed")}


STATED = {
    "fig1": fig1, "fig2": fig2, "fig3": published_run, "fig4": published_run, "claims": claims,
    "departures": departures, "theorem": theorem, "boundary": boundary, "small_steps": small_steps,
    "phases": phases, "convergence": of_convergence, "sharpness": of_sharpness, "digits": digits,
    "speed": speed, "checkers": checkers,
}  # fmt: skip


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", STATED)
def test_the_sizes_that_a_caption_states_are_those_of_its_run(name, size):
    if size == "full" and not (REFERENCE / size / f"{name}.txt").exists():
        pytest.skip(f"no caption of {name} at full size is kept")
    module = importlib.import_module(f"figures.{name}")
    options = common.Options(Path(), quick=size == "quick")
    expected, seen = STATED[name](module, options, table_of(name, size)), set()
    for field, form, text in filled(name, size):
        if field in expected:
            assert format(expected[field], form) == text, (field, text)
            seen.add(field)
    assert seen == set(expected)


def test_every_figure_with_sizes_is_compared():
    assert set(STATED) == set(NAMES) - {"ledger"}
