"""Derivatives against finite differences, simplification against evaluation."""

import numpy as np
import pytest
from hypothesis import assume, given, settings, strategies as st

from apical.compartments.functions import FUNCTIONS
from apical.graphs.expressions.derivative import (
    DerivativeError,
    derivative_of,
    differentiate,
    expand_primes,
    simplify,
)
from apical.graphs.expressions.parser import parse_expression
from apical.graphs.expressions.text import text
from apical.graphs.expressions.tree import (
    Binary,
    Call,
    Compare,
    Load,
    Number,
    Reference,
    Unary,
    Variable,
    transform,
    walk,
)

COMPARE = {"<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal}
ARITHMETIC = {"+": np.add, "-": np.subtract, "*": np.multiply, "/": np.divide, "^": np.power}
X = Reference("x")


def value(node, values):
    """The value of a tree by numpy."""
    match node:
        case Number():
            return np.float64(node.value)
        case Reference():
            return np.float64(values[node.name])
        case Unary():
            return -value(node.operand, values)
        case Binary():
            return ARITHMETIC[node.op](value(node.left, values), value(node.right, values))
        case Compare():
            return np.float64(COMPARE[node.op](value(node.left, values), value(node.right, values)))
    return np.float64(FUNCTIONS[node.function].numpy(*(value(a, values) for a in node.arguments)))


def slope(tree, at, h=1e-6):
    """The central difference quotient by x."""
    up, down = ({**at, "x": at["x"] + s} for s in (h, -h))
    return (value(tree, up) - value(tree, down)) / (2 * h)


AT = {"x": 0.37, "a": 1.3, "b": 0.6, "c": 2.1}


@pytest.mark.parametrize(
    "written",
    [
        "x^2",
        "x^3 / a",
        "a^x",
        "x^x",
        "(x + a)^b",
        "1 / (1 + exp(-x))",
        "a / (1 + b*exp(c*(a - x)))",
        "x*x*x - -x",
        "exp(-x^2 / 2) * sin(c*x)",
        "clip(2*x, 0, 1) + clip(x, 1, 2) + clip(a, x, c) + clip(a, b, x)",
        "max(x, 0) * min(x, a) - max(b, x)",
        "|x - a| + sign(x)",
        "log(x) * sqrt(x) + cos(x)",
        "relu(x) * softplus(x) * logistic(x) * tanh(x) * identity(x)",
        "(x > b) * x + (x < b) * x^2",
        "round(x) + floor(x) + x",
        "tanh(exp(sin(x)))",
    ],
)
def test_derivatives_are_the_slopes(written):
    tree = parse_expression(written)
    assert value(differentiate(tree, X), AT) == pytest.approx(slope(tree, AT), rel=1e-7, abs=1e-9)


@pytest.mark.parametrize("name", [n for n, f in FUNCTIONS.items() if f.derivatives])
def test_the_whole_table_is_the_slope(name):
    count = len(FUNCTIONS[name].derivatives)
    for position in range(count):
        for at in (0.37, 1.9, 0.9):
            arguments = [Number(0.25), Number(0.5), Number(1.5)][:count]
            arguments[position] = X
            tree = Call(name, tuple(arguments))
            found = derivative_of(name, arguments, position)
            expected = slope(tree, {"x": at})
            assert value(found, {"x": at}) == pytest.approx(expected, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("name", [n for n, f in FUNCTIONS.items() if len(f.derivatives) == 1])
def test_primes_are_derivatives(name):
    written = parse_expression(f"a * {name}'(b*x)")
    expected = Binary("*", Reference("a"), derivative_of(name, [parse_expression("b*x")], 0))
    assert expand_primes(written) == expected
    second = differentiate(written, X)
    step = slope(expand_primes(written), AT)
    assert value(second, AT) == pytest.approx(step, rel=1e-6, abs=1e-9)


def test_primes_inside_primes():
    found = expand_primes(parse_expression("tanh'(relu'(x))"))
    assert not any(isinstance(n, Call) and n.primed for n in walk(found))
    assert expand_primes(parse_expression("f'(tanh'(x))")) == Call(
        "f", (parse_expression("1 - tanh(x)^2"),), primed=True
    )


@pytest.mark.parametrize(
    ("written", "derivative"),
    [
        ("a", "0"),
        ("x", "1"),
        ("a*x + b", "a"),
        ("-x", "-1"),
        ("x^2", "2 * x"),
        ("x / a", "1 / a"),
        ("max(a, b) * x", "max(a, b)"),
        ("f(a) * x", "f(a)"),
        ("softmax(a) * x", "softmax(a)"),
        ("tanh(x)", "1 - tanh(x)^2"),
        ("relu(x)", "x > 0"),
        ("x@free + x", "1"),
        ("x[1] + a.x", "0"),
    ],
)
def test_derivatives_are_short(written, derivative):
    assert text(differentiate(parse_expression(written), X)) == derivative


@pytest.mark.parametrize("leaf", [Variable("y", "v"), Load("y.v"), Reference("v", Number(1.0))])
def test_any_leaf_can_be_the_variable(leaf):
    tree = transform(parse_expression("x^2 * a"), lambda n: leaf if n == X else None)
    found = differentiate(tree, leaf)
    assert found == Binary("*", Binary("*", Number(2.0), leaf), Reference("a"))


@pytest.mark.parametrize(
    "written", ["softmax(x)", "f(x)", "f'(x)", "sum(x)", "max(x)", "norm(2*x)", "clip(x)"]
)
def test_what_has_no_derivative_says_so(written):
    with pytest.raises(DerivativeError):
        differentiate(parse_expression(written), X)


def test_softmax_has_no_prime():
    """It stays as it is; whoever resolves names says so with a place."""
    tree = parse_expression("softmax'(x)")
    assert expand_primes(tree) == tree


# --- simplification ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "short"),
    [
        ("0 * x", "0"),
        ("x * 0", "0"),
        ("0 / x", "0"),
        ("0 / 0", "0 / 0"),
        ("1 / 0", "1 / 0"),
        ("1 * x", "x"),
        ("x / 1", "x"),
        ("x + 0 - 0", "x"),
        ("0 + x", "x"),
        ("0 - x", "-x"),
        ("-1 * x", "-x"),
        ("x * -1", "-x"),
        ("x^1", "x"),
        ("x^0", "1"),
        ("1^x", "1"),
        ("--x", "x"),
        ("-(-3)", "3"),
        ("x + -a", "x - a"),
        ("x - -a", "x + a"),
        ("2 * 3 + 4^2 / 8", "8"),
        ("(-8)^(1/3)", "(-8)^0.3333333333333333"),
        ("1e300 * 1e300", "1e+300 * 1e+300"),
        ("2 * (x - nudge * 0)", "2 * x"),
        ("-u + b - 2 * 0 * (s - label)", "-u + b"),
        ("f(0 * x + a, 1)", "f(a, 1)"),
        ("(2 > 1) * x", "x"),
        ("(0 * a > 1) * x", "0"),
        ("a - b - (c - 0)", "a - b - c"),
        ("a*b + c*b", "a * b + c * b"),
        ("x - x", "x - x"),
        ("2 * (3 * x)", "2 * (3 * x)"),
    ],
)
def test_what_is_simplified_and_what_is_not(written, short):
    assert text(simplify(parse_expression(written))) == short


def test_what_needs_no_change_is_the_same_object():
    tree = parse_expression("-e + f(u, a < b) * (a - b)^2 / |c|")
    assert simplify(tree) is tree


names = st.sampled_from(["x", "a", "b"])
numbers = st.sampled_from([0.0, 1.0, 2.0, 0.5, 3.0]).map(Number)
trees = st.recursive(
    st.one_of(names.map(Reference), numbers),
    lambda inner: st.one_of(
        st.builds(Unary, st.just("-"), inner),
        st.builds(Binary, st.sampled_from("+-*/^"), inner, inner),
        st.builds(Compare, st.sampled_from(["<", ">="]), inner, inner),
        st.builds(Call, st.sampled_from(["tanh", "abs", "sin"]), st.tuples(inner)),
    ),
    max_leaves=12,
)


@settings(max_examples=400, deadline=None)
@given(trees)
def test_simplifying_changes_no_value(tree):
    with np.errstate(all="ignore"):
        before = value(tree, AT)
        assume(all(np.isfinite(value(n, AT)) for n in walk(tree)))
        after = value(simplify(tree), AT)
    assert after == pytest.approx(before, rel=1e-14, abs=0)
    assert simplify(simplify(tree)) == simplify(tree)


@settings(max_examples=300, deadline=None)
@given(trees)
def test_random_trees_have_the_slope_of_their_derivative(tree):
    with np.errstate(all="ignore"):
        derivative = value(differentiate(tree, X), AT)
        steps = [slope(tree, AT, h) for h in (1e-5, 2e-5)]
        assume(np.isfinite([derivative, *steps]).all())
        assume(abs(value(tree, AT)) < 1e4 and abs(derivative) < 1e4)
        assume(abs(steps[0] - steps[1]) < 1e-6 * max(1.0, abs(steps[0])))  # smooth there
    assert derivative == pytest.approx(steps[0], rel=1e-4, abs=1e-4)


def test_time_is_linear():
    import time

    tree = X
    for _ in range(60):
        tree = Binary("*", Binary("+", tree, Number(0.0)), X)
    start = time.process_time()
    for _ in range(20):
        simplify(differentiate(tree, X))
    assert time.process_time() - start < 2
