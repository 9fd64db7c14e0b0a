"""Reporting and stopping are both optional."""

import pytest

from mlcore.errors import CancelledError
from mlcore.progress import report, stop_if_asked


def test_reports_to_whoever_listens():
    said = []
    report(lambda *each: said.append(each), "train", 0.5, "half")
    report(None, "train", 1.0, "done")
    assert said == [("train", 0.5, "half")]


def test_stops_only_when_asked():
    stop_if_asked(None, "train")
    stop_if_asked(lambda: False, "train")
    with pytest.raises(CancelledError, match="train was stopped on request"):
        stop_if_asked(lambda: True, "train")
