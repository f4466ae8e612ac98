"""Who is measured, and how each is set up: one worker, keep-alive on both sides, no access log, no request cap.

Envoy and weft-proxy start from the very same bootstrap file, with Envoy's defaults (request ids, timing headers)."""
import glob
import os
import re
import shutil
import subprocess


class Subject:
    def __init__(self, name, version, command, files=None):
        self.name = name
        self.version = version
        self.command = command  # (folder, port, backend port) -> argument list
        self.files = files or (lambda folder, port, backend: {})


def _first_line(arguments):
    try:
        done = subprocess.run(arguments, capture_output=True, text=True, timeout=10)
        match = re.search(r"\d+\.\d+\.\d+", done.stdout + done.stderr)
        return match.group(0) if match else "?"
    except OSError:
        return "?"


def _nginx(folder, port, backend):
    user = "user root;" if os.geteuid() == 0 else ""
    temporary = "\n".join(f"  {kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    return {"nginx.conf": f"""{user}
worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log stderr crit;
events {{ worker_connections 8192; }}
http {{
{temporary}
  access_log off; keepalive_requests 1000000000; keepalive_timeout 3600s; server_tokens off;
  upstream backend {{ server 127.0.0.1:{backend}; keepalive 256; keepalive_requests 1000000000; keepalive_timeout 3600s; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{ proxy_pass http://backend; proxy_http_version 1.1; proxy_set_header Connection ""; }}
  }}
}}
"""}


def _haproxy(folder, port, backend):
    return {"haproxy.cfg": f"""global
  nbthread 1
  maxconn 400
defaults
  mode http
  http-reuse always
  timeout connect 10s
  timeout client 3600s
  timeout server 3600s
frontend bench
  bind 127.0.0.1:{port}
  default_backend bench
backend bench
  server one 127.0.0.1:{backend}
"""}


def envoy_bootstrap(port, backend):
    return f"""node: {{id: bench, cluster: bench}}
static_resources:
  listeners:
  - name: bench
    address: {{socket_address: {{address: 127.0.0.1, port_value: {port}}}}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: bench
          route_config:
            name: bench
            virtual_hosts:
            - name: bench
              domains: ["*"]
              routes:
              - match: {{prefix: /}}
                route: {{cluster: backend}}
          http_filters:
          - name: envoy.filters.http.router
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
  clusters:
  - name: backend
    type: STATIC
    connect_timeout: 5s
    lb_policy: ROUND_ROBIN
    circuit_breakers:
      thresholds:
      - {{max_connections: 100000, max_pending_requests: 100000, max_requests: 100000, max_retries: 100000}}
    load_assignment:
      cluster_name: backend
      endpoints:
      - lb_endpoints:
        - endpoint: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {backend}}}}}}}
"""


def many_clusters_bootstrap(port, clusters, endpoints):
    """For memory: clusters that exist and are never used, and one listener to tell when all is loaded."""
    text = [envoy_bootstrap(port, 9)]
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


def _envoy_files(folder, port, backend):
    return {"envoy.yaml": envoy_bootstrap(port, backend)}


ENVOY_FLAGS = ["--concurrency", "1", "--disable-hot-restart", "--use-dynamic-base-id", "-l", "error"]


def envoy_program(root):
    found = glob.glob(os.path.join(root, ".peers/py/lib/python3*/site-packages/envoy/_bin/envoy"))
    return found[0] if found else None


def all_subjects(root, programs, floor):
    """The floor first; then every peer that is installed here."""
    subjects = [Subject("floor", "", lambda folder, port, backend: [floor, port, backend])]
    absent = []

    def add(name, program, version, command, files):
        if program:
            subjects.append(Subject(name, version, command, files))
        else:
            absent.append(name)

    nginx = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin")
    haproxy = shutil.which("haproxy", path=os.environ["PATH"] + ":/usr/sbin")
    envoy = envoy_program(root)
    weft = os.path.join(programs, "weft-proxy")
    weft = weft if os.access(weft, os.X_OK) else None
    add("nginx", nginx, nginx and _first_line([nginx, "-v"]),
        lambda folder, port, backend: [nginx, "-p", folder, "-c", f"{folder}/nginx.conf"], _nginx)
    add("haproxy", haproxy, haproxy and _first_line([haproxy, "-v"]),
        lambda folder, port, backend: [haproxy, "-db", "-f", f"{folder}/haproxy.cfg"], _haproxy)
    add("envoy", envoy, envoy and _first_line([envoy, "--version"]),
        lambda folder, port, backend: [envoy, "-c", f"{folder}/envoy.yaml", *ENVOY_FLAGS], _envoy_files)
    add("weft-proxy", weft, weft and _first_line([weft, "--version"]),
        lambda folder, port, backend: [weft, "-c", f"{folder}/envoy.yaml", *ENVOY_FLAGS], _envoy_files)
    return subjects, absent
