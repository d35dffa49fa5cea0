"""Tells twistd of ``vaurien``."""

from __future__ import annotations

from twisted.application.service import ServiceMaker

vaurien = ServiceMaker("txvaurien", "txvaurien.tap", "A chaos proxy for TCP services", "vaurien")
