"""Pictures: what stands on the axes, the lines and the colours, against the arrays drawn."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from apical.engines.simulation.training.history import History
from apical.traces.plots.grid import grid
from apical.traces.traces import Traces

pytest.importorskip("matplotlib")
from matplotlib.collections import EventCollection, QuadMesh  # noqa: E402

TIME = [0.0, 0.5, 1.0, 1.0, 1.5]
PHASE = ["free", "free", "free", "nudged", "nudged"]
RNG = np.random.default_rng(0)
ARRAYS = {
    "y.r": RNG.normal(size=(2, 3, 5, 4)),
    "h.r": RNG.normal(size=(2, 3, 5, 13)),
    "F": RNG.normal(size=(2, 3, 5)),
    "h.s": (RNG.random((2, 3, 5, 6)) < 0.4) * 1.0,
}
LEARNT = {"W": RNG.normal(size=(2, 4, 3, 5)), "norm(W)": RNG.normal(size=(2, 4))}


@pytest.fixture
def traces():
    ARRAYS["y.r"][:, :, [1, 4]] = np.nan  # recorded every 2
    return Traces(
        ARRAYS,
        phase=PHASE,
        phase_step=[0, 1, 2, 0, 1],
        time=TIME,
        sample=[5, 7, 9],
        time_unit="ms",
        manifest={"circuit": "two", "protocol": "train", "seed": 3},
        learnt=LEARNT,
        presentation=[0, 10, 20, 30],
    )


def meshes(panel):
    return [c for c in panel.collections if isinstance(c, QuadMesh)]


def test_lines_stand_over_time_with_its_unit(traces):
    (panel,) = traces.plot(names="y.r", sample=1, replica=1).axes
    assert panel.get_xlabel() == "time (ms)"
    assert panel.get_ylabel() == "y.r"
    lines = [line for line in panel.lines if not line.get_label().startswith("_")]
    for unit, line in enumerate(lines):
        assert_allclose(line.get_xdata(), [0.0, 1.0, 1.0])
        assert_allclose(line.get_ydata(), ARRAYS["y.r"][1, 1, [0, 2, 3], unit])
    entries = [text.get_text() for text in panel.get_legend().get_texts()]
    assert (panel.get_legend().get_title().get_text(), entries) == ("unit", list("0123"))


def test_sample_replica_and_seed_are_in_the_title(traces):
    figure = traces.plot(sample=1, replica=1)
    assert figure.get_suptitle() == "two: train, sample 7, replica 1 (seed 4)"


def test_phases_are_named_and_shaded(traces):
    panel = traces.plot(names="F").axes[0]
    assert {t.get_text(): t.xy[0] for t in panel.texts} == {"free": 0.0, "nudged": 1.0}
    (shaded,) = panel.patches
    assert (shaded.get_x(), shaded.get_width()) == (1.0, 0.5)


def test_phases_that_begin_at_once_share_a_name():
    found = Traces(
        {"F": np.zeros((1, 1, 3))}, phase=["a", "b", "b"], phase_step=[0, 0, 1], time=[0, 0, 1]
    )
    assert [t.get_text() for t in found.plot().axes[0].texts] == ["a → b"]


def test_many_units_are_a_heat_map_with_each_row_at_its_time(traces):
    figure = traces.plot(names=["h.r"])
    panel, beside = figure.axes
    free, nudged = meshes(panel)
    assert_array_equal(free.get_array(), ARRAYS["h.r"][0, 0, :3].T)
    assert_array_equal(nudged.get_array(), ARRAYS["h.r"][0, 0, 3:].T)
    assert_allclose(free.get_coordinates()[0, :, 0], [0.0, 0.25, 0.75, 1.0])
    assert_allclose(nudged.get_coordinates()[0, :, 0], [1.0, 1.25, 1.5])
    assert (panel.get_ylabel(), beside.get_ylabel()) == ("unit", "h.r")
    low, high = free.get_clim()
    assert low == -high == -np.abs(ARRAYS["h.r"][0, 0]).max()


def test_lines_of_many_units_say_how_many_are_left_out(traces):
    (panel,) = traces.plot(kind="lines", names="h.r", units=4).axes
    legend = panel.get_legend()
    assert legend.get_title().get_text() == "4 of\n13 units"
    assert [text.get_text() for text in legend.get_texts()] == ["0", "4", "8", "12"]


def test_few_units_as_a_heat_map_when_asked(traces):
    panel = traces.plot(kind="heatmap", names="y.r").axes[0]
    assert_array_equal(meshes(panel)[0].get_array(), ARRAYS["y.r"][0, 0, [0, 2]].T)


def test_an_energy_has_every_sample_and_their_mean(traces):
    (panel,) = traces.plot(kind="energy", replica=1).axes
    *samples, mean = [line for line in panel.lines if len(line.get_xdata()) == 5]
    assert_allclose([line.get_ydata() for line in samples], ARRAYS["F"][1])
    assert_allclose(mean.get_ydata(), ARRAYS["F"][1].mean(axis=0))
    assert mean.get_label() == "mean of 3 samples"


def test_weights_stand_first_and_last_in_one_scale(traces):
    first, last, _ = traces.plot(kind="weights").axes
    for panel, row, said in ((first, 0, "W after 0"), (last, 3, "W after 30")):
        (image,) = panel.images
        assert_array_equal(image.get_array(), LEARNT["W"][0, row])
        assert panel.get_title(loc="left").startswith(said)
    assert first.images[0].get_clim() == last.images[0].get_clim()


def test_a_raster_has_a_tick_for_each_event(traces):
    (panel,) = traces.plot(kind="raster", sample=2).axes
    ticks = [c.get_positions() for c in panel.collections if isinstance(c, EventCollection)]
    for unit, found in enumerate(ticks):
        spikes = (ARRAYS["h.s"][0, 2, :, unit] == 1) & np.array([False, True, True, False, True])
        assert_allclose(found, np.array(TIME)[spikes])
    assert len(ticks) == 6


def test_what_was_learnt_stands_over_presentations(traces):
    panel = traces.plot(names=["norm(W)"]).axes[0]
    assert panel.get_xlabel() == "presentations learnt"
    assert_allclose(panel.lines[0].get_xdata(), [0, 10, 20, 30])
    assert_allclose(panel.lines[0].get_ydata(), LEARNT["norm(W)"][0])


def test_a_file_is_written(traces, tmp_path):
    for kind in (None, "lines"):
        traces.plot(tmp_path / "run.png", kind)
        assert (tmp_path / "run.png").read_bytes().startswith(b"\x89PNG")
        (tmp_path / "run.png").unlink()


@pytest.mark.parametrize(
    "asked",
    [
        {"kind": "heat"},
        {"kind": "raster", "names": "y.r"},
        {"kind": "energy", "names": ["F", "y.r"]},
        {"names": "y.x"},
        {"sample": 3},
        {"replica": 2},
    ],
    ids=str,
)
def test_what_cannot_be_drawn_is_told(traces, asked, refused):
    with refused(ValueError):
        traces.plot(**asked)


def test_curves_of_a_training_with_replicas(tmp_path):
    scores = np.array([[0.2, 0.4], [0.6, 0.9]])
    history = History([{"epoch": k, "seconds": 1.0, "accuracy": s} for k, s in enumerate(scores)])
    (panel,) = history.plot(tmp_path / "h.svg", "two seeds").axes
    *replicas, mean = panel.lines
    assert_allclose([line.get_ydata() for line in replicas], scores.T)
    assert_allclose(mean.get_ydata(), [0.3, 0.75])
    assert (panel.get_xlabel(), panel.get_ylabel()) == ("epoch", "accuracy")
    assert "<svg" in (tmp_path / "h.svg").read_text()


def test_a_history_without_epochs_has_no_curve(refused):
    with refused(ValueError):
        History().plot()


def test_a_sweep_is_a_line_for_each_other_parameter():
    rows = [
        {"eta": eta, "f": f, "seed": seed, "accuracy": eta + seed + (f == "relu")}
        for eta in (0.1, 1.0, 10.0)
        for f in ("tanh", "relu")
        for seed in (0, 1)
    ]
    (panel,) = grid(rows, ["eta", "f"]).axes
    assert [t.get_text() for t in panel.get_legend().get_texts()] == ["f tanh", "f relu"]
    assert (panel.get_xlabel(), panel.get_xscale()) == ("eta", "log")
    for (line, _, (bars,)), extra in zip(panel.containers, (0, 1), strict=True):
        assert_allclose(line.get_xdata().astype(float), [0.1, 1.0, 10.0])
        assert_allclose(line.get_ydata().astype(float), np.array([0.1, 1.0, 10.0]) + 0.5 + extra)
        heights = [np.ptp(bar[:, 1]) for bar in bars.get_segments()]
        assert_allclose(heights, 2 * np.std([0, 1], ddof=1))
