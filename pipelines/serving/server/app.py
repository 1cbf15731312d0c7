"""kserve's own server, on a loopback socket, for one model: versions 1 and 2 of its protocol over HTTP."""

from __future__ import annotations

import json
import logging
import os
import socket
import sys
import traceback
import uuid
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from kserve import InferRequest, InferResponse, Model, ModelRepository
from kserve.model_server import app
from kserve.protocol.dataplane import DataPlane
from kserve.protocol.infer_type import InferInput, InferOutput
from kserve.protocol.model_repository_extension import ModelRepositoryExtension
from kserve.protocol.rest.server import RESTServer

from .instances import read_instances
from .invalid import Invalid
from .loading import NotLoaded, load
from .predictor import Predictor
from .tensors import Array, datatype_of, output_array, read_tensor

NOT_LOADED = 3  # exit code; the keeper takes the last line for the reason
STOP_GRACE_S = 8  # for requests that are being answered; less than the keeper's patience


class ServedModel(Model):  # type: ignore[misc]  # kserve is in the model's environment, not in ours
    def __init__(self, name: str, version: str, predictor: Predictor) -> None:
        super().__init__(name)
        self._version = version
        self._predictor = predictor
        self.ready = True

    def get_input_types(self) -> list[dict[str, Any]]:
        return self._predictor.inputs

    def get_output_types(self) -> list[dict[str, Any]]:
        return self._predictor.outputs

    async def predict(
        self,
        payload: Any,
        headers: Any = None,  # noqa: ARG002 - kserve gives both
        response_headers: Any = None,  # noqa: ARG002
    ) -> Any:
        if isinstance(payload, InferRequest):
            outputs = self._predict({tensor.name: _array(tensor) for tensor in payload.inputs})
            return InferResponse(
                payload.id or str(uuid.uuid4()),
                self.name,
                [_output(name, array) for name, array in outputs.items()],
                model_version=self._version,
                use_binary_outputs=payload.use_binary_outputs,
                requested_outputs=payload.request_outputs,
            )
        outputs = self._predict(read_instances(payload))
        return {"predictions": _plain(outputs)}

    def _predict(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        if not inputs:
            raise Invalid("There is no input.")
        return {name: output_array(value) for name, value in self._predictor.predict(inputs).items()}


class OneModel(ModelRepository):  # type: ignore[misc]
    """Nobody who asks for predictions may load or unload."""

    def load(self, name: str) -> bool:
        raise NotImplementedError("Versions are deployed, not loaded.")

    def unload(self, name: str) -> None:
        raise NotImplementedError("Versions are deployed, not unloaded.")


class QuietServer(RESTServer):  # type: ignore[misc]
    def _add_middlewares(self, app: FastAPI) -> None:
        """Without kserve's own, which times each request for a log that is not kept: a tenth of the work."""


def serve(folder: Path, descriptor: int) -> None:
    order = json.loads((folder / "order.json").read_text(encoding="utf-8"))
    _log_little()
    predictor = _load(order["runtime"])
    models = OneModel()
    models.update(ServedModel(order["model"], order["version"], predictor))
    listening = socket.socket(fileno=descriptor)
    server = QuietServer(
        "kserve.model_server:app",
        DataPlane(model_registry=models),
        ModelRepositoryExtension(model_registry=models),
        http_port=listening.getsockname()[1],
        grace_period=STOP_GRACE_S,
    )
    app.add_exception_handler(Invalid, _refuse)
    app.add_exception_handler(RequestValidationError, _refuse_shape)
    server.run(sockets=[listening])


def _load(runtime: str) -> Predictor:
    code = os.environ["MLOPS_CODE_DIR"]
    try:
        return load(runtime, Path(os.environ["MLOPS_MODEL_DIR"]), Path(code) if code else None)
    except NotLoaded as error:
        reason = str(error)
    except Exception as error:  # noqa: BLE001 - the model's own code may raise anything
        traceback.print_exc()
        reason = f"{type(error).__name__}: {error}"
    print("The model could not be loaded:", " ".join(reason.split())[:1000], file=sys.stderr)  # noqa: T201 - the log
    sys.exit(NOT_LOADED)


def _array(tensor: InferInput) -> Array:
    if tensor._raw_data is not None:  # noqa: SLF001 - the protocol's binary extension, for which kserve has no other name
        return np.asarray(tensor.as_numpy())
    return read_tensor(tensor.name, tensor.datatype, tensor.shape, tensor.data)


def _output(name: str, array: Array) -> InferOutput:
    return InferOutput(name, list(array.shape), datatype_of(array), data=array.ravel().tolist())


def _plain(outputs: Mapping[str, Array]) -> Any:
    """A list of predictions, or of objects where there are several outputs."""
    if len(outputs) == 1:
        return next(iter(outputs.values())).tolist()
    columns = [array.tolist() for array in outputs.values()]
    return [dict(zip(outputs, row, strict=True)) for row in zip(*columns, strict=True)]


async def _refuse(_request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"error": str(error)}, status_code=400)


async def _refuse_shape(_request: Request, error: Exception) -> JSONResponse:
    """What FastAPI answers with 422, in the protocol's own form."""
    problems = error.errors() if isinstance(error, RequestValidationError) else []
    words = "; ".join(f"{'.'.join(map(str, one['loc'][1:]))}: {one['msg']}" for one in problems[:5])
    return JSONResponse({"error": f"This is not a request of the protocol: {words}"}, status_code=400)


def _log_little() -> None:
    """Warnings and errors; a line for each request would be most of the work."""
    warnings.filterwarnings("ignore", message="ORJSONResponse is deprecated")  # kserve's own, not the model's
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for name in ("kserve", "kserve.trace", "uvicorn.access"):
        logging.getLogger(name).setLevel(logging.WARNING)
