"""kfp as the runner needs it: without its client of a cluster, whose import takes longer than all the rest."""

from __future__ import annotations

import sys
from types import ModuleType

_NO_CLIENT = ModuleType("kfp.client")
_NO_CLIENT.Client = None  # type: ignore[attr-defined]  # kfp 2.17 imports this name from it (kfp/__init__.py)
sys.modules.setdefault("kfp.client", _NO_CLIENT)

from kfp import components, local  # noqa: E402 - after the line above on purpose
from kfp.local import status, subprocess_task_handler  # noqa: E402 - as above

__all__ = ["components", "local", "status", "subprocess_task_handler"]
