"""For all tests of contracts."""

from __future__ import annotations

import pytest
from knowing import KnowingModel


@pytest.fixture
def knowing() -> type[KnowingModel]:
    return KnowingModel
