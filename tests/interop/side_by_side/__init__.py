"""The same bytes to a real Envoy and to weft-proxy, from one bootstrap file; what comes back must agree."""
