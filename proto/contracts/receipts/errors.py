"""What is wrong with a receipt, or with a key that it is to be verified by."""


class ReceiptError(Exception):
    """A receipt proves nothing; `code` says why, and stays the same."""

    def __init__(self, message: str, *, code: str) -> None:
        super().__init__(message)
        self.code = code
