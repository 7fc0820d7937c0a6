"""From routing to Envoy: the messages that Envoy is sent and the names that they carry."""
