"""A training job's log lines, from CloudWatch into the step's log, each once and in order."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from pipelines.steps.step_log import StepLog

GROUP = "/aws/sagemaker/TrainingJobs"
_NOT_ALLOWED = ("AccessDeniedException", "AccessDenied")
_PAGES_AT_ONCE = 200  # so that the job's state is looked at between, too


class JobLogs:
    """Each host of a job has a stream of its own: `<job>/algo-1-…`."""

    def __init__(self, client: Any, job: str, log: StepLog) -> None:
        self._client = client
        self._job = job
        self._log = log
        self._next: dict[str, str | None] = {}
        self._forbidden = False

    def follow(self) -> None:
        """What is new. A role that may not read logs can train all the same."""
        if self._forbidden:
            return
        try:
            found = self._client.describe_log_streams(logGroupName=GROUP, logStreamNamePrefix=f"{self._job}/")
            for stream in sorted(stream["logStreamName"] for stream in found["logStreams"]):
                self._read(stream)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code in _NOT_ALLOWED:
                self._forbidden = True
                self._log.say(f"(these credentials may not read the job's log, which is in CloudWatch, {GROUP})")
            elif code != "ResourceNotFoundException":  # nothing was written yet
                raise

    def _read(self, stream: str) -> None:
        for _ in range(_PAGES_AT_ONCE):
            token = self._next.get(stream)
            where = {"nextToken": token} if token else {}
            page = self._client.get_log_events(logGroupName=GROUP, logStreamName=stream, startFromHead=True, **where)
            for event in page["events"]:
                self._log.feed(event["message"].encode("utf-8", "replace") + b"\n")
            self._next[stream] = page["nextForwardToken"]
            if page["nextForwardToken"] == token:  # the end, says CloudWatch's reference of GetLogEvents
                return
