"""`python …/server/__main__.py <folder of the revision> <listening socket>`"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

NAME = "mlops_model_server"


def main() -> None:
    here = Path(__file__).parent
    sys.path[:] = [entry for entry in sys.path if Path(entry) != here]  # as `-P` does from Python 3.11 on
    spec = importlib.util.spec_from_file_location(NAME, here / "__init__.py", submodule_search_locations=[str(here)])
    assert spec is not None
    assert spec.loader is not None
    sys.modules[NAME] = package = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(package)
    folder, descriptor = Path(sys.argv[1]), int(sys.argv[2])
    del sys.argv[1:]  # kserve reads it when it is imported
    importlib.import_module(f"{NAME}.app").serve(folder, descriptor)


if __name__ == "__main__":
    main()
