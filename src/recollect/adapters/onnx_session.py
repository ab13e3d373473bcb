"""A model that onnxruntime runs, its threads on a core each.

A sentence is some fifty matrix products of a tenth of a millisecond, between which all threads wait for each other. Two of them
on one core, while another is idle, take half as long again; and that is where Linux puts a thread that has just been woken:
beside the one that woke it. So helpers are bound to cores of their own, as onnxruntime does by itself where it may choose the
cores (it takes those, too, that this process was told not to use), and whoever calls begins on a core where none of them is.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

TOPOLOGY = Path("/sys/devices/system/cpu")


class OnnxSession:
    """May be used from several threads. `graph`: a serialised model, or its file."""

    def __init__(self, graph: bytes | str) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # who waits burns no processor
        options.enable_mem_pattern = False  # it would keep a plan for every shape that ever came
        first, *others = cores() or [frozenset[int]()]
        if first:
            options.intra_op_num_threads = 1 + len(others)
        if others:
            options.add_session_config_entry("session.intra_op_thread_affinities", numbered(others))
        self._seat = first
        self._session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        self.inputs: frozenset[str] = frozenset(one.name for one in self._session.get_inputs())

    def run(self, given: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
        """The model's first output."""
        move_to(self._seat)
        found: NDArray[Any] = self._session.run(None, given)[0]
        return found


def cores() -> list[frozenset[int]]:
    """The processors that this process may use, by core: those of one share what a matrix product needs. Empty where the system
    does not tell."""
    if not hasattr(os, "sched_getaffinity"):  # macOS, Windows
        return []
    mine = os.sched_getaffinity(0)
    return sorted({frozenset(siblings(one) & mine) for one in mine}, key=min)


def siblings(processor: int) -> set[int]:
    """The processors of its core, itself too; alone where the system does not tell."""
    try:
        told = (TOPOLOGY / f"cpu{processor}" / "topology" / "thread_siblings_list").read_text()
    except OSError:  # a sandbox without /sys
        return {processor}
    spans = (span.partition("-") for span in told.strip().split(","))
    return {processor}.union(*(range(int(first), int(last or first) + 1) for first, _, last in spans))


def numbered(cores: Sequence[frozenset[int]]) -> str:
    """As onnxruntime wants it told: processors from 1, by thread."""
    return ";".join(",".join(str(one + 1) for one in sorted(core)) for core in cores)


def move_to(processors: frozenset[int]) -> None:
    """Put this thread on one of these processors, from where the system may move it again. It stays where it is where it may use
    none of them, or must not be moved."""
    before = os.sched_getaffinity(0) if processors else set[int]()
    there = before & processors
    if there and there != before and _bound(there):
        _bound(before)


def _bound(processors: set[int]) -> bool:
    try:
        os.sched_setaffinity(0, processors)
    except OSError:  # a container may forbid it: then it takes a little longer
        return False
    return True
