"""The package from the checkout where it is not installed, and examples that repeat.

Hypothesis draws the same examples in every run; `HYPOTHESIS_PROFILE=explore` looks for new ones.
"""

import importlib.util
import os
import sys
from pathlib import Path

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
