"""The contract between the bot and the standard pipelines: their names and parameters.

`pipelines/` never imports the bot, so a test compares these with the compiled pipelines' own inputs.
"""

from __future__ import annotations

from typing import Final

TRAIN: Final = "train"
EVALUATE: Final = "evaluate"
DEPLOY: Final = "deploy"

COMMON_ARGUMENTS: Final = (
    "run_id",
    "run_prefix",  # address of the run's prefix in the artifact store
    "callback_url",  # "" for none; the token for it is in the environment of the steps, never a parameter
    "repository",  # our key, for the record
    "clone_address",
    "sha",
    "model",
    "model_path",
    "data_address",  # "" when the model declares no data
    "data_sha",
    "data_path",
    "params",  # dict, merged with defaults
    "split",  # {} or {"test": 0.25, "seed": 7}
    "environment",  # {"python": "3.11", "requirements": "requirements.txt", "image": ""}
    "env",  # dict of the declared variables
    "secrets",  # list of names; values are in the environment of the steps
    "evaluate",  # {} or {"run": …, "timeout_s": …, "memory_bytes": …, "cpu": …, "gpu": …}
    "lineage",  # dict of str, copied into result.json: run_key, pipeline_version
)
TRAIN_ARGUMENTS: Final = (*COMMON_ARGUMENTS, "train")  # same shape as `evaluate`
EVALUATE_ARGUMENTS: Final = (
    *COMMON_ARGUMENTS,
    "model_prefix",
    "model_digest",
)  # address of an earlier run's prefix
DEPLOY_ARGUMENTS: Final = (
    "run_id",
    "run_prefix",
    "callback_url",
    "repository",
    "sha",
    "model",
    "environment",  # its name: `production`
    "version",  # `v1.3.0`
    "model_prefix",  # address of the prefix of the run that left `model/`
    "model_digest",
    "golden_prefix",  # the same of the run that left `golden.json`, "" when there is none
    "canary",  # {"percents": [10, 50], "hold_s": 300.0, "max_error_rate": 0.01 or None, "max_latency_ms": 50.0 or None}
    "ready_timeout_s",  # how long its server may take from start to ready
    "lineage",
)
