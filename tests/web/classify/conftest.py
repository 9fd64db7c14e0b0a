"""Keeps one test's language from the next: a request leaves its own behind in the thread."""

import pytest
from django.utils import translation


@pytest.fixture(autouse=True)
def _own_language():
    yield
    translation.deactivate()
