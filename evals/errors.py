"""What can go wrong in a run. Each is a RecollectError, and says what to do.

EvalError
├── DataSetInvalid      a file that is absent, truncated, or not of the format
├── RunMismatch         a run folder of another data set, system or version
├── RunInvalid          a run folder that cannot be read: no run, or a damaged file
├── RunBusy             another process works on the run folder
├── RunUnwritable       a record could not be written: a full or read-only disk
├── SystemFailed        a system under test raised; the record names the conversation or question
└── ExtraMissing        a package of recollect[evals], or a rival's environment, is not there
"""

from __future__ import annotations

from recollect.errors import RecollectError


class EvalError(RecollectError):
    """Anything of the harness."""


class DataSetInvalid(EvalError):
    """A data file cannot be read. The message names the file and the place."""


class RunMismatch(EvalError):
    """A run folder belongs to something else. The message says to what."""


class RunInvalid(EvalError):
    """A run folder cannot be read. The message names the file and the line."""


class RunBusy(EvalError):
    """Another process works on the run folder. It is free again when that one ends, however it ends."""

    retryable = True


class RunUnwritable(EvalError):
    """A record could not be written; all earlier ones are whole. The run stops."""

    retryable = True


class SystemFailed(EvalError):
    """A system under test raised. It is recorded, and the run goes on."""


class ExtraMissing(EvalError):
    """Something is not installed. The message has the command that installs it."""


class PartFailed(EvalError):
    """A part of an evaluation failed, or its process died. What was recorded stays; the same command goes on from there."""

    def __init__(self, part: str, problem: str) -> None:
        super().__init__(f"{part}: {problem}. What was recorded stays: the same command goes on from there")
        self.part = part
