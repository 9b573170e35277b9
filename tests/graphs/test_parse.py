"""The parser: precedence, spans, small forms, problems, hostile texts; writing is its inverse."""

import math
import operator
import time

import pytest
from hypothesis import example, given, settings, strategies as st

from apical.graphs.expressions.parser import (
    Family,
    LearnEntry,
    Loop,
    ParseProblem,
    RecordEntry,
    Statement,
    parse_expression,
    parse_family,
    parse_learn,
    parse_order,
    parse_record,
    parse_reference,
    parse_signature,
    parse_statement,
)
from apical.graphs.expressions.text import text
from apical.graphs.expressions.tree import (
    Array,
    Binary,
    Call,
    Compare,
    Counter,
    Input,
    Load,
    Noise,
    Number,
    Parameter,
    Quoted,
    Range,
    Rate,
    RateReference,
    Reference,
    Residual,
    Stream,
    Trace,
    Transmitted,
    Unary,
    Variable,
    Weight,
    WeightOf,
    walk,
)

PARSERS = [
    parse_expression,
    parse_family,
    parse_learn,
    parse_order,
    parse_record,
    parse_reference,
    parse_signature,
    parse_statement,
]
a, b, c, k, L = (Reference(n) for n in "abckL")
one = Number(1.0)
COMPARISONS = {"<": operator.lt, ">": operator.gt, ">=": operator.ge, "==": operator.eq}


def evaluate(node, values):
    """The value of a tree of numbers and names, by Python's own operators."""
    match node:
        case Number():
            return node.value
        case Reference():
            return values[node.name]
        case Unary():
            return -evaluate(node.operand, values)
        case Call("abs"):
            return abs(evaluate(node.arguments[0], values))
        case Compare():
            left, right = evaluate(node.left, values), evaluate(node.right, values)
            return float(COMPARISONS[node.op](left, right))
    left, right = evaluate(node.left, values), evaluate(node.right, values)
    match node.op:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
        case "/":
            return left / right
    return left**right


ARITHMETIC = [
    # of the language, of Python
    ("-x^2", "-x**2"),
    ("2^-y", "2**-y"),
    ("2^3^0.5", "2**3**0.5"),
    ("(2^3)^0.5", "(2**3)**0.5"),
    ("2^-x^2", "2**-x**2"),
    ("x - y - z", "x - y - z"),
    ("x - (y - z)", "x - (y - z)"),
    ("x / y / z", "x / y / z"),
    ("x / (y * z)", "x / (y * z)"),
    ("-x * -y", "-x * -y"),
    ("x * -y^2", "x * -y**2"),
    ("--x", "--x"),
    ("x + y*z - x/y^z", "x + y*z - x/y**z"),
    ("|x - y|*2 - |y - |z||", "abs(x - y)*2 - abs(y - abs(z))"),
    ("||x| - |y||", "abs(abs(x) - abs(y))"),
    ("(x > y) * 3", "(x > y) * 3"),
    ("(x >= 2) + (y == 3) + (x < y)", "(x >= 2) + (y == 3) + (x < y)"),
    ("x - 1 < y + 1", "x - 1 < y + 1"),
    ("1e-3 + 1E2 + .5 + 2. + 1.25e+1", "1e-3 + 1E2 + .5 + 2. + 1.25e+1"),
    ("14/3", "14/3"),
]


@pytest.mark.parametrize(("ours", "pythons"), ARITHMETIC)
def test_operators_bind_as_in_python(ours, pythons):
    values = {"x": 1.7, "y": 3.0, "z": 0.4}
    expected = eval(pythons, {"abs": abs}, values)
    assert evaluate(parse_expression(ours), values) == float(expected)


LEAVES = [
    ("x", Reference("x")),
    ("x@free", Reference("x", phase="free")),
    ("eta[k]", Reference("eta", k)),
    ("layer[k-1].x@free", Reference("layer", Binary("-", k, one), ("x",), "free")),
    ("layer[1..L].e", Reference("layer", Range(one, L), ("e",))),
    ("layer[L-1..1].e", Reference("layer", Range(Binary("-", L, one), one), ("e",))),
    ("pop.soma.port", Reference("pop", None, ("soma", "port"))),
    ("pre", Reference("pre")),
    ("du/dt", RateReference("u")),
    ("dV_star/dt", RateReference("V_star")),
    ('file("a (1).npz")', Call("file", (Quoted("a (1).npz"),))),
    ("du/dt2", Binary("/", Reference("du"), Reference("dt2"))),
    ("du / dt", Binary("/", Reference("du"), Reference("dt"))),
    ("d/dt", Binary("/", Reference("d"), Reference("dt"))),
    ("layer.du/dt", Binary("/", Reference("layer", None, ("du",)), Reference("dt"))),
    ("f(u)", Call("f", (Reference("u"),))),
    ("f'(u)", Call("f", (Reference("u"),), primed=True)),
    ("random_sign()", Call("random_sign", ())),
    ("max(a, b < c)", Call("max", (a, Compare("<", b, c)))),
    ("|a|", Call("abs", (a,))),
    ("for", Reference("for")),
    ("mean(in)", Call("mean", (Reference("in"),))),
]


@pytest.mark.parametrize(("written", "tree"), LEAVES)
def test_leaves_and_calls(written, tree):
    assert parse_expression(written) == tree
    assert parse_expression(f"  ( {written} )\n") == tree


def test_every_node_knows_where_it_stands():
    written = " -eta[k-1]*(post.e@free + |x|)^2 / f'(du/dt, 3) < max( a , b )"
    for node in walk(parse_expression(written)):
        assert node.span is not None
        start, stop = node.span
        piece = written[start:stop]
        assert piece == piece.strip() and piece
        if isinstance(node, Range):
            continue
        assert parse_expression(piece) == node


# --- statements and small forms ------------------------------------------------------------------


def loop(index, start, stop):
    return Loop(index, parse_expression(start), parse_expression(stop))


STATEMENTS = [
    ("tau * dx/dt = -e + b", "x", "state", "-e + b", "tau", None),
    ("dx/dt = -e", "x", "state", "-e", None, None),
    ("g_D/g * dx/dt = e", "x", "state", "e", "g_D/g", None),
    ("2*tau*dx/dt = e", "x", "state", "e", "2*tau", None),
    ("dw/dt = eta*m", "w", "state", "eta*m", None, None),
    ("x = E", "x", "algebraic", "E", None, None),
    ("x = a == b", "x", "algebraic", "a == b", None, None),
    ("layer[0].x = image", "layer[0].x", "algebraic", "image", None, None),
    ("nudge = beta * random_sign()", "nudge", "algebraic", "beta * random_sign()", None, None),
    ("q := max(q, 0)", "q", ":=", "max(q, 0)", None, None),
    ("w += eta*post.d*pre.x", "w", "+=", "eta*post.d*pre.x", None, None),
    ("w -= -3", "w", "-=", "-3", None, None),
    ("l[k].x := f(u) for k = 1..L", "l[k].x", ":=", "f(u)", None, ("k", "1", "L")),
    ("l[j].x := 0 for j = L-1..1", "l[j].x", ":=", "0", None, ("j", "L-1", "1")),
]


@pytest.mark.parametrize(("written", "target", "kind", "right", "tau", "over"), STATEMENTS)
def test_statements(written, target, kind, right, tau, over):
    assert parse_statement(written) == Statement(
        parse_reference(target),
        kind,
        parse_expression(right),
        None if tau is None else parse_expression(tau),
        None if over is None else loop(*over),
    )


def test_spans_of_a_statement_count_from_its_start():
    written = "tau * dx/dt = -e + layer[k].b"
    found = parse_statement(written)
    assert found.target.span == (6, 11)
    assert found.tau is not None and found.tau.span == (0, 3)
    assert found.right.span == (14, len(written))


def test_learn():
    W, C = LearnEntry(Reference("W")), LearnEntry(Reference("C"))
    mu, var = (LearnEntry(Reference("y", None, (n,))) for n in ("mu", "var"))
    assert parse_learn("W; y.mu; y.var, C") == ((W,), (mu,), (var, C))
    bias = LearnEntry(Reference("layer", k, ("bias",)), loop("k", "1", "L"))
    assert parse_learn("W, layer[k].bias for k = 1..L") == ((W, bias),)
    when = LearnEntry(Reference("W", k), None, parse_expression("step == L-k"))
    assert parse_learn("W[k] when step == L-k") == ((when,),)
    both = LearnEntry(Reference("W", k), loop("k", "1", "2"), parse_expression("step == k"))
    assert parse_learn("W[k] for k = 1..2 when step == k; C") == ((both,), (C,))


def test_order():
    assert parse_order(" simultaneous ") is None
    assert parse_order("k = L-1..1") == loop("k", "L-1", "1")
    assert parse_order("y, gate") == (Reference("y"), Reference("gate"))
    assert parse_order("layer[0]") == (Reference("layer", Number(0.0)),)


def test_families_and_signatures():
    assert parse_family("W") == Family("W")
    assert parse_family("layer[0]") == Family("layer", member=Number(0.0))
    assert parse_family("layer[L-1]") == Family("layer", member=Binary("-", L, one))
    assert parse_family("layer[k=1..L]") == Family("layer", "k", one, L)
    assert parse_signature("f") == ("f", ())
    assert parse_signature("rate(i)") == ("rate", ("i",))
    assert parse_signature("phi( u, v )") == ("phi", ("u", "v"))


def test_record():
    assert parse_record("layer[L].r") == RecordEntry(Reference("layer", L, ("r",)))
    assert parse_record("F every 10") == RecordEntry(Reference("F"), every=Number(10.0))
    assert parse_record("y.x mean") == RecordEntry(Reference("y", None, ("x",)), reduce="mean")
    assert parse_record("l[k].v for k = 1..L in nudged every n+1 norm") == RecordEntry(
        Reference("l", k, ("v",)),
        loop("k", "1", "L"),
        "nudged",
        parse_expression("n+1"),
        reduce="norm",
    )
    assert parse_record("W[1] every 3 presentations norm") == RecordEntry(
        Reference("W", Number(1.0)), None, None, Number(3.0), "presentation", "norm"
    )
    assert parse_record("y.x every 1 step").counted == "step"
    assert parse_record("F in free mean") == RecordEntry(
        Reference("F"), None, "free", reduce="mean"
    )


# --- problems ------------------------------------------------------------------------------------

PROBLEMS = [
    # parser, text, offset, suggestion
    (parse_expression, "", 0, None),
    (parse_expression, "2 x", 2, "2 * x"),
    (parse_expression, "(a)(b)", 3, "(a) * (b)"),
    (parse_expression, "x**2", 1, "x^2"),
    (parse_expression, "a and b", 2, None),
    (parse_expression, "f(a", 1, "f(a)"),
    (parse_expression, "a + b)", 5, None),
    (parse_expression, "eta[k)", 5, None),
    (parse_expression, "((a)", 0, "((a))"),
    (parse_expression, "|x + 1", 0, None),
    (parse_expression, "a < b < c", 6, None),
    (parse_expression, "a = b", 2, "a == b"),
    (parse_expression, "τ*x", 0, "tau*x"),
    (parse_expression, "a − b·c", 2, "a - b*c"),
    (parse_expression, "x²", 1, "x^2"),
    (parse_expression, "a +", 2, None),
    (parse_expression, "+ a", 0, None),
    (parse_expression, "a * / b", 4, None),
    (parse_expression, "f(a,)", 4, None),
    (parse_expression, "a..b", 1, None),
    (parse_expression, "a.b[1]", 3, None),
    (parse_expression, "x' + 1", 1, None),
    (parse_expression, "a.", 2, None),
    (parse_expression, "1e999", 0, None),
    (parse_expression, "x for k = 1..3", 2, None),
    (parse_expression, "a ? b", 2, None),
    (parse_expression, "a; b", 1, None),
    (parse_expression, "x := 3", 2, None),
    (parse_statement, "x == 3", 2, "x = 3"),
    (parse_statement, "x + 3", 0, None),
    (parse_statement, "x = 3 = 4", 6, None),
    (parse_statement, "x : = 3", 2, "x := 3"),
    (parse_statement, "x@p = 2", 0, None),
    (parse_statement, "2 = x", 0, None),
    (parse_statement, "x + y = 2", 0, None),
    (parse_statement, "tau * dx / dt = 2", 6, None),
    (parse_statement, "dx/dt += 2", 0, None),
    (parse_statement, "l[1..2].x = 0", 2, None),
    (parse_statement, "x = 2 y", 6, "x = 2 * y"),
    (parse_learn, "W C", 2, None),
    (parse_order, "k = 1", 5, None),
    (parse_family, "layer[1..L]", 6, "layer[k=1..L]"),
    (parse_family, "a b", 2, None),
    (parse_reference, "a + b", 2, None),
    (parse_signature, "f(x, x)", 5, None),
    (parse_record, "F every", 2, None),
]


@pytest.mark.parametrize(
    ("parser", "written", "offset", "suggestion"), PROBLEMS, ids=[p[1] or "-" for p in PROBLEMS]
)
def test_problems_say_where_and_what(parser, written, offset, suggestion, snapshot):
    with pytest.raises(ParseProblem) as caught:
        parser(written)
    assert caught.value.message == snapshot
    assert caught.value.offset == offset
    assert caught.value.suggestion == suggestion
    if suggestion is not None:
        parser(suggestion)


HOSTILE = [
    "(" * 90 + "x" + ")" * 90 + "(" * 90,
    "(" * 5_000,
    "(" * 4_000 + "x" + ")" * 4_000,
    "[" * 5_000,
    "a[" * 3_000 + "k" + "]" * 3_000,
    "-" * 9_000 + "x",
    "1" + "+1" * 4_000,
    "2" + "^2" * 4_000,
    "|" * 4_999 + "x" + "|" * 4_999,
    "x" * 20_000 + " y",
    "f(" * 200 + "x" + ")" * 200,
    "a." * 4_000 + "?",
]


@pytest.mark.parametrize("written", HOSTILE, ids=lambda t: t[:4])
@pytest.mark.parametrize("parser", PARSERS)
def test_hostile_texts_are_refused_quickly(parser, written):
    start = time.process_time()
    with pytest.raises(ParseProblem) as caught:
        parser(written)
    assert time.process_time() - start < 1
    assert 0 <= caught.value.offset <= len(written)
    assert len(str(caught.value)) < 300


def test_nesting_that_is_accepted_can_be_walked():
    written = "(" * 95 + "x" + ")" * 95 + "+1" * 95
    tree = parse_expression(written)
    assert len(list(walk(tree))) == 191
    assert parse_expression(text(tree)) == tree
    assert hash(tree) and repr(tree)


FRAGMENTS = st.sampled_from(
    [*"abxkL012.,;:'|()[]@+-*/^<>=! \n\t\"τ²€\0", "..", ":=", "+=", "==", "du/dt", " for k = 1..L"]
    + [" in p", " every ", " when ", "mean", "f(x)", "a[k]", "1e", "9e999"]
)


@settings(max_examples=500, deadline=None)
@given(st.one_of(st.lists(FRAGMENTS, max_size=25).map("".join), st.text(max_size=30)))
def test_any_text_gives_a_tree_or_a_problem(written):
    for parser in PARSERS:
        try:
            parser(written)
        except ParseProblem as problem:
            assert 0 <= problem.offset <= len(written)
            assert problem.message


# --- writing -------------------------------------------------------------------------------------

names = st.sampled_from(["a", "x_1", "eta", "W", "d", "dt"])
leaves = st.one_of(
    st.floats(0, 1e300).map(Number),
    st.integers(0, 10**17).map(lambda n: Number(float(n))),
    names.map(Reference),
    names.map(RateReference),
    st.builds(Reference, names, st.none(), st.lists(names, max_size=2).map(tuple), names),
)


inner = st.deferred(lambda: st.one_of(leaves, nodes))
places = st.one_of(inner, st.builds(Range, inner, inner))
nodes = st.one_of(
    st.builds(Unary, st.just("-"), inner),
    st.builds(Binary, st.sampled_from("+-*/^"), inner, inner),
    st.builds(Compare, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), inner, inner),
    st.builds(Call, names, st.lists(inner, max_size=3).map(tuple), st.booleans()),
    st.builds(Reference, names, places, st.lists(names, max_size=2).map(tuple), st.none()),
)


@settings(max_examples=500, deadline=None)
@given(nodes)
@example(Binary("/", Reference("dt"), Reference("dt")))
@example(Binary("/", Reference("d"), Reference("dt", phase="free")))
def test_what_is_written_is_parsed_back(tree):
    for style in ("text", "index"):
        assert parse_expression(text(tree, style)) == tree


MINIMAL = [
    "a - (b - c)",
    "a - b - c",
    "a / (b * c)",
    "-a^2",
    "(-a)^2",
    "a^b^c",
    "(a^b)^c",
    "a^-b",
    "(a < b) * c",
    "-(a + b) * c",
    "a * -b",
    "f'(a, b < c)",
    "layer[k-1..L].e@free^2",
    "layer[(a<b)*2].x",
    "abs(a)",
    "1e-05 * a",
    "du/dt + 0.1",
]


@pytest.mark.parametrize("written", MINIMAL)
def test_no_bracket_too_many(written):
    assert text(parse_expression(written)) == written


@pytest.mark.parametrize(
    ("leaf", "written"),
    [
        (Variable("layer[1]", "x"), "layer[1].x"),
        (Variable("layer[1]", "x", "free"), "layer[1].x@free"),
        (Variable("layer[1]", "r", None, "pre"), "pre.r"),
        (Variable("layer[1]", "r", "free", "post"), "post.r@free"),
        (Input("y", "soma"), "input"),
        (Input("y", "soma", "threshold"), "input.threshold"),
        (Parameter("eta_W[1]"), "eta_W[1]"),
        (Parameter("c", "pre"), "pre.c"),
        (Stream("image"), "image"),
        (Counter("step"), "step"),
        (Rate("layer[1]", "u"), "d(layer[1].u)/dt"),
        (Noise(), "xi"),
        (Weight(), "w"),
        (Trace("m"), "m"),
        (Transmitted(), "pre"),
        (WeightOf("W[2]"), "W[2]"),
        (Array("file", ("W.npz", "a")), 'file("W.npz", "a")'),
        (Residual(), "residual"),
        (Load("layer.x"), "layer.x"),
        (Number(-2.0), "-2"),
        (Binary("^", Number(-2.0), Number(2.0)), "(-2)^2"),
        (Binary("-", Number(0.1), Number(-3.0)), "0.1 - -3"),
    ],
)
def test_resolved_leaves_read_as_the_user_wrote_them(leaf, written):
    assert text(leaf) == written


def test_numbers_keep_their_value():
    for value in (0.1, 1 / 3, 1e22, 1e16, 123456789.0, 5e-324, math.pi):
        assert parse_expression(text(Number(value))) == Number(value)


def test_an_unknown_style_is_refused(refused):
    with refused(ValueError):
        text(Number(1.0), "latex")
