"""Published resources in short, read back from their bytes.

Each function takes the proto3 JSON of one resource. Nothing is left out silently: values that are the same in every
resource are compared with the table of constants beside them, and fields that have no short form are shown as they
are.
"""

from base64 import b64decode
from collections.abc import Callable
from typing import Any

from tests.scenarios import certificates
from xds_server.envoy.virtual_host import MISDIRECTED
from xds_server.filters.external_auth import NEVER_TAKEN, OF_THE_ANSWER
from xds_server.xds.resource import ResourceType

Json = dict[str, Any]
_MILLION = 1_000_000
_HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
_CODES = {
    "MOVED_PERMANENTLY": 301,
    "FOUND": 302,
    "SEE_OTHER": 303,
    "TEMPORARY_REDIRECT": 307,
    "PERMANENT_REDIRECT": 308,
}
_ANSWER_421 = {"name": "misdirected", "match": {"prefix": "/"}, "directResponse": {"status": 421}}
_ANSWER_404 = {"name": "no route", "match": {"prefix": "/"}, "directResponse": {"status": 404}}
_UNLIMITED = 4_294_967_295


def _rest(message: Json, constants: Json) -> Json:
    """The fields left in `message` that are not the usual ones; a usual one that is missing is shown as null."""
    rest = {name: value for name, value in message.items() if constants.get(name) != value}
    return rest | {name: None for name in constants if name not in message}


def cluster(message: Json) -> Json:
    """Its endpoint assignment or its name in DNS, the protocol it speaks, and how it is secured; "closed" for one without endpoints."""
    body = dict(message)
    dns = body.pop("clusterType", None)
    if dns is None and body.get("type", "STATIC") == "STATIC":
        assert body.keys() <= {"name", "type", "connectTimeout"}
        return {"closed": True}
    secured = {} if (socket := body.pop("transportSocket", None)) is None else {"tls": _tls(socket)}
    if (told := body.pop("metadata", None)) is not None:  # a hash of authorities, which are made anew for each run
        assert secured
        assert len(told["filterMetadata"]["xds-server"]["authorities"]) == 16
    where = {"dns": _found_by_dns(body, dns)} if dns else {"endpoints": _assigned(body.pop("edsClusterConfig"))}
    limits = dict.fromkeys(("maxConnections", "maxPendingRequests", "maxRequests", "maxRetries"), _UNLIMITED)
    constants = {
        **({} if dns else {"type": "EDS"}),
        "connectTimeout": "10s",
        "perConnectionBufferLimitBytes": 32768,
        "lbPolicy": "LEAST_REQUEST",
        "circuitBreakers": {"thresholds": [limits]},
    }
    name = body.pop("name")
    shown = {**where, "speaks": _speaks(name, body)}
    if shown["speaks"] == "datagrams of a port":
        del constants["perConnectionBufferLimitBytes"]
        del constants["lbPolicy"]  # round robin, the first of the enum
    if (budget := _retry_budget(body)) is not None:
        shown["retries"] = budget
    return shown | secured | _rest(body, constants)


def _assigned(eds: Json) -> Any:
    assert eds["edsConfig"] == {"ads": {}, "resourceApiVersion": "V3"}
    return eds["serviceName"]


def _found_by_dns(body: Json, dns: Json) -> str:
    settings = dns["typedConfig"]
    assert (settings["dnsLookupFamily"], settings["respectDnsTtl"]) == ("V4_PREFERRED", True)
    assert body.pop("waitForWarmOnInit") is False
    (locality,) = body.pop("loadAssignment")["endpoints"]
    (endpoint,) = locality["lbEndpoints"]
    return _address(endpoint["endpoint"]["address"])


def _retry_budget(body: Json) -> Json | None:
    """Takes the limit of retries out of `body`."""
    (limits,) = body["circuitBreakers"]["thresholds"]
    budget: Json | None = limits.get("retryBudget")
    if budget is None:
        return None
    body["circuitBreakers"] = {"thresholds": [{name: value for name, value in limits.items() if name != "retryBudget"}]}
    percent = budget.pop("budgetPercent").get("value", 0)
    shown = {"percent": percent, "interval": budget.pop("budgetInterval"), "least": budget.pop("minRetryConcurrency")}
    return shown | budget


def _speaks(name: str, body: Json) -> str:
    options = body.pop("typedExtensionProtocolOptions", None)
    if options is None:
        assert name.startswith("gateway/") or "/tcp" in name
        return "datagrams of a port" if name.startswith("gateway/") else "bytes"
    (protocol,) = options[_HTTP_OPTIONS]["explicitHttpConfig"]
    return {"httpProtocolOptions": "HTTP/1.1", "http2ProtocolOptions": "HTTP/2"}[protocol]


def _tls(socket: Json) -> Json:
    """What is asked of a backend, and what it is shown."""
    assert socket["name"] == "envoy.transport_sockets.tls"
    context = dict(socket["typedConfig"])
    assert context.pop("@type").endswith(".UpstreamTlsContext")
    common = dict(context.pop("commonTlsContext"))
    assert common.pop("tlsParams") == {"tlsMinimumProtocolVersion": "TLSv1_2", "tlsMaximumProtocolVersion": "TLSv1_3"}
    validation = common.pop("combinedValidationContext")
    names = validation["defaultValidationContext"]["matchTypedSubjectAltNames"]
    trusted = validation["validationContextSdsSecretConfig"]
    shown = common.pop("tlsCertificateSdsSecretConfigs", [])
    assert all(one["sdsConfig"] == {"ads": {}, "resourceApiVersion": "V3"} for one in (trusted, *shown))
    assert names
    told = {
        "asks for": context.pop("sni"),
        "is one of": [f"{one['sanType']}:{one['matcher']['exact']}" for one in names],
        "authorities": trusted["name"],
    }
    certificates_ = {"shows": [one["name"] for one in shown]} if shown else {}
    return told | certificates_ | common | context


def assignment(message: Json) -> Any:
    """Addresses by zone, or one list where no zone is known; with their weights where several backends have some."""
    shown: dict[str, list[str]] = {}
    if message["clusterName"].startswith("gateway/"):
        weighted = [one for locality in message.get("endpoints", []) for one in locality["lbEndpoints"]]
        return {
            _address(one["endpoint"]["address"]).removesuffix("/udp"): one["loadBalancingWeight"] for one in weighted
        }
    for locality in message.get("endpoints", []):
        zone = locality["locality"].get("zone", "")
        addresses = [_address(one["endpoint"]["address"]) for one in locality["lbEndpoints"]]
        assert locality["loadBalancingWeight"] == len(addresses)
        shown[zone] = addresses
    return shown.get("", []) if not shown.keys() - {""} else shown


def _address(message: Json) -> str:
    socket = message["socketAddress"]
    host = f"[{socket['address']}]" if ":" in socket["address"] else socket["address"]
    return f"{host}:{socket['portValue']}{'/udp' if socket.get('protocol') == 'UDP' else ''}"


def listener(message: Json) -> Json:
    """Where it is bound, and for each filter chain its routes or backends, and its certificates."""
    if "udpListenerConfig" in message:
        return {"bind": _address(message["address"]), "to": _datagrams(message)}
    chains = {}
    secure = False
    for chain in message["filterChains"]:
        (filter_,) = chain["filters"]
        config = filter_["typedConfig"]
        shown = {"routes": config["rds"]["routeConfigName"]} if "rds" in config else _connections(config)
        if (names := chain.get("filterChainMatch", {}).get("serverNames")) is not None:
            shown["sni"] = names
        if (socket := chain.get("transportSocket")) is not None:
            tls = socket["typedConfig"]["commonTlsContext"]
            shown["certificates"] = [one["name"] for one in tls["tlsCertificateSdsSecretConfigs"]]
            assert tls.get("alpnProtocols") == (["h2", "http/1.1"] if "routes" in shown else None)
            assert tls["tlsParams"] == {"tlsMinimumProtocolVersion": "TLSv1_2"}
            if (authorities := tls.get("validationContextSdsSecretConfig")) is not None:
                shown["clients"] = {"of": authorities["name"]}
            if (required := socket["typedConfig"].get("requireClientCertificate")) is not None:
                shown["clients"]["required"] = required
        secure = secure or config["statPrefix"].startswith(("https-", "tls-"))
        if (server := config.get("serverName", "envoy")) != "envoy":
            shown["server"] = server
        if (tracing := config.get("tracing")) is not None:
            shown["tracing"] = _tracing(dict(tracing))
        chains[chain["name"]] = shown
    inspected = [one["name"] for one in message.get("listenerFilters", [])]
    assert inspected == (["envoy.filters.listener.tls_inspector"] if secure else [])
    return {"bind": _address(message["address"]), "chains": chains}


def _tracing(body: Json) -> Json:
    """What part of requests is sampled, what spans say, and where they go."""
    provider = body.pop("provider")
    assert provider["name"] == "envoy.tracers.opentelemetry"
    config = dict(provider["typedConfig"])
    service = config.pop("grpcService")
    assert (service["timeout"], body.pop("clientSampling")) == ("1s", {})
    shown = {"to": service["envoyGrpc"]["clusterName"], "service": config.pop("serviceName")}
    if metadata := service.get("initialMetadata"):
        shown["headers"] = {one["key"]: one["value"] for one in metadata}
    shown["random"] = f"{body.pop('randomSampling').get('value', 0):g}%"
    sampler = config.pop("sampler")
    follows = sampler["name"].endswith(".parent_based")
    sampler = sampler["typedConfig"]["wrappedSampler"] if follows else sampler
    share = _percent({"defaultValue": sampler["typedConfig"]["samplingPercentage"]})
    shown["sampler"] = f"parents, else {share}" if follows else share
    if (operation := body.pop("operation", None)) is not None:
        shown["span"] = operation
    if tags := body.pop("customTags", None):
        shown["tags"] = {one["tag"]: one.get("value", one.get("literal", one.get("requestHeader"))) for one in tags}
    config.pop("@type")
    return shown | body | config


def _datagrams(message: Json) -> str:
    assert message["enableReusePort"] is True
    (filter_,) = message["listenerFilters"]
    config = filter_["typedConfig"]
    assert config["idleTimeout"] == "60s"
    route = config["matcher"]["onNoMatch"]["action"]["typedConfig"]
    return str(route["cluster"])


def _connections(config: Json) -> Json:
    """Where connections go: a cluster, some by weight; none closes them."""
    body = dict(config)
    name = body.pop("statPrefix")
    (log,) = body.pop("accessLog")
    logged = log["typedConfig"]["logFormat"]["jsonFormat"]
    assert logged["listener"] == name
    to = body.pop("cluster", None)
    if (weighted := body.pop("weightedClusters", None)) is not None:
        to = [{one["name"]: one["weight"]} for one in weighted["clusters"]]
    assert to is not None
    shown: Json = {"closed": True} if to == "none" else {"to": to}
    if "route" in logged:
        kind, namespace, route, *rule = logged["route"].split("/")
        shown["of"] = f"{kind} {namespace}/{route} {'.'.join(rule)}"
    body.pop("@type")
    return shown | _rest(body, {"idleTimeout": "3600s"})


def secret(message: Json) -> Json:
    """The names that the certificate is for, or those of the authorities to trust."""
    if (validation := message.get("validationContext")) is not None:
        trusted = validation.pop("trustedCa")
        told = {"file": trusted["filename"]} if "filename" in trusted else _authorities(trusted["inlineBytes"])
        return {"authorities": told} | validation
    tls = message["tlsCertificate"]
    assert b64decode(tls["privateKey"]["inlineBytes"]).startswith(b"-----BEGIN ")
    return {"names": certificates.names_of(b64decode(tls["certificateChain"]["inlineBytes"]))}


def _authorities(pem: str) -> list[str]:
    return certificates.subjects_of(b64decode(pem))


def route_configuration(message: Json) -> Json:
    """By domain, the routes in the order in which they are tried."""
    body = dict(message)
    hosts = body.pop("virtualHosts", [])
    body.pop("name")
    constants = {"validateClusters": False, "ignorePortInHostMatching": True}
    shown = _rest(body, constants)
    for host in hosts:
        assert not host.keys() - {"name", "domains", "routes", "typedPerFilterConfig"}
        filters, routes = _requests(host.get("typedPerFilterConfig", {})), host.get("routes", [])
        if host["name"] == MISDIRECTED:
            assert routes == [_ANSWER_421]
            shown["421"] = {"requests": filters, "hosts": host["domains"]} if filters else host["domains"]
            continue
        assert host["domains"] == [host["name"]]
        if filters:
            assert routes.pop() == _ANSWER_404
            shown[host["name"]] = {"requests": filters, "routes": [_route(one) for one in routes]}
        else:
            shown[host["name"]] = [_route(one) for one in routes]
    return shown


def _requests(message: Json) -> list[Json]:
    """What requests of a listener meet before a route is chosen."""
    if not message:
        return []
    (chain,) = message.values()
    assert list(message) == ["listener-filters"]
    filters = chain["filterChain"]["filters"]
    assert [one["name"] for one in filters] == [f"requests[{i}]" for i in range(len(filters))]
    return [check(one["typedConfig"]) for one in filters]


def _route(message: Json) -> Json:
    body = dict(message)
    name = body.pop("name").split("/")
    shown = _match(body.pop("match"))
    assert ("grpc" in shown) == (name[0] == "GRPCRoute")
    if (direct := body.pop("directResponse", None)) is not None:
        shown |= {"answer": direct.pop("status")} | direct
    if (redirect := body.pop("redirect", None)) is not None:
        shown["redirect"] = _redirect(redirect)
    if (action := body.pop("route", None)) is not None:
        if shown.pop("grpc", None):  # what is missing is 503 there, Envoy's default
            assert "clusterNotFoundResponseCode" not in action
            action = action | {"clusterNotFoundResponseCode": "INTERNAL_SERVER_ERROR"}
        shown |= _forward(dict(action))
        assert body.pop("requestBodyBufferLimit", None) == ("1048576" if "retry" in shown else None)
    shown |= _headers(body)
    shown |= _filters(body)
    kind = "" if name[0] == "HTTPRoute" else f"{name[0]} "
    return shown | body | {"of": f"{kind}{name[1]}/{name[2]} {name[3]}.{name[4]}"}


def _match(message: Json) -> Json:
    body = dict(message)
    shown: Json = {}
    for field, name in (("path", "exact"), ("prefix", "prefix"), ("pathSeparatedPrefix", "prefix")):
        if (value := body.pop(field, None)) is not None:
            assert (field == "prefix") == (value == "/") or field == "path"
            shown[name] = value
    if (regex := body.pop("safeRegex", None)) is not None:
        shown["regex"] = regex["regex"]
    headers = {one["name"]: _header_match(one) for one in body.pop("headers", [])}
    if (method := headers.pop(":method", None)) is not None:
        shown["method"] = method
    if headers:
        shown["headers"] = headers
    if query := body.pop("queryParameters", None):
        shown["query"] = {one["name"]: _string(one["stringMatch"]) for one in query}
    if (share := body.pop("runtimeFraction", None)) is not None:
        shown["share"] = _percent(share)
    if body.pop("grpc", None) is not None:
        shown["grpc"] = True
    return shown | body


def _header_match(message: Json) -> Any:
    if message.get("presentMatch"):
        return "absent" if message.get("invertMatch") else "present"
    return _string(message["stringMatch"])


def _string(message: Json) -> Any:
    return message["exact"] if "exact" in message else {"regex": message["safeRegex"]["regex"]}


def _percent(message: Json) -> str:
    value = message["defaultValue"]
    assert value["denominator"] == "MILLION"
    return f"{value.get('numerator', 0) * 100 / _MILLION:g}%"


def _redirect(message: Json) -> Json:
    names = {"schemeRedirect": "scheme", "hostRedirect": "host", "portRedirect": "port", "code": "code"}
    body = message | {"code": _CODES[message.get("responseCode", "MOVED_PERMANENTLY")]}
    body.pop("responseCode", None)
    shown = {short: body.pop(name) for name, short in names.items() if name in body}
    return shown | _path(body) | body


def _path(body: Json) -> Json:
    """Takes the change of a path out of `body`."""
    names = {"pathRedirect": "path", "prefixRewrite": "prefix"}
    shown = {short: body.pop(name) for name, short in names.items() if name in body}
    if (regex := body.pop("regexRewrite", None)) is not None:
        shown["regex"] = f"{regex['pattern']['regex']} -> {regex['substitution']}"
    return shown


def _forward(body: Json) -> Json:
    if body == {"cluster": "none", "clusterNotFoundResponseCode": "NOT_FOUND"}:
        return {"to": "none"}
    shown: Json = {}
    if (cluster_ := body.pop("cluster", None)) is not None:
        shown["to"] = cluster_
    if (weighted := body.pop("weightedClusters", None)) is not None:
        shown["to"] = [_weight(dict(one)) for one in weighted["clusters"]]
    rewrite = _path(body)
    if (host := body.pop("hostRewriteLiteral", None)) is not None:
        rewrite = {"host": host} | rewrite
    if rewrite:
        shown["rewrite"] = rewrite
    if (retry := body.pop("retryPolicy", None)) is not None:
        shown["retry"] = _retry(retry)
    if mirrors := body.pop("requestMirrorPolicies", None):
        shown["mirror"] = [_mirror(dict(one)) for one in mirrors]
    return shown | _rest(body, {"clusterNotFoundResponseCode": "INTERNAL_SERVER_ERROR", "timeout": "0s"})


def _retry(message: Json) -> Json:
    (elsewhere,) = message.pop("retryHostPredicate")
    assert elsewhere["name"] == "envoy.retry_host_predicates.previous_hosts"
    assert message.pop("hostSelectionRetryMaxAttempts") == "256"
    conditions = message.pop("retryOn").split(",")
    assert conditions[:3] == ["connect-failure", "refused-stream", "reset-before-request"]
    assert conditions[3:] == (["retriable-status-codes"] if "retriableStatusCodes" in message else [])
    names = {"numRetries": "attempts", "retriableStatusCodes": "codes", "perTryTimeout": "each"}
    shown = {short: message.pop(name) for name, short in names.items() if name in message}
    if (backoff := message.pop("retryBackOff", None)) is not None:
        shown["backoff"] = backoff.pop("baseInterval")
        assert not backoff
    return shown | message


def _weight(body: Json) -> Json:
    shown = {body.pop("name"): body.pop("weight")}
    if (host := body.pop("hostRewriteLiteral", None)) is not None:
        shown["rewrite"] = {"host": host}
    shown |= _headers(body)
    shown |= _filters(body)
    return shown | body


def _filters(body: Json) -> Json:
    """Takes what is said to filters out of `body`."""
    shown: Json = {}
    for filter_, config in body.pop("typedPerFilterConfig", {}).items():
        shown |= _PER_ROUTE[filter_](config)
    return shown


def _mirror(body: Json) -> Json:
    assert body.pop("disableShadowHostSuffixAppend") is True
    return {body.pop("cluster"): _percent(body.pop("runtimeFraction"))} | body


def _headers(body: Json) -> Json:
    """Takes the changes of headers out of `body`."""
    shown = {}
    for what in ("request", "response"):
        changes: Json = {}
        for option in body.pop(f"{what}HeadersToAdd", []):
            assert option["keepEmptyValue"] is True
            verb = {"OVERWRITE_IF_EXISTS_OR_ADD": "set", "APPEND_IF_EXISTS_OR_ADD": "add"}[
                option.get("appendAction", "APPEND_IF_EXISTS_OR_ADD")
            ]
            changes.setdefault(verb, []).append({option["header"]["key"]: option["header"].get("value", "")})
        if removed := body.pop(f"{what}HeadersToRemove", None):
            changes["remove"] = removed
        if changes:
            shown[what] = changes
    return shown


def _cors(message: Json) -> Json:
    assert message.pop("@type").endswith(".cors.v3.CorsPolicy")
    assert message.pop("forwardNotMatchingPreflights") is False
    names = {"allowMethods": "methods", "allowHeaders": "headers", "exposeHeaders": "expose"}
    shown = {"origins": [_string(one) for one in message.pop("allowOriginStringMatch", [])]}
    shown |= {short: message.pop(name) for name, short in names.items() if name in message}
    if message.pop("allowCredentials"):
        shown["credentials"] = True
    return {"cors": shown | {"seconds": message.pop("maxAge")} | message}


def _auth(name: str) -> Callable[[Json], Json]:
    def shown(message: Json) -> Json:
        action = message["matcher"]["onNoMatch"]["action"]["typedConfig"]
        return {name: check(action["typedConfig"]["typedConfig"])}

    return shown


def check(message: Json) -> Json:
    """Who is asked, what is sent there, and what is taken from the answer ("*": all that may be)."""
    body = {name: value for name, value in message.items() if name != "@type"}
    assert body.pop("transportApiVersion") == "V3"
    assert body.pop("validateMutations") is True
    shown: Json = {}
    if (grpc := body.pop("grpcService", None)) is not None:
        shown["grpc"] = grpc["envoyGrpc"]["clusterName"]
        assert grpc["timeout"] == "10s"
    if (http := body.pop("httpService", None)) is not None:
        shown["http"] = http["serverUri"]["cluster"]
        assert http["serverUri"]["timeout"] == "10s"
        if "pathPrefix" in http:
            shown["path"] = http["pathPrefix"]
        taken = [_string(one) for one in http["authorizationResponse"]["allowedUpstreamHeaders"]["patterns"]]
        shown["taken"] = "*" if taken == [{"regex": "[^:].*"}] else taken
    if (headers := body.pop("allowedHeaders", None)) is not None:
        assert all(one["ignoreCase"] for one in headers["patterns"])
        shown["headers"] = [_string(one) for one in headers["patterns"]]
    if (rules := body.pop("decoderHeaderMutationRules", None)) is not None:
        never = [*NEVER_TAKEN, *(OF_THE_ANSWER if shown.get("taken") == "*" else ())]
        assert rules == {"allowAllRouting": True, "disallowExpression": {"regex": "|".join(never)}}
    else:
        assert "grpc" in shown
        assert not body.get("clearRouteCache")
    if (buffer := body.pop("withRequestBody", None)) is not None:
        shown["body"] = buffer["maxRequestBytes"]
    if body.pop("clearRouteCache", False):
        shown["chooses"] = "routes"
    return shown | body


def _session(message: Json) -> Json:
    assert message.pop("@type").endswith(".StatefulSessionPerRoute")
    state = message.pop("statefulSession").pop("sessionState")["typedConfig"]
    kind = state.pop("@type").rpartition(".")[2]
    assert not message
    if kind == "HeaderBasedSessionState":
        return {"session": {"header": state.pop("name")} | state}
    assert kind == "CookieBasedSessionState"
    cookie = state.pop("cookie")
    attributes = {one["name"]: one.get("value", True) for one in cookie.pop("attributes")}
    assert attributes.pop("SameSite") == "Strict"
    shown = {"cookie": cookie.pop("name")}
    if (path := cookie.pop("path")) != "/":
        shown["path"] = path
    return {"session": shown | attributes | cookie | state}


def _forget(message: Json) -> Json:
    assert message.pop("@type").endswith(".LuaPerRoute")
    assert message.pop("name") == "forget"
    return {"forgotten": message.pop("filterContext")["cookie"]} | message


_PER_ROUTE: dict[str, Callable[[Json], Json]] = {
    "envoy.filters.http.cors": _cors,
    "envoy.filters.http.lua": _forget,
    "envoy.filters.http.stateful_session": _session,
    "external-auth": _auth("auth"),
    "external-auth-backend": _auth("auth of backend"),
}
"""How the configuration of a filter for one route is shown."""

SHOW = {
    ResourceType.CLUSTER: cluster,
    ResourceType.ENDPOINT: assignment,
    ResourceType.LISTENER: listener,
    ResourceType.SECRET: secret,
    ResourceType.ROUTE: route_configuration,
}
