"""`exponential_euler`: x + dt exprel(dt a) f, the slope a = df/dx of the equations of its own cell.

Slopes and rates are read before anything of the turn is written. Oracles: closed forms of one
step, an independent loop for the Hodgkin-Huxley cell, and scipy.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.special import exprel, hyp1f1

import apical
from apical.graphs.load import load_text

ENGINES = ["numpy", "numba", pytest.param("torch", marks=pytest.mark.filterwarnings("ignore"))]
DT = 0.5


@pytest.fixture(params=ENGINES)
def engine(request):
    if request.param == "torch":
        pytest.importorskip("torch")
    return request.param


def move(x, rate, slope):
    """One step from x."""
    return x + DT * exprel(DT * np.asarray(slope, float)) * rate


def circuit(lines, begin, synapses="", others="", learn="", more="", method="exponential_euler"):
    """One cell `p` of 2 units with these lines, and what else is given, for one step."""
    soma = "\n".join(f"      - {line}" for line in lines)
    text = f"""
apical: 1
name: stepping
{more}
cells:
  cell:
    dendrite: v = input
    soma:
{soma}
{others or "populations:"}
  p:
    cell: cell
    size: 2
{synapses}
protocols:
  train:
    only:
      begin: {begin}
      steps: 1
      dt: {DT}
      method: {method}
{learn}
"""
    return load_text(text)


def after(made, engine, *names, **options):
    """The last row of what is named, of the first sample and unit."""
    sim = apical.Simulator(made, engine=engine)
    traces = sim.run("train", record=list(names), **options)
    return sim, [traces[name].isel(sample=0, step=-1).values.flat[0] for name in names]


# --- what is read before what is written ---------------------------------------------------------

TWO = ["dV/dt = 1 - V", "dm/dt = V - (V + 1)*m"]


@pytest.mark.parametrize("lines", [TWO, TWO[::-1]], ids=["V first", "m first"])
def test_the_order_of_lines_changes_nothing(engine, lines):
    _, (v, m) = after(circuit(lines, "p.V := 0.5"), engine, "p.V", "p.m")
    assert m == pytest.approx((1 - np.exp(-0.75)) / 3, rel=1e-13)  # .17588, not .16775
    assert v == pytest.approx(1 - 0.5 * np.exp(-0.5), rel=1e-13)


TWO_POPULATIONS = """
apical: 1
name: populations
cells:
  source:
    soma: dV/dt = 1 - V
  target:
    basal: v = input
    soma: dm/dt = v - (v + 1)*m
populations:
  {first}:
    cell: {first}
    size: 2
  {second}:
    cell: {second}
    size: 2
synapses:
  W:
    from: source.V
    to: target.basal
    connect: one_to_one
    init: 1
    filter: [2, 4]
  F:
    from: source.V
    to: target.basal
    connect: one_to_one
    init: 1
protocols:
  train:
    only:
      begin: source.V := 0.5
      steps: 2
      dt: 0.5
      method: exponential_euler
"""


@pytest.mark.parametrize("names", [("source", "target"), ("target", "source")])
def test_populations_and_filters_of_a_turn(engine, names):
    made = load_text(TWO_POPULATIONS.format(first=names[0], second=names[1]))
    sim, (v, m) = after(made, engine, "source.V", "target.m")
    expected = {"V": 0.5, "m": 0.0, "s": 0.0, "p": 0.0}
    for _ in range(2):
        x = dict(expected)
        arrives = x["V"] + x["p"]
        expected["V"] = move(x["V"], 1 - x["V"], -1)
        expected["m"] = move(x["m"], arrives - (arrives + 1) * x["m"], -(arrives + 1))
        expected["s"] = move(x["s"], (x["V"] - x["s"]) / 2, -1 / 2)
        expected["p"] = move(x["p"], (x["s"] - x["p"]) / 4, -1 / 4)
    assert (v, m) == pytest.approx((expected["V"], expected["m"]), rel=1e-13)
    found = [sim.state[f"W.{name}"].flat[0] for name in "sp"]
    assert found == pytest.approx([expected["s"], expected["p"]], rel=1e-13)


PLASTIC = """synapses:
  W:
    from: p.u
    to: p.dendrite
    connect: {connect}
    init: 0.25
    trace: {trace}
    rule: {rule}
"""


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("connect", ["dense", "one_to_one"])
def test_traces_and_weights_of_a_turn(engine, connect, batch):
    synapse = PLASTIC.format(
        connect=connect, trace="2 * dm/dt = post.u * pre - m", rule="dw/dt = m - (m + t + w + 3)*w"
    )
    made = circuit(["du/dt = 1 - u"], "p.u := 0.5", synapse)
    sim, (u,) = after(made, engine, "p.u", samples=batch, batch=batch, learn=True)
    w = sim.weights["W"].flat[0]
    assert u == pytest.approx(move(0.5, 0.5, -1), rel=1e-13)
    assert sim.state["W.m"].flat[0] == pytest.approx(move(0, 0.125, -0.5), rel=1e-13)
    assert w == pytest.approx(move(0.25, -3.25 * 0.25, -3.5), rel=1e-13)


@pytest.mark.parametrize("connect", ["dense", "one_to_one"])
def test_a_weight_that_decays_with_activity(engine, connect):
    """Oja's term: the slope of a synapse of one's own is the mean of that of its samples."""
    synapse = f"""synapses:
  W:
    from: p.u
    to: p.dendrite
    connect: {connect}
    init: 0.5
    rule: dw/dt = post.u * pre - 4*post.u^2*w
"""
    made = circuit(["du/dt = 1 - u"], "p.u := drive", synapse, more="data:\n  drive: 2\n")
    sim = apical.Simulator(made, engine=engine)
    drive = np.array([[0.5, 0.5], [1.5, 1.5]])
    sim.run("train", drive=drive, learn=True)
    square = (0.5**2 + 1.5**2) / 2
    assert sim.weights["W"].shape == ((2, 2) if connect == "dense" else (2,))
    expected = move(0.5, square - 4 * square * 0.5, -4 * square)
    assert sim.weights["W"].flat[0] == pytest.approx(expected, rel=1e-13)


# --- the slope -----------------------------------------------------------------------------------


def test_through_an_algebraic_variable(engine):
    _, (s,) = after(circuit(["leak = 3*s", "ds/dt = 2 - leak"], "p.s := 1"), engine, "p.s")
    assert s == pytest.approx(2 / 3 + np.exp(-1.5) / 3, rel=1e-13)  # exact, as the rate is linear


def test_through_a_chain_and_a_derivative(engine):
    lines = ["c = a^2", "a = tanh(s)", "b = c*a + du/dt", "ds/dt = a - b", "du/dt = s^3 - u"]
    _, (s, u) = after(circuit(lines, "p.s := 0.5"), engine, "p.s", "p.u")
    a, d = np.tanh(0.5), 1 - np.tanh(0.5) ** 2
    assert s == pytest.approx(move(0.5, a - a**3 - 0.125, d - 3 * a**2 * d - 0.75), rel=1e-13)
    assert u == pytest.approx(move(0, 0.125, -1), rel=1e-13)


def test_a_current_that_depends_on_its_target(engine):
    synapse = """synapses:
  W:
    from: p.r
    to: p.dendrite
    connect: {connect}
    init: 0.5
    current: w * pre * (2 - post.square*post.u)
"""
    for connect, gain in (("dense", 1), ("one_to_one", 0.5)):
        made = circuit(
            ["du/dt = v - u", "square = u^2", "r = u + 3"],
            "p.u := 1.5",
            synapse.format(connect=connect),
        )
        _, (u,) = after(made, engine, "p.u")
        conductance = gain * 4.5  # what is sent, u + 3, is held
        slope = -conductance * 3 * 1.5**2 - 1
        assert u == pytest.approx(move(1.5, conductance * (2 - 1.5**3) - 1.5, slope), rel=1e-13)


def test_a_sum_in_a_current_is_held(engine):
    """The field of divisive inhibition: each unit is divided by what the whole population does."""
    synapse = """synapses:
  W:
    from: p.r
    to: p.dendrite
    init: 0.5
    current: w * pre * (2 - post.u) / norm(post.u)
"""
    made = circuit(["du/dt = v - u", "r = 3"], "p.u := 1.5", synapse)
    _, (u,) = after(made, engine, "p.u")
    conductance = 3 / (1.5 * np.sqrt(2))
    assert u == pytest.approx(move(1.5, conductance * 0.5 - 1.5, -conductance - 1), rel=1e-13)


@pytest.mark.parametrize("connect", ["dense", "one_to_one"])
def test_what_synapses_and_reductions_bring_is_held(engine, connect):
    synapse = f"""synapses:
  W:
    from: p.u
    to: p.dendrite
    connect: {connect}
    init: 0.5
"""
    made = circuit(["du/dt = v + sum(u) - 3*u"], "p.u := 1", synapse)
    _, (u,) = after(made, engine, "p.u")
    brought = (1 if connect == "dense" else 0.5) + 2
    assert u == pytest.approx(move(1, brought - 3, -3), rel=1e-13)


def test_noise_is_no_part_of_the_slope(engine):
    """Ito: x exprel(-dt) (-x + x xi); in the slope, xi would make it another equation."""
    lines = ["dx/dt = -x + x*xi"]
    _, (plain,) = after(circuit(lines, "p.x := 2", method="euler"), engine, "p.x")
    _, (x,) = after(circuit(lines, "p.x := 2"), engine, "p.x")
    rate = (plain - 2) / DT
    assert abs(rate + 2) > 1e-3  # there is noise
    assert x == pytest.approx(move(2, rate, -1), rel=1e-12)


def test_a_slope_without_a_bound_does_not_stop_a_state(engine):
    _, (x,) = after(circuit(["dx/dt = 1 - sqrt(x)"], "p.x := 0"), engine, "p.x")
    assert x == DT


# --- a Hodgkin-Huxley cell -----------------------------------------------------------------------

HH = """
apical: 1
name: hodgkin-huxley
cite: Hodgkin & Huxley 1952, in the units of today
time_unit: ms
parameters:
  h: 0.1
  T: 30
data:
  I: 1
cells:
  squid:
    soma:
      - dV/dt = I - I_Na - I_K - 0.3*(V + 54.387)
      - I_Na = 120*m^3*h_Na*(V - 50)
      - I_K = 36*n^4*(V + 77)
      - alpha_m = 1/exprel(-(V + 40)/10)
      - beta_m = 4*exp(-(V + 65)/18)
      - tau_m = 1/(alpha_m + beta_m)
      - m_inf = alpha_m*tau_m
      - dm/dt = (m_inf - m)/tau_m
      - alpha_h = 0.07*exp(-(V + 65)/20)
      - beta_h = 1/(1 + exp(-(V + 35)/10))
      - dh_Na/dt = alpha_h*(1 - h_Na) - beta_h*h_Na
      - alpha_n = 0.1/exprel(-(V + 55)/10)
      - beta_n = 0.125*exp(-(V + 65)/80)
      - dn/dt = opening - beta_n*n
      - opening = alpha_n*(1 - n)
populations:
  cell:
    cell: squid
    size: 1
protocols:
  train:
    inject:
      for: T
      dt: h
      method: exponential_euler
"""
START = {"V": -65.0, "m": 0.05, "h_Na": 0.6, "n": 0.32}


def ratio(y):
    """y / (1 - e^-y)."""
    return 1.0 if y == 0 else y / -np.expm1(-y)


def opening_and_closing(v):
    """alpha and beta of m, h, n at a voltage."""
    return (
        (ratio((v + 40) / 10), 4 * np.exp(-(v + 65) / 18)),
        (0.07 * np.exp(-(v + 65) / 20), 1 / (1 + np.exp(-(v + 35) / 10))),
        (0.1 * ratio((v + 55) / 10), 0.125 * np.exp(-(v + 65) / 80)),
    )


def loop(current, dt, steps):
    """Exponential Euler as a modeller writes it: V and gates relax to where they would rest."""
    v, gates, found = START["V"], [START["m"], START["h_Na"], START["n"]], []
    for _ in range(steps + 1):
        found.append(v)
        m, h, n = gates
        na, k = 120 * m**3 * h, 36 * n**4
        total, rates = na + k + 0.3, opening_and_closing(v)
        rest = (50 * na - 77 * k - 54.387 * 0.3 + current) / total
        v = rest + (v - rest) * np.exp(-dt * total)
        gates = [
            a / (a + b) + (x - a / (a + b)) * np.exp(-dt * (a + b))
            for x, (a, b) in zip(gates, rates, strict=True)
        ]
    return np.array(found)


def derivative(_, y):
    v, m, h, n = y
    rates = [
        a * (1 - x) - b * x for x, (a, b) in zip((m, h, n), opening_and_closing(v), strict=True)
    ]
    leaks = 120 * m**3 * h * (v - 50) + 36 * n**4 * (v + 77) + 0.3 * (v + 54.387)
    return [10 - leaks, *rates]


def voltage(engine, **parameters):
    sim = apical.Simulator(load_text(HH, **parameters), engine=engine)
    initial = {f"cell.{name}": [[value]] for name, value in START.items()}
    return sim.run("train", I=[[10.0]], initial=initial, record=["cell.V"])["cell.V"].values.ravel()


def test_hodgkin_huxley_in_its_natural_spelling(engine):
    np.testing.assert_allclose(voltage(engine), loop(10.0, 0.1, 300), rtol=0, atol=1e-9)


def test_hodgkin_huxley_converges_to_scipy():
    spike = {}
    exact = solve_ivp(
        derivative, (0, 10), list(START.values()), "LSODA", rtol=1e-10, atol=1e-10, max_step=0.05
    )
    top = exact.t[np.argmax(exact.y[0])]
    for dt in (0.02, 0.01):
        v = voltage("numpy", h=dt, T=10)
        spike[dt] = dt * np.argmax(v) - top
        assert np.max(v) == pytest.approx(np.max(exact.y[0]), abs=1.5)
    assert abs(spike[0.01]) < 0.05
    assert abs(spike[0.01]) < abs(spike[0.02])


# --- exprel --------------------------------------------------------------------------------------

TABLE = """
apical: 1
name: exprel
data:
  x: 200
cells:
  cell:
    soma:
      - y = exprel(x)
      - d = exprel'(x)
populations:
  p:
    cell: cell
    size: 200
protocols:
  train:
    only:
      steps: 0
      dt: 1
"""


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_exprel_on_every_engine(engine, dtype):
    small = 10.0 ** np.linspace(-30, 1.9, 50)
    x = np.concatenate([[0, -0.0, -1e30, -500], small, -small, np.linspace(-3, 3, 96)])
    x = x.astype(dtype).astype(float)
    sim = apical.Simulator(load_text(TABLE), engine=engine, dtype=dtype)
    traces = sim.run("train", x=x[None], record=["p.y", "p.d"])
    tolerance = {"float64": 3e-15, "float32": 2e-6}[dtype]
    np.testing.assert_allclose(traces["p.y"].values.ravel(), exprel(x), rtol=tolerance)
    slope = hyp1f1(2, 3, x[4:]) / 2  # of 1F1(1; 2; x)
    np.testing.assert_allclose(traces["p.d"].values.ravel()[4:], slope, rtol=10 * tolerance)
    np.testing.assert_allclose(traces["p.d"].values.ravel()[:2], 0.5, rtol=tolerance)
    np.testing.assert_allclose(traces["p.d"].values.ravel()[3], 500.0**-2, rtol=tolerance)
