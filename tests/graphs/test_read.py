"""The reader: positions, scalars of YAML 1.2, traps, and files that mean harm."""

import time
from pathlib import Path

import pytest
from hypothesis import example, given, settings, strategies as st

from apical.graphs.diagnostics import CircuitError, Place
from apical.graphs.reading.nodes import MappingNode, ScalarNode, SequenceNode, nodes
from apical.graphs.reading.reader import read

SHIPPED = sorted((Path(__file__).resolve().parents[2] / "yaml_models").glob("*.yaml"))


def wrong(text):
    """The diagnostics of a file that is refused."""
    with pytest.raises(CircuitError) as caught:
        read(text, "f.yaml")
    return caught.value.diagnostics


def place_in(text, character):
    """Line and column of a character that stands once in a text: the oracle."""
    before = text[: text.index(character)]
    return Place("f.yaml", before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1)


# --- nodes and places ----------------------------------------------------------------------------


def test_a_file_is_a_tree_in_file_order():
    root = read("b: 1\na:\n  - x\n  - y: [1.5, two]\n", "f.yaml")
    assert root.keys() == ("b", "a")
    assert root.get("c") is None and root.key("c") is None
    key, items = root.key("a"), root.get("a")
    assert key is not None and key.place == Place("f.yaml", 2, 1)
    assert isinstance(items, SequenceNode) and items.place == Place("f.yaml", 3, 3)
    inner = items.items[1]
    assert isinstance(inner, MappingNode)
    row = inner.get("y")
    assert isinstance(row, SequenceNode)
    assert [n.value for n in row.items if isinstance(n, ScalarNode)] == [1.5, "two"]
    assert [n.place.column for n in row.items] == [9, 14]


STYLES = {
    "plain": "a:\n  b: xyz + pq*rst # uvw\n",
    "plain on several lines": "a:\n  b: xyz +\n     pq   * (\n\n     rst)\n",
    "plain in a list": "a:\n  b:\n    - 1\n    -   xyz = pq\n",
    "key": "a:\n  xyz: 0\n",
    "single quotes": "a:\n  b: 'x''yz   pq'\n",
    "single quotes, folded": "a:\n  b: 'x''yz\n    pq\n\n    rst'\n",
    "double quotes": 'a:\n  b: "x\\ty\\\\z \\x41 p\\u00e9q"\n',
    "double quotes, folded": 'a:\n  b: "xyz \\\n     pq\n    rst"\n',
    "folded block": "a:\n  b: >\n    xyz + p\n    q * r\n\n    st\n",
    "folded block, stripped": "a:\n  b: >-   # no\n\n    xyz + p\n      q * r\n    st\n",
    "literal block": "a:\n  b: |\n    xyz + p\n      q * r\n    st\n",
    "literal block, indented by hand": "a:\n  b: |2-\n      xyz + p\n    q * r\n    st\n\n",
    "flow": "a: [pq,   xyz , rst]\n",
}


@pytest.mark.parametrize("text", STYLES.values(), ids=STYLES.keys())
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_every_character_of_a_value_knows_its_place(text, ends):
    root = read(text.replace("\n", ends), "f.yaml")
    scalars = [n for n in nodes(root) if isinstance(n, ScalarNode)]
    for mapping in nodes(root):
        if isinstance(mapping, MappingNode):
            scalars += [key for key, _ in mapping.entries]
    seen = set()
    for scalar in scalars:
        for offset, character in enumerate(scalar.text):
            if character in "xyzpqrst+*=(":
                assert scalar.place_at(offset) == place_in(text, character), character
                seen.add(character)
    assert {"x", "y", "z"} <= seen


def test_the_end_of_a_value_has_a_place_too():
    node = read("a: xyz +   # b\n", "f.yaml").get("a")
    assert isinstance(node, ScalarNode)
    assert node.place_at(len(node.text)) == Place("f.yaml", 1, 9)
    assert node.place_at(10_000) == Place("f.yaml", 1, 9)


@given(st.text(alphabet="ab' \"\\\n#:*", max_size=30), st.sampled_from("'\""))
def test_quoted_values_pair_up_with_their_source(value, mark):
    """Characters that are not blank stand in the file where the place says."""
    body = value.replace("\n", " ")
    if mark == "'":
        body = body.replace("'", "''")
    else:
        body = body.replace("\\", "\\\\").replace('"', '\\"')
    text = f"k: {mark}{body}{mark}\n"
    node = read(text, "f.yaml").get("k")
    assert isinstance(node, ScalarNode) and node.quoted
    for offset, character in enumerate(node.text):
        if character in "ab#:*":
            assert text[node.place_at(offset).column - 1] == character


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("-3", -3),
        ("007", 7),
        ("0.5", 0.5),
        ("1e-3", 1e-3),
        ("1E5", 1e5),
        (".5", 0.5),
        ("5.", 5.0),
        ("1:30", "1:30"),
        ("1_000", "1_000"),
        ("0b1", "0b1"),
        ("no", "no"),
        ("yes", "yes"),
        ("on", "on"),
        ("off", "off"),
        ("y", "y"),
        ("true", True),
        ("false", False),
        ("null", None),
        ("~", None),
        ("2020-01-01", "2020-01-01"),
        ("x = y", "x = y"),
        ("14/3", "14/3"),
        ("'1'", "1"),
        ('"true"', "true"),
        ("'null'", "null"),
    ],
)
def test_scalars_are_those_of_yaml_1_2(text, value):
    node = read(f"a: {text}", "f.yaml").get("a")
    assert isinstance(node, ScalarNode)
    assert node.value == value and type(node.value) is type(value)
    assert node.quoted == (text[0] in "'\"")
    assert node.text == text.strip("'\"")


def test_on_and_no_are_keys_like_others():
    assert read("on: 1\nno: 2\ny: 3\n1: 4", "f.yaml").keys() == ("on", "no", "y", "1")


@pytest.mark.parametrize("path", SHIPPED, ids=lambda p: p.stem)
def test_shipped_files_are_read(path):
    text = path.read_text("utf-8")
    lines = text.splitlines()
    for node in nodes(read(text, str(path))):
        if isinstance(node, ScalarNode):
            line = lines[node.place.line - 1]
            assert line.startswith(
                node.text.split("\n")[0][:5], node.place.column - 1 + node.quoted
            )


# --- traps ---------------------------------------------------------------------------------------

TRAPS = [
    # file, line, column, corrected line
    ("a: [l[0], l[1]]", 1, 6, "a:\n  - l[0]\n  - l[1]"),
    ("a: [f(b, c), d]", 1, 6, "a:\n  - f(b, c)\n  - d"),
    ("s: {r: clip(u, 0, 1)}", 1, 12, "s:\n  r: clip(u, 0, 1)"),
    ("s: {r: x[0]}", 1, 9, "s:\n  r: x[0]"),
    ("a:\n  - {r: f(u, 0)}", 2, 10, "  - r: f(u, 0)"),
    ("a: |y| - b", 1, 4, 'a: "|y| - b"'),
    ("a: > 0", 1, 4, 'a: "> 0"'),
    ("a: >3\nb: 1", 1, 4, 'a: ">3"'),
    ("a: *b", 1, 4, 'a: "*b"'),
    ("a: &b", 1, 4, 'a: "&b"'),
    ("a: !b 1", 1, 4, 'a: "!b 1"'),
    ("a: @b", 1, 4, 'a: "@b"'),
    ("a: %b", 1, 4, 'a: "%b"'),
    ("a: `b`", 1, 4, 'a: "`b`"'),
    ("a:\n  - |y| - b  # why", 2, 5, '  - "|y| - b"  # why'),
    ("a: x = b: c", 1, 9, 'a: "x = b: c"'),
    ("a: q : = c  # d", 1, 6, "a: q := c  # d"),
    ("a:\n  b:1\n  c: 2", 2, 5, "  b: 1"),
    ("a:\n  c: 2\n  b:1", 3, 5, "  b: 1"),
    ("a:\n  b:1", 2, 5, "  b: 1"),
    ("a:\n  - W[k=1..L]:1", 2, 15, "  - W[k=1..L]: 1"),
    ("a: {b:1}", 1, 7, "a: {b: 1}"),
    ("a:\n\tb: 1", 2, 1, "  b: 1"),
    ("a: b +\tc", 1, 7, "a: b + c"),
    ("a: 1\n  b: 2", 2, 3, "b: 2"),
    ("a:\n    b: 1\n  c: 2", 3, 3, None),
    ("a: [1, 2\nb: 3", 1, 4, "a: [1, 2]"),
    ("a: [1, 2]]", 1, 10, "a: [1, 2]"),
    ("a: 'b\nc: d", 1, 4, "a: 'b'"),
    ("a: 'b' + c", 1, 7, 'a: "b + c"'),
    ("a: 1\nb: 2\na: 3", 3, 1, None),
    ("a:\nb: 1", 1, 1, None),
    ("a:\n  -\n  - b", 2, 4, None),
    ("a: {b, c: 1}", 1, 5, None),
    ("<<: 1", 1, 1, None),
    ("? a\n: b", 1, 1, None),
    ("[1]: 2", 1, 1, None),
    ("%YAML 1.2\n---\na: 1", 1, 1, None),
    ("a: 1\n---\nb: 1", 2, 1, None),
    ("a: 1\n...\n", 2, 1, None),
    ("a: 1e999", 1, 4, None),
    ("", 1, 1, None),
    ("# nothing\n", 1, 1, None),
    ("- a", 1, 1, None),
    ("a: \x07", 1, 4, None),
    ("a: b\u2028", 1, 5, None),
    ('a: "\\ud800"', 1, 4, None),
    ('a: "\\UFFFFFFFF"', 1, 5, None),
]


@pytest.mark.parametrize(("text", "line", "column", "fixed"), TRAPS, ids=[t[0] for t in TRAPS])
def test_each_trap_has_its_message(text, line, column, fixed, snapshot):
    found = wrong(text)
    assert len(found) == 1, [str(d) for d in found]
    assert (found[0].place.line, found[0].place.column) == (line, column)
    assert found[0].suggestion == fixed
    assert found[0].message == snapshot
    whole = text.split("\n")[line - 1].replace("\t", " ")
    assert found[0].line_text == whole.replace("\x07", "?").replace("\u2028", "?")


@pytest.mark.parametrize("trap", [t for t in TRAPS if t[3]], ids=lambda t: t[0])
def test_corrected_lines_are_read(trap):
    text, line, _, fixed = trap
    lines = text.split("\n")
    lines[line - 1] = fixed
    read("\n".join(lines), "f.yaml")


def test_all_broken_values_of_a_file_are_found_at_once():
    text = "a: |x| - y\nb: *c\nc:\n  - x: y: z\n  - {r: f(u, 0)}\nd: @e\nd: 2\ne:\n"
    assert [d.place.line for d in wrong(text)] == [1, 2, 4, 5, 6, 7, 8]


@pytest.mark.parametrize(
    "text",
    [
        "---\na: 1\n",
        "a: 1  # |x| *y &z: 3\n",
        "a: http://b.org/c:d\n",
        "a: {b: 1, c: x + y}\n",
        "a: [1.0, 0.7, 1e-3]\n",
        "a: [\n  1,\n  2\n]\n",
        "a: null\n",
        "a: x := y\n",
        "a: 'b: c'\n",
        "a: |\n  x: y\n  tau:1\n",
        "a: >-\n  |x|\n  + y\n",
        "a: f'(x)\n",
        "a: -x\n",
        "\ufeffa: 1\n",
        "a: # why\n  b: 1\n",
        "a: é\n",
        "a: x#y\n",
    ],
)
def test_what_is_no_trap_is_read(text):
    read(text, "f.yaml")


# --- files that mean harm ------------------------------------------------------------------------

HARM = {
    "object": "a: !!python/object/apply:os.system [ls]",
    "tag": "!!map {a: b}",
    "laughs": "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]",
    "loop": "a: &a [*a]",
    "flow deep": "a: " + "[" * 15_000,
    "mapping deep": "a: " + "{a: " * 4_000,
    "dashes": "a:\n" + "- " * 9_000 + "x",
    "stairs": "".join(" " * i + "a:\n" for i in range(1_000)),
    "large": "a: 1\n" * 250_000,
    "many values": "a:\n" + "  - 1\n" * 100_000,
    "many aliases": "a: *x\n" * 100_000,
    "many errors": "a: |y|\n" * 100_000,
    "many duplicates": "a: 1\n" * 20_000,
    "anchors": "a: " + "&" * 19_000,
    "colons": "a: " * 6_000,
    "one line": "a: " + "x" * 100_000,
    "digits": "a: " + "9" * 19_000,
    "empty lines": "\n" * 500_000,
    "quotes": "a: '" + "\n" * 100_000,
}


@pytest.mark.parametrize("text", HARM.values(), ids=HARM.keys())
def test_harmful_files_are_refused_in_bounded_time(text):
    start = time.process_time()
    found = wrong(text)
    assert time.process_time() - start < 10
    assert 0 < len(found) <= 50
    assert sum(len(str(d)) for d in found) < 200_000


PIECES = st.sampled_from(
    [*"ab1-?:,[]{}#&*!|>'\"%@`~ \n\t\\.=()", "  ", ": ", "\n  ", "\n- ", "<<", "---", "...", "null"]
    + ["a: ", "f(x, 1)", "\\x4", "\r\n", "\x00", "\ufeff", "\u2028", "é", "\\U0011FFFF", "tau:1"]
)


@settings(max_examples=400, deadline=None)
@given(st.lists(PIECES, max_size=40).map("".join))
@example("a: |1\n")
@example("a:\n - >\n\n")
@example('"\\')
def test_any_text_gives_a_tree_or_diagnostics(text):
    try:
        root = read(text, "f.yaml")
    except CircuitError as error:
        assert error.diagnostics
        for diagnostic in error.diagnostics:
            assert diagnostic.place.line >= 1 and diagnostic.place.column >= 1
            str(diagnostic).encode("utf-8")
    else:
        assert isinstance(root, MappingNode)
        check_places(root, text)


REPEATED = st.builds(lambda piece, n: piece * n, st.binary(min_size=1, max_size=12), st.just(999))


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.binary(max_size=200), REPEATED))
def test_any_bytes_give_a_tree_or_diagnostics_in_two_seconds(data):
    start = time.process_time()
    for text in (data.decode("latin-1"), data.decode("utf-8", "replace")):
        try:
            read(text, "f.yaml")
        except CircuitError as error:
            assert error.diagnostics
    assert time.process_time() - start < 2


def check_places(root, text):
    """Every character that is not blank and not escaped stands where its place says."""
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for node in nodes(root):
        if not isinstance(node, ScalarNode):
            continue
        for offset, character in enumerate(node.text):
            place = node.place_at(offset)
            if not character.isspace():
                assert lines[place.line - 1][place.column - 1] in (character, "\\")
        node.place_at(len(node.text))


SHIPPED_TEXTS = [p.read_text("utf-8") for p in SHIPPED]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_shipped_files_with_one_edit_give_a_tree_or_diagnostics(data):
    text = data.draw(st.sampled_from(SHIPPED_TEXTS))
    at = data.draw(st.integers(0, len(text)))
    length = data.draw(st.integers(0, 3))
    text = text[:at] + data.draw(PIECES) + text[at + length :]
    try:
        check_places(read(text, "f.yaml"), text)
    except CircuitError as error:
        assert all(d.message for d in error.diagnostics)
