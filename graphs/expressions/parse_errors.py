"""What is wrong with a text that the parser refused, in words, and what to write instead."""

from __future__ import annotations

import re
import unicodedata

from .syntax import ParseProblem

OPERAND = "a name, a number, a call or a bracket"

INSTEAD = {
    "×": "*",
    "·": "*",
    "⋅": "*",
    "∗": "*",
    "−": "-",
    "–": "-",
    "÷": "/",
    "²": "^2",
    "³": "^3",
    "≤": "<=",
    "≥": ">=",
    "≠": "!=",
    "′": "'",
    "’": "'",
    "\u00a0": " ",
}

FORMS = {
    "statement": "x = E, dx/dt = E, tau * dx/dt = E, x := E, x += E or x -= E",
    "learn": "W, or W; y.mu; y.var, C (semicolons: one after another; commas: at once)",
    "order": "simultaneous, k = a..b, or names with commas between",
    "family": "name, name[k=a..b] or name[e]",
    "signature": "f, f(x) or f(x, y)",
    "record": "WHAT [for k = a..b] [in PHASE] [every n [presentations]] [mean | norm]",
    "reference": "name, name[k], name.variable or population.compartment.port",
}

WORDS = {"and": "(a) * (b)", "or": "max(a, b)", "not": "1 - a", "if": "(condition) * value"}

_STRANGE = re.compile(r"[^A-Za-z0-9_ \n+\-*/^|<>=!()\[\],;.@':]")
_COMMA_IN_GROUP = re.compile(r"(?<![\w'])\([^()]*,")
_QUOTED = re.compile(r'"[^"\n]*"')
_WORD = re.compile(r"[A-Za-z_]\w*")


def shown(character: str) -> str:
    """A character as it can stand in a message."""
    return f"`{character}`" if character.isprintable() else f"U+{ord(character):04X}"


# what other languages have, and what says it here
WAYS = {
    "%": "`x - n*floor(x/n)` for the remainder of x/n",
    "&": "`(a) * (b)`: both hold",
    "~": "`1 - a`: a does not hold",
    "?": "`where(condition, a, b)`",
    "{": "lists go under `parameters`, one entry below the other or in [ ]",
    "\\": "`/`, division",
}


def without_quoted(text: str) -> str:
    """A text of the same length with a name in place of each text in quotation marks."""
    return _QUOTED.sub(lambda found: "_" * len(found.group()), text)


def check_characters(text: str) -> None:
    """Refuse the first character that no text of the language contains."""
    found = _STRANGE.search(text)
    if found is None:
        return
    character, at = found.group(), found.start()
    instead = INSTEAD.get(character)
    if instead is None and character.isalpha() and "GREEK" in unicodedata.name(character, ""):
        instead = unicodedata.name(character).split(" LETTER ")[-1].lower().split(" ")[0]
    if character == '"':
        message = 'this `"` is never closed'
    elif character.isalpha():
        message = f"names are made of the letters a to z, digits and _, not {shown(character)}"
    else:
        message = f"{shown(character)} is not part of the language"
    suggestion = None
    if instead is not None:
        suggestion = "".join(INSTEAD.get(c, instead if c == character else c) for c in text)
    expected = WAYS.get(character) if instead is None else f"`{instead}`"
    raise ParseProblem(at, message, expected, suggestion)


def check_brackets(text: str, most: int) -> None:
    """Refuse brackets that do not match, or that stand too deep; the offset is the bracket's."""
    partner = {")": "(", "]": "["}
    closing = {"(": ")", "[": "]"}
    open_at: list[int] = []
    for at, character in enumerate(text):
        if character in closing:
            open_at.append(at)
            if len(open_at) > most:
                raise ParseProblem(at, f"more than {most} nested brackets")
        elif character in partner:
            if not open_at:
                raise ParseProblem(at, f"this `{character}` closes no bracket")
            opened = text[open_at.pop()]
            if opened != partner[character]:
                message = f"this `{character}` closes a `{opened}`"
                raise ParseProblem(at, message, f"`{closing[opened]}`")
    if open_at:
        opened = text[open_at[-1]]
        message = f"this `{opened}` is never closed"
        fixed = text + "".join(closing[text[i]] for i in reversed(open_at))
        raise ParseProblem(
            open_at[-1],
            message,
            f"a `{closing[opened]}` further right",
            None if _COMMA_IN_GROUP.search(fixed) else fixed,
        )


def explain(text: str, offset: int, expected: set[str], start: str) -> ParseProblem:
    """The problem with what stands at `offset`, where the parser wanted one of `expected`.

    An empty set says that the form was complete before `offset`.
    """
    rest = text[offset:]
    if not text.strip():
        return ParseProblem(0, "there is nothing here", FORMS.get(start, "an expression"))
    if "NAME" in expected and "NUMBER" in expected:
        return operand_missing(text, offset, rest)
    if expected == {"NAME"}:
        return ParseProblem(offset, f"a name is missing before {first(rest)}", "a name")
    return operand_too_many(text, offset, rest, expected, start)


def first(rest: str) -> str:
    """What stands first in a text, for a message."""
    word = _WORD.match(rest)
    if not rest:
        return "the end"
    return f"`{word.group()[:40]}`" if word else shown(rest[0])


def operand_missing(text: str, offset: int, rest: str) -> ParseProblem:
    """An operator, a bracket or the end stands where a value should."""
    before = text[:offset].rstrip()
    if rest.startswith("*") and before.endswith("*"):
        message = "a power is written ^"
        return ParseProblem(len(before) - 1, message, "`^`", text.replace("**", "^"))
    if rest.startswith("+"):
        return ParseProblem(offset, "a value needs no + before it", OPERAND)
    if rest.startswith("=") and before.endswith("="):
        return ParseProblem(offset, "`==` compares; it assigns nothing", "`=`")
    if rest.startswith("=") and before.endswith(("<", ">")):
        return ParseProblem(offset, "a comparison is written without spaces", "`<=` or `>=`")
    if single := re.match(r"'([^'\"]*)'", rest):
        fixed = f'{text[:offset]}"{single[1]}"{rest[single.end() :]}'
        message = "a text stands in double quotation marks"
        return ParseProblem(offset, message, '`"W.npz"`', fixed)
    if not rest:
        last = re.search(r"\w+$|.$", before)
        at = last.start() if last else 0
        return ParseProblem(at, f"the expression ends after {first(before[at:])}", OPERAND)
    return ParseProblem(offset, f"a value is missing before {first(rest)}", OPERAND)


def operand_too_many(
    text: str, offset: int, rest: str, expected: set[str], start: str
) -> ParseProblem:
    """Something stands where an operator, or the end of the form, should."""
    form = FORMS.get(start, "an operator")
    if product := re.search(r"\w\s+@\s+\w", text[:offset]):
        return ParseProblem(
            product.start() + product.group().index("@"),
            "`x@p` is x at the end of phase p; a product with weights is what a synapse brings",
            "`input`, and a synapse `from: population.variable`, `to: population.compartment`",
        )
    word = _WORD.match(rest)
    if word and word.group() in WORDS:
        return ParseProblem(
            offset, f"`{word.group()}` is not part of the language", f"`{WORDS[word.group()]}`"
        )
    if start == "statement" and "ASSIGN" in expected and not rest:
        equal = text.find("==")
        if equal >= 0:
            fixed = text[:equal] + "=" + text[equal + 2 :]
            return ParseProblem(equal, "`==` compares; it assigns nothing", "`=`", fixed)
        return ParseProblem(0, "this is no statement: nothing is assigned", form)
    if word and word.group() == "for":
        return ParseProblem(offset, "`for` repeats whole statements, and there is none here", form)
    if start == "family" and rest.startswith(".."):
        at = text.find("[") + 1
        message = "the index of a family needs a name"
        return ParseProblem(at, message, form, f"{text[:at]}k={text[at:]}")
    for begins, problem in TOO_MANY:
        if rest.startswith(begins):
            return problem(text, offset, expected, form)
    if text[:offset].rstrip().endswith("'"):
        return ParseProblem(text.rindex("'", 0, offset), "a prime needs a call: f'(x)", "`f'(x)`")
    if "BAR" in expected and text.count("|") % 2:
        return ParseProblem(text.index("|"), "this `|` is never closed", "a second `|`")
    if not rest:
        return ParseProblem(len(text.rstrip()), "the text is incomplete", form)
    if (word or rest[0].isdigit() or rest[0] == "(") and "STAR" in expected:
        message = f"an operator is missing before {first(rest)}"
        suggestion = f"{text[:offset].rstrip()} * {rest}"
        return ParseProblem(offset, message, "an operator", suggestion)
    return ParseProblem(offset, f"{first(rest)} is not possible here", form)


def _equal(text: str, offset: int, expected: set[str], form: str) -> ParseProblem:
    named = re.search(r"[(,]\s*([A-Za-z_]\w*)\s*$", text[:offset])
    if form == "an operator" and named:
        message = f"arguments are known by their order: `{named[1]}` is not named"
        suggestion = text[: named.start(1)] + text[offset + 1 :].lstrip()
        return ParseProblem(offset, message, "an expression", suggestion)
    if form == "an operator":
        message = "`=` assigns, and nothing can be assigned here; to compare, write =="
        suggestion = text[:offset] + "==" + text[offset + 1 :]
        return ParseProblem(offset, message, "an expression", suggestion)
    return ParseProblem(offset, "one statement has a second `=`", form)


def _colon(text: str, offset: int, expected: set[str], form: str) -> ParseProblem:
    wrong = re.match(r":\s+=", text[offset:])
    if wrong:
        fixed = text[:offset] + ":=" + text[offset + wrong.end() :]
        return ParseProblem(offset, "`:=` is written without a space", "`:=`", fixed)
    if text[offset : offset + 2] == ":=":
        message = "`:=` assigns, and nothing can be assigned here"
        return ParseProblem(offset, message, form)
    return ParseProblem(offset, "a colon is not possible here", form)


def _comparison(text: str, offset: int, expected: set[str], form: str) -> ParseProblem:
    message = "comparisons do not chain"
    return ParseProblem(offset, message, "`(a < b) * (b < c)`")


def _dots(text: str, offset: int, expected: set[str], form: str) -> ParseProblem:
    message = "a range is possible only inside an index or after `for`"
    return ParseProblem(offset, message, "`sum(layer[a..b].e)` or `... for k = a..b`")


def _index(text: str, offset: int, expected: set[str], form: str) -> ParseProblem:
    message = "an index comes right after the first name, once"
    return ParseProblem(offset, message, "`layer[k].x`")


def _update(text: str, offset: int, expected: set[str], form: str) -> ParseProblem:
    message = f"`{text[offset : offset + 2]}` assigns, and nothing can be assigned here"
    return ParseProblem(offset, message, form)


TOO_MANY = (
    ("==", _comparison),
    ("=", _equal),
    (":", _colon),
    ("<", _comparison),
    (">", _comparison),
    ("!=", _comparison),
    ("..", _dots),
    ("[", _index),
    ("+=", _update),
    ("-=", _update),
)
