"""What suites of several folders run on."""

from tests.fakes.s3_server import s3, s3_server

__all__ = ["s3", "s3_server"]
