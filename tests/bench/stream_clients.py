"""Many delta ADS clients in a process of their own: each subscribes as a gateway does and accepts whatever it is sent.

`python -m tests.bench.stream_clients PORT COUNT` prints `ready` once every client has its first routes, and ends with
its standard input.
"""

import asyncio
import sys

import grpc

from xds_server.pb import discovery_pb2
from xds_server.shell.serve.server import SERVICE
from xds_server.xds.resource import ResourceType

AT_ONCE = 50
"""How many connect at the same time."""


async def client(port: int, number: int, slots: asyncio.Semaphore, done: asyncio.Semaphore) -> None:
    """One connection with one stream, until it is cancelled."""
    options = [("grpc.use_local_subchannel_pool", 1)]
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=options) as channel:
        call = channel.stream_stream(
            f"/{SERVICE}/DeltaAggregatedResources",
            request_serializer=discovery_pb2.DeltaDiscoveryRequest.SerializeToString,
            response_deserializer=discovery_pb2.DeltaDiscoveryResponse.FromString,
        )()
        node = {"id": f"gateway~pod-{number}.default", "cluster": "default/gateway"}
        async with slots:
            for type_, names in ((ResourceType.CLUSTER, []), (ResourceType.LISTENER, []), (ResourceType.ROUTE, ["r"])):
                await call.write(
                    discovery_pb2.DeltaDiscoveryRequest(node=node, type_url=type_.url, resource_names_subscribe=names)
                )
            while (response := await call.read()).type_url != ResourceType.ROUTE.url:
                await accept(call, response)
            await accept(call, response)
        done.release()
        while (response := await call.read()) is not grpc.aio.EOF:
            await accept(call, response)


async def accept(call: grpc.aio.StreamStreamCall, response: discovery_pb2.DeltaDiscoveryResponse) -> None:
    """Answer a response."""
    await call.write(discovery_pb2.DeltaDiscoveryRequest(type_url=response.type_url, response_nonce=response.nonce))


async def main(port: int, count: int) -> None:
    """Run all clients until standard input ends."""
    slots, done = asyncio.Semaphore(AT_ONCE), asyncio.Semaphore(0)
    tasks = [asyncio.create_task(client(port, number, slots, done)) for number in range(count)]
    for _ in range(count):
        await done.acquire()
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
