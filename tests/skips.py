"""A pytest plugin, `-p tests.skips`: a test that is skipped for want of anything but a GPU fails the run.

For a run in which everything is installed: there a skip means that something was not tested, and nobody would see it.
"""

import pytest

ALLOWED = "GPU"
_found = []


def _note(report):
    if report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if ALLOWED not in reason:
            _found.append(f"{report.nodeid}: {reason}")


pytest_runtest_logreport = pytest_collectreport = _note


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session, exitstatus):
    if _found and exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter):
    if _found:
        terminalreporter.section("skipped, where only the want of a GPU is a reason", red=True)
        for line in _found:
            terminalreporter.line(line)
