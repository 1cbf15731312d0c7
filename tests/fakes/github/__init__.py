"""GitHub for tests, at the level of HTTP: real repositories, and answers as GitHub documents them."""

from tests.fakes.github.server import FakeGitHub

__all__ = ["FakeGitHub"]
