"""The package from the checkout where it is not installed, examples that repeat, and messages.

Hypothesis draws the same examples in every run; `HYPOTHESIS_PROFILE=explore` looks for new ones.
The words of messages stand in `__snapshots__/`; `pytest -m messages --snapshot-update` writes
them anew, and a snapshot that is missing or that no test reads is a failure.
"""

import importlib.util
import os
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("repeat", derandomize=True)
settings.register_profile("explore", derandomize=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeat"))

if importlib.util.find_spec("apical") is None:
    root = Path(__file__).resolve().parent.parent
    spec = importlib.util.spec_from_file_location(
        "apical", root / "__init__.py", submodule_search_locations=[str(root)]
    )
    assert spec is not None and spec.loader is not None
    sys.modules["apical"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules["apical"])


def pytest_collection_modifyitems(items):
    """The tests that compare with a snapshot are marked `messages`."""
    for item in items:
        if "snapshot" in item.fixturenames:
            item.add_marker("messages")


@pytest.fixture
def refused(snapshot, tmp_path):
    """`with refused(ValueError) as caught:` raises it, in the words of the snapshot.

    `quoted`: the message quotes its cause, in words of another library, which are left out.
    """

    @contextmanager
    def refusal(kind, quoted=False):
        with pytest.raises(kind) as caught:
            yield caught
        said = str(caught.value).replace(str(tmp_path), "<folder>")
        if quoted:
            said = said.replace(str(caught.value.__cause__), "<cause>")
        assert said == snapshot

    return refusal
