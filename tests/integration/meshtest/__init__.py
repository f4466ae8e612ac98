"""What the integration and interop tests stand on: processes, a raw HTTP client, scripted upstreams, a scripted control plane.

Python's standard library alone, but for protos.py and ads.py (python3-protobuf, python3-grpcio) and h2peer.py (python3-h2).
Everything listens on loopback, on ports the kernel gives.
"""
