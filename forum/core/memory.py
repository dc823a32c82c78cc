"""Memory that a process no longer uses, given back to the machine."""

import ctypes


def give_back() -> None:
    """Give back what was freed, where the C library can: by itself it keeps it for what is allocated next.

    To compile all phrases takes 16 MB for a moment, which no request needs again.
    """
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):
        trim(0)
