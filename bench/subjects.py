"""Who is measured, and how each is set up: one worker, keep-alive on both sides, no access log, no request cap.

Envoy and weft-proxy start from the very same bootstrap file, with Envoy's defaults (request ids, timing headers)."""
import dataclasses
import glob
import os
import re
import shutil
import subprocess


@dataclasses.dataclass(frozen=True)
class Setup:
    """What a subject is to do: listen on `port` for `front`, speak `back` to the backend's port; h1, h2 or tcp, in the clear."""
    port: int
    backend: int
    front: str = "h1"
    back: str = "h1"
    connections: int = 200  # that clients will hold at once


class Subject:
    def __init__(self, name, version, command, files=None, can=lambda front, back: True):
        self.name = name
        self.version = version
        self.command = command  # (folder, setup) -> argument list
        self.files = files or (lambda folder, setup: {})
        self.can = can          # (front, back) -> whether it speaks these


def _first_line(arguments):
    try:
        done = subprocess.run(arguments, capture_output=True, text=True, timeout=10)
        match = re.search(r"\d+\.\d+\.\d+", done.stdout + done.stderr)
        return match.group(0) if match else "?"
    except OSError:
        return "?"


def _nginx_streams(program):
    """How this nginx proxies raw TCP: its stream module, built in or to be loaded; None: not at all."""
    built = subprocess.run([program, "-V"], capture_output=True, text=True, timeout=10).stderr
    if "--with-stream " in built + " ":
        return ""
    module = "/usr/lib/nginx/modules/ngx_stream_module.so"
    return f"load_module {module};" if os.path.exists(module) else None


def _nginx(folder, setup, streams):
    user = "user root;" if os.geteuid() == 0 else ""
    if setup.front == "tcp":
        return {"nginx.conf": f"""{streams}
{user}
worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log stderr crit; worker_rlimit_nofile 20000;
events {{ worker_connections {max(8192, setup.connections + 1000)}; }}
stream {{ server {{ listen 127.0.0.1:{setup.port}; proxy_pass 127.0.0.1:{setup.backend}; proxy_timeout 3600s; tcp_nodelay on; }} }}
"""}
    temporary = "\n".join(f"  {kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    return {"nginx.conf": f"""{user}
worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log stderr crit; worker_rlimit_nofile 20000;
events {{ worker_connections {max(8192, setup.connections + 1000)}; }}
http {{
{temporary}
  access_log off; keepalive_requests 1000000000; keepalive_timeout 3600s; server_tokens off; client_max_body_size 0;
  upstream backend {{ server 127.0.0.1:{setup.backend}; keepalive 256; keepalive_requests 1000000000; keepalive_timeout 3600s; }}
  server {{
    listen 127.0.0.1:{setup.port}{" http2" if setup.front == "h2" else ""};
    location / {{ proxy_pass http://backend; proxy_http_version 1.1; proxy_set_header Connection ""; }}
  }}
}}
"""}


def _haproxy(folder, setup):
    front, back = (" proto h2" if protocol == "h2" else "" for protocol in (setup.front, setup.back))
    return {"haproxy.cfg": f"""global
  nbthread 1
  maxconn {max(400, setup.connections + 200)}
defaults
  {"mode tcp" if setup.front == "tcp" else "mode http"}
  {"" if setup.front == "tcp" else "http-reuse always"}
  timeout connect 10s
  timeout client 3600s
  timeout server 3600s
frontend bench
  bind 127.0.0.1:{setup.port}{front}
  default_backend bench
backend bench
  server one 127.0.0.1:{setup.backend}{back}
"""}


def _nghttpx(program, setup):
    return [program, "--conf=/dev/null", "--workers=1", "--no-ocsp", "--accesslog-file=/dev/null", "--log-level=ERROR",
            f"--frontend=127.0.0.1,{setup.port};no-tls", f"--backend=127.0.0.1,{setup.backend};;proto={'h2' if setup.back == 'h2' else 'http/1.1'}",
            f"--worker-frontend-connections={setup.connections + 200}", "--backend-connections-per-host=1000",
            "--frontend-http2-max-concurrent-streams=1000", "--backend-keep-alive-timeout=1h", "--frontend-keep-alive-timeout=1h",
            "--frontend-http2-read-timeout=1h", "--frontend-read-timeout=1h", "--backend-read-timeout=1h", "--backend-write-timeout=1h"]


_TYPED_HTTP2 = """    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config: {http2_protocol_options: {}}
"""


_TCP_FILTER = """      - name: envoy.filters.network.tcp_proxy
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy
          stat_prefix: bench
          cluster: backend
"""
_HTTP_FILTER = """      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: bench
          route_config:
            name: bench
            virtual_hosts:
            - name: bench
              domains: ["*"]
              routes:
              - match: {prefix: /}
                route: {cluster: backend}
          http_filters:
          - name: envoy.filters.http.router
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
"""


def envoy_bootstrap(setup):
    return f"""node: {{id: bench, cluster: bench}}
static_resources:
  listeners:
  - name: bench
    address: {{socket_address: {{address: 127.0.0.1, port_value: {setup.port}}}}}
    filter_chains:
    - filters:
{_TCP_FILTER if setup.front == "tcp" else _HTTP_FILTER}  clusters:
  - name: backend
    type: STATIC
    connect_timeout: 5s
    lb_policy: ROUND_ROBIN
{_TYPED_HTTP2 if setup.back == "h2" else ""}    circuit_breakers:
      thresholds:
      - {{max_connections: 100000, max_pending_requests: 100000, max_requests: 100000, max_retries: 100000}}
    load_assignment:
      cluster_name: backend
      endpoints:
      - lb_endpoints:
        - endpoint: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {setup.backend}}}}}}}
"""


def many_clusters_bootstrap(port, clusters, endpoints):
    """For memory: clusters that exist and are never used, and one listener to tell when all is loaded."""
    text = [envoy_bootstrap(Setup(port, 9))]
    for c in range(clusters):
        text.append(f"""  - name: outbound|8080||service-{c}.default.svc.cluster.local
    type: STATIC
    connect_timeout: 5s
    lb_policy: LEAST_REQUEST
    load_assignment:
      cluster_name: outbound|8080||service-{c}.default.svc.cluster.local
      endpoints:
      - lb_endpoints:
""")
        for e in range(endpoints):
            text.append(f"        - endpoint: {{address: {{socket_address: {{address: 10.{c // 250}.{c % 250}.{e + 1}, port_value: 8080}}}}}}\n")
    return "".join(text)


def _envoy_files(folder, setup):
    return {"envoy.yaml": envoy_bootstrap(setup)}


ENVOY_FLAGS = ["--concurrency", "1", "--disable-hot-restart", "--use-dynamic-base-id", "-l", "error"]


def envoy_program(root):
    found = glob.glob(os.path.join(root, ".peers/py/lib/python3*/site-packages/envoy/_bin/envoy"))
    return found[0] if found else None


def all_subjects(root, programs, floor):
    """The floor first; then every peer that is installed here."""
    subjects = [Subject("floor", "", lambda folder, setup: [floor, setup.port, setup.backend], can=lambda front, back: front == back)]
    absent = []

    def add(name, program, flag, command, files=None, **fields):
        if program:
            subjects.append(Subject(name, _first_line([program, flag]), command, files, **fields))
        else:
            absent.append(name)

    path = os.environ["PATH"] + ":/usr/sbin"
    nginx, haproxy, nghttpx = (shutil.which(name, path=path) for name in ("nginx", "haproxy", "nghttpx"))
    envoy = envoy_program(root)
    weft = os.path.join(programs, "weft-proxy")
    streams = _nginx_streams(nginx) if nginx else None
    add("nginx", nginx, "-v", lambda folder, setup: [nginx, "-p", folder, "-c", f"{folder}/nginx.conf"],
        lambda folder, setup: _nginx(folder, setup, streams),
        can=lambda front, back: back == "h1" or (back == "tcp" and streams is not None))  # it speaks HTTP/2 to no upstream
    add("haproxy", haproxy, "-v", lambda folder, setup: [haproxy, "-db", "-f", f"{folder}/haproxy.cfg"], _haproxy)
    add("nghttpx", nghttpx, "-v", lambda folder, setup: _nghttpx(nghttpx, setup), can=lambda front, back: front != "tcp")
    add("envoy", envoy, "--version", lambda folder, setup: [envoy, "-c", f"{folder}/envoy.yaml", *ENVOY_FLAGS], _envoy_files)
    add("weft-proxy", weft if os.access(weft, os.X_OK) else None, "--version",
        lambda folder, setup: [weft, "-c", f"{folder}/envoy.yaml", *ENVOY_FLAGS], _envoy_files)
    return subjects, absent
