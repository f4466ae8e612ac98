"""Envoy v3 configuration in a few words: functions that give the dicts a bootstrap (or an xDS resource) is made of.

Only what many tests share; what a test is about stands in the test itself.
"""
HCM = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
ROUTER = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"
HTTP_OPTIONS = "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
STDOUT_LOG = "type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog"


def socket_address(address):
    return {"socket_address": {"address": address[0], "port_value": address[1]}}


def router():
    return {"name": "envoy.filters.http.router", "typed_config": {"@type": ROUTER}}


def hcm(route_config=None, http_filters=(), **fields):
    """An HTTP connection manager filter; the router comes last by itself."""
    config = {"@type": HCM, "stat_prefix": "main", "http_filters": [*http_filters, router()]}
    if route_config is not None:
        config["route_config"] = route_config
    config.update(fields)
    return {"name": "envoy.filters.network.http_connection_manager", "typed_config": config}


def routes(*entries, name="main", domains=("*",), **virtual_host):
    """A route configuration with one virtual host."""
    return {"name": name, "virtual_hosts": [{"name": "all", "domains": list(domains), "routes": list(entries), **virtual_host}]}


def route(prefix, cluster=None, match=None, action=None, **fields):
    """A prefix route to a cluster; `match` and `action` add to either half, other fields to the route."""
    return {"match": {"prefix": prefix, **(match or {})}, "route": {**({"cluster": cluster} if cluster else {}), **(action or {})},
            **fields}


def listener(*filters, name="main", address=("127.0.0.1", 0), **fields):
    return {"name": name, "address": socket_address(address), "filter_chains": [{"filters": list(filters)}], **fields}


def cluster(name, *addresses, **fields):
    """A STATIC cluster of these addresses in one locality."""
    return {"name": name, "type": "STATIC", "connect_timeout": "1s", "load_assignment": load_assignment(name, *addresses), **fields}


def load_assignment(name, *addresses, weights=None):
    endpoints = [{"endpoint": {"address": socket_address(address)}} for address in addresses]
    for endpoint, weight in zip(endpoints, weights or ()):
        endpoint["load_balancing_weight"] = weight
    return {"cluster_name": name, "endpoints": [{"lb_endpoints": endpoints}] if endpoints else []}


def http2(**options):
    """typed_extension_protocol_options for an HTTP/2 upstream."""
    return {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions":
            {"@type": HTTP_OPTIONS, "explicit_http_config": {"http2_protocol_options": options}}}


def bootstrap(listeners=(), clusters=(), **fields):
    """A whole bootstrap with an admin listener on a free port."""
    return {"node": {"id": "test", "cluster": "test"}, "admin": {"address": socket_address(("127.0.0.1", 0))},
            "static_resources": {"listeners": list(listeners), "clusters": list(clusters)}, **fields}


def ads_bootstrap(control_plane, node_id="test", delta=False, ads=None, **fields):
    """A bootstrap that takes everything over ADS from this address."""
    source = {"resource_api_version": "V3", "ads": {}, "initial_fetch_timeout": "5s"}
    return {
        "node": {"id": node_id, "cluster": "test"}, "admin": {"address": socket_address(("127.0.0.1", 0))},
        "dynamic_resources": {
            "ads_config": {"api_type": "DELTA_GRPC" if delta else "GRPC", "transport_api_version": "V3",
                           "set_node_on_first_message_only": True, "grpc_services": [{"envoy_grpc": {"cluster_name": "control-plane"}}],
                           **(ads or {})},
            "lds_config": source, "cds_config": source},
        "static_resources": {"clusters": [
            cluster("control-plane", control_plane, typed_extension_protocol_options=http2())]},
        **fields}
