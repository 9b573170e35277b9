"""The function table against scipy and the derivative texts against central differences."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from scipy import special

from apical.compartments import FUNCTIONS, kind_of

DERIVATIVES = {name: f.derivatives for name, f in FUNCTIONS.items() if f.derivatives}
WITHOUT_DERIVATIVE = {"softmax", "sum", "mean", "norm", "len"}


def evaluate(text: str, names: dict[str, np.ndarray]) -> np.ndarray:
    """The value of a text of this table; ours, not a user's."""
    scope = {name: function.numpy for name, function in FUNCTIONS.items()} | names
    with np.errstate(all="ignore"):
        return np.asarray(eval(text.replace("^", "**"), {"__builtins__": {}}, scope), dtype=float)


def test_the_table_is_closed() -> None:
    assert set(DERIVATIVES) == set(FUNCTIONS) - WITHOUT_DERIVATIVE
    for name, texts in DERIVATIVES.items():
        assert len(texts) == FUNCTIONS[name].arity[1] == len(FUNCTIONS[name].arguments)
    with pytest.raises(TypeError):
        FUNCTIONS["new"] = FUNCTIONS["tanh"]  # type: ignore[index]


def test_values_against_scipy_and_without_overflow() -> None:
    x = np.array([-1e4, -40.0, -1.3, 0.0, 1.3, 40.0, 1e4])
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        np.testing.assert_allclose(FUNCTIONS["logistic"].numpy(x), special.expit(x), rtol=1e-15)
        softplus = FUNCTIONS["softplus"].numpy(x)
    np.testing.assert_allclose(softplus, -special.log_expit(-x), rtol=1e-15)
    np.testing.assert_allclose(
        FUNCTIONS["softmax"].numpy(x[1:-1]), special.softmax(x[1:-1]), rtol=1e-14
    )
    np.testing.assert_array_equal(FUNCTIONS["clip"].numpy(x, 0, 2), [0, 0, 0, 0, 1.3, 2, 2])


def test_exprel_against_scipy() -> None:
    sizes = 10.0 ** np.linspace(-320, 2.8, 1000)
    x = np.concatenate([sizes, -sizes, np.linspace(-40, 40, 801), [-1e300, -np.inf]])
    with np.errstate(invalid="raise", divide="raise"):
        found = FUNCTIONS["exprel"].numpy(x)
    np.testing.assert_allclose(found, special.exprel(x), rtol=1e-15)
    with np.errstate(over="ignore"):
        far = FUNCTIONS["exprel"].numpy(np.array([0.0, -0.0, np.inf, np.nan]))
    np.testing.assert_array_equal(far, [1, 1, np.inf, np.nan])


def test_the_derivative_of_exprel_near_zero() -> None:
    """Sum_k (k + 1) x^k / (k + 2)!, in fractions; (e^x - exprel(x))/x alone keeps no digit."""
    (text,) = DERIVATIVES["exprel"]
    x = np.array([s * 10.0**e for e in range(-300, 0, 13) for s in (-1, 1)] + [-1, -0.5, 0, 0.5, 1])
    exact = []
    for point in map(Fraction, x):
        total, term = Fraction(0), Fraction(1, 2)
        for k in range(30):
            total, term = total + term, term * point * (k + 2) / ((k + 1) * (k + 3))
        exact.append(float(total))
    np.testing.assert_allclose(evaluate(text, {"x": x}), exact, rtol=3e-15)
    x = np.array([-1e300, -800.0, -40.0, 3.0, 100.0, 600.0])
    closed = (np.exp(x) * (x - 1) + 1) / x / x
    np.testing.assert_allclose(evaluate(text, {"x": x}), closed, rtol=1e-14)


def test_reductions_run_over_units_and_keep_the_axis() -> None:
    x = np.array([[3.0, -4.0], [1.0, 2.0]])
    expected = {"sum": [-1, 3], "mean": [-0.5, 1.5], "max": [3, 2], "norm": [5, np.sqrt(5)]}
    for name, values in expected.items():
        np.testing.assert_array_equal(FUNCTIONS[name].numpy(x), np.array(values)[:, None])
    np.testing.assert_array_equal(FUNCTIONS["max"].numpy(x, 1.5), [[3, 1.5], [1.5, 2]])
    assert kind_of("max", 1) == "reduction"
    assert kind_of("max", 2) == "elementwise"
    assert kind_of("sum", 1) == "reduction"


@pytest.mark.parametrize("name", sorted(DERIVATIVES))
def test_derivatives_against_central_differences(name: str) -> None:
    function = FUNCTIONS[name]
    count = function.arity[1]
    rng = np.random.default_rng(0)
    low = 0.1 if name in ("log", "sqrt") else -2.0
    points = rng.uniform(low, 2.0, (count, 200))
    if name == "clip":
        points[1:] = np.sort(points[1:], axis=0)
    names = dict(zip("x" if count == 1 else "abc", points, strict=False))
    for i, text in enumerate(DERIVATIVES[name]):
        up, down = points.copy(), points.copy()
        up[i] += 1e-6
        down[i] -= 1e-6
        difference = (function.numpy(*up) - function.numpy(*down)) / 2e-6
        smooth = np.abs(difference) < 1e3  # sign, round, floor: a jump inside the step
        expected = np.broadcast_to(evaluate(text, names), difference.shape)
        np.testing.assert_allclose(expected[smooth], difference[smooth], atol=1e-7, rtol=1e-6)


@pytest.mark.parametrize("name", [n for n, f in FUNCTIONS.items() if f.definition])
def test_a_definition_says_what_the_numbers_say(name: str) -> None:
    function = FUNCTIONS[name]
    points = np.random.default_rng(1).uniform(-2, 2, (function.arity[1], 200))
    names = dict(zip(function.arguments, points, strict=True))
    found = evaluate(str(function.definition), names)
    np.testing.assert_allclose(found, function.numpy(*points), rtol=1e-14)


def test_kinks() -> None:
    def at(name: str, **names: float) -> list[float]:
        values = {key: np.array(value) for key, value in names.items()}
        return [float(evaluate(text, values)) for text in DERIVATIVES[name]]

    assert at("relu", x=0.0) == [0.0]
    assert at("abs", x=0.0) == [0.0]
    assert at("clip", a=0.0, b=0.0, c=1.0)[0] == 0.0
    assert at("clip", a=1.0, b=0.0, c=1.0)[0] == 0.0
    assert at("min", a=1.0, b=1.0) == [1.0, 0.0]
    assert at("max", a=1.0, b=1.0) == [1.0, 0.0]
