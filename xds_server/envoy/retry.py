"""When Envoy tries again, how often, where and after what time.

Without codes only what no backend can have processed: connections that were not established, requests that were refused
(HTTP/2 REFUSED_STREAM) or not sent before the connection ended. Neither a request whose answer was cut off nor a try
that took too long (`backendRequest`) is sent again: Envoy would do the one only together with the other.
"""

from envoy_data_plane.envoy.config.route import v3 as api
from envoy_data_plane.envoy.extensions.retry.host.previous_hosts import v3 as previous_hosts

from xds_server.envoy import kit
from xds_server.routing.rule import Retry
from xds_server.wire.construct import any_of, fast

RetryPolicy = fast(api.RetryPolicy)
BackOff = fast(api.RetryPolicyRetryBackOff)
HostPredicate = fast(api.RetryPolicyRetryHostPredicate)

UNPROCESSED = ("connect-failure", "refused-stream", "reset-before-request")
MOST = 2**32 - 1
BODY_LIMIT_BYTES = 1 << 20
"""The longest request body that is kept to be sent again, as Envoy's own default; requests with longer ones pass, and
are tried once. What a connection may buffer otherwise is far less, and would decide here, too.
"""
_OTHER_HOSTS = HostPredicate(
    name="envoy.retry_host_predicates.previous_hosts",
    typed_config=any_of(fast(previous_hosts.PreviousHostsPredicate)()),
)
PICKS = 256
"""How often Envoy draws again when it has drawn an endpoint that failed before. One that refuses connections has the
fewest requests, so of two endpoints it is drawn three times in four, of three that are left with one good one eight
times in nine: 32 draws miss the good one in one retry of 10,000, or of 43; 256 in none of 10^13.
"""


def policy(retry: Retry, try_limit: int | None) -> api.RetryPolicy:
    """`try_limit` is the time that one try may take, in milliseconds; None or 0 for no limit.

    A backoff is the ceiling of the first wait; that of each further one is twice as high, ten times at most.
    """
    conditions = (*UNPROCESSED, "retriable-status-codes") if retry.codes else UNPROCESSED
    return RetryPolicy(
        retry_on=",".join(conditions),
        num_retries=min(retry.attempts, MOST),
        per_try_timeout=kit.milliseconds(try_limit) if try_limit else None,
        retry_host_predicate=[_OTHER_HOSTS],
        host_selection_retry_max_attempts=PICKS,
        retriable_status_codes=list(retry.codes),
        retry_back_off=None if retry.backoff is None else BackOff(base_interval=kit.milliseconds(retry.backoff or 1)),
    )
