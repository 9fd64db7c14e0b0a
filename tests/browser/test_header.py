"""The header keeps to one line, and what does not fit waits under "More"."""

import pytest
from playwright.sync_api import expect

from lenticular.accounts.services import change_name
