"""ADS over grpc.aio: one session per stream around the protocol of `xds_server.xds`."""
