"""Errors of a local stack; their messages are for the person who started it."""


class StackError(Exception):
    """The stack cannot go on; the message says why and what to look at."""


class DataDirInUseError(StackError):
    """Another stack runs on this data directory."""


class DataVersionError(StackError):
    """This version cannot go on with what is in the data directory; the message says what to do."""


class FetchError(StackError):
    """A part could not be downloaded, or is not what was pinned."""


class NotReadyError(StackError):
    """A process did not get ready; the message names its log file."""
