"""What a notebook shows: well-formed HTML, every name escaped; a log line elsewhere."""

import logging
from html.parser import HTMLParser

import numpy as np
import pytest

import apical

EMPTY = {"br", "input", "path", "use", "symbol"}  # may stand without an end


class Checker(HTMLParser):
    """Every element that begins ends, in order; the text of all of it."""

    def __init__(self):
        super().__init__()
        self.open, self.text = [], []

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        while self.open and self.open[-1] != tag and self.open[-1] in EMPTY:
            self.open.pop()
        assert self.open and self.open.pop() == tag, tag

    def handle_data(self, data):
        self.text.append(data)


def words(value):
    checker = Checker()
    checker.feed(value._repr_html_())
    assert not [tag for tag in checker.open if tag not in EMPTY]
    return " ".join(" ".join(checker.text).split())


@pytest.fixture(scope="module")
def trained():
    circuit = apical.load("pc", sizes=[6, 4, 2], T=3)
    sim = apical.Simulator(circuit, engine="numpy", seed=[3, 5], replicas=2)
    rng = np.random.default_rng(0)
    data = {"image": rng.random((8, 6)), "label": rng.random((8, 2))}
    return sim, sim.fit(data, epochs=2, batch=4, validate=data), data


def test_circuits_programs_and_audits(trained):
    sim, _, _ = trained
    assert "Predictive coding network" in words(sim.circuit)
    said = words(sim.program("train"))
    assert said.startswith("Program of forward, infer") and "instructions" in said
    said = words(sim.circuit.audit())
    assert "audit of pc: transport" in said and "feedback[1]" in said


def test_simulators_say_where_they_stand(trained):
    said = words(trained[0])
    assert "Simulator of pc" in said and "3, 5" in said
    assert "2 epochs, 4 presentations, 16 samples" in said


def test_histories_are_tables_of_means(trained):
    _, history, _ = trained
    said = words(history)
    assert "History: 2 epochs" in said
    name = next(n for n in history.epochs[0] if n not in ("epoch", "seconds"))
    last = history.epochs[-1][name]
    assert f"{np.mean(last):.4g} \u00b1 {np.std(last, ddof=1):.2g}" in said


def test_traces_show_their_dataset(trained):
    sim, _, data = trained
    said = words(sim.run("train", streams=data, record=["layer[1].x"]))
    assert "Traces: 2 replica(s), 8 sample(s)" in said and "layer[1].x" in said


def test_names_are_escaped():
    circuit = apical.load_text(
        "apical: 1\nname: x\ntitle: <script>alert(1)</script>\n"
        "cells:\n  c:\n    soma: du/dt = -u\n"
        "populations:\n  p:\n    cell: c\n    size: 1\n"
        "protocols:\n  run:\n    go:\n      steps: 1\n      dt: 1\n"
    )
    assert "<script" not in circuit._repr_html_()


def test_each_epoch_is_logged(trained, caplog):
    sim, _, data = trained
    with caplog.at_level(logging.INFO, logger="apical"):
        sim.fit(data, epochs=2, batch=4, validate=data)
    lines = [record.getMessage() for record in caplog.records if "epoch" in record.getMessage()]
    assert len(lines) == 2 and lines[0].startswith("pc: epoch 3, seconds ")


def test_a_notebook_without_widgets_has_no_bar(monkeypatch):
    from apical.engines.simulation import progress_bar

    monkeypatch.setitem(__import__("sys").modules, "ipykernel", object())
    monkeypatch.setattr(progress_bar, "find_spec", lambda name: None)
    with progress_bar.progress(5, "fit") as bar:
        assert type(bar) is progress_bar.Bar
    monkeypatch.setattr(progress_bar, "find_spec", lambda name: name)
    console = progress_bar._console()
    assert console is not None and console.is_jupyter
