"""Errors carry what they are about: no code searches the text of a message for it."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted(
    path for room in ("graphs", "engines", "traces") for path in (ROOT / room).rglob("*.py")
)
SEARCHES = {"search", "match", "fullmatch", "findall", "finditer", "split", "find", "index"}
SEARCHES |= {"startswith", "endswith", "partition", "rpartition"}


def is_message(node: ast.AST) -> bool:
    """`error.message`, `str(error)`, or a text put together of these."""
    match node:
        case ast.Attribute(attr="message") | ast.Name(id="message"):
            return True
        case ast.Call(func=ast.Name(id="str"), args=[ast.Name(id="error")]):
            return True
        case ast.JoinedStr(values=values):
            return any(is_message(v.value) for v in values if isinstance(v, ast.FormattedValue))
    return False


def searched(tree: ast.AST):
    """The lines in which a message is searched: by a method, by `re`, by `in`."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(attr=name, value=owner)) if name in SEARCHES:
                if node.args and any(map(is_message, (owner, *node.args))):
                    yield node.lineno
            case ast.Compare(ops=[ast.In() | ast.NotIn()], comparators=[right]):
                if is_message(right):
                    yield node.lineno


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_no_message_is_searched(path):
    assert not list(searched(ast.parse(path.read_text("utf-8"))))


@pytest.mark.parametrize(
    "line",
    [
        '"rule" in message', '"x" not in error.message', 're.search("a", str(error))',
        're.findall(words, f"{one.message} {two}")', 'str(error).startswith("W")',
    ],
)  # fmt: skip
def test_a_search_is_seen(line):
    assert list(searched(ast.parse(line)))
