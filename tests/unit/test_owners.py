"""Leases of processes that were killed are free at once; those of the living are not."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta

from recollect import owners
from recollect.records import Lease
from recollect.times import now


def test_a_process_that_runs_is_not_gone():
    assert not owners.is_gone(owners.new_owner())
    code = "from recollect.owners import new_owner; print(new_owner(), flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        name = other.stdout.readline().strip()
        assert not owners.is_gone(name)
        other.kill()
        other.wait()
    assert owners.is_gone(name)


def test_a_number_that_was_given_again_is_another_life():
    place, number, _, holder = owners.new_owner().split("/")
    assert owners.is_gone(f"{place}/{os.getpid()}/00000000/{holder}")
    assert not owners.is_gone(f"elsewhere:1/{number}/00000000/{holder}")


def test_names_of_another_form_are_left_to_their_time():
    for name in ("", "x", "1234-abcd", "a/b", "a/b/c/d/e", f"{owners.new_owner().split('/')[0]}/x/y/z"):
        assert not owners.is_gone(name)


def test_a_lease_of_the_living_holds_and_of_the_dead_does_not(memory):
    batch = memory.add("home = Rome", user_id="u", wait=False).batch_id
    journal, later = memory._memory._store.journal, now() + timedelta(minutes=10)
    place, number, life, holder = owners.new_owner().split("/")

    def take(owner):
        return journal.lease(batch, Lease(owner, later), now())

    assert take(f"{place}/{number}/{life}/{holder}")
    assert not take(owners.new_owner())
    journal.release(batch, f"{place}/{number}/{life}/{holder}", None, 5)
    assert take(f"{place}/{number}/00000000/{holder}")
    assert take(owners.new_owner())
