"""The plain notation: every statement and equation comes out whole, as MathML and as mathtext, and no page
keeps the words by which a terminal writes mathematics.
"""

import re
import xml.etree.ElementTree as tree

import pytest
from matplotlib.mathtext import MathTextParser

from benign_ref.audit import command, render
from benign_ref.audit.core import Entry
from benign_ref.teach import derive
from benign_ref.teach.notation import mathml, mathtext, prose

PARSER = MathTextParser("path")
STATEMENTS = {label: row.statement for label, row in command.statements().items()}
NAMES = "sqrt|infinity|grad|ell|sum|alpha|eta|epsilon|phi|Phi|beta|sigma|xi|mu|theta|chi|Pi|Gamma|Omega|Theta"
TYPED = rf"sqrt|infinity|->|<-|<=|>=|>~|<~|\|\||[_^]|\b(?!sum\b)(?:{NAMES})\b"


def seen(page, tags=""):
    """What a reader sees: no tags, no style, no source excerpts, no file names."""
    page = re.sub(r"<(style|pre|code|title)\b.*?</\1>", "", page, flags=re.DOTALL)
    words = re.sub(r"<[^>]*>", tags, page)
    for typed, sign in (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&"), ("&#x27;", "'"), ("&quot;", '"')):
        words = words.replace(typed, sign)
    return re.sub(r"\S*\w\.py\S*", "", words)


def parsed(html):
    return tree.fromstring("<p>" + html.replace("<wbr>", "<wbr/>") + "</p>")


def characters(text):
    """Letters and digits of a notation as they should appear, in any order."""
    return sorted(re.sub(r"\W|_", "", text))


@pytest.mark.parametrize(
    "typed, parts",
    [
        ("x_l^T", ["<msubsup><mi>x</mi><mi>l</mi><mi>T</mi></msubsup>"]),
        ("mu_+", ["<msub><mi>μ</mi><mo>+</mo></msub>"]),
        ("z_{n,i}", ["<msub><mi>z</mi><mrow><mi>n</mi><mo>,</mo><mi>i</mi></mrow></msub>"]),
        ("grad_{W_Q} L", ["<msub><mi>W</mi><mi>Q</mi></msub></msub>", "∇"]),
        ("ell'_n", ["<msubsup><mi>ℓ</mi><mi>n</mi><mo>′</mo></msubsup>"]),
        ("sqrt(nm)", ["<msqrt><mrow><mi>n</mi><mi>m</mi></mrow></msqrt>"]),
        ("A / sqrt n", ["<msqrt><mi>n</mi></msqrt></mfrac>"]),
        ("(1/NM) sum_n g_n", ["<mfrac><mn>1</mn><mrow><mi>N</mi><mi>M</mi></mrow></mfrac>", "<munder>"]),
        ("e^{p_j} / sum_i e^{p_i}", ["<mfrac><msup>", "<munder>"]),
        ("Theta(1/(eta ||mu||^2))", ["<mfrac><mn>1</mn><mrow><mi>η</mi>", "‖", 'normal">Θ']),
        ("-1/(1 + e^z)", ["<mo>−</mo><mfrac><mn>1</mn><mrow><mn>1</mn>"]),
        ("<q_a,k_b> >= 0", ["⟨", "⟩", "<mo>≥</mo>"]),
        ("d -> infinity", ["→", "∞"]),
        ("X <- X - eta GBW", ["←", "<mi>G</mi><mi>B</mi><mi>W</mi>"]),
        ("sum_{n in S_+} |S_+|", ["∈", '<mo form="prefix" fence="true">|</mo>']),
        ("d phi_j / d p_i", ["<mfrac><mrow><mi>d</mi>"]),
        ("S* V_s", ["<msup><mi>S</mi><mo>∗</mo></msup>"]),
        ("f_test", ["<mtext>test</mtext>"]),
        ("3x3", ["3×3"]),
        ("sum (v - mean)^2", ["∑", "<mtext>mean</mtext>"]),
        ("b -+ t_(n-2)", ["∓"]),
        ("N^-1 d^{-1/4}", ["<msup><mi>N</mi><mrow><mo>−</mo><mn>1</mn></mrow></msup>"]),
        ("Phase II: V", ["Phase II: "]),
        ("phi(z)[label_b]", ["<msub><mtext>label</mtext><mi>b</mi></msub>"]),
        ("z = u / r       (d)", ["<mfrac><mi>u</mi><mi>r</mi></mfrac></mrow></math>", "gap"]),
        ("dx = dy mean(z)", ["<mi>d</mi><mi>x</mi>", "mean"]),
        (
            "Speed. (a) Time of X. Then",
            ["Speed. <math", "</math> Time of <math", ".</mo></mrow></math> Then"],
        ),
        ("2 at .01", ["<mo>.</mo><mn>01</mn>"]),
        ("alpha-beta", ["<mi>α</mi>", "<mi>β</mi>"]),
    ],
)
def test_what_is_typed_is_read(typed, parts):
    html = mathml(typed, display=True)
    parsed(html)
    assert all(part in html for part in parts), html


@pytest.mark.parametrize(
    "typed",
    [
        "a step changes",
        "by permuting tokens, by",
        "check_gradient of model.py",
        "a run's losses",
        "i.i.d.",
        "multi-head attention",
        "at most max_steps in all",
        "the geometric mean over",
        "In phases II and III",
        "HTML, Markdown, JSON, picture",
        "JAX on a CPU",
        "Student's law. Attention's gradients",
        "value_and_grad of jax.numpy",
    ],
)
def test_words_stay_words(typed):
    assert mathml(typed) == typed.replace("'", "'") and mathtext(typed) == typed


@pytest.mark.parametrize(
    "typed", ["(1/M", "a) b", "||v|", "<a, b", "x_", "f^", "", "$5", "[0, 1)", "e^{-z", "{", "f, sqrt "]
)
def test_what_is_no_notation_comes_out_as_it_is_and_raises_nothing(typed):
    parsed(mathml(typed))
    assert characters(seen(mathml(typed))) == characters(typed) and mathtext(typed) is not None


@pytest.mark.parametrize("label", STATEMENTS)
def test_every_statement_is_complete_in_both_forms(label):
    text = STATEMENTS[label]
    names = rf"\b(?:{NAMES})(?![a-z])"
    words = re.sub("[ηεφΦβσξμθχπΠΓΩΘℓα×]", "", seen(mathml(text)))
    assert characters(words) == characters(re.sub(rf"{names}|(?<=\d)x(?=\d)", "", text))
    lines = mathtext(text, 60)
    assert (
        lines.replace("\n", "").replace(" ", "") == mathtext(text).replace(" ", "") and "\n" in lines + "\n"
    )
    for line in lines.split("\n"):
        PARSER.parse(line)
        assert len(re.sub(r"\\[A-Za-z]+|[{}^_$\\ ]", "", line)) <= 90


def test_no_page_keeps_what_a_terminal_types():
    pages = {name: derive.walk_as_html(name, 0, walk.steps(0)) for name, walk in derive.TARGETS.items()}
    entries = [Entry(row, (), "", 0.0) for row in command.statements().values()]
    pages["ledger"] = render.as_html(entries, "ledger")
    for name, page in pages.items():
        words = re.sub("[a-z]{2,}_[a-z]{3,}", "", seen(page, tags="\u200b"))  # names of arguments stay
        found = [words[max(m.start() - 40, 0) : m.end() + 20] for m in re.finditer(TYPED, words)]
        assert not found, (name, found[:3])
        assert "<math" in page and "prefers-color-scheme" in page and "width=device-width" in page
        assert not re.search(r"(?:src|href)=\"(?!#)|@import|url\(", page)  # no request to anywhere


def test_prose_keeps_its_words_and_reads_what_stands_between_dollars():
    assert prose("the $n$-th of\n  <two>") == "the <math><mi>n</mi></math>-th of &lt;two&gt;"
    assert prose("at $n$.") == "at <math><mrow><mi>n</mi><mo>.</mo></mrow></math>"
