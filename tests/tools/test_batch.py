"""Going on past a file that fails, whatever its error is."""

from __future__ import annotations

import argparse
import warnings

import pytest

from nacre.entropy.errors import ImageError, UsageError
from nacre.tools import batch
from nacre.tools.batch import Job, run_batch

ARGS = argparse.Namespace(quiet=False, verbose=False)
JOBS = [Job("a", "a.out"), Job("b", "b.out"), Job("c", "c.out")]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (UsageError("wrong for this one"), "b: wrong for this one"),
        (ImageError("no picture"), "b: no picture"),
        (OSError(28, "No space left on device"), "b: No space left on device"),
        (PermissionError(13, "Permission denied", "elsewhere"), "b: elsewhere: Permission denied"),
        (MemoryError(), "b: out of memory"),
        (RuntimeError("of ours"), "b: a fault of nacre, please report it: RuntimeError: of ours"),
    ],
)
def test_an_error_of_one_file_fails_that_file_only(error, said, capsys):
    done = []

    def do(job: Job) -> str:
        if job.source == "b":
            raise error
        done.append(job.source)
        return ""

    assert run_batch(JOBS, do, ARGS) == batch.SOME_FAILED
    assert done == ["a", "c"]
    err = capsys.readouterr().err
    assert f"nacre: {said}\n" in err and "1 of 3 files failed: b\n" in err


def failing(error):
    def do(job: Job) -> str:
        raise error

    return do


def test_of_a_single_file_wrong_usage_is_the_commands():
    with pytest.raises(UsageError):
        run_batch(JOBS[:1], failing(UsageError("wrong")), ARGS)
    with pytest.raises(ZeroDivisionError):
        run_batch(JOBS[:1], failing(ZeroDivisionError()), ARGS)


def test_an_output_that_no_one_reads_any_more_ends_the_batch():
    with pytest.raises(BrokenPipeError):
        run_batch(JOBS, failing(BrokenPipeError()), ARGS)


def test_an_interrupt_ends_the_batch_and_says_where(capsys):
    with pytest.raises(KeyboardInterrupt):
        run_batch(JOBS, failing(KeyboardInterrupt()), ARGS)
    assert capsys.readouterr().err == "nacre: interrupted at a\n"


def test_of_many_failures_a_few_are_named_again(capsys):
    jobs = [Job(f"file{k}", "") for k in range(1000)]
    assert run_batch(jobs, failing(ImageError("no")), ARGS) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == "nacre: 1000 of 1000 files failed: file0, file1, file2 and 997 more"


def test_a_problem_that_was_found_before_fails_like_any_other(capsys):
    done = []
    jobs = [JOBS[0], Job("folder", "", "9 pictures cannot be read here")]
    assert run_batch(jobs, lambda job: str(done.append(job)), ARGS) == batch.SOME_FAILED
    assert done == [JOBS[0]]
    assert "nacre: folder: 9 pictures cannot be read here\n" in capsys.readouterr().err


def test_warnings_are_told_of_a_file_that_fails_too(capsys):
    def do(job: Job) -> str:
        warnings.warn("something is odd", stacklevel=1)
        raise ImageError("no picture")

    run_batch(JOBS[:1], do, ARGS)
    assert "a: warning: something is odd" in capsys.readouterr().err
