"""Bytes that mean harm: the reader and the parser answer within 2 s and 500 MB, whatever comes."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

pytest.importorskip("resource", reason="this system cannot limit memory")

MOST = 199_000  # bytes: just below what the reader takes
HEAD = b"apical: 1\nname: x\n"
CELL = HEAD + b"cells:\n  n:\n    soma: "
PARAMETER = HEAD + b"parameters:\n  a: "


def family(members: int, equations: bytes = b"") -> bytes:
    """A family of one-unit populations, with one step in a phase that a test goes on with."""
    return (
        CELL
        + equations
        + b"\n      - dv/dt = -v\npopulations:\n  p[k=1..%d]:\n" % members
        + (b"    cell: n\n    size: 1\nprotocols:\n  train:\n    a:\n      steps: 1\n      dt: 1\n")
    )


def full(piece: bytes) -> bytes:
    """As often as it fits, on lines that are not too long."""
    if b"\n" in piece or b"\r" in piece:
        return piece * (MOST // len(piece))
    return full(piece * (19_000 // len(piece)) + b"\n")


def numbered(piece: bytes, count: int) -> bytes:
    return b"".join(piece % i for i in range(count))


PIECES = ["[", "]", "{", "(", "a: [", "- ", "-\n", "? a\n", ":\n", "a: |\n", "a: >\n", "a: '\n"]
PIECES += ['a: "\n', "'", '"', "&", "*", "!", "a: &a b\n", "a: *a\n", "%YAML 1.2\n", "---\n"]
PIECES += ["\t", "\ta: 1\n", " ", "\n", "\r", "\r\n", "a: 1\r", "a: 1\n", "# a\n", "#", "\0"]
PIECES += ["\ufeff", "\u2028", "é", "9", "a: b: c\n", "a:b\n", "- a: {b: [c]}\n", "a: [b[0], c]\n"]
FILES = {f"full of {piece!r}": full(piece.encode()) for piece in PIECES}
FILES |= {
    "one long line": b"[" * 1_000_000,
    "more than a file may have": b"a: 1\n" * 1_000_000,
    "no UTF-8": b"\xff\xfe\xfd" * 60_000,
    "surrogates": b"\xed\xa0\x80" * 60_000,
    "UTF-16": HEAD.decode().encode("utf-16"),
    "much UTF-16": ("a: 1\n" * 20_000).encode("utf-16"),
    "UTF-32": HEAD.decode().encode("utf-32"),
    "a mark inside": HEAD + "\ufefftitle: x\n".encode(),
    "NUL inside": HEAD + b"title: a\0b\n",
    "CR only": HEAD.replace(b"\n", b"\r") + b"cells:\r  n:\r    soma: v = = 3\r",
    "laughs": b"a: &a [x, x, x]\n" + numbered(b"a%d: &b [*a, *a, *a]\n", 5_000),
    "merge keys": b"a: &a {b: 1}\n" + b"c:\n  <<: *a\n" * 10_000,
    "itself": b"a: &a [*a]\n",
    "stairs": b"".join(b" " * i + b"a:\n" for i in range(600)),
    "escapes": b'a: "' + b"\\U0011FFFF" * 1_500 + b'"\n',
    "a long number": PARAMETER + b"9" * 9_000 + b"\n",
    "a large exponent": PARAMETER + b"1e" + b"9" * 9_000 + b"\n",
    "a tower": PARAMETER + b"9^9^9^9^9^9^9^9\n  b: 10^(10^(10^10))\n",
    "a tall tower": PARAMETER + b"9^" * 4_000 + b"9\n",
    "a large size": CELL + b"dv/dt = -v\npopulations:\n  p:\n    cell: n\n    size: 10^12\n",
    "a large family": CELL
    + b"dv/dt = -v\npopulations:\n  p[k=1..10^9]:\n    cell: n\n    size: 1\n",
    "a family of families": PARAMETER + b"1\n  b[k=1..999]: a\n  c[k=1..999]: b[k] + c[k-1]\n",
    "doubling parameters": HEAD
    + b"parameters:\n  a0: 1\n"
    + b"".join(b"  a%d: a%d + a%d\n" % (i + 1, i, i) for i in range(4_000)),
    "doubling functions": HEAD
    + b"functions:\n  f0(x): x\n"
    + b"".join(b"  f%d(x): f%d(x) + f%d(x)\n" % (i + 1, i, i) for i in range(60)),
    "deep in brackets": CELL + b"v = " + b"(" * 4_500 + b"1" + b")" * 4_500 + b"\n",
    "signs": CELL + b"v = " + b"-" * 9_900 + b"1\n",
    "a long sum": CELL + b"v = " + b"1+" * 4_900 + b"1\n",
    "long sums": CELL + numbered(b"\n      - v%d = " + b"1+" * 4_900 + b"1", 8),
    "many entries": HEAD + b"functions:\n" + numbered(b"  f%d: tanh\n", 6_000),
    "many unknown keys": HEAD + numbered(b"key%d: 1\n", 6_000),
    "families of numbers": HEAD + b"parameters:\n" + numbered(b"  a%d[k=1..9999]: k\n", 20),
    "a family of 9,999": family(9_999),
    "equations of a family": family(100, numbered(b"\n      - a%d = v", 1_000)),
    "functions of functions, often": HEAD
    + b"functions:\n  f0(x): x\n"
    + b"".join(b"  f%d(x): f%d(x) + f%d(x)\n" % (i + 1, i, i) for i in range(13))
    + b"cells:\n  n:\n    soma:"
    + numbered(b"\n      - a%d = f13(t)", 1_000)
    + b"\npopulations:\n  p:\n    cell: n\n    size: 1\n",
    "a chain of functions": HEAD
    + b"functions:\n  f0(x): x\n"
    + b"".join(b"  f%d(x): f%d(x) + 1\n" % (i + 1, i) for i in range(4_000)),
    "a chain of other names": HEAD
    + b"functions:\n  f0: tanh\n"
    + b"".join(b"  f%d: f%d\n" % (i + 1, i) for i in range(4_000)),
    "repetitions": family(1) + b"      begin:\n" + b"        - p[1].v := 1 for k = 1..9999\n" * 500,
    "heirs of heirs": HEAD
    + b"cells:\n  c0:\n    soma: dv/dt = -v\n"
    + b"".join(b"  c%d:\n    is: c%d\n    soma: v%d = v\n" % (i + 1, i, i) for i in range(900)),
    "many protocols": family(100) + numbered(b"  t%d:\n    a:\n      steps: 1\n      dt: 1\n", 500),
    "noise": bytes(i * i * 7 % 251 for i in range(MOST)),
    "noise of signs": bytes(10 if i % 97 == 0 else 32 + i * i * i % 95 for i in range(MOST)),
}
HARMLESS = {"doubling parameters", "many entries", "a chain of other names"}

LONG = 9_990  # characters: just below what the parser takes
PARTS = ["(", ")", "[", "]", "|", "-", "'", "^", "1+", "a*", "9^", "f(", "f'(", "x[", "x[1..", "9"]
PARTS += [
    "1e",
    ".",
    ",",
    ";",
    ":= ",
    "+= ",
    "d",
    "dx/dt = ",
    "sum(",
    "max(1, ",
    "a.b.",
    "a@b",
    "==",
]
PARTS += [
    " for k = 1..",
    "W[k] when ",
    "x every 5 ",
    "\0",
    "\n",
    "\t",
    "\ufeff",
    "\U0001f9e0",
    "x ",
]
TEXTS = [part * (LONG // len(part)) for part in PARTS]
TEXTS += ["(" * 4_990 + "1" + ")" * 4_990, "f(" * 90 + "x" + ")" * 90, "|" * 99 + "x" + "|" * 99]
TEXTS += ["1e" + "9" * 9_000, "a[" * 90 + "1" + "]" * 90, "x" * 1_000_000, "9^9^9^9^9", ""]

HEAD_OF_CHILD = """
import json, resource, sys, time
from pathlib import Path
import apical
from apical.graphs.expressions import parser as parse
from apical.graphs.diagnostics import CircuitError
resource.setrlimit(resource.RLIMIT_AS, (500_000_000, 500_000_000))
parsers = [getattr(parse, name) for name in parse.__all__ if name.startswith("parse_")]
apical.load("pc")
begin = time.process_time()
sum(number * number for number in range(1_000_000))
print(json.dumps(time.process_time() - begin))
"""
USUAL = 0.07  # seconds
LOAD_FILES = """
for path in json.loads(sys.argv[1]):
    begin, said = time.process_time(), ""
    try:
        apical.load(path)
    except CircuitError as error:
        said = str(error.diagnostics[0])
    except BaseException as error:
        said = f"Traceback: {error!r}"
    print(json.dumps([time.process_time() - begin, said]))
"""
PARSE_TEXTS = """
for text in json.loads(Path(sys.argv[1]).read_text()):
    begin, said = time.process_time(), ""
    for parser in parsers:
        try:
            parser(text)
        except parse.ParseProblem as problem:
            said = str(problem)
        except BaseException as error:
            said = f"Traceback: {error!r}"
            break
    print(json.dumps([time.process_time() - begin, said]))
"""


def answers(code: str, argument: str) -> list[tuple[float, str]]:
    """Seconds and what was said, for every file or text, in a process of its own.

    The seconds are those of a machine that takes `USUAL` for a sum of a million squares.
    """
    done = subprocess.run(
        [sys.executable, "-c", HEAD_OF_CHILD + code, argument],
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    taken, *found = (json.loads(line) for line in done.stdout.splitlines())
    return [(seconds / max(1, taken / USUAL), said) for seconds, said in found]


@pytest.mark.parametrize("part", range(4))
def test_files_are_refused_in_time(tmp_path, part):
    names = list(FILES)[part::4]
    paths = [tmp_path / f"{number}.yaml" for number in range(len(names))]
    for path, name in zip(paths, names, strict=True):
        path.write_bytes(FILES[name])
    found = answers(LOAD_FILES, json.dumps([str(path) for path in paths]))
    for name, (seconds, said) in zip(names, found, strict=True):
        assert seconds < 3, name  # 2 where nothing else runs
        assert not said.startswith("Traceback"), f"{name}: {said}"
        assert len(said) < 25_000, name
        assert bool(said) != (name in HARMLESS), name


def test_texts_are_parsed_or_refused_in_time(tmp_path):
    """By all eight parsers together."""
    (tmp_path / "texts.json").write_text(json.dumps(TEXTS))
    found = answers(PARSE_TEXTS, str(tmp_path / "texts.json"))
    for text, (seconds, said) in zip(TEXTS, found, strict=True):
        assert seconds < 2, text[:12]
        assert not said.startswith("Traceback"), f"{text[:12]}: {said}"
