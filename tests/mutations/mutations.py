"""Mutations: small mistakes in shipped files, of known kinds, at known lines."""

from __future__ import annotations

import re
from dataclasses import dataclass

from apical.graphs.reading.keys import SYNAPSE

DECLARED = (
    "compartment misspelt", "protocol misspelt", "synapse of a variant", "phase of a variant",
    "parameter misspelt", "function misspelt", "cell misspelt", "stream misspelt",
    "left side of a variant",
)  # fmt: skip
NAME = re.compile(r"[A-Za-z_]\w*")
SECTIONS_OF_NAMES = ("cells", "populations", "synapses", "protocols", "variants")


@dataclass(frozen=True)
class Line:
    """A line that says something: number from 0, the keys above it, its own key and value."""

    number: int
    indent: str
    path: tuple[str, ...]
    key: str | None
    value: str  # without comment
    item: bool = False

    @property
    def head(self) -> str:
        """What stands before the value."""
        dash = "- " if self.item else ""
        return f"{self.indent}{dash}" + (f"{self.key}: " if self.key is not None else "")

    @property
    def section(self) -> str:
        """The section, also inside a variant."""
        full = self.full
        return full[0] if full else ""

    @property
    def full(self) -> tuple[str, ...]:
        """The path with the own key, without `variants` and the name of the variant."""
        path = (*self.path, self.key) if self.key is not None else self.path
        return path[2:] if path[:1] == ("variants",) else path

    @property
    def variant(self) -> str | None:
        """The variant that the line belongs to."""
        return self.path[1] if self.path[:1] == ("variants",) and len(self.path) > 1 else None


@dataclass(frozen=True)
class Mutation:
    """A wrong text; the mistake may be told on `lines` (from 1); `right` is what to write."""

    kind: str
    file: str
    variant: str | None
    text: str
    lines: tuple[int, ...]
    wrong: str
    right: str | None = None


def lines_of(text: str) -> list[Line]:
    """The lines of a file that say something, with the keys they stand under."""
    found: list[Line] = []
    stack: list[tuple[int, str]] = []
    for number, raw in enumerate(text.splitlines()):
        bare = re.sub(r"(^|\s+)#.*$", "", raw)
        if not bare.strip():
            continue
        indent = len(bare) - len(bare.lstrip())
        while stack and stack[-1][0] >= indent:
            stack.pop()
        path = tuple(key for _, key in stack)
        body = bare.strip()
        if body.startswith("- "):
            found.append(Line(number, " " * indent, path, None, body[2:].strip(), item=True))
            continue
        key, _, value = body.partition(": ")
        key = key.removesuffix(":") if not value else key
        found.append(Line(number, " " * indent, path, key, value.strip()))
        stack.append((indent, key))
    return found


def misspelt(rng, name: str, known: set[str]) -> str | None:
    """A name with one letter doubled, missing or swapped, that is no other known name."""
    for _ in range(20):
        at = rng.randrange(len(name))
        made = rng.choice(
            [
                name[:at] + name[at] + name[at:],
                name[:at] + name[at + 1 :],
                name[:at] + name[at + 1 : at + 2] + name[at] + name[at + 2 :],
            ]
        )
        if made != name and made not in known and NAME.fullmatch(made):
            return made
    return None


class Mutator:
    """Mutations of one file."""

    def __init__(self, rng, file: str, text: str):
        self.rng, self.file, self.text = rng, file, text
        self.raw = text.splitlines()
        self.lines = lines_of(text)
        self.names = set(NAME.findall(text))

    # --- making ---

    def made(self, kind, line, new, right=None, lines=None, wrong=None):
        """A mutation that puts `new` (None: nothing, a list: several) in the place of a line."""
        raw = list(self.raw)
        put = [] if new is None else new if isinstance(new, list) else [new]
        raw[line.number : line.number + 1] = put
        told = lines or (line.number + 1,)
        shown = wrong if wrong is not None else (put[0].strip() if put else "(nothing)")
        return Mutation(kind, self.file, line.variant, "\n".join(raw) + "\n", told, shown, right)

    def pick(self, test):
        found = [line for line in self.lines if test(line)]
        return self.rng.choice(found) if found else None

    def with_value(self, kind, line, value, right=None):
        return self.made(kind, line, line.head + value, right)

    def replaced(self, kind, test, pattern, new, right=None):
        """The first match of a pattern in a value, replaced; `right` None: the old line."""
        line = self.pick(lambda x: test(x) and re.search(pattern, x.value))
        if line is None:
            return None
        value = re.sub(pattern, new, line.value, count=1)
        return self.with_value(kind, line, value, right if right is not None else line.value)

    # --- kinds: names ---

    def key_misspelt(self):
        """`sise: 3`"""
        line = self.pick(lambda x: x.key is not None and _is_word(x) and len(x.key) > 2)
        made = misspelt(self.rng, line.key, self.names) if line else None
        if made is None:
            return None
        new = self.raw[line.number].replace(line.key, made, 1)
        return self.made("key misspelt", line, new, right=line.key, wrong=made)

    def name_in_expression(self):
        line = self.pick(lambda x: _is_equation(x) and _read_names(x))
        if line is None:
            return None
        return self._name("name in an equation", line, _read_names(line))

    def name_in_rule(self):
        line = self.pick(lambda x: x.full[-1:] == ("rule",) and _read_names(x))
        return line and self._name("name in a rule", line, _read_names(line))

    def population_in_synapse(self):
        line = self.pick(lambda x: x.section == "synapses" and x.key in ("from", "to"))
        return line and self._name("population of a synapse", line, [NAME.match(line.value)])

    def variable_in_from(self):
        line = self.pick(lambda x: x.section == "synapses" and x.key == "from")
        return line and self._name(
            "variable of a synapse", line, [list(NAME.finditer(line.value))[-1]]
        )

    def compartment_in_to(self):
        line = self.pick(lambda x: x.section == "synapses" and x.key == "to" and "." in x.value)
        if line is None:
            return None
        start = re.search(r"\.([A-Za-z_]\w*)", line.value).start(1)
        return self._name("compartment of a synapse", line, [NAME.match(line.value, start)])

    def cell_of_population(self):
        line = self.pick(lambda x: x.section == "populations" and x.key == "cell")
        return line and self._name("cell of a population", line, [NAME.match(line.value)])

    def function_misspelt(self):
        line = self.pick(lambda x: re.search(r"[a-z]{3,}\(", x.value) and _is_equation(x))
        if line is None:
            return None
        return self._name("function", line, list(re.finditer(r"[a-z]{3,}(?=\()", line.value)))

    def learn_misspelt(self):
        words = ("learn", "learn_each_step")
        test = lambda x: x.section == "protocols" and x.key in words and x.value != "null"  # noqa: E731
        line = self.pick(test)
        return line and self._name("name in learn", line, [NAME.match(line.value)])

    def phase_misspelt(self):
        line = self.pick(lambda x: re.search(r"@[a-z]{3,}", x.value))
        return line and self._name(
            "phase after @", line, list(re.finditer(r"(?<=@)[a-z]+", line.value))
        )

    def parameter_in_protocol(self):
        line = self.pick(
            lambda x: x.section == "protocols" and x.key in ("steps", "dt", "for", "set")
        )
        found = line and [m for m in NAME.finditer(line.value) if len(m.group()) > 1]
        return found and self._name("parameter in a protocol", line, found)

    def word_misspelt(self):
        """`connect: one_to_on`"""
        line = self.pick(lambda x: x.key in ("connect", "method", "batch", "optimizer"))
        return line and self._name("word", line, [NAME.match(line.value)])

    def extra_argument(self):
        return self.replaced(
            "argument too many", _is_equation, r"\b(tanh|relu|exp|sign|f|phi)\((\w+)\)",
            r"\1(\2, \2, \2, \2)", "",
        )  # fmt: skip

    def member_out_of_range(self):
        line = self.pick(
            lambda x: x.section == "synapses" and re.search(r"\[k(-1|\+1)?\]", x.value)
        )
        if line is None or line.key not in ("from", "to"):
            return None
        value = re.sub(r"\[k(-1|\+1)?\]", "[k+70]", line.value, count=1)
        return self.with_value("member that is not there", line, value)

    def _name(self, kind, line, matches):
        matches = [m for m in matches if m is not None]
        if not matches:
            return None
        match = self.rng.choice(matches)
        made = misspelt(self.rng, match.group(), self.names | WORDS)
        if made is None:
            return None
        value = line.value[: match.start()] + made + line.value[match.end() :]
        # Of one letter, any other name is as near.
        right = match.group() if len(match.group()) > 2 else None
        return self.made(kind, line, line.head + value, right, wrong=f"{made}   in   {value}")

    # --- kinds: names that are declared ---

    def _declared(self, kind, test):
        """A key that names something, misspelt where it is declared."""
        line = self.pick(lambda x: x.key is not None and test(x) and len(_base(x.key)) > 1)
        base = _base(line.key) if line else ""
        made = misspelt(self.rng, base, self.names | WORDS) if line else None
        if made is None:
            return None
        new = self.raw[line.number].replace(base, made, 1)
        return self.made(kind, line, new, right=base, wrong=made)

    def compartment_misspelt(self):
        words = ("is", "slow", "domain", "rules", "after_step")
        test = lambda x: x.section == "cells" and len(x.full) == 3 and x.key not in words  # noqa: E731
        return self._declared("compartment misspelt", test)

    def standard_protocol_misspelt(self):
        test = lambda x: x.full == ("protocols", x.key) and x.key in ("train", "predict")  # noqa: E731
        return self._declared("protocol misspelt", test)

    def synapse_of_a_variant_misspelt(self):
        base = {x.key for x in self.lines if x.path == ("synapses",)}
        test = lambda x: x.variant is not None and x.section == "synapses" and x.key in base  # noqa: E731
        return self._declared("synapse of a variant", test)

    def phase_of_a_variant_misspelt(self):
        base = {x.full for x in self.lines if x.variant is None and len(x.full) == 3}
        test = lambda x: x.variant is not None and x.section == "protocols" and x.full in base  # noqa: E731
        return self._declared("phase of a variant", test)

    def parameter_declared_misspelt(self):
        test = lambda x: x.section == "parameters" and len(x.full) == 2  # noqa: E731
        return self._declared("parameter misspelt", test)

    def function_declared_misspelt(self):
        test = lambda x: x.section == "functions" and len(x.full) == 2  # noqa: E731
        return self._declared("function misspelt", test)

    def cell_declared_misspelt(self):
        test = lambda x: x.section == "cells" and len(x.full) == 2  # noqa: E731
        return self._declared("cell misspelt", test)

    def stream_declared_misspelt(self):
        test = lambda x: x.section in ("data", "predicts") and len(x.full) == 2  # noqa: E731
        return self._declared("stream misspelt", test)

    def left_side_of_a_variant(self):
        """`qx = a` for `q = a`"""
        pattern = re.compile(r"^(?:.*\bd)?([A-Za-z_]\w*?)(?:/dt)? = ")
        line = self.pick(
            lambda x: (
                x.variant is not None
                and x.section == "cells"
                and _is_equation(x)
                and pattern.match(x.value)
            )
        )
        if line is None:
            return None
        match = pattern.match(line.value)
        made = match.group(1) + self.rng.choice("xyz")
        if made in self.names:
            return None
        value = line.value[: match.start(1)] + made + line.value[match.end(1) :]
        return self.made(
            "left side of a variant", line, line.head + value, match.group(1), wrong=made
        )

    # --- kinds: numbers that cannot be, lines that are lost ---

    def impossible_number(self):
        line = self.pick(lambda x: x.key in ("dt", "for", "size") and len(x.full) >= 3)
        return line and self.with_value(
            "number that cannot be", line, self.rng.choice(["0", "-1", "-0.1"])
        )

    def impossible_time_constant(self):
        line = self.pick(lambda x: x.section == "cells" and re.match(r"\w+ \* d\w+/dt", x.value))
        new = line and self.rng.choice(["0", "-1", "(-2)"]) + line.value[line.value.index(" *") :]
        return line and self.with_value("time constant that cannot be", line, new)

    def weight_lost(self):
        line = self.pick(
            lambda x: x.section == "synapses" and x.key in ("weight", "init") and x.variant is None
        )
        if line is None:
            return None
        others = [x for x in self.lines if x.path == line.path and x.key in ("rule", "connect")]
        if others:
            return None  # a plastic weight, or one of 1, has a start without
        parent = max(
            (x for x in self.lines if x.number < line.number and x.key == line.path[-1]),
            key=lambda x: x.number,
        )
        return self.made(
            "weight lost", line, None, lines=(parent.number + 1,), wrong=f"no {line.key}"
        )

    # --- kinds: expressions ---

    def bracket_open(self):
        """The last one; where one in the middle belongs, nobody can tell."""
        return self.replaced("bracket not closed", _is_equation, r"\)$", "")

    def bracket_more(self):
        line = self.pick(lambda x: _is_equation(x) and not x.value.startswith("["))
        return line and self.with_value("bracket too many", line, line.value + ")")

    def operator_twice(self):
        return self.replaced("operator twice", _is_equation, r"(?<= )([*/])(?= )", r"\1 \1", "")

    def operand_missing(self):
        line = self.pick(_is_equation)
        return line and self.with_value("operand missing", line, line.value + " *")

    def operator_missing(self):
        return self.replaced("operator missing", _is_equation, r"(\w) \* (\w)", r"\1 \2")

    def power(self):
        return self.replaced("** for ^", _is_equation_or_energy, r"\^", "**")

    def unicode_operator(self):
        new = self.rng.choice(["·", "×"])
        return self.replaced("· for *", _is_equation, r" ?\* ?", f" {new} ")

    def unicode_minus(self):
        return self.replaced("− for -", _is_equation, r"(?<= )-(?= )", "−")

    def greek(self):
        return self.replaced("Greek letter", _is_equation, r"\btau\b", "τ")

    def prime_without_call(self):
        return self.replaced(
            "prime without a call", _is_equation, r"(\b[a-z]')\((\w+)\)", r"\1*\2", ""
        )

    def equal_for_assign(self):
        test = lambda x: x.full[-1:] in (("begin",), ("after_step",))  # noqa: E731
        return self.replaced("= for :=", test, r":=", "=")

    def assign_for_equal(self):
        test = lambda x: x.full[-1:] == ("clamp",)  # noqa: E731
        return self.replaced(":= for =", test, r" = ", " := ")

    def rule_as_equation(self):
        test = lambda x: x.full[-1:] == ("rule",)  # noqa: E731
        return self.replaced("w = in a rule", test, r"\+=", "=", "")

    def compare_for_equal(self):
        test = lambda x: x.section == "cells" and _is_equation(x)  # noqa: E731
        return self.replaced("== for =", test, r" = ", " == ")

    def python_words(self):
        line = self.pick(lambda x: _is_equation(x) and " = " in x.value)
        if line is None:
            return None
        new = self.rng.choice([" if x > 0 else 0", " and 1", " or 2"])
        return self.with_value("Python words", line, line.value + new)

    def call_python(self):
        line = self.pick(lambda x: x.section == "cells" and " = " in x.value and _is_equation(x))
        if line is None:
            return None
        left = line.value.partition(" = ")[0]
        new = self.rng.choice(
            ["np.tanh(1)", "__import__('os')", "eval(1)", "x.__class__", "(lambda: 1)()"]
        )
        return self.with_value("Python", line, f"{left} = {new}")

    def unfinished_left(self):
        test = lambda x: x.section == "cells" and _is_equation(x)  # noqa: E731
        return self.replaced("nothing on the left", test, r"^[^=:]*?(?==)", "", "")

    # --- kinds: YAML ---

    def duplicate(self):
        line = self.pick(lambda x: x.key is not None and x.value)
        raw = self.raw[line.number]
        lines = (line.number + 1, line.number + 2)
        return self.made("line twice", line, [raw, raw], lines=lines)

    def tab(self):
        line = self.pick(lambda x: len(x.indent) > 1)
        return self.made("tab", line, "\t" + self.raw[line.number].lstrip())

    def no_space(self):
        line = self.pick(lambda x: x.key is not None and x.value)
        return self.made(
            "no space after the colon", line, line.head.rstrip() + line.value, line.key
        )

    def no_colon(self):
        line = self.pick(lambda x: x.key is not None and x.value and not x.key.isdigit())
        new = f"{line.indent}{line.key} {line.value}"
        return self.made("no colon", line, new, line.key)

    def anchor(self):
        line = self.pick(lambda x: x.key is not None and x.value)
        new = self.rng.choice(["&a ", "!!python/object:os.system ", "*a", "!tag "])
        return self.made("anchor, alias or tag", line, line.head + new + line.value)

    def flow(self):
        line = self.pick(lambda x: x.key is not None and x.value and not x.value.startswith("["))
        return self.made("braces", line, line.head + "{" + line.value + "}")

    def indented(self):
        """A line one space further to the right than its siblings."""
        siblings = {}
        for line in self.lines:
            siblings.setdefault(line.path, []).append(line)
        found = [
            line
            for group in siblings.values()
            for line in group[1:]
            if line.key is not None and line.value
        ]
        line = self.rng.choice(found)
        before = self.lines[self.lines.index(line) - 1]
        lines = (line.number + 1, before.number + 1)
        return self.made("indentation", line, " " + self.raw[line.number], lines=lines)

    def emptied(self):
        line = self.pick(lambda x: x.key is not None and x.value and x.variant is None)
        return self.made("value missing", line, line.head.rstrip())

    def quote_open(self):
        line = self.pick(lambda x: x.key is not None and x.value and "'" not in x.value)
        return self.made("quote not closed", line, line.head + '"' + line.value)

    # --- kinds: structure ---

    def required_missing(self):
        line = self.pick(
            lambda x: (
                x.variant is None and (x.section, x.key) in _REQUIRED and x.path[:1] == (x.section,)
            )
        )
        if line is None:
            return None
        parent = max(
            (x for x in self.lines if x.number < line.number and x.key == line.path[-1]),
            key=lambda x: x.number,
        )
        return self.made(
            "key missing", line, None, right=line.key, lines=(parent.number + 1,),
            wrong=f"{line.path[-1]} without {line.key}",
        )  # fmt: skip

    def wrong_number(self):
        line = self.pick(
            lambda x: x.key in ("size", "steps") and x.section in ("populations", "protocols")
        )
        new = self.rng.choice(["2.5", "-1", "many", "[3]", "1e40", '""'])
        return line and self.with_value("wrong number", line, new)

    def wrong_word(self):
        words = ("bias", "batch", "connect", "method", "order")
        line = self.pick(lambda x: x.key in words and x.section in ("synapses", "protocols"))
        new = self.rng.choice(["maybe", "7", "rk45", "[a, b]", "x y"])
        return line and self.with_value("wrong word", line, new)

    def list_for_text(self):
        line = self.pick(lambda x: x.key in ("from", "to", "init", "size", "dt", "cell"))
        return line and self.with_value("list for a text", line, f"[{line.value.split('(')[0]}]")

    def mapping_for_text(self):
        line = self.pick(lambda x: x.key in ("from", "to", "init", "size", "dt", "cell"))
        new = [line.head.rstrip(), f"{line.indent}  value: 1"]
        lines = (line.number + 1, line.number + 2)
        return self.made("mapping for a text", line, new, lines=lines)

    def unknown_key(self):
        line = self.pick(lambda x: x.section in ("populations", "synapses") and len(x.full) == 3)
        new = [f"{line.indent}colour: red", self.raw[line.number]]
        return self.made("unknown key", line, new)

    def later_word(self):
        line = self.pick(lambda x: x.section == "synapses" and len(x.full) == 3 and not x.item)
        new = f"{self.rng.choice(SYNAPSE.later)}: 3"
        return self.made("reserved", line, [line.indent + new, self.raw[line.number]])

    def circular(self):
        """A parameter that is made of itself."""
        line = self.pick(lambda x: x.path == ("parameters",) and NAME.fullmatch(x.key or ""))
        return line and self.with_value("made of itself", line, f"{line.key} + 1")

    def index_in_from(self):
        line = self.pick(
            lambda x: x.key == "from" and "[" not in x.value and x.section == "synapses"
        )
        if line is None:
            return None
        value = line.value.replace(".", "[1].", 1)
        return self.with_value("index of what has none", line, value)

    def variable_twice(self):
        """Of `rules` and `after_step` a line may stand twice: it then acts twice."""
        line = self.pick(
            lambda x: x.item and _is_equation(x) and x.full[2] not in ("rules", "after_step")
        )
        if line is None or line.variant is not None or line.section != "cells":
            return None
        raw = self.raw[line.number]
        lines = (line.number + 1, line.number + 2)
        return self.made("equation twice", line, [raw, raw], lines=lines)

    def format_of_tomorrow(self):
        line = self.pick(lambda x: x.key == "apical" and not x.path)
        return self.with_value(
            "wrong format", line, self.rng.choice(["2", "one", "0"]), "apical: 1"
        )

    def all_kinds(self):
        """Every kind of mutation, by name."""
        skip = {"made", "pick", "with_value", "replaced", "all_kinds"}
        return [
            n
            for n in dir(self)
            if not n.startswith("_") and n not in skip and callable(getattr(self, n))
        ]


WORDS = {"input", "pre", "post", "w", "t", "dt", "step", "pi", "xi", "on", "off", "max", "min"}
_REQUIRED = {
    ("populations", "cell"), ("populations", "size"), ("synapses", "from"), ("synapses", "to"),
}  # fmt: skip
_KEYS = {
    "from", "to", "cell", "size", "init", "rule", "weight", "connect", "bias", "clamp", "begin",
    "steps", "learn", "method", "order", "until", "current", "filter", "trace", "optimizer",
    "parameters", "functions", "data", "cells", "populations", "synapses", "energy", "predicts",
    "record", "protocols", "variants", "title", "cite", "learn_each_step", "set", "for",
}  # fmt: skip


def _base(key: str) -> str:
    """The name before the index or the arguments of a key."""
    return re.split(r"[\[(]", key)[0].strip()


def _is_word(line: Line) -> bool:
    """Whether the key is one of the language, where the language has it."""
    if line.key not in _KEYS:
        return False
    depth = len(line.full)
    if depth == 1:
        return True
    if line.section in ("populations", "synapses"):
        return depth == 3
    return line.section == "protocols" and depth == 4


def _is_equation(line: Line) -> bool:
    """Whether the value is an equation of a cell or a rule."""
    full = line.full
    if line.section == "cells" and len(full) >= 3 and full[2] not in ("slow", "is", "domain"):
        return "=" in line.value
    return line.section == "synapses" and full[-1:] in (("rule",), ("trace",)) and "=" in line.value


def _is_equation_or_energy(line: Line) -> bool:
    return _is_equation(line) or (line.section == "energy" and len(line.full) == 2)


def _read_names(line: Line) -> list[re.Match[str]]:
    """The names on the right of an equation that are not calls, words or parts of longer names."""
    start = line.value.index("=") + 1 if "=" in line.value else 0
    return [
        match
        for match in NAME.finditer(line.value, start)
        if len(match.group()) > 2
        and match.group() not in WORDS
        and line.value[match.end() : match.end() + 1] not in ("(", "'")
        and not re.fullmatch(r"d\w+", match.group())
    ]
