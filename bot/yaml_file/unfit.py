"""A value that has the right shape and still can not be meant."""

from __future__ import annotations


class Unfit(ValueError):
    """`offset` is the place of the trouble in the value's text, in characters from 0."""

    def __init__(self, message: str, fix: str, *, offset: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix
        self.offset = offset
