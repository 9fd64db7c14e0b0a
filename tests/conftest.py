"""Fixtures that every test of the web half may use."""

import pytest

from lenticular.accounts.models import Role
from tests import universe as world


@pytest.fixture
def universe(db):
    """The small world of `tests.universe`, with a few classifications."""
    return world.build_universe()


@pytest.fixture
def quiet_universe(db):
    """The small world before anybody has classified."""
    return world.build_universe(votes=False)


@pytest.fixture
def client_of(client, universe):
    """Sign the client in as a role: ``client_of("expert")``; None for anonymous."""
    users = {
        Role.VOLUNTEER: universe.volunteer_user,
        Role.EXPERT: universe.expert,
        Role.ASTRONOMER: universe.astronomer,
        Role.ADMIN: universe.admin,
    }

    def sign_in(role):
        if role is not None:
            client.force_login(users[role])
        return client

    return sign_in
