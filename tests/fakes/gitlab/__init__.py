"""A GitLab on a port of this machine: REST API, git over HTTP and webhooks, as documented, and strict."""

from tests.fakes.gitlab.faults import Fault
from tests.fakes.gitlab.server import FakeGitLab

__all__ = ["FakeGitLab", "Fault"]
