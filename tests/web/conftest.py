"""Keeps one test's language and cache from the next: a request leaves its own behind."""

import pytest
from django.core.cache import cache
from django.utils import translation


@pytest.fixture(autouse=True)
def _own_language():
    yield
    translation.deactivate()


@pytest.fixture(autouse=True)
def _own_cache():
    cache.clear()
