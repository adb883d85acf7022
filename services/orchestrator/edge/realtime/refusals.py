"""What a client asked for and cannot have."""


class RefusedError(Exception):
    """Becomes an `error` event: a code for programs, a sentence for people, the field at fault (None: no one field)."""

    def __init__(self, code: str, message: str, param: str | None) -> None:
        super().__init__(message)
        self.code = code
        self.param = param

    @classmethod
    def invalid(cls, param: str, expected: str) -> "RefusedError":
        """`param` is not what was `expected`."""
        return cls("invalid_value", f"{param}: expected {expected}", param)
