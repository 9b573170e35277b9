"""The picture of a circuit: who stands above whom, and what is to be seen of every synapse."""

from itertools import combinations

import numpy as np
import pytest

import apical
from apical.graphs.drawing.drawing import _Picture
from apical.graphs.drawing.layout import layout
from apical.graphs.drawing.levels import levels
from apical.graphs.drawing.routes import routes
from apical.graphs.drawing.timeline import timeline
from apical.graphs.load import bundled

pytest.importorskip("matplotlib")

DEEP = {"sizes": [6, 5, 5, 5, 5, 5, 2]}
NAMES = sorted(bundled())


def artists(figure):
    """Artist of each identifier."""
    return {a.get_gid(): a for a in figure.axes[0].get_children() if a.get_gid()}


def dashes(artist):
    """The gaps of a line per dash; 0 where it is solid."""
    offset, pattern = artist._unscaled_dash_pattern
    return 0 if pattern is None else pattern[0] / pattern[1]


DIRECTIONS = {
    "pc": {"W[1]": "feedforward", "feedback[1]": "feedback"},
    "corinfomax": {"W[2]": "feedforward", "F[1]": "feedback", "B[1]": "lateral"},
    "pem": {"W": "feedforward", "C": "lateral"},
    "sacramento": {"W[2]": "feedforward", "feedback[1]": "feedback", "nudge[1]": "feedback"}
    | {"W_IP[1]": "lateral", "W_PI[1]": "lateral"},
    "neuron": {"W_B": "feedforward", "W_A": "feedback"},
}


@pytest.mark.parametrize("name", DIRECTIONS)
def test_directions_of_synapses(name):
    circuit = apical.load(name)
    found = levels(circuit)
    directions = {key: found.direction(circuit.synapses[key]) for key in DIRECTIONS[name]}
    assert directions == DIRECTIONS[name]


def test_interneurons_stand_beside_the_cells_that_they_reach():
    assert levels(apical.load("sacramento")).beside == {"sst[1]": "layer[1]"}
    found = levels(apical.load("canonical_microcircuit")).beside
    assert {found.get(name) for name in ("pv", "sst")} == {"pyr"} and "above" not in found
    assert levels(apical.load("eprop")).beside == {}
    found = levels(apical.load("corinfomax_sst"))
    assert found.beside == {"sst[1]": "layer[1]", "sst[2]": "layer[2]"}
    assert [found.level[f"layer[{k}]"] for k in range(3)] == [0, 1, 2]


def test_lines_and_heads_tell_direction_plasticity_and_transport_apart():
    drawn = artists(apical.load("pc").draw())
    forward, back = drawn["synapse W[1]"], drawn["synapse feedback[1]"]
    assert forward.get_linewidth() > 1.5 * back.get_linewidth()
    assert dashes(forward) == 0 < dashes(back)
    heads = [drawn[f"synapse {name} head"].get_facecolor() for name in ("W[1]", "feedback[1]")]
    assert sum(heads[0][:3]) < 0.5 and sum(heads[1][:3]) == 3
    assert "transport feedback[1]" in drawn and "transport W[1]" not in drawn

    drawn = artists(apical.load("corinfomax_sst").draw())
    kinds = [dashes(drawn[f"synapse {name}"]) for name in ("W[1]", "F[1]", "D[1]")]
    assert len(set(kinds)) == 3
    assert not [name for name in drawn if name.startswith("transport")]
    assert "synapse D[1] tail" in drawn and "synapse O[1] tail" not in drawn  # one to one


@pytest.mark.parametrize("name", NAMES)
def test_every_compartment_and_synapse_is_in_the_picture(name):
    circuit = apical.load(name)
    drawn = artists(circuit.draw(fold=False))
    for population in circuit.populations.values():
        for compartment in population.compartments:
            assert f"{population.name}.{compartment}" in drawn
    assert {f"synapse {synapse}" for synapse in circuit.synapses} <= drawn.keys()
    assert {f"label {synapse}" for synapse in circuit.synapses} <= drawn.keys()


@pytest.mark.parametrize("width", [3.4, 7.0])
@pytest.mark.parametrize("name", NAMES)
def test_nothing_leaves_the_page_and_no_compartment_covers_another(name, width):
    picture = _Picture(apical.load(name), width, timeline(apical.load(name), "train"), True)
    page = picture.figure.bbox
    slack = 0.06 * picture.figure.dpi
    for text in picture.figure.axes[0].texts:
        box = text.get_window_extent()
        assert page.x0 - slack <= box.x0 and box.x1 <= page.x1 + slack, text.get_text()
        assert page.y0 - slack <= box.y0 and box.y1 <= page.y1 + slack, text.get_text()
    shapes = [shape for own in picture.layout.shapes.values() for shape in own.values()]
    for a, b in combinations(shapes, 2):
        apart = abs(a.x - b.x) - (a.width + b.width) / 2, abs(a.y - b.y) - (a.height + b.height) / 2
        assert max(apart) > 0


@pytest.mark.parametrize("name", NAMES)
def test_ways_begin_and_end_at_their_compartments(name):
    circuit = apical.load(name)
    plan = layout(circuit, fold=False)
    for route in routes(circuit, plan):
        target = plan.shapes[route.synapse.target[0]][route.synapse.target[1]]
        source = plan.shapes[route.synapse.source[0]].values()
        assert outside(target, route.points[3]) < 1e-9
        assert min(outside(shape, route.points[0]) for shape in source) < 1e-9


def outside(shape, point):
    """How far a point is from the box of a shape, inside or outside."""
    x, y = np.abs(np.subtract(point, (shape.x, shape.y))) - (shape.width / 2, shape.height / 2)
    if shape.form == "box":
        return abs(max(x, y))
    return max(x, y, 0.0)  # on the leaning side of a triangle or a circle


def test_an_autapse_is_a_loop_around_its_own_cell():
    circuit = apical.load("corinfomax_sst")
    plan = layout(circuit)
    (route,) = [r for r in routes(circuit, plan) if r.synapse.name == "D[1]"]
    assert route.loop
    own = plan.shapes["layer[1]"].values()
    edge = min(shape.x - shape.width / 2 for shape in own)
    assert min(route.at(t)[0] for t in np.linspace(0, 1, 50)) < edge - 0.1


def test_long_families_are_folded():
    circuit = apical.load("pc", **DEEP)
    plan = layout(circuit)
    assert list(plan.shapes) == ["layer[0]", "layer[1]", "layer[2]", "layer[5]", "layer[6]"]
    figure = circuit.draw()
    drawn = artists(figure)
    assert "layer[3].soma" not in drawn and "synapse W[4]" not in drawn
    assert {"synapse W[2]", "synapse W[5]", "synapse feedback[2]"} <= drawn.keys()
    assert "3 more" in [text.get_text() for text in figure.axes[0].texts]
    assert "layer[3].soma" in artists(circuit.draw(fold=False))


def test_members_that_differ_are_not_folded():
    assert len(layout(apical.load("pc", sizes=[6, 5, 4, 2])).shapes) == 4


def test_the_timeline_says_what_is_held_set_and_learnt():
    found = timeline(apical.load("corinfomax"), "train")
    assert [name for name, _ in found.phases] == ["free", "nudged"]
    rows = {(row.kind, row.name): row.cells for row in found.rows}
    assert rows[("set", "nudge")] == {0: "0", 1: "beta"}
    assert rows[("learn", "W")] == rows[("learn", "B")] == {1: "at the end"}

    found = timeline(apical.load("pc"), "train")
    assert found.phases == (("forward", "a moment"), ("infer", "T = 20 steps"))
    rows = {(row.kind, row.name): row.cells for row in found.rows}
    assert rows[("clamp", "layer[0].x")] == {0: "image"}

    found = timeline(apical.load("sacramento"), "train")
    rows = {row.name: row.cells for row in found.rows}
    assert rows["W_IP"] == {0: "during"}  # dw/dt


@pytest.mark.parametrize(
    ("ending", "first"), [("svg", b"<?xml"), ("pdf", b"%PDF"), ("png", b"\x89PNG")]
)
def test_files(tmp_path, ending, first):
    path = tmp_path / f"pem.{ending}"
    apical.load("pem").draw(path, width=3.4)
    assert path.read_bytes().startswith(first)


def test_an_unknown_protocol_is_told(refused, tmp_path):
    with refused(ValueError):
        apical.load("pc").draw(tmp_path / "x.png", protocol="trian")
    assert not (tmp_path / "x.png").exists()


def test_without_a_protocol_there_is_no_timeline():
    drawn = artists(apical.load("pc").draw(protocol=""))
    assert not [name for name in drawn if name.startswith(("phase", "timeline"))]
