"""For the tests of safety: a process from which others are forked."""

from __future__ import annotations

import pytest
from zygote import Zygote


@pytest.fixture(scope="module")
def zygote():
    running = Zygote()
    yield running
    running.close()
