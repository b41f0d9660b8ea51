"""The plain notation of statements and derivations, read once and written as MathML for pages or as mathtext
for figures.

    x_l^T W_Q, z_{n,i}, V_+     indices: one run of letters and digits, one sign, or what stands in braces
    alpha, Omega, ell', grad    letters by name, primes; also sum_n, infinity, ->, <=, >=, ~, >~ and so on
    sqrt(d), (1/N) sum_n        roots; fractions: a/b takes the neighbours, a / b all factors on either side
    ||v||, |z|, <q,k>           norms, absolute values, products in angle brackets
    any other word              a word

Statements mix words and mathematics, and nothing marks where mathematics begins. So a word of two or more
letters is a word unless it stands in the tables below, is in capitals (a product of letters, as QK^T; those
of WORDS are words) or begins with d for a differential (dW, df_n).
"""

import html
import re
from itertools import takewhile

NAMES = "alpha beta gamma delta epsilon eta theta kappa lambda mu nu xi pi rho sigma tau phi chi psi omega"
GREEK = dict(zip(NAMES.split(), "α β γ δ ε η θ κ λ μ ν ξ π ρ σ τ φ χ ψ ω".split()))
LEAVES = {  # as it is typed: (kind, the character, its name in mathtext)
    **{name: ("letter", letter, f"\\{name} ") for name, letter in GREEK.items()},
    **{
        name: ("upright", letter, f"\\{name} ")
        for name, letter in zip("Gamma Delta Theta Lambda Pi Phi Psi Omega".split(), "ΓΔΘΛΠΦΨΩ")
    },
    "ell": ("letter", "ℓ", r"\ell "),
    "infinity": ("upright", "∞", r"\infty "),
    "grad": ("upright", "∇", r"\nabla "),
    "...": ("upright", "…", r"\ldots "),
    "..": ("upright", "…", r"\ldots "),
    "sum": ("sum", "∑", r"\sum "),
    "->": ("relation", "→", r"\rightarrow "),
    "<-": ("relation", "←", r"\leftarrow "),
    "<=": ("relation", "≤", r"\leq "),
    ">=": ("relation", "≥", r"\geq "),
    ">~": ("relation", "≳", r"\gtrsim "),
    "<~": ("relation", "≲", r"\lesssim "),
    "!=": ("relation", "≠", r"\neq "),
    "in": ("relation", "∈", r"\in "),  # among indices only
    "~": ("relation", "∼", r"\sim "),
    "=": ("relation", "=", "="),
    "<": ("relation", "<", "<"),
    ">": ("relation", ">", ">"),
    "+": ("sign", "+", "+"),
    "-": ("sign", "−", "-"),
    "+-": ("sign", "±", r"\pm "),
    "-+": ("sign", "∓", r"\mp "),
    **{mark: ("mark", mark, f"\\{mark}") for mark in "%$#&"},
    "*": ("sign", "·", r"\cdot "),
    **{
        name: ("upright", name, rf"\mathrm{{{name}}}")
        for name in "SNR GD log exp tr diag min max std polylog mod erf mean".split()
    },
}
PRODUCTS = {"nm", "cx"}  # products of small letters; others would be words
WORDS = (  # in capitals but for the last letter
    "If In As At No Is It On To So Of We By Or An Be II III HTML JSON CSV JAX CPU FILE LAW CC BY SA".split()
)
BRACKETS = {  # as it is typed: what closes it, and both sides as leaves
    "(": (")", ("open", "(", "("), ("close", ")", ")")),
    "[": ("]", ("open", "[", "["), ("close", "]", "]")),
    "{": ("}", ("open", "{", r"\{"), ("close", "}", r"\}")),
    "||": ("||", ("open", "‖", r"\Vert "), ("close", "‖", r"\Vert ")),
    "|": ("|", ("open", "|", "|"), ("close", "|", "|")),
    "<": (">", ("open", "⟨", r"\langle "), ("close", "⟩", r"\rangle ")),
}
LEAF_FORMS = {  # kind: as MathML, of the character; as mathtext, of its name there
    "letter": ("<mi>{}</mi>", "{1}"),
    "upright": ('<mi mathvariant="normal">{}</mi>', "{1}"),
    "number": ("<mn>{}</mn>", "{1}"),
    "text": ("<mtext>{}</mtext>", r"\mathrm{{{1}}}"),
    "relation": ("<mo>{}</mo>", "{{}}{1}"),
    "sign": ("<mo>{}</mo>", "{1}"),
    "mark": ("<mo>{}</mo>", "{1}"),
    "sum": ('<mo movablelimits="true">{}</mo>', "{1}"),
    "infix": ('<mo form="infix">{}</mo>', "{{}}{1}"),
    "open": ('<mo form="prefix" fence="true">{}</mo>', "{1}"),
    "close": ('<mo form="postfix" fence="true">{}</mo>', "{1}"),
    "space": ('<mspace width="0.2em"/>', r"\ "),
}
DISPLAY, MATHTEXT, INLINE = range(3)
ROW = ("<mrow>{}</mrow>", "{}", "<mrow>{}</mrow>")
FORMS = {  # kind of several parts: as MathML, as mathtext, as MathML within a line of words if that differs
    "group": ("<mrow>{}{}{}</mrow>", "{}{}{}"),
    "bare": ("{}", "({})", "<mrow><mo>(</mo>{}<mo>)</mo></mrow>"),  # a fraction makes the brackets needless
    "fraction": ("<mfrac>{}{}</mfrac>", "{}/{}", "<mrow>{}<mo>/</mo>{}</mrow>"),
    "root": ("<msqrt>{}</msqrt>", r"\sqrt{{{}}}"),
    "_": ("<msub>{}{}</msub>", "{}_{{{}}}"),
    "^": ("<msup>{}{}</msup>", "{}^{{{}}}"),
    "_^": ("<msubsup>{}{}{}</msubsup>", "{}_{{{}}}^{{{}}}"),
    "sum_": ("<munder>{}{}</munder>", "{}_{{{}}}"),
    "sum_^": ("<munderover>{}{}{}</munderover>", "{}_{{{}}}^{{{}}}"),
}
FACTORS = {"letter", "upright", "number", "sum", *FORMS}
SPELT = NAMES.replace(" ", "|")
HYPHENED = rf"(?!(?:{SPELT})-)[a-z]{{3,}}-[a-z]{{3,}}"
UNDERSCORED = rf"(?!(?:{SPELT}|ell|sum|grad)_)[a-z]{{2,}}(?:_[a-z]{{3,}})+"
TOKEN = re.compile(
    r"(?P<space>\s+)|(?P<number>\d+(?:\.\d+)?(?:e[+-]?\d+)?(?:x\d+)?)"
    rf"|(?P<text>[A-Z]\d(?!\w)|i\.i\.d\.|[A-Za-z]?[a-z]+'s\b|(?<=[Pp]hase )I+\b|{HYPHENED}|{UNDERSCORED})"
    r"|(?P<word>[A-Za-z]+)|(?P<mark>\.\.\.?|->|<-|<=|>=|>~|<~|!=|\+-|-\+|\|\||.)",
    re.DOTALL,
)
SCRIPT = re.compile(
    r"(?P<side>[_^])(?:(?P<bracket>[{(])|(?P<run>-\d+|[A-Za-z0-9]+|.))|(?P<prime>'+|\*(?!\w))"
)


class _Reader:
    """Reads plain notation into items: leaves (kind, character, name in mathtext) and (kind, items, ...)."""

    def __init__(self, text):
        self.text, self.at = text, 0

    def items(self, closing="", script=False):
        """The items up to `closing`, which is passed over, or to the end; None if `closing` does not come:
        the bracket that wants it is then an ordinary sign.
        """
        found = []
        while self.at < len(self.text) and not (closing and self.text.startswith(closing, self.at)):
            found.append(self.with_scripts(self.one(script, bool(found) and found[-1][0] in FACTORS)))
        if closing and self.at >= len(self.text):
            return None
        self.at += len(closing)
        return found if script else _with_fractions(found)

    def one(self, script, glued):
        """The next item, without its indices; glued: a factor stands before it without a space."""
        match = TOKEN.match(self.text, self.at)
        kind, typed, self.at = match.lastgroup, match[0], match.end()
        after = self.text[self.at : self.at + 1]
        if kind == "word":
            return self.word(typed, script)
        if typed in BRACKETS and not (typed == "<" and after in " "):
            closing, left, right = BRACKETS[typed]
            inner = self.items(closing)
            if inner is not None:
                needless = typed == "(" and not glued and [one[0] for one in inner] == ["fraction"]
                return ("bare", inner) if needless else ("group", [left], inner, [right])
            self.at = match.end()
        sizes = [typed.replace("x", times) if kind == "number" else typed for times in ("×", r"\times ")]
        kind, letter, name = LEAVES.get(typed, (kind, *sizes))
        return "infix" if kind == "sign" and (glued or after == " ") else kind, letter, name

    def word(self, word, script):
        """A letter by name, a letter, the first of several letters that are multiplied, or a word."""
        after = self.text[self.at :]
        mathematics = {  # where words of English are that
            "in": script, "sum": after[:1] == "_" or after[:2] == " (",
            "mean": re.match(r"\(| d?[a-z]\b", after),
        }  # fmt: skip
        if word in LEAVES and mathematics.get(word, True):
            return LEAVES[word]
        if word == "sqrt" and after.strip():
            self.at += len(after) - len(after.lstrip())
            inner = self.with_scripts(self.one(False, True))
            return "root", inner[2] if inner[0] == "group" else [inner]
        product = word in PRODUCTS or (word[:-1].isupper() and len(word) < 5 and word not in WORDS)
        whole = word[1:] in GREEK or word[1:].isupper() or (len(word) == 2 and word != "do")
        article = word == "a" and re.match(r" (?!in )[A-Za-z]{3,}", after)
        if product or (word[0] == "d" and whole) or len(word) < (3 if script else 2) and not article:
            self.at -= len(word) - 1
            return "letter", word[0], word[0]
        return "text", word, word

    def with_scripts(self, item):
        """The item with the indices, powers, primes and stars that follow it."""
        parts = {"_": [], "^": []}
        named = item[0] == "text" and re.match(r"_(\{|\w\b)", self.text[self.at :])  # label_b, not check_it
        while (item[0] in FACTORS or named) and (match := SCRIPT.match(self.text, self.at)):
            self.at = match.end()
            if match["prime"]:
                leaf = ("mark", "∗", "*") if match[0] == "*" else ("mark", "′", r"\prime ")
                parts["^"] += [leaf] * len(match[0])
            elif match["bracket"]:
                inner = self.items(BRACKETS[match["bracket"]][0], script=True)
                if inner is None:
                    self.at = match.start()
                    break
                parts[match["side"]] += inner
            else:
                parts[match["side"]] += _Reader(match["run"]).items(script=True)
        given = "".join(side for side in parts if parts[side])
        kind = "sum" * (item[0] == "sum" and given[:1] == "_") + given
        return (kind, [item], *(parts[side] for side in given)) if given else item


def _run_of_factors(items, spaces):
    """The factors with which the items begin; spaces: spaces between them are passed."""
    passed = {"space"} if spaces or (items and items[0][0].startswith("sum")) else set()
    run = list(takewhile(lambda one: one[0] in FACTORS or (one[0] in passed and len(one[1]) < 3), items))
    while run and run[-1][0] == "space":
        run.pop()
    return run


def _bare(side):
    """One side of a fraction, without the round brackets around all of it."""
    alone = len(side) == 1 and side[0][:2] == ("group", [BRACKETS["("][1]])
    return [("bare", side[0][2])] if alone else side


def _with_fractions(items):
    """The items with a/b and a / b made into fractions."""
    for at in [at for at, item in enumerate(items) if item[:2] == ("mark", "/")]:
        spaced = items[at - 1][0] == "space"  # then the slash takes all factors on either side
        above = _run_of_factors(items[: at - spaced][::-1], spaced)[::-1]
        below = _run_of_factors(items[at + 1 + spaced :], spaced)
        if above and below:
            front, rest = items[: at - spaced - len(above)], items[at + 1 + spaced + len(below) :]
            return _with_fractions([*front, ("fraction", _bare(above), _bare(below)), *rest])
    return items


def _written(items, form):
    """Items in one of the three forms."""
    found = []
    for k, (kind, *parts) in enumerate(items):
        beside = {other[0] for other in items[max(k - 1, 0) : k + 2]}
        if kind != "space" or beside <= FACTORS | {"space", "text"}:  # operators and commas bring theirs
            forms = LEAF_FORMS.get(kind) or FORMS[kind]
            inner = (
                [_written(part, form) for part in parts]
                if kind in FORMS
                else [html.escape(parts[0]), parts[1]]
            )
            found.append((*forms, forms[0])[form].format(*inner))
    return found[0] if len(found) == 1 else ROW[form].format("".join(found))


def _opened(items):
    """The items; brackets that hold words are opened, so that a line may break in them."""
    for item in items:
        if item[0] == "group" and any(one[0] == "text" for one in item[2]):
            yield from [("text", *item[1][0][1:]), *_opened(item[2]), ("text", *item[3][0][1:])]
        else:
            yield item


def _pieces(text):
    """The notation cut where a line may break: [words, items, width of the space before] each.

    A piece is one word with its comma, or mathematics up to a comma, a full stop, a relation or a sum's next
    term.
    """
    found, space, cut = [], 0, True
    for item in _opened(_Reader(text).items()):
        if item[0] == "space":
            space = len(item[1])
            cut |= bool(found) and found[-1][1][-1][1] == "."  # of a sentence, not of .01
            continue
        words, mark = item[0] == "text", item[0] == "mark"
        new = cut or words or space > 2 or (space and item[0] in ("relation", "infix"))
        if not found or (new and not (mark and not space)):
            found.append([words or mark, [item], space])
        else:
            found[-1][1] += [("space", " ", " ")] * (space > 0) + [item]
            found[-1][0] &= words or mark
        cut, space = words or (mark and item[1] in ",;:"), 0
    return found


def mathml(text: str, display: bool = False) -> str:
    """Plain notation as HTML: words as text, mathematics as <math> elements between which a line may break.

    display: sums with what they run over below them. What is no notation comes out as it is; raises nothing.
    """
    style, form, found = ' displaystyle="true"' * display, DISPLAY if display else INLINE, []
    for words, items, space in _pieces(text):
        plain = html.escape("".join(item[1] for item in items), quote=False) if words else ""
        own_space = found and not words and items[0][0] in ("relation", "infix")
        found.append('<span class="gap"> </span>' if space > 2 else ("<wbr>" if own_space else " ") * space)
        found.append(plain or f"<math{style}>{_written(items, form)}</math>")
    return "".join(found)


def mathtext(text: str, width: int = 0) -> str:
    """Plain notation for matplotlib, each piece of mathematics between dollar signs; complete, whatever its
    length. width: lines of about so many characters, broken where a line may break (0: one line).
    """
    lines, length = [""], 0
    for words, items, space in _pieces(text):
        formula = _written(items, INLINE).replace(LEAF_FORMS["space"][0], " ")
        plain = "".join(item[1] for item in items) if words else re.sub("<.*?>", "", formula)
        if width and space and length + len(plain) > width:
            lines, length, space = [*lines, ""], 0, 0
        lines[-1] += " " * space + (plain.replace("$", r"\$") if words else f"${_written(items, MATHTEXT)}$")
        length += space + len(plain)
    return "\n".join(lines)


def prose(text: str) -> str:
    """Prose as HTML, its mathematics between dollar signs."""
    held = re.sub(r"\$([^$]*)\$([.,;:]+)", r"$\1\2$", " ".join(text.split()))  # no line begins with a comma
    parts = held.split("$")
    return "".join(mathml(part) if k % 2 else html.escape(part, quote=False) for k, part in enumerate(parts))
