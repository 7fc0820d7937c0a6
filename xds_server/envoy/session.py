"""Sessions: the filter that finds a client's endpoint again.

What a client shows is the address of its endpoint, base64. Where that is no endpoint of the backend any longer, another
one is drawn as ever, and the client is told anew. Of a cookie with an end the value holds it, and Envoy tells it the
client as well; where the client is to forget the cookie before, a script takes that out again.
"""

from datetime import timedelta

from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.extensions.filters.http.lua import v3 as lua
from envoy_data_plane.envoy.extensions.filters.http.stateful_session import v3 as api
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import HttpFilter as HttpFilterMessage
from envoy_data_plane.envoy.extensions.http.stateful_session.cookie import v3 as cookie_v3
from envoy_data_plane.envoy.extensions.http.stateful_session.header import v3 as header_v3
from envoy_data_plane.envoy.type.http import v3 as http
from envoy_data_plane.google.protobuf import Any, Struct, Value

from xds_server.envoy import kit
from xds_server.routing.rule import Session
from xds_server.wire.construct import any_of, fast

HttpFilter = fast(HttpFilterMessage)
StatefulSession = fast(api.StatefulSession)
PerRoute = fast(api.StatefulSessionPerRoute)
TypedExtensionConfig = fast(core.TypedExtensionConfig)
CookieState = fast(cookie_v3.CookieBasedSessionState)
HeaderState = fast(header_v3.HeaderBasedSessionState)
Cookie = fast(http.Cookie)
Attribute = fast(http.CookieAttribute)

Lua = fast(lua.Lua)
LuaPerRoute = fast(lua.LuaPerRoute)

NAME = "envoy.filters.http.stateful_session"
SCRIPT_NAME = "envoy.filters.http.lua"
_FORGET = "forget"
_FORGET_SCRIPT = """
function envoy_on_response(handle)
  local headers = handle:headers()
  local start = handle:filterContext():get("cookie") .. "="
  local cookies = {}
  for i = 0, headers:getNumValues("set-cookie") - 1 do
    local cookie = headers:getAtIndex("set-cookie", i)
    if cookie:sub(1, #start) == start then
      cookie = cookie:gsub("; Max%-Age=%d+", "")
    end
    cookies[#cookies + 1] = cookie
  end
  headers:remove("set-cookie")
  for _, cookie in ipairs(cookies) do
    headers:add("set-cookie", cookie)
  end
end
"""
FILTERS = (
    HttpFilter(
        name=SCRIPT_NAME,
        typed_config=any_of(Lua(source_codes={_FORGET: kit.DataSource(inline_string=_FORGET_SCRIPT)})),
    ),
    HttpFilter(name=NAME, typed_config=any_of(StatefulSession())),
)
"""Idle until a route configures them; every chain for HTTP has them, so that none is drained when the first route does.
They come last: a listener's own filters may lead to another route.
"""


def per_route(session: Session | None, *, secure: bool) -> dict[str, Any]:
    """What a route, or one backend of a split, says to the filter. `secure`: browsers show the cookie over TLS alone.

    Envoy itself makes the cookie one that scripts do not see (HttpOnly).
    """
    if session is None:
        return {}
    if session.type == "header":
        state = TypedExtensionConfig(
            name="envoy.http.stateful_session.header", typed_config=any_of(HeaderState(name=session.name))
        )
    else:
        cookie = Cookie(
            name=session.name,
            path=session.path,
            ttl=None if session.seconds is None else timedelta(seconds=session.seconds),
            attributes=[
                *([Attribute(name="Secure")] if secure else []),
                Attribute(name="SameSite", value="Strict"),
            ],
        )
        state = TypedExtensionConfig(
            name="envoy.http.stateful_session.cookie", typed_config=any_of(CookieState(cookie=cookie))
        )
    said = {NAME: any_of(PerRoute(stateful_session=StatefulSession(session_state=state)))}
    if session.seconds is not None and not session.permanent:
        context = Struct(fields={"cookie": Value(string_value=session.name)})
        said[SCRIPT_NAME] = any_of(LuaPerRoute(name=_FORGET, filter_context=context))
    return said
