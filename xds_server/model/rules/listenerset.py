"""What the CRD of ListenerSet asks (gateway-api 1.7); its listeners have the rules of a Gateway's."""

from xds_server.model.listenerset import ListenerSetSpec, ParentGatewayReference
from xds_server.model.rules import syntax
from xds_server.model.rules.gateway import listener_names_differ, listeners_are_distinct
from xds_server.model.rules.syntax import Fields, Rules, count

FIELDS: Fields = {
    ListenerSetSpec: {"listeners": count(64, least=1)},
    ParentGatewayReference: {
        "group": syntax.group,
        "kind": syntax.kind,
        "name": syntax.name,
        "namespace": syntax.label,
    },
}

RULES: Rules = {ListenerSetSpec: (listener_names_differ, listeners_are_distinct)}
