"""Tests, laid out as the package is. `real_envoy` and `xds.fake_envoy` serve all of them."""
