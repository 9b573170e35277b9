"""Roles, connectivity kinds, initialisers and library cells."""

from __future__ import annotations

import numpy as np
import pytest
import yaml

from apical.compartments import (
    CELLS,
    CONNECTIVITY,
    INITIALISERS,
    ROLES,
    draw,
    is_autapse,
    library_text,
    role_of,
    weight_mask,
    weight_shape,
)


class Stream:
    """numpy's generator, behind the two methods that initialisers use."""

    def __init__(self, seed: int = 0):
        self.rng = np.random.default_rng(seed)

    def uniform(self, shape: tuple[int, ...]) -> np.ndarray:
        return self.rng.random(shape)

    def normal(self, shape: tuple[int, ...]) -> np.ndarray:
        return self.rng.standard_normal(shape)


def test_roles() -> None:
    assert list(ROLES) == "soma basal apical axon dendrite lateral feedback error".split()
    assert role_of("apical").name == "apical"
    assert role_of("tuft").name == "dendrite"


@pytest.mark.parametrize(
    ("kind", "n_post", "n_pre", "bias", "shape"),
    [
        ("dense", 3, 5, False, (3, 5)),
        ("dense", 3, 5, True, (3, 6)),
        ("one_to_one", 4, 4, False, (4,)),
        ("all_but_self", 4, 4, False, (4, 4)),
        ("all_to_one", 1, 5, False, (1, 5)),
        ("one_to_all", 5, 1, False, (5, 1)),
    ],
)
def test_weight_shapes(
    kind: str, n_post: int, n_pre: int, bias: bool, shape: tuple[int, ...]
) -> None:
    assert weight_shape(kind, n_post, n_pre, bias) == shape


@pytest.mark.parametrize(
    ("kind", "n_post", "n_pre", "bias"),
    [
        ("one_to_one", 3, 4, False),
        ("all_but_self", 3, 4, False),
        ("all_to_one", 2, 4, False),
        ("one_to_all", 4, 2, False),
        ("one_to_one", 3, 3, True),
    ],
)
def test_wrong_counts_are_refused(kind: str, n_post: int, n_pre: int, bias: bool, refused) -> None:
    with refused(ValueError):
        weight_shape(kind, n_post, n_pre, bias)


def test_masks_and_autapses() -> None:
    mask = weight_mask("all_but_self", 3, 3)
    assert mask is not None
    np.testing.assert_array_equal(mask, 1 - np.eye(3))
    assert weight_mask("dense", 3, 3) is None
    assert is_autapse("one_to_one", "y", "y")
    assert not is_autapse("one_to_one", "x", "y")
    assert not is_autapse("dense", "y", "y")


def test_every_default_is_an_initialiser_or_a_number() -> None:
    for kind in CONNECTIVITY.values():
        assert kind.init in INITIALISERS or np.isfinite(float(kind.init))


def test_distributions_of_initialisers() -> None:
    n_post, n_pre = 200, 300
    shape = (n_post, n_pre)
    w = draw("xavier_uniform", (), shape, n_pre, n_post, Stream())
    bound = np.sqrt(6 / 500)
    assert w.dtype == np.float64 and np.abs(w).max() <= bound
    assert np.abs(w).max() > 0.999 * bound
    assert np.var(w) == pytest.approx(2 / 500, rel=0.02)
    w = draw("xavier_normal", (), shape, n_pre, n_post, Stream())
    assert np.var(w) == pytest.approx(2 / 500, rel=0.02)
    w = draw("uniform", (-0.5, 1.5), shape, n_pre, n_post, Stream())
    assert -0.5 <= w.min() < -0.49 and 1.49 < w.max() < 1.5
    w = draw("normal", (2.0, 0.1), shape, n_pre, n_post, Stream())
    assert w.mean() == pytest.approx(2, abs=0.002) and w.std() == pytest.approx(0.1, rel=0.02)


def test_a_bias_column_does_not_count_as_a_unit() -> None:
    wide = draw("xavier_uniform", (), (3, 6), 5, 3, Stream())
    assert wide.shape == (3, 6)
    first = Stream().uniform((3, 6))
    np.testing.assert_allclose(wide, np.sqrt(6 / 8) * (2 * first - 1), rtol=1e-14, atol=1e-15)
    np.testing.assert_array_equal(draw("eye", (), (3, 3), 2, 3, Stream())[:, -1], 0)


def test_wishart_is_symmetric_positive_with_mean_eye(refused) -> None:
    n = 120
    b = draw("wishart", (), (n, n), n, n, Stream())
    np.testing.assert_array_equal(b, b.T)
    eigenvalues = np.linalg.eigvalsh(b)
    assert eigenvalues.min() >= 0 and eigenvalues.max() < 4.5
    assert np.trace(b) / n == pytest.approx(1, rel=0.05)
    with refused(ValueError):
        draw("wishart", (), (3, 4), 4, 3, Stream())


def test_eye_is_rectangular() -> None:
    np.testing.assert_array_equal(draw("eye", (), (2, 3), 3, 2, Stream()), np.eye(2, 3))
    np.testing.assert_array_equal(draw("eye", (), (3, 2), 2, 3, Stream()), np.eye(3, 2))
    np.testing.assert_array_equal(draw("eye", (), (3,), 3, 3, Stream()), np.ones(3))


def test_wrong_number_of_arguments(refused) -> None:
    with refused(ValueError):
        draw("uniform", (1.0,), (2, 2), 2, 2, Stream())


@pytest.mark.parametrize("name", CELLS)
def test_library_cells_hold_the_cell_of_their_name(name: str) -> None:
    text = yaml.safe_load(library_text(name))
    assert list(text["cells"]) == [name]
    assert text["name"] == name
    assert set(text["cells"][name]) <= set(ROLES)
    with pytest.raises(KeyError):
        library_text("no_such_cell")
