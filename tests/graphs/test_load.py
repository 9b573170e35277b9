"""Loading: merging, families, names and what a Circuit says, against facts counted by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from apical.graphs.circuit import Equation, LearnItem, Update
from apical.graphs.diagnostics import CircuitError
from apical.graphs.expressions.constants import evaluate
from apical.graphs.expressions.tree import (
    Binary,
    Call,
    Compare,
    Counter,
    Input,
    Noise,
    Number,
    Parameter,
    Rate,
    Stream,
    Trace,
    Transmitted,
    Unary,
    Variable,
    Weight,
    WeightOf,
    walk,
)
from apical.graphs.load import bundled, load, load_text, variants_of

ON_TOP = {  # variants that stand on another one
    ("pem", "simplex"): ("sparse", "simplex"),
    ("pem", "nonnegative_sparse"): ("sparse", "nonnegative_sparse"),
}
EVERY = [
    (name, chosen)
    for name in bundled()
    for chosen in [(), *(ON_TOP.get((name, v), (v,)) for v in variants_of(name))]
]

SMALL = """\
apical: 1
name: small
parameters:
  n: 3
  tau: 2
  list: [5, 6, 7]
cells:
  cell:
    soma:
      - tau * dx/dt = -x + input
      - y = 2*x
populations:
  a:
    cell: cell
    size: n
  b:
    cell: cell
    size: n
synapses:
  W:
    from: a.y
    to: b.soma
    init: eye
"""


def with_cell(*lines: str, extra: str = "") -> str:
    """The small circuit with other equations in its soma, and more keys in the cell."""
    soma = "\n".join(f"      - {line}" for line in ("tau * dx/dt = -x + input", *lines))
    old = "      - tau * dx/dt = -x + input\n      - y = 2*x\n"
    return SMALL.replace(old, soma + "\n" + extra)


def right(circuit, variable: str, population: str = "a"):
    """The right side of the equation of a variable."""
    equations = circuit.populations[population].equations
    return next(e.right for e in equations if e.variable == variable)


X = Variable("a", "x")


@pytest.mark.parametrize(("name", "variants"), EVERY, ids=lambda v: "+".join(v) or "-")
def test_every_bundled_circuit_loads_without_a_warning(name, variants):
    circuit = load(name, variants=variants)
    assert circuit.name == name
    assert circuit.title and circuit.cite
    assert not circuit.warnings
    assert circuit.source.variants == variants


@pytest.mark.parametrize(("name", "variants"), EVERY, ids=lambda v: "+".join(v) or "-")
def test_nothing_as_written_is_left(name, variants):
    circuit = load(name, variants=variants)
    expressions = [e.right for p in circuit.populations.values() for e in p.equations]
    expressions += [u.right for p in circuit.populations.values() for u in p.after_step]
    for synapse in circuit.synapses.values():
        expressions += [line.right for line in (*synapse.rule, *synapse.trace)]
        expressions += [e for e in (synapse.init, synapse.weight, synapse.current) if e is not None]
    for expression in expressions:
        for node in walk(expression):
            assert type(node).__name__ not in ("Reference", "RateReference", "Range")


# --- parameters ---


def test_parameters_are_worked_out_by_plain_arithmetic():
    circuit = load("corinfomax", sizes=[8, 5, 3])
    lam = circuit.parameters["lam"].value
    assert circuit.parameters["sizes"].value == (8.0, 5.0, 3.0)
    assert circuit.parameters["L"].value == 2
    assert circuit.parameters["gam"].value == (1 - lam) / lam
    assert circuit.parameters["eta_W[2]"].value == 0.7
    assert [p.size for p in circuit.populations.values()] == [8, 5, 3]
    assert circuit.streams == {"image": 8, "label": 3}


def test_structural_parameters_are_those_that_sizes_and_steps_need():
    parameters = load("corinfomax").parameters
    structural = {name for name, p in parameters.items() if p.structural}
    assert {"sizes", "T_free", "T_nudged", "L"} <= structural
    assert not structural & {"eps", "g", "lam", "gam", "beta", "nudge", "eta_W[1]", "h0"}
    lasting = load("sacramento").parameters  # for: duration, dt: h
    assert lasting["duration"].structural and lasting["h"].structural


def test_a_derived_parameter_keeps_its_expression():
    circuit = load("corinfomax")
    values = {name: p.value for name, p in circuit.parameters.items()} | {"lam": 0.9}
    expression = circuit.parameters["gam"].expression
    assert not isinstance(expression, tuple)
    assert evaluate(expression, lambda name: values[name]) == pytest.approx(0.1 / 0.9, abs=1e-15)


@pytest.mark.parametrize("eta", [[1, 2, 3], np.array([1.0, 2.0, 3.0]), (1, 2, 3)])
def test_a_family_is_overridden_by_its_base_name(eta):
    circuit = load("corinfomax", sizes=[4, 3, 3, 2], eta_W=eta, eta_F=0.5)
    assert [circuit.parameters[f"eta_W[{k}]"].value for k in (1, 2, 3)] == [1, 2, 3]
    assert [circuit.parameters[f"eta_F[{k}]"].value for k in (1, 2)] == [0.5, 0.5]
    assert list(circuit.populations) == ["layer[0]", "layer[1]", "layer[2]", "layer[3]"]


def test_an_override_may_be_a_text():
    assert load_text(SMALL, n="2 + 2", list=[1, 2, 3, 4]).populations["a"].size == 4


def test_an_entry_of_a_list_is_a_parameter_of_its_own():
    circuit = load_text(with_cell("y = list[1] * x"))
    assert right(circuit, "y") == Binary("*", Parameter("list[1]"), X)
    entry = circuit.parameters["list[1]"]
    assert entry.value == 6
    assert entry.expression == Call("item", (Parameter("list"), Number(1.0)))


def test_a_bare_list_is_one_value_per_unit(refused):
    assert right(load_text(with_cell("y = list * x")), "y") == Binary("*", Parameter("list"), X)
    with refused(CircuitError):
        load_text(with_cell("y = list * x"), n=4)


# --- merging ---


def test_a_variant_replaces_single_equations_and_keeps_their_place():
    base, precision = load("pc"), load("pc", variants=["precision"])
    names = [e.variable for e in base.populations["layer[1]"].equations]
    assert names == ["u", "b", "e", "d", "x"]
    names = [e.variable for e in precision.populations["layer[1]"].equations]
    assert names == ["u", "b", "e", "d", "pe", "x"]
    assert "Pi[1]" in precision.synapses and "Pi[1]" not in base.synapses


def test_a_state_can_become_algebraic():
    text = SMALL + "variants:\n  v:\n    cells:\n      cell:\n        soma: x = input\n"
    before, after = (load_text(text, variants=v).populations["a"] for v in ((), "v"))
    assert (before.equations[0].kind, before.equations[0].tau) == ("state", Parameter("tau"))
    assert after.equations[0] == Equation("x", Input("a", "soma"), "algebraic", None, "soma")
    assert (before.states, after.states) == (("x",), ())


def test_an_equation_laid_over_another_compartment_moves_there():
    text = SMALL + "variants:\n  v:\n    cells:\n      cell:\n        axon: y = 3*x\n"
    population = load_text(text, variants="v").populations["a"]
    assert [(e.variable, e.compartment) for e in population.equations] == [
        ("x", "soma"),
        ("y", "axon"),
    ]


def test_null_removes_and_a_bare_name_means_all_members():
    circuit = load("pem", variants=["correlation"])
    assert list(circuit.synapses) == ["W", "B"]
    fixed = load("pc", variants=["fixed_prediction"])
    assert "generate" not in fixed.protocols
    for k in (1, 2, 3):  # the key `W` lies over `W[k=1..L]`
        phases = {n.phase for n in walk(fixed.synapses[f"W[{k}]"].rule[0].right)
                  if isinstance(n, Variable)}  # fmt: skip
        assert phases == {None, "forward"}


def test_variants_apply_in_the_order_given():
    text = SMALL + (
        "variants:\n  one:\n    parameters:\n      tau: 10\n"
        "  two:\n    parameters:\n      tau: 20\n"
    )
    assert load_text(text, variants=["one", "two"]).parameters["tau"].value == 20
    assert load_text(text, variants=["two", "one"]).parameters["tau"].value == 10
    assert load_text(text, variants=["two"], tau=5).parameters["tau"].value == 5


def test_a_file_extends_another(tmp_path):
    (tmp_path / "base.yaml").write_text(SMALL)
    heir = "apical: 1\nname: heir\nextends: base.yaml\nparameters:\n  n: 4\n  list: [1, 2, 3, 4]\n"
    (tmp_path / "heir.yaml").write_text(heir)
    circuit = load(tmp_path / "heir.yaml")
    assert circuit.name == "heir"
    assert circuit.populations["b"].size == 4
    assert {path.rpartition("/")[2] for path in circuit.source.texts} >= {"base.yaml", "heir.yaml"}


def test_a_file_extends_a_bundled_one():
    text = "apical: 1\nname: mine\nextends: pc\nparameters:\n  sizes: [4, 2]\n"
    assert list(load_text(text).populations) == ["layer[0]", "layer[1]"]


def test_files_that_extend_each_other_are_refused(tmp_path, refused):
    (tmp_path / "a.yaml").write_text("apical: 1\nname: a\nextends: b.yaml\n")
    (tmp_path / "b.yaml").write_text("apical: 1\nname: b\nextends: a.yaml\n")
    with refused(CircuitError):
        load(tmp_path / "a.yaml")


def test_a_cell_may_come_from_the_library():
    text = """\
apical: 1
name: one
parameters:
  g_lk: 0.1
  g_B: 1
  g_A: 0.8
functions:
  phi: logistic
cells:
  mine:
    is: pyramidal
    soma: r = phi(2*u)
populations:
  p:
    cell: mine
    size: 2
  q:
    cell: pyramidal
    size: 2
"""
    circuit = load_text(text)
    assert circuit.populations["q"].compartments == ("basal", "apical", "soma")
    assert right(circuit, "r", "q") == Call("logistic", (Variable("q", "u"),))
    twice = Binary("*", Number(2.0), Variable("p", "u"))
    assert right(circuit, "r", "p") == Call("logistic", (twice,))
    assert circuit.populations["p"].states == ("u",)


# --- names ---


def test_look_up_is_innermost_first():
    # `t` and `sample` are declared names here, no counters; a variable hides a parameter
    text = with_cell("t = x", "y = t + sample + n").replace("  n: 3", "  n: 3\n  sample: 4")
    total = Binary("+", Binary("+", Variable("a", "t"), Parameter("sample")), Parameter("n"))
    assert right(load_text(text), "y") == total
    assert right(load_text(with_cell("tau = x", "y = tau")), "y") == Variable("a", "tau")
    step = right(load_text(with_cell("y = step * pi")), "y")
    assert step == Binary("*", Counter("step"), Number(math.pi))


def test_a_populations_parameter_stands_in_its_equations_and_in_rules():
    circuit = load("corinfomax_sst")
    v_A = right(circuit, "u", "layer[1]")
    assert Binary("/", Number(1.0), Parameter("eps")) in list(walk(v_A))
    rule = circuit.synapses["D[1]"].rule[0].right
    d = Binary("*", Parameter("eps"), Parameter("g"))
    assert d in list(walk(rule))
    assert Variable("layer[1]", "q", side="post") in list(walk(rule))
    other = circuit.synapses["O[1]"].rule[0].right
    assert Variable("layer[1]", "q", side="pre") in list(walk(other))
    assert Variable("sst[1]", "q", side="post") in list(walk(other))


def test_a_list_of_a_population_has_a_side_in_rules():
    text = SMALL.replace(
        "  b:\n    cell: cell\n    size: n\n",
        "  b:\n    cell: cell\n    size: n\n    parameters:\n      rate: [1, 2, 3]\n",
    )
    circuit = load_text(text + "    rule: w += post.rate * pre\n")
    rule = circuit.synapses["W"].rule[0]
    assert rule == Update("w", "+=", Binary("*", Parameter("b.rate", "post"), Transmitted()))
    assert circuit.parameters["b.rate"].value == (1, 2, 3)


def test_what_rules_and_traces_name():
    circuit = load("urbanczik_senn")
    synapse = circuit.synapses["W"]
    assert synapse.filter == (Parameter("tau_s"), Parameter("tau_L"))
    (trace,) = synapse.trace
    assert trace.variable == "m" and trace.tau == Parameter("tau_Delta")
    surprise = Binary("*", Variable("y", "surprise", side="post"), Transmitted())
    assert trace.right == Binary("+", Unary("-", Trace("m")), surprise)
    assert synapse.rule == (
        Equation("w", Binary("*", Parameter("eta"), Trace("m")), "state", None, None),
    )


def test_input_noise_and_rates():
    text = with_cell("y = dx/dt + input.more", "dz/dt = -z + xi")
    text += "  V:\n    from: a.x\n    to: b.soma.more\n    init: 1\n"
    text += "  U:\n    from: b.x\n    to: a.soma.more\n    init: 1\n"
    circuit = load_text(text)
    assert right(circuit, "y") == Binary("+", Rate("a", "x"), Input("a", "soma", "more"))
    assert Noise() in list(walk(right(circuit, "z")))
    assert circuit.synapses["V"].target == ("b", "soma", "more")


# --- functions ---


def test_functions_are_inlined():
    text = with_cell("y = g(x + 1)").replace(
        "cells:", "functions:\n  f: tanh\n  g(s): f(s) * s / n\ncells:", 1
    )
    s = Binary("+", X, Number(1.0))
    tanh = Call("tanh", (s,))
    assert right(load_text(text), "y") == Binary("/", Binary("*", tanh, s), Parameter("n"))


def test_a_prime_of_the_table_stays_and_of_a_file_is_worked_out():
    text = with_cell("y = f'(x)", "z = g'(x)").replace(
        "cells:", "functions:\n  f: tanh\n  g(s): s^2 + sin(s)\ncells:", 1
    )
    circuit = load_text(text)
    assert right(circuit, "y") == Call("tanh", (X,), primed=True)
    derivative = right(circuit, "z")
    for value in (-1.3, 0.4, 2.0):
        at = _at(derivative, value)
        assert at == pytest.approx(2 * value + math.cos(value), abs=1e-14)


def _at(expression, value: float) -> float:
    """The value of an expression of x alone."""
    from apical.graphs.expressions.tree import transform

    number = transform(expression, lambda n: Number(value) if n == X else None)
    found = evaluate(number, lambda name: 0.0)
    assert isinstance(found, float)
    return found


def test_functions_that_double_are_stopped():
    doubles = "".join(f"  f{i}(s): f{i - 1}(s) + f{i - 1}(s)\n" for i in range(1, 60))
    text = with_cell("y = f59(x)").replace("cells:", f"functions:\n  f0(s): s\n{doubles}cells:", 1)
    with pytest.raises(
        CircuitError, match="more than 20000 terms|expand to more than can be loaded"
    ):
        load_text(text)


# --- synapses ---


def test_shapes_and_defaults_of_synapses():
    circuit = load("seqil", sizes=[6, 5, 4, 3])
    assert circuit.synapses["W[1]"].shape == (5, 7)  # the bias column is the last
    assert circuit.synapses["feedback[2]"].weight == Call("transpose", (WeightOf("W[2]"),))
    assert circuit.synapses["feedback[2]"].shape == (5, 4)
    assert circuit.synapses["feedback[2]"].init is None
    bound = Binary("/", Number(1.0), Call("sqrt", (Number(6.0),)))
    assert circuit.synapses["W[1]"].init == Call(
        "uniform", (Binary("/", Unary("-", Number(1.0)), Call("sqrt", (Number(6.0),))), bound)
    )
    sparse = load("pem", variants=["sparse"])
    assert sparse.synapses["count"].init == Number(1.0)
    assert not sparse.synapses["count"].init_stated
    assert sparse.synapses["C"].init_stated
    sst = load("corinfomax_sst")
    assert sst.synapses["D[1]"].shape == (500,)
    default = load_text(SMALL.replace("    init: eye\n", "    rule: w += pre\n")).synapses["W"]
    assert default.init == Call("xavier_uniform", ()) and not default.init_stated


def test_optimizers_keep_the_arguments_as_given():
    mq = load("seqil", variants=["mq"]).synapses["W[2]"].optimizer
    assert mq is not None and mq.kind == "mq"
    assert mq.arguments == tuple(map(Parameter, ("alpha", "alpha_min", "r", "rho")))
    text = SMALL + "    rule: w += pre\n    optimizer: adam(0.95^epoch)\n"
    adam = load_text(text).synapses["W"].optimizer
    assert adam is not None and adam.arguments == (Binary("^", Number(0.95), Counter("epoch")),)


def test_an_initialiser_may_read_other_synapses():
    circuit = load("sacramento", variants=["self_predicting"])
    assert circuit.synapses["W_PI[1]"].init == Unary("-", WeightOf("feedback[1]"))
    assert WeightOf("W[2]") in list(walk(circuit.synapses["W_IP[1]"].init))


# --- protocols ---


def test_protocols_expand_over_members_in_order():
    circuit = load("pc")
    train = circuit.protocols["train"]
    assert [phase.name for phase in train.phases] == ["forward", "infer"]
    assert circuit.protocols["predict"].phases == train.phases[:1]
    forward, infer = train.phases
    assert forward.clamp == ((Variable("layer[0]", "x"), Stream("image")),)
    assert forward.begin == tuple(
        (Variable(f"layer[{k}]", "x"), Call("tanh", (Variable(f"layer[{k}]", "u"),)))
        for k in (1, 2, 3)
    )
    assert forward.steps is None
    assert infer.steps == Parameter("T") and infer.dt == Parameter("h")
    assert infer.learn == ((LearnItem("W[1]"), LearnItem("W[2]"), LearnItem("W[3]")),)


def test_turns():
    (infer,) = load("seqil").protocols["train"].phases
    assert infer.order == (("layer[2]",), ("layer[1]",))  # k = L-1..1, downwards
    free = load("corinfomax", variants=["sparse"]).protocols["train"].phases[0]
    turns = (("layer[1]",), ("multiplier[1]",), ("layer[2]",), ("multiplier[2]",))
    assert free.order == turns
    (settle,) = load("pem", variants=["sparse"]).protocols["train"].phases
    assert settle.order == (("y",), ("gate",))
    assert load("ep").protocols["train"].phases[0].order is None


def test_learning():
    zil = load("pc", variants=["zil"]).protocols["train"].phases[1]
    assert zil.learn == ()
    assert [item for item, _ in zil.learn_each_step] == [LearnItem(f"W[{k}]") for k in (1, 2, 3)]
    assert [when for _, when in zil.learn_each_step] == [
        Compare("==", Counter("step"), Binary("-", Parameter("L"), Number(k)))
        for k in (1.0, 2.0, 3.0)
    ]
    (settle,) = load("pem").protocols["train"].phases
    assert settle.learn == (
        (LearnItem("W"),),
        (LearnItem("y", "mu"),),
        (LearnItem("y", "var"), LearnItem("C")),
    )
    nudged = load("ep").protocols["train"].phases[1]
    (group,) = nudged.learn
    assert LearnItem("layer[2]", "bias") in group and LearnItem("W[1]") in group


def test_sets_and_stop_rules():
    circuit = load("corinfomax", variants=["random_sign"])
    assert circuit.set_names == {"nudge"}
    nudged = circuit.protocols["train"].phases[1]
    assert nudged.set == (("nudge", Binary("*", Parameter("beta"), Call("random_sign", ()))),)
    (settle,) = load("pem").protocols["train"].phases
    y = Variable("y", "y")
    tolerance = Binary("*", Parameter("tol"), Call("norm", (y,)))
    assert settle.until == Compare("<", Call("change", (y,)), tolerance)


def test_what_only_a_protocol_or_after_step_assigns_is_a_state():
    sparse = load("pem", variants=["sparse"])
    assert sparse.populations["gate"].states == ("q",)
    assert sparse.populations["y"].states == ("y",)
    text = with_cell("y = memory")
    begin = "protocols:\n  train:\n    go:\n      begin:\n        - a.memory := 1\n"
    with pytest.raises(CircuitError, match="'memory'"):  # nothing assigns that of b
        load_text(text + begin)
    both = load_text(text + begin + "        - b.memory := 2\n")
    assert both.populations["b"].states == ("x", "memory")


def test_a_domain_is_a_clip_after_the_step():
    population = load_text(with_cell("y = x", extra="    domain:\n      x: [0, n]\n")).populations[
        "a"
    ]
    clip = Call("clip", (X, Number(0.0), Parameter("n")))
    assert population.after_step == (Update("x", ":=", clip),)


# --- readouts ---


def test_energies_sum_over_members():
    circuit = load("pc", sizes=[4, 3, 2])
    terms = [Call("sum", (Binary("^", Variable(f"layer[{k}]", "e"), Number(2.0)),)) for k in (1, 2)]
    assert circuit.energies["F"] == Binary("/", Binary("+", *terms), Number(2.0))
    loss = Call("sum", (Binary("^", Variable("layer[2]", "e"), Number(2.0)),))
    assert circuit.energies["loss"] == Binary("/", loss, Number(2.0))


def test_a_mean_over_members_counts_their_units():
    text = (
        load("pc")
        .source.texts["pc.yaml"]
        .replace("  loss: sum(layer[L].e^2) / 2\n", "  loss: mean(layer[1..L].e)\n", 1)
    )
    energy = load_text(text, sizes=[4, 3, 2]).energies["loss"]
    assert isinstance(energy, Binary) and energy.right == Number(5.0)


def test_records_and_predictions():
    text = SMALL + (
        "data:\n  thing: n\npredicts:\n  thing: b.y\n"
        "record:\n  - a.x in go every 2 mean\n  - b.y\n"
        "protocols:\n  train:\n    go:\n      steps: 3\n      dt: 0.1\n"
    )
    circuit = load_text(text)
    assert circuit.predicts == {"thing": Variable("b", "y")}
    first, second = circuit.record
    assert (first.what, first.phase, first.every, first.reduce) == (X, "go", 2, "mean")
    assert (second.what, second.phase, second.every) == (Variable("b", "y"), None, 1)


def test_the_weight_in_a_current():
    store = load("hopfield", variants="euclid").synapses["store"].current
    assert Weight() in list(walk(store)) and Transmitted() in list(walk(store))


@pytest.mark.parametrize("text", ["separation(sparse)", "a b", "separation(a=1", "x(a=1, a=2)"])
def test_a_task_has_a_form(text):
    wrong = load("pc").source.texts["pc.yaml"].replace("task: digits", f"task: {text}")
    with pytest.raises(CircuitError) as caught:
        load_text(wrong)
    (found,) = caught.value.diagnostics
    line = wrong.splitlines().index(f"task: {text}") + 1
    assert found.place.line == line and "task `" in found.message


def test_a_task_is_a_name_with_options():
    from apical.graphs.task_text import TaskChoice, task_choice

    options = {"domain": "sparse", "snr": 30, "rho": 0.5, "whitened": True}
    text = "separation(domain=sparse, snr=30, rho=0.5, whitened=true)"
    assert task_choice(text) == TaskChoice("separation", options)
    assert task_choice("digits") == task_choice("digits()") == TaskChoice("digits")
    assert load("pc").task == "digits" and load("pc", variants="mnist").task == "mnist"
    assert load("pc").stream_sizes == {"image": "sizes[0]", "label": "sizes[L]"}
