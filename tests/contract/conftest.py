"""For tests with a model that understands."""

from __future__ import annotations

import pytest
from knowing import KnowingModel


@pytest.fixture
def knowing() -> type[KnowingModel]:
    return KnowingModel
