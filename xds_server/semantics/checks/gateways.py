"""XDS03xx: GatewayClasses, Gateways and ListenerSets as a whole."""

from xds_server.semantics.checks.check import ERROR, FOLLOWS, LIVE, WARNING, Check, Told, told_beside
from xds_server.semantics.conditions import NONE_COMES_UP

CHECKS = (
    Check(
        "XDS0301",
        "A GatewayClass has parameters that are not supported",
        ERROR,
        "Parameters of a class are a ConfigMap whose namespace is stated. With others none of its Gateways is served"
        " from files; in a cluster those that are deployed serve on as they are, and no further one is deployed.",
        "Give the ConfigMap, mend what the message names, or remove parametersRef from the class.",
        (Told("GatewayClass", "Accepted", "InvalidParameters"),),
        field="spec.parametersRef",
    ),
    Check(
        "XDS0302",
        "A Gateway's class is not given",
        ERROR,
        "Where GatewayClasses are given, they decide whose a Gateway is, and the class of this one is not among them.",
        "Give the GatewayClass, or correct gatewayClassName.",
        (Told("Gateway", "Served", "NotOurs", "^there is no GatewayClass"),),
        field="spec.gatewayClassName",
    ),
    Check(
        "XDS0303",
        "A Gateway is another controller's",
        ERROR,
        "The GatewayClass names the controllerName of somebody else, so this server leaves the Gateway and its routes"
        " alone.",
        "If it is meant to be served here, set controllerName of its class to xds-server.dev/gateway-controller.",
        (Told("Gateway", "Served", "NotOurs", "belongs to the controller"),),
        field="spec.gatewayClassName",
    ),
    Check(
        "XDS0304",
        "A Gateway's class is not accepted",
        ERROR,
        "Gateways of a class that is not accepted are not served.",
        "Mend the GatewayClass.",
        (Told("Gateway", "Served", "NotOurs", "is not accepted$"),),
        field="spec.gatewayClassName",
    ),
    Check(
        "XDS0305",
        "A Gateway asks for an address of a kind that is not supported",
        ERROR,
        "Addresses of type IPAddress and Hostname are supported. A Gateway with another one is not served at all.",
        "Remove the address, or ask for an IPAddress.",
        (Told("Gateway", "Accepted", "UnsupportedAddress"),),
        field="spec.addresses",
    ),
    Check(
        "XDS0306",
        "No listener of a Gateway is valid",
        ERROR,
        "Each listener has a fault of its own, so the Gateway serves nothing.",
        "Mend the listeners.",
        (
            Told("Gateway", "Accepted", "ListenersNotValid"),
            Told("Gateway", "Programmed", "Invalid", "^None of the listeners"),
        ),
        field="spec.listeners",
        unshown=FOLLOWS,
    ),
    Check(
        "XDS0307",
        "A Gateway is not programmed",
        ERROR,
        "The Gateway is not accepted, or Envoy accepted none of its listeners.",
        "Mend what else is told of the Gateway and its listeners.",
        (Told("Gateway", "Programmed", "Invalid"),),
        unshown=LIVE,
    ),
    Check(
        "XDS0308",
        "A Gateway has parameters that cannot be used",
        ERROR,
        "Parameters of a Gateway are a ConfigMap of its own namespace, with fragments of what is made for it in a"
        " cluster (docs/deployment.md). Without them it is not served from files, and not deployed; what is deployed"
        " already serves on as it is.",
        "Give the ConfigMap, mend what the message names, or remove infrastructure.parametersRef.",
        (
            Told("Gateway", "Accepted", "InvalidParameters"),
            Told("Gateway", "Accepted", "", r"^(infrastructure\.parametersRef|GatewayClass \S+: parametersRef): "),
        ),
        field="spec.infrastructure.parametersRef",
    ),
    Check(
        "XDS0309",
        "A Gateway's address cannot be had here",
        ERROR,
        "The Gateway asks for an address, or for a way to be reached, that is not to be had where it is served. On one"
        " machine it is served on the address that the message names. In a cluster the load balancer has not given the"
        " address (yet), or a hostname names no Service that may be named, or one that does not lead to all ports; what"
        " can be served is.",
        "Ask for an address of this machine, or of the cluster's load balancer, or leave addresses out. In a cluster"
        " that has no load balancer the annotation networking.istio.io/service-type: ClusterIP does without. A Service"
        " that is named needs a selector, the listeners' ports, and in another namespace a ReferenceGrant.",
        (
            Told("Gateway", "Programmed", "AddressNotUsable"),
            Told("Gateway", "Programmed", "AddressNotAssigned"),
            Told("Gateway", "AddressesAssigned"),
        ),
        field="spec.addresses",
        unshown=LIVE,
    ),
    Check(
        "XDS0310",
        "A Gateway does not allow a ListenerSet",
        ERROR,
        "allowedListeners of the Gateway says from which namespaces it takes ListenerSets: from none unless it says"
        " so.",
        "Allow the namespace in allowedListeners.namespaces of the Gateway.",
        (Told("ListenerSet", "", "NotAllowed"),),
        field="spec.parentRef",
    ),
    Check(
        "XDS0311",
        "A ListenerSet's Gateway is not accepted",
        ERROR,
        "The listeners of a set are those of its Gateway, and that one is not served.",
        "Mend the Gateway.",
        (Told("ListenerSet", "", "ParentNotAccepted"), Told("ListenerSet", "", "ParentNotProgrammed")),
        field="spec.parentRef",
    ),
    Check(
        "XDS0312",
        "No listener of a ListenerSet is valid",
        ERROR,
        "Each listener has a fault of its own, so the set brings nothing.",
        "Mend the listeners.",
        (
            Told("ListenerSet", "", "ListenersNotValid"),
            Told("ListenerSet", "Programmed", "Invalid", "^None of the listeners"),
        ),
        field="spec.listeners",
        unshown=FOLLOWS,
    ),
    Check(
        "XDS0313",
        "A ListenerSet is not programmed",
        ERROR,
        "Envoy accepted none of its listeners.",
        "Mend what else is told of the ListenerSet and its listeners.",
        (Told("ListenerSet", "Programmed", "Invalid"),),
        unshown=LIVE,
    ),
    Check(
        "XDS0314",
        "An annotation of a Gateway asks for what cannot be made",
        ERROR,
        "Annotations of a Gateway, or of its infrastructure, say how it is deployed in a cluster: the type of its"
        " Service, and templates by name, which are ConfigMaps with the label that the message names. With others the"
        " Gateway is not accepted; what is deployed already serves on as it is.",
        "Correct the annotation, or give the ConfigMap that it names.",
        told_beside("Gateway", "Accepted", "InvalidParameters", "^annotation "),
        field="metadata.annotations",
    ),
    Check(
        "XDS0315",
        "A Gateway cannot be deployed as it is wanted",
        ERROR,
        "An object that is to be made for the Gateway has the name of one that somebody else made, or the API server"
        " refuses it; the message has its words. What is deployed already serves on as it is. It is tried again and"
        " again.",
        "Rename the Gateway or the other object, or correct what the API server names: in the Gateway, or in its"
        " parameters.",
        (
            Told("Gateway", "Programmed", "NoResources"),
            Told("Gateway", "Programmed", "Invalid", "^(The API server refuses|Its parameters|There is no port)"),
        ),
        unshown=LIVE,
    ),
    Check(
        "XDS0316",
        "No Envoy of a Gateway comes up",
        ERROR,
        "The pods of the Gateway cannot be made, find no node, or their containers do not run, and none of them is"
        " ready: nothing serves the Gateway. The message names the pods and has the words of Kubernetes.",
        "Do as the message says: give an image that can be pulled, what the pods refer to, or room for them. The"
        " Gateway's annotations and parameters say how they are made. Scale a Deployment that has no replicas.",
        (Told("Gateway", "Programmed", "", f"^{NONE_COMES_UP}: "),),
        unshown=LIVE,
    ),
    Check(
        "XDS0317",
        "Some Envoys of a Gateway do not come up",
        WARNING,
        "Pods of the Gateway cannot be made, find no node, or their containers do not run. Others are ready, and serve"
        " as they did; what was changed about the pods has not come into force everywhere.",
        "Do as the message says: it names the pods and has the words of Kubernetes.",
        (Told("Gateway", "Programmed", "Programmed"),),
        unshown=LIVE,
    ),
    Check(
        "XDS0390",
        "A GatewayClass, Gateway or ListenerSet has a fault",
        ERROR,
        "A condition of the object says that something is wrong, for a reason that has no code of its own.",
        "Do as the message says.",
        (Told("GatewayClass"), Told("Gateway"), Told("ListenerSet")),
        unshown="Every reason that is given today has a code of its own.",
    ),
)
