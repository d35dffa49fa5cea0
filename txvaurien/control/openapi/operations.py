"""What each route takes and answers. What it does stands in the docstring of its handler."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from txvaurien.control.events import Asked
from txvaurien.control.journal import Since
from txvaurien.control.links import Kill
from txvaurien.control.proxy import RequestKind
from txvaurien.control.rules import Awaiting, Position
from txvaurien.control.toxiproxy import Strictness
from txvaurien.options import Declared

JSON = "application/json"

#: How the paths that are Toxiproxy's refuse.
_TOXIPROXYS = "ToxiproxyRefusal"


@dataclass(frozen=True)
class Operation:
    """One route, whichever paths lead to it.

    :param answer: the component that a good answer is; ``""`` for one without a body.
    :param body: the component that the body has to be; ``""`` for none.
    :param may_be_empty: whether the body may be left out.
    :param refusals: statuses of refusals, besides those that every route has.
    :param refusal: the component of refusals.
    :param shapes: the components of refusals that are another.
    :param media: what else the answer may be, by its type.
    :param headers: what header fields it looks at, with their schemas.
    """

    answer: str
    status: int = 200
    body: str = ""
    may_be_empty: bool = False
    query: type[Declared] | None = None
    refusals: tuple[int, ...] = ()
    refusal: str = "Error"
    shapes: Mapping[int, str] = field(default_factory=dict)
    media: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


#: By the class and the method that answer.
OPERATIONS: Mapping[str, Operation] = MappingProxyType(
    {
        "ControlApi.health": Operation("Health"),
        "ControlApi.list_behaviors": Operation("Behaviors"),
        "ControlApi.list_protocols": Operation("Protocols"),
        "ControlApi.toxics": Operation("ToxicsAndTypes"),
        "ControlApi.openapi": Operation("Anything"),
        "ControlApi.ca": Operation(
            "", refusals=(409,), media={"application/x-pem-file": "a certificate in PEM (RFC 7468)"}
        ),
        "ControlApi.reset": Operation("", 204, refusals=(409,)),
        "MetricsApi.get": Operation(
            "", media={"text/plain": "for Prometheus", "application/openmetrics-text": "where it is accepted"}
        ),
        "ToxiproxyApi.version": Operation("Version", refusal=_TOXIPROXYS),
        "ToxiproxyApi.list_proxies": Operation("Proxies", refusal=_TOXIPROXYS),
        "ToxiproxyApi.create": Operation(
            "Proxy", 201, body="NewProxy", query=Strictness, refusals=(409,), refusal=_TOXIPROXYS
        ),
        "ToxiproxyApi.populate": Operation(
            "Populated", 201, body="NewProxies", query=Strictness, refusals=(409,), refusal=_TOXIPROXYS
        ),
        "OneProxyApi.get": Operation("Proxy", refusal=_TOXIPROXYS),
        "OneProxyApi.change": Operation(
            "Proxy",
            body="ProxyChange",
            may_be_empty=True,
            query=Strictness,
            refusals=(409,),
            refusal=_TOXIPROXYS,
        ),
        "OneProxyApi.remove": Operation("", 204, refusal=_TOXIPROXYS),
        "ToxicsOfProxy.list_toxics": Operation("Toxics", refusal=_TOXIPROXYS),
        "ToxicsOfProxy.add": Operation(
            "Toxic", body="AnyNewToxic", query=Strictness, refusals=(409,), refusal=_TOXIPROXYS
        ),
        "ToxicsOfProxy.get": Operation("Toxic", refusal=_TOXIPROXYS),
        "ToxicsOfProxy.change": Operation(
            "Toxic", body="AnyToxicChange", may_be_empty=True, query=Strictness, refusal=_TOXIPROXYS
        ),
        "ToxicsOfProxy.remove": Operation("", 204, refusal=_TOXIPROXYS),
        "JournalApi.get": Operation("Records", query=Since),
        "EventsApi.get": Operation(
            "Records",
            query=Asked,
            refusals=(503,),
            media={"text/event-stream": "text"},
            headers={"Last-Event-ID": "the number of the last record that is known, for a stream"},
        ),
        "ProxyApi.get_behavior": Operation("BehaviorNow"),
        "ProxyApi.set_behavior": Operation("Done", body="BehaviorChange"),
        "ProxyApi.get_backend": Operation("Backend"),
        "ProxyApi.set_backend": Operation("Done", body="BackendChange"),
        "ProxyApi.note_passed": Operation("Done"),
        "ProxyApi.count_passed": Operation("Passed", query=RequestKind),
        "ProxyApi.reset": Operation("Done", refusals=(409,)),
        "ProxyApi.get_plan": Operation("PlanNow"),
        "ProxyApi.set_plan": Operation("Done", body="Plan"),
        "RulesApi.list_rules": Operation("Rules"),
        "RulesApi.add": Operation("Rule", 201, body="NewRule", query=Position, refusals=(409,)),
        "RulesApi.clear": Operation("Removed"),
        "RulesApi.get": Operation("Rule", query=Awaiting, refusals=(404, 408), shapes={408: "Timeout"}),
        "RulesApi.change": Operation("Rule", body="RuleChange", may_be_empty=True, refusals=(404,)),
        "RulesApi.remove": Operation("Done", refusals=(404,)),
        "ToxicsApi.add": Operation("Toxic", body="NewToxic", refusals=(409,)),
        "ToxicsApi.get": Operation("Toxic", refusals=(404,)),
        "ToxicsApi.change": Operation("Toxic", body="ToxicChange", may_be_empty=True, refusals=(404,)),
        "ToxicsApi.remove": Operation("", 204, refusals=(404,)),
        "ActionsApi.list_actions": Operation("Actions"),
        "ActionsApi.start_words": Operation("Action", body="ActionText", refusals=(409,)),
        "ActionsApi.get": Operation("Action", refusals=(404,)),
        "ActionsApi.start": Operation("Action", body="ActionOptions", may_be_empty=True, refusals=(404, 409)),
        "ActionsApi.stop": Operation("Done", refusals=(404, 409)),
        "LinksApi.list_links": Operation("Links"),
        "LinksApi.kill_all": Operation("Killed", query=Kill),
        "LinksApi.get": Operation("Link", refusals=(404,)),
        "LinksApi.kill": Operation("Killed", query=Kill, refusals=(404,)),
        "ScenarioApi.get": Operation("Scenario"),
        "ScenarioApi.play": Operation("Scenario", body="NewScenario", refusals=(409,)),
        "ScenarioApi.stop": Operation("Done", refusals=(404, 409)),
        "ScenarioApi.pause": Operation("Scenario", refusals=(409,)),
        "ScenarioApi.resume": Operation("Scenario", refusals=(409,)),
    }
)
