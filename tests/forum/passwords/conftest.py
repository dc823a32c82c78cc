"""What is hashed is hashed as on a forum: that is what is tested."""

import pytest


@pytest.fixture(autouse=True)
def _hashes_are_quick() -> None:
    """They take their time."""
