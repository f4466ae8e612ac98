#!/usr/bin/env python3
"""Who may include whom: the room(...) lines of CMakeLists.txt against every #include. Exit 1 on an undeclared import or a circle."""
import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1])
declared = {}
for path, depends in re.findall(r"^room\((\S+)(?:\s+DEPENDS\s+([^)]*?))?(?:\s+LIBS[^)]*)?\)", (root / "CMakeLists.txt").read_text(), re.M):
    declared[path] = set((depends or "").split())
rooms = sorted(declared, key=len, reverse=True)
faults = []

# Generated protocol headers stop at these files; gRPC headers stop at the control plane's xDS room.
PROTO_ROOMS = ("proxy/config/", "proxy/xds/", "proxy/admin/", "proxy/server/", "controlplane/translate/", "controlplane/xds/",
               "controlplane/push/", "controlplane/api/", "controlplane/server/")
GRPC_ROOMS = ("controlplane/xds/", "controlplane/server/")


def room_of(path):
    return next((r for r in rooms if path.startswith(r + "/")), None)


for room in declared:
    seen, todo = set(), list(declared[room])
    while todo:
        d = todo.pop()
        if d == room:
            faults.append(f"{room}: a circle through its own DEPENDS")
            break
        if d in seen:
            continue
        seen.add(d)
        if d in declared:
            if list(declared).index(d) > list(declared).index(room):
                faults.append(f"{room}: depends upward on {d}")
            todo += declared[d]
for file in sorted(p for top in ("common", "proxy", "controlplane", "ctl", "init") for p in (root / top).rglob("*") if p.suffix in (".h", ".cc")):
    name = file.relative_to(root).as_posix()
    own = room_of(name)
    if own is None:
        if file.name != "main.cc":
            faults.append(f"{name}: in no room")
        continue
    for line, text in enumerate(file.read_text().splitlines(), 1):
        m = re.match(r'\s*#include\s+[<"]([^">]+)[">]', text)
        if not m:
            continue
        included = m.group(1)
        if re.match(r"(envoy|istio|xds|udpa|google/(rpc|api))/.*\.pb\.h$", included):
            filters_config = name.startswith("proxy/filters/") and file.name in ("config.cc", "service.cc")
            if not (name.startswith(PROTO_ROOMS) or filters_config):
                faults.append(f"{name}:{line}: generated protocol header outside its rooms: {included}")
        elif included.startswith(("grpc/", "grpcpp/")) and not name.startswith(GRPC_ROOMS):
            faults.append(f"{name}:{line}: gRPC header outside the control plane's xDS room: {included}")
        other = room_of(included)
        if other and other != own and other != "common/base" and other not in declared[own]:
            faults.append(f"{name}:{line}: {own} may not include {other} ({included}); its room(...) line does not name it")
for fault in faults:
    print(fault)
print(f"{len(declared)} rooms, {len(faults)} faults")
sys.exit(bool(faults))
