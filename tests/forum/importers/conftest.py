"""What is hashed is hashed as on a forum: hashes of old boards lie within ours, and are known by their setting."""

import pytest


@pytest.fixture(autouse=True)
def _hashes_are_quick() -> None:
    """They take their time."""
