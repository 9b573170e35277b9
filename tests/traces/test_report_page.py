"""The page on a run: read by a strict parser of HTML, and it asks for nothing outside itself."""

import base64
import re

import numpy as np
import pytest
from typer.testing import CliRunner

import apical
from apical.cli import app
from apical.traces.report_page import report
from apical.traces.traces import Traces

pytest.importorskip("matplotlib")


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    pytest.importorskip("sklearn")
    folder = tmp_path_factory.mktemp("report")
    words = ["run", "pc", "--set", "sizes=[64,8,10]", "--epochs", "2", "--batch", "200"]
    words += ["--engine", "numpy", "--record", "F", "--record", "layer[1].x"]
    for command in ([*words, "--out", f"{folder}/run.nc"], ["report", f"{folder}/run.nc"]):
        if command[0] == "report":
            command += ["-o", f"{folder}/run.html"]
        done = CliRunner().invoke(app, command)
        assert done.exit_code == 0, done.output
    return (folder / "run.html").read_text("utf-8")


def test_a_strict_parser_reads_it(page):
    html5lib = pytest.importorskip("html5lib")
    html5lib.HTMLParser(strict=True).parse(page)


def test_it_asks_for_nothing_outside_itself(page):
    assert not re.findall(r"<(?:script|link|iframe)\b", page)
    assert all(source.startswith("data:image/") for source in re.findall(r'src="([^"]*)"', page))


def test_it_holds_the_parts(page):
    assert re.findall(r"<h2>(.*?)</h2>", page) == [
        "Circuit", "Equations", "Training", "Traces", "Audit", "What made it",
    ]  # fmt: skip
    kinds = re.findall(r'src="data:image/(.*?);base64,(.*?)"', page)
    assert [kind for kind, _ in kinds] == ["svg+xml", "svg+xml", "png"]
    pictures = [base64.b64decode(data) for _, data in kinds]
    assert b"<svg" in pictures[0] and b"synapse W[1]" in pictures[0]
    assert pictures[2].startswith(b"\x89PNG")
    assert "audit of pc: transport" in page and "sizes: [784, 256, 256, 10]" in page


def test_names_are_escaped():
    text = "apical: 1\nname: x\ntitle: <b onload=x>\ncells:\n  c:\n    soma: du/dt = -u\n"
    text += "populations:\n  p:\n    cell: c\n    size: 1\n"
    text += "protocols:\n  train:\n    go:\n      steps: 2\n      dt: 1\n"
    sim = apical.Simulator(apical.load_text(text), engine="numpy")
    found = report(sim.run("train", record=["p.u"]))
    assert "<b onload" not in found and "&lt;b onload" in found


def test_traces_without_a_manifest_are_refused(refused):
    with refused(ValueError):
        report(Traces({"F": np.zeros((1, 1, 1))}, phase=["a"], phase_step=[0], time=[0.0]))
