"""Our proto/ against the descriptors that PyPI's xds-protos carries: each message, field, enum value and service method of ours that is
known there must have the same number, type, label and oneof. Needs the peers' Python (xds-protos)."""
import os
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(HERE)), "integration"))

from google.protobuf import descriptor_pb2  # pylint: disable=wrong-import-position
from meshtest.protos import our_descriptor_set, peer_protos  # pylint: disable=wrong-import-position

# xds-protos 1.85.0 was made of an Envoy of December 2025; what changed after that is right here and old there.
NEWER_THAN_XDS_PROTOS = {
    "envoy.service.ext_proc.v3.ProcessingResponse.request_drain": "11 became 12 in January 2026, 11 is streamed_immediate_response",
    "envoy.extensions.filters.http.mcp.v3.ParserConfig.MethodConfig.extraction_rules": "2 became 3 in January 2026",
    "envoy.config.endpoint.v3.LbEndpointCollection.entries": "repeated in the newest tables; xDS collections are not used",
}

# Added to Envoy in 2026, so unknown to xds-protos. A name here that the peers do know is struck by a test.
ADDED_SINCE = {
    "envoy.config.core.v3.RuntimeUInt64",
    "envoy.config.core.v3.QuicProtocolOptions.ConnectionMigrationSettings",
    "envoy.config.core.v3.QuicProtocolOptions.ConnectionMigrationSettings.MigrateIdleConnectionSettings",
    "envoy.config.core.v3.SocketOption.SocketIpVersion",
    "envoy.config.route.v3.CookieMatcher",
    "envoy.config.route.v3.RateLimit.Action.RemoteAddressMatch",
    "envoy.config.route.v3.RateLimit.Override.RateLimitOverride",
    "envoy.config.route.v3.RateLimit.XRateLimitOption",
    "envoy.config.route.v3.RateLimit.Action.MetaData.Source.CLUSTER_ENTRY",
    "envoy.config.route.v3.RateLimit.Action.MetaData.Source.CLUSTER_LOCALITY_ENTRY",
    "envoy.config.cluster.v3.Cluster.QueuingPolicies",
    "envoy.config.cluster.v3.UpstreamConnectionOptions.FirstAddressFamilyVersion.PIPE",
    "envoy.config.cluster.v3.UpstreamConnectionOptions.FirstAddressFamilyVersion.INTERNAL",
    "envoy.config.listener.v3.Listener.ConnectionBalanceConfig.CpuLocalityBalance",
    "envoy.config.overload.v3.ShrinkHeapConfig",
    "envoy.config.bootstrap.v3.ApiListenerManager",
    "envoy.config.bootstrap.v3.ApiListenerManager.ThreadingModel",
    "envoy.config.bootstrap.v3.ListenerManager",
    "envoy.config.bootstrap.v3.ValidationListenerManager",
    "envoy.data.accesslog.v3.AccessLogType.TcpConnectionStart",
    "envoy.extensions.filters.http.ext_authz.v3.ShadowDecision",
    "envoy.extensions.filters.http.ext_authz.v3.ShadowDecision.CheckResult",
    "envoy.extensions.filters.http.jwt_authn.v3.ExtractOnlyWithoutValidation",
    "envoy.extensions.filters.http.jwt_authn.v3.JwtClaimToHeader.PathSegment",
    "envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol.KeyValuePair.ValueStringEncoding",
    "envoy.extensions.filters.network.http_connection_manager.v3.ForwardProtoConfig",
    "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager.ForwardClientCertFormat",
    "envoy.extensions.filters.network.tcp_proxy.v3.ProxyProtocolTlvMergePolicy",
    "envoy.extensions.load_balancing_policies.common.v3.OrcaOobReportingConfig",
    "envoy.extensions.transport_sockets.tls.v3.TlsParameters.CompliancePolicy.CNSA2_202603",
    "envoy.extensions.transport_sockets.tls.v3.TlsParameters.CompliancePolicy.CNSA1_202603",
}

Field = descriptor_pb2.FieldDescriptorProto


def facts_of_field(field, message):
    """What the wire and JSON depend on."""
    oneof = message.oneof_decl[field.oneof_index].name if field.HasField("oneof_index") else ""
    return {"number": field.number, "type": Field.Type.Name(field.type), "of": field.type_name.lstrip("."),
            "label": Field.Label.Name(field.label), "oneof": "" if oneof.startswith("_") else oneof,
            "optional": field.proto3_optional, "json name": field.json_name or json_name(field.name)}


def json_name(name):
    head, *rest = name.split("_")
    return head + "".join(word[:1].upper() + word[1:] for word in rest)


class Index:
    """All messages, enums and services of some file descriptors by full name."""

    def __init__(self, files):
        self.messages, self.enums, self.services = {}, {}, {}
        for file in files:
            for message in file.message_type:
                self._add(message, file.package)
            for enum in file.enum_type:
                self.enums[f"{file.package}.{enum.name}"] = enum
            for service in file.service:
                self.services[f"{file.package}.{service.name}"] = service

    def _add(self, message, scope):
        name = f"{scope}.{message.name}"
        self.messages[name] = message
        for nested in message.nested_type:
            self._add(nested, name)
        for enum in message.enum_type:
            self.enums[f"{name}.{enum.name}"] = enum


def peer_index(protos, names):
    """The peers' descriptors of the files that hold any of these names."""
    files = {}
    for name in names:
        for find in (protos.pool.FindMessageTypeByName, protos.pool.FindEnumTypeByName, protos.pool.FindServiceByName):
            try:
                descriptor = find(name)
            except KeyError:
                continue
            if descriptor.file.name not in files:
                proto = descriptor_pb2.FileDescriptorProto()
                descriptor.file.CopyToProto(proto)
                files[descriptor.file.name] = proto
            break
    return Index(files.values())


class Descriptors(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        ours = [file for file in our_descriptor_set().file if not file.name.startswith("google/protobuf/")]
        cls.ours = Index(ours)
        cls.peer_protos = peer_protos()
        cls.theirs = peer_index(cls.peer_protos, [*cls.ours.messages, *cls.ours.enums, *cls.ours.services])

    def check(self, name, ours, theirs):
        if ours != theirs and name not in NEWER_THAN_XDS_PROTOS:
            self.faults.append(f"{name}: ours {ours}, theirs {theirs}")

    def setUp(self):
        self.faults = []

    def tearDown(self):
        self.assertEqual([], self.faults)

    def test_messages(self):
        compared = 0
        for name, message in self.ours.messages.items():
            other = self.theirs.messages.get(name)
            if other is None:
                continue
            by_number, by_name = ({field.number: field for field in other.field}, {field.name: field for field in other.field})
            for field in message.field:
                twin = by_name.get(field.name) or by_number.get(field.number)
                if twin is None:
                    continue
                compared += 1
                self.check(f"{name}.{field.name}", {"name": field.name, **facts_of_field(field, message)},
                           {"name": twin.name, **facts_of_field(twin, other)})
            reserved = [number for low in message.reserved_range for number in range(low.start, min(low.end, low.start + 1000))]
            for number in reserved:
                if number in by_number and not by_number[number].options.deprecated:
                    self.check(f"{name} reserved {number}", "reserved", by_number[number].name)
        print(f"\n{compared} fields of {len(self.ours.messages)} messages compared")
        self.assertGreater(compared, 1000)

    def test_enums(self):
        compared = 0
        for name, enum in self.ours.enums.items():
            other = self.theirs.enums.get(name)
            if other is None:
                continue
            values = {value.name: value.number for value in other.value}
            for value in enum.value:
                if value.name in values:
                    compared += 1
                    self.check(f"{name}.{value.name}", value.number, values[value.name])
                elif f"{name}.{value.name}" not in ADDED_SINCE:
                    self.faults.append(f"{name}.{value.name}: not a value there")
        print(f"\n{compared} enum values compared")
        self.assertGreater(compared, 200)

    def test_services(self):
        self.assertIn("envoy.service.discovery.v3.AggregatedDiscoveryService", self.ours.services)
        for name, service in self.ours.services.items():
            other = self.theirs.services.get(name)
            self.assertIsNotNone(other, name)
            methods = {method.name: method for method in other.method}
            for method in service.method:
                twin = methods[method.name]
                self.check(f"{name}.{method.name}", [method.input_type, method.output_type, method.client_streaming,
                                                     method.server_streaming],
                           [twin.input_type, twin.output_type, twin.client_streaming, twin.server_streaming])

    def test_no_name_is_ours_alone(self):
        """A misspelt package or message would be silently skipped above."""
        self.assertEqual([], self.peer_protos.skipped)
        known = {*self.theirs.messages, *self.theirs.enums}
        known |= {f"{name}.{value.name}" for name, enum in self.theirs.enums.items() for value in enum.value}
        for name in [*self.ours.messages, *self.ours.enums]:
            if name not in known and name not in ADDED_SINCE and not name.startswith("istio."):  # xds-protos holds Envoy's alone
                self.faults.append(f"{name}: unknown to xds-protos")
        self.faults += [f"{name}: known to xds-protos, strike it from ADDED_SINCE" for name in ADDED_SINCE & known]


if __name__ == "__main__":
    unittest.main()
