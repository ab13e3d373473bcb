"""For tests of crashes: children that are started in no time."""

from __future__ import annotations

import pytest
from zygote import Zygote


@pytest.fixture(scope="module")
def zygote():
    running = Zygote()
    yield running
    running.close()
