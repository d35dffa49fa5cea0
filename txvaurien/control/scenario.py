"""The scenario of one proxy over HTTP.

- ``GET``: ``{"state": "running", ...}``, or ``{"state": "none"}``.
- ``PUT``: ``{"scenario": "at 10s: blackout for 5s\\nat 20s: end"}``, in place of what is played.
- ``DELETE``: stop it; all that it added is gone; 404 if there is none. ``POST /pause``, ``POST /resume``.
"""

from __future__ import annotations

from typing import Any

from klein.resource import KleinResource
from twisted.web.iweb import IRequest

from txvaurien.control.answers import Refused, not_found, short_form
from txvaurien.control.app import OK, body_of, new_app, say
from txvaurien.planning.faults import FaultReader
from txvaurien.scenarios.player import Player
from txvaurien.scenarios.playing import Playing
from txvaurien.scenarios.scenario import read_scenario

_NONE = "no scenario is played; PUT one first"


class ScenarioApi:
    """The resource of the scenario of a proxy, wherever it is mounted."""

    app = new_app()

    def __init__(self, playing: Playing, reader: FaultReader) -> None:
        self._playing = playing
        self._reader = reader

    def resource(self) -> KleinResource:
        """The resource."""
        return self.app.resource()

    @app.route("/", methods=["GET"])
    def get(self, request: IRequest) -> bytes:
        """How far the scenario is."""
        return say(request, self._status())

    @app.route("/", methods=["PUT"])
    async def play(self, request: IRequest) -> bytes:
        """Begin a scenario, in place of the one that is played."""
        text = short_form(body_of(request), "scenario", "at 10s: blackout for 5s")
        await self._playing.play(read_scenario(text, "scenario", self._reader.read))
        return say(request, self._status())

    @app.route("/", methods=["DELETE"])
    async def stop(self, request: IRequest) -> bytes:
        """End the scenario; all that it added is gone. 404 if there is none."""
        none = self._playing.player is None
        # All the same: one may be about to begin.
        await self._playing.stop()
        if none:
            raise not_found("scenario", _NONE)
        return say(request, OK)

    @app.route("/pause", methods=["POST"])
    def pause(self, request: IRequest) -> bytes:
        """Let the time of the scenario stand still."""
        self._player().pause()
        return say(request, self._status())

    @app.route("/resume", methods=["POST"])
    def resume(self, request: IRequest) -> bytes:
        """Let the time of the scenario go on."""
        self._player().resume()
        return say(request, self._status())

    def _player(self) -> Player:
        if self._playing.player is None:
            raise Refused.because(409, "path", "scenario", _NONE)
        return self._playing.player

    def _status(self) -> dict[str, Any]:
        player = self._playing.player
        return {"state": "none"} if player is None else player.status()
