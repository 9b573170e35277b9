import numpy as np

from apical.traces import safetensors_file as checkpoint


def test_arrays_and_facts_come_back(tmp_path):
    arrays = {
        "W[1]": np.arange(6.0).reshape(2, 3).T,
        "count": np.array(3, np.int64),
        "x": np.ones((2, 0), np.float32),
    }
    facts = {"seed": 1, "texts": {"a": "b: µ\n"}, "epochs": [1, 2]}
    checkpoint.save(tmp_path / "run.safetensors", arrays, facts)
    found = checkpoint.read(tmp_path / "run.safetensors")
    again, told = found.arrays, found.facts
    assert found.intact
    assert told == facts and set(again) == set(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(again[name], array)
        assert again[name].dtype == array.dtype and again[name].shape == array.shape


def test_other_files_are_refused(tmp_path, refused):
    from safetensors.numpy import save_file

    (tmp_path / "a").write_bytes(b"not one")
    with refused(ValueError, quoted=True):
        checkpoint.read(tmp_path / "a")
    save_file({"w": np.zeros(2)}, tmp_path / "b")
    with refused(ValueError):
        checkpoint.read(tmp_path / "b")
