"""The reader: text becomes a tree of mappings, sequences and scalars that know their places.

The only file that knows YAML. A stranger's file is safe: tokens are scanned and nodes composed,
nothing is ever constructed; tags, anchors and aliases are refused; size, depth and the number of
parts are limited before anything recursive runs. Scalars are those of YAML 1.2: `1e-3` is a
number, `1:30`, `no` and `yes` are text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ..diagnostics import CircuitError, Diagnostic, Place
from . import yaml_mistakes as mistakes
from .nodes import MappingNode, Node, ScalarNode, SequenceNode
from .positions import LineStarts, Offsets
from .scalars import resolved
from .yaml_errors import explained

MAX_SIZE = 200_000  # characters; the largest file that ships has 10,000
MAX_LINE = 20_000
MAX_DEPTH = 20  # mappings and sequences inside one another
MAX_PARTS = 20_000  # keys, values and entries, also those that are left empty
MAX_ATTEMPTS = 20  # how often reading starts again without the lines that are broken
MAX_REPORTS = 50  # what is wrong beyond these is not looked for


def read(text: str, path: str) -> MappingNode:
    """The mapping that a circuit file is; raises `CircuitError` with all that is wrong."""
    return _File(text.removeprefix("\ufeff"), path).root()


# --- reading -------------------------------------------------------------------------------------

_UNREADABLE = re.compile(
    "[^\n\r\t -~\u00a0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
_FLOW_KEY = re.compile(r"[A-Za-z_]\w*")


class _File:
    """One file being read: its lines, and what was found wrong so far."""

    def __init__(self, text: str, path: str):
        self.path = path
        self.original = text
        self.found: list[Diagnostic] = []
        self.lines: list[str] = []
        self.refused: set[int] = set()  # lines with tokens that a circuit file cannot have

    def root(self) -> MappingNode:
        """The whole file; every stage reports all it can before the next one runs."""
        self.check_text()
        node = self.composed()
        root = self.convert(node) if node is not None else None
        if root is not None and not isinstance(root, MappingNode) and not self.found:
            self.report(root.place, "a circuit file is a mapping of sections", "`apical: 1`")
        elif root is None and not self.found:
            self.report(Place(self.path, 1, 1), "the file is empty", "`apical: 1` and its sections")
        if self.found:
            raise self.error()
        assert isinstance(root, MappingNode)
        return root

    def report(
        self, place: Place, message: str, expected: str | None = None, suggestion: str | None = None
    ) -> None:
        """Note one thing that is wrong."""
        line = self.lines[place.line - 1] if place.line <= len(self.lines) else ""
        line = line.replace("\t", " ") if len(line) <= 1000 else ""
        line = _UNREADABLE.sub("?", line)
        diagnostic = Diagnostic(place, message, line, expected, None, suggestion)
        if diagnostic not in self.found:
            self.found.append(diagnostic)
        if len(self.found) >= MAX_REPORTS:
            raise self.error()

    def report_mistake(self, line: int, mistake: mistakes.Mistake) -> None:
        """Note a mistake on a line (from 0)."""
        place = Place(self.path, line + 1, mistake.column)
        self.report(place, mistake.message, mistake.expected, mistake.suggestion)

    # --- the text as such

    def check_text(self) -> None:
        """Size, characters and tabs; raises where going on makes no sense."""
        if len(self.original) > MAX_SIZE:
            message = f"the file has {len(self.original)} characters, more than {MAX_SIZE}"
            self.report(Place(self.path, 1, 1), message)
            raise CircuitError(self.found)
        self.lines = re.split(r"\r\n|\r|\n", self.original)
        stop = False
        for number, line in enumerate(self.lines):
            stop = self.check_line(number, line) or stop
        if stop:
            raise CircuitError(self.found)

    def check_line(self, number: int, line: str) -> bool:
        """Whether reading must stop because of what stands on this line."""
        if len(line) > MAX_LINE:
            place = Place(self.path, number + 1, MAX_LINE + 1)
            self.report(place, f"a line of {len(line)} characters (at most {MAX_LINE})")
            return True
        strange = _UNREADABLE.search(line)
        if strange:
            place = Place(self.path, number + 1, strange.start() + 1)
            code = f"U+{ord(strange.group()):04X}"
            self.report(place, f"the character {code} is not allowed in a file")
            return True
        tab = mistakes.tabs(line)
        if tab:
            self.report_mistake(number, tab)
        return tab is not None and not tab.contained

    # --- tokens and nodes, line by line without what is broken

    def composed(self) -> Any:
        """The root node; lines that YAML refuses are reported and left out, one after another."""
        import yaml

        lines = [line.replace("\t", " ") for line in self.lines]
        attempts = max(2, min(MAX_ATTEMPTS, 300_000 // (len(self.original) + 1)))
        left_out: set[int] = set()
        for _ in range(attempts):
            self.source = LineStarts("\n".join(lines), self.path)
            try:
                self.scan()
                if not self.refused - left_out:
                    return yaml.compose(self.source.text, Loader=yaml.BaseLoader)
            except yaml.MarkedYAMLError as error:
                self.report_error(error, left_out)
            broken = self.refused - left_out
            left_out |= broken
            for line in broken:
                lines[line] = self.without_value(lines, line)
        raise self.error()

    def error(self) -> CircuitError:
        """All that was found, in file order."""
        return CircuitError(sorted(self.found, key=lambda d: d.place))

    def report_error(self, error: Any, left_out: set[int]) -> None:
        """Note an error of YAML; raises `CircuitError` where the rest cannot be judged."""
        line, mistake = explained(error, self.lines)
        if line not in left_out:
            self.report_mistake(line, mistake)
        if not mistake.contained or line in left_out:
            raise self.error()
        self.refused.add(line)

    def without_value(self, lines: list[str], number: int) -> str:
        """A line whose value is left out, so that the rest of the file can be judged."""
        line = lines[number]
        parts = mistakes.take_apart(line)
        if parts.key is None and not parts.lead.strip():
            return ""
        below = next((b for b in lines[number + 1 :] if b.strip()), "")
        deeper = len(below) - len(below.lstrip()) > len(line) - len(line.lstrip())
        return parts.with_value("" if deeper else "0").rstrip()

    def scan(self) -> None:
        """Refuse what tokens tell; the lines of values that must be left out go to `refused`.

        Raises yaml's own errors, and `CircuitError` at the limits.
        """
        from yaml import tokens as t

        opening = (t.BlockMappingStartToken, t.BlockSequenceStartToken)
        opening += (t.FlowMappingStartToken, t.FlowSequenceStartToken)
        parts = (t.ScalarToken, t.ValueToken, t.BlockEntryToken, t.FlowEntryToken)
        closing = (t.BlockEndToken, t.FlowMappingEndToken, t.FlowSequenceEndToken)
        depth = count = 0
        fatal = False
        for token in self.tokens():
            if isinstance(token, opening):
                depth += 1
                if depth > MAX_DEPTH:
                    self.stop(token, f"more than {MAX_DEPTH} nested levels")
            elif isinstance(token, closing):
                depth -= 1
                if depth < 0:
                    break  # it closes nothing: composing says so, at this place
            elif isinstance(token, parts):
                count += 1
                if count > MAX_PARTS:
                    message = f"the file has more than {MAX_PARTS} keys, values and entries"
                    self.stop(token, message)
            else:
                fatal = self.refuse(token, count) or fatal
        if fatal:
            raise self.error()

    def tokens(self) -> Iterator[Any]:
        """The tokens of the text; an escape that is no character ends reading."""
        import yaml

        try:
            yield from yaml.scan(self.source.text, Loader=yaml.BaseLoader)
        except (ValueError, OverflowError):  # of chr()
            self.report_escape()
            raise self.error() from None

    def stop(self, token: Any, message: str) -> None:
        """Report a limit and read no further."""
        self.report(_place_of(token.start_mark, self.path), message)
        raise self.error()

    def refuse(self, token: Any, count: int) -> bool:
        """Report a token that a circuit file cannot have; whether reading must stop after it."""
        from yaml import tokens as t

        if isinstance(token, (t.AliasToken, t.AnchorToken, t.TagToken)):
            self.refuse_property(token)
            return False
        message = None
        if isinstance(token, t.DirectiveToken):
            message = "a circuit file has no directives (a line that begins with %)"
        elif isinstance(token, t.DocumentEndToken) or (
            isinstance(token, t.DocumentStartToken) and count
        ):
            message = "one file is one circuit: no second document"
        elif isinstance(token, t.KeyToken) and token.end_mark.index > token.start_mark.index:
            message = "a key is written `key: value`, without `?`"
        if message is not None:
            self.report(_place_of(token.start_mark, self.path), message)
        return message is not None

    def refuse_property(self, token: Any) -> None:
        """Report an anchor, an alias or a tag."""
        line = token.start_mark.line
        mistake = mistakes.wrong_first(mistakes.take_apart(self.lines[line]))
        if mistake is None:
            kind = type(token).__name__.removesuffix("Token").lower()
            message = f"a circuit file has no {kind} (& anchors, * aliases and ! tags are refused)"
            mistake = mistakes.Mistake(token.start_mark.column + 1, message)
        if line not in self.refused:
            self.report_mistake(line, mistake)
        self.refused.add(line)

    def report_escape(self) -> None:
        """An escape of eight digits that stand for no character."""
        for number, line in enumerate(self.source.text.split("\n")):
            found = re.search(r"\\U(?!000|0010)[0-9a-fA-F]{8}", line)
            if found:
                place = Place(self.path, number + 1, found.start() + 1)
                return self.report(place, f"the escape {found.group()} is no character")
        return self.report(Place(self.path, 1, 1), "an escape in quotation marks is no character")

    # --- nodes

    def convert(self, node: Any, inside: str = "") -> Node:
        """A composed node as one of ours; `inside` is the bracket of the flow style around it."""
        import yaml

        place = _place_of(node.start_mark, self.path)
        if isinstance(node, yaml.MappingNode):
            return self.convert_mapping(node, place)
        if isinstance(node, yaml.SequenceNode):
            flow = "[" if node.flow_style else ""
            items = tuple(self.convert(item, flow) for item in node.value)
            for item in node.value:
                self.check_empty(item, "this item", item.start_mark)
            return SequenceNode(items, place)
        return self.convert_scalar(node, place, inside)

    def convert_mapping(self, node: Any, place: Place) -> MappingNode:
        """A mapping; duplicate, complex and merge keys are reported, and keys without value."""
        entries: dict[str, tuple[ScalarNode, Node]] = {}
        flow = "{" if node.flow_style else ""
        cut = False
        for key_node, value_node in node.value:
            key = self.convert(key_node, flow)
            if not isinstance(key, ScalarNode):
                self.report(key.place, "a key is a name, not a list or a mapping")
                continue
            value = self.convert(value_node, flow)
            if flow and (not _FLOW_KEY.fullmatch(key.text) or _is_empty(value_node)):
                cut = cut or self.cut_in_flow(key, value_node)
                continue
            self.check_empty(value_node, f"`{key.text}`", key_node.start_mark)
            self.check_key(key, entries)
            entries.setdefault(key.text, (key, value))
        return MappingNode(tuple(entries.values()), place)

    def check_key(self, key: ScalarNode, entries: dict[str, tuple[ScalarNode, Node]]) -> None:
        """Refuse `<<`, empty keys and keys that stand already."""
        if key.text == "<<" and not key.quoted:
            self.report(key.place, "`<<` is refused: write the entries out, or use `is`")
        elif not key.text.strip():
            self.report(key.place, "a key is missing before the colon", "`key: value`")
        elif key.text in entries:
            first = entries[key.text][0].place.line
            message = f"the key `{key.text}` is repeated; the first is on line {first}"
            self.report(key.place, message, "one entry per key")

    def check_empty(self, node: Any, what: str, mark: Any) -> None:
        """Refuse an entry that has nothing behind its colon or dash."""
        if _is_empty(node):
            place = _place_of(mark, self.path)
            self.report(place, f"{what} has no value", "a value, or `null` to remove an entry")

    def cut_in_flow(self, key: ScalarNode, value_node: Any) -> bool:
        """A key of `{}` that is no name, or has no value: mostly a bracket cut at its comma."""
        if any(d.place.line == key.place.line for d in self.found):
            return True
        line = self.lines[key.place.line - 1]
        mistake = mistakes.flow_brackets(mistakes.take_apart(line))
        if mistake is not None:
            self.report_mistake(key.place.line - 1, mistake)
        elif mistakes.MISSING_SPACE.match(key.text):
            colon = key.text.index(":") + 1
            place = key.place_at(colon)
            at = place.column - 1
            message = f"a space is missing after the colon of `{key.text[:colon]}`"
            self.report(place, message, "`key: value`", f"{line[:at]} {line[at:]}")
        elif _is_empty(value_node):
            self.report(key.place, f"`{key.text}` has no value", "`{key: value, key: value}`")
        else:
            self.report(key.place, f"the key `{key.text}` is no name", "block style for other keys")
        return True

    def convert_scalar(self, node: Any, place: Place, inside: str) -> ScalarNode:
        """A scalar with its value; lost spaces and cut brackets are reported."""
        plain = node.style is None
        start, end = node.start_mark.index, node.end_mark.index
        offsets = Offsets(self.source, node.value, start, end, node.style)
        value = resolved(node.value) if plain else node.value
        if isinstance(value, float) and value in (float("inf"), float("-inf")):
            if "inf" not in node.value.lower():
                self.report(place, f"the number {node.value[:40]} is too large")
        strange = _UNREADABLE.search(node.value)
        if strange:
            self.report(place, f"the text contains the character U+{ord(strange.group()):04X}")
        if plain:
            self.check_plain(node, place, inside)
        elif node.style in ("|", ">") and not node.value.strip():  # `>3` is a block to YAML
            mistake = mistakes.wrong_first(
                mistakes.take_apart(self.lines[place.line - 1]), block=True
            )
            if mistake is not None:
                self.report_mistake(place.line - 1, mistake)
        return ScalarNode(node.value, value, place, not plain, offsets)

    def check_plain(self, node: Any, place: Place, inside: str) -> None:
        """Refuse `tau:1` at the start of a line, and brackets that flow style has cut."""
        if inside == "[" and not mistakes.balanced(node.value):
            if not any(d.place.line == place.line for d in self.found):
                mistake = mistakes.flow_brackets(mistakes.take_apart(self.lines[place.line - 1]))
                message = "brackets inside []: YAML cuts the value at its commas"
                expected = "block style, one item per line"
                self.report_mistake(
                    place.line - 1, mistake or mistakes.Mistake(place.column, message, expected)
                )
        if inside:
            return
        for number in range(node.start_mark.line, node.end_mark.line + 1):
            line = self.lines[number]
            if number == place.line - 1 and line[: place.column - 1].strip(" -"):
                continue
            mistake = mistakes.missing_space(line)
            if mistake is not None:
                self.report_mistake(number, mistake)


def _place_of(mark: Any, path: str) -> Place:
    return Place(path, mark.line + 1, mark.column + 1)


def _is_empty(node: Any) -> bool:
    """Whether nothing at all stands where a value should."""
    return node.value == "" and node.style is None
