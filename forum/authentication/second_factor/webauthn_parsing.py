"""Check CBOR before a library parses it: only the simple form that authenticators write is let through.

Other CBOR can grow without limit while it is parsed: a hundred bytes with a few tags (28 and 29, "the same as that
one") would become gigabytes.
"""

DEEPEST = 4  # levels (CTAP 2.2, §8: message encoding)
_TEXTS, _LISTS, _MAP, _TAG = {2, 3}, {4, 5}, 5, 6  # the major types (RFC 8949 §3.1)
_ATTESTED, _EXTENDED = 0x40, 0x80  # flags of authenticator data (WebAuthn level 3, §6.1)


def end_of(data: bytes, start: int, level: int = 1) -> int:
    """Return where the CBOR item that starts there ends.

    Raises ValueError unless it is in the form that authenticators write (CTAP 2.2, §8): no tags, each length stated
    first, at most four levels.
    """
    if start >= len(data):
        raise ValueError("it ends too early")
    major, length = data[start] >> 5, data[start] & 31
    if major == _TAG or length > 27:
        raise ValueError("no authenticator writes this")
    width = 1 << length - 24 if length > 23 else 0
    end = start + 1 + width
    size = int.from_bytes(data[start + 1 : end], "big") if width else length
    if major in _TEXTS:
        end += size
    if major in _LISTS:
        if level > DEEPEST:
            raise ValueError("it is nested too deep")
        for _ in range(2 * size if major == _MAP else size):
            end = end_of(data, end, level + 1)
    if end > len(data):
        raise ValueError("it ends too early")
    return end


def check_authenticator_data(data: bytes) -> None:
    """Raise ValueError unless this is authenticator data (WebAuthn level 3, §6.1) from its first byte to its last."""
    end, flags = 37, data[32]
    if flags & _ATTESTED:
        end = end_of(data, 55 + int.from_bytes(data[53:55], "big"))
    if flags & _EXTENDED:
        end = end_of(data, end)
    if end != len(data):
        raise ValueError("it does not end where it should")


def check_object(data: bytes) -> None:
    """Raise ValueError unless this is one CBOR item from its first byte to its last."""
    if end_of(data, 0) != len(data):
        raise ValueError("it does not end where it should")
