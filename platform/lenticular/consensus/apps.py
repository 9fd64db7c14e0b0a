"""The consensus app."""

from __future__ import annotations

from django.apps import AppConfig


class ConsensusConfig(AppConfig):
    name = "lenticular.consensus"
