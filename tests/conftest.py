"""Builds the package from the checkout where it is not installed: an import spec named apical."""

import importlib.util
import sys
from pathlib import Path

if importlib.util.find_spec("apical") is None:
    root = Path(__file__).resolve().parent.parent
    spec = importlib.util.spec_from_file_location(
        "apical", root / "__init__.py", submodule_search_locations=[str(root)]
    )
    assert spec is not None and spec.loader is not None
    sys.modules["apical"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules["apical"])
