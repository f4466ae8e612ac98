#include "controlplane/model/values.h"

#include "controlplane/model/node.h"
#include "controlplane/model/resource.h"

#include <gtest/gtest.h>

using namespace weft;
using namespace weft::model;

TEST(Values, ProtocolSelection) {
  EXPECT_EQ(select_protocol("", "http", 80), Protocol::kHttp);
  EXPECT_EQ(select_protocol("", "HTTP2-x", 80), Protocol::kHttp2);
  EXPECT_EQ(select_protocol("", "grpc-web-x", 80), Protocol::kGrpcWeb);
  EXPECT_EQ(select_protocol("", "grpc-other", 80), Protocol::kGrpc);
  EXPECT_EQ(select_protocol("", "httpx", 80), Protocol::kUnknown);
  EXPECT_EQ(select_protocol("kubernetes.io/h2c", "tcp", 80), Protocol::kHttp2);
  EXPECT_EQ(select_protocol("kubernetes.io/ws", "", 80), Protocol::kHttp);
  EXPECT_EQ(select_protocol("my.io/own", "tcp", 80), Protocol::kTcp) << "an unknown appProtocol leaves it to the name";
  EXPECT_EQ(select_protocol("", "", 3306), Protocol::kTcp);
  EXPECT_EQ(select_protocol("", "", 80), Protocol::kUnknown);
}

TEST(Values, Hosts) {
  EXPECT_EQ(resolve_host("a", "ns"), "a.ns.svc.cluster.local");
  EXPECT_EQ(resolve_host("a.b", "ns"), "a.b");
  EXPECT_EQ(resolve_host("*", "ns"), "*");
  EXPECT_EQ(resolve_host("::1", "ns"), "::1");
  EXPECT_TRUE(host_matches("*.b", "a.b"));
  EXPECT_FALSE(host_matches("*.b", "b"));
  EXPECT_TRUE(host_matches("*.b", "*.a.b"));
  EXPECT_FALSE(host_matches("*.a.b", "*.b"));
  EXPECT_TRUE(host_matches("*", "anything"));
}

TEST(Values, ExportTo) {
  EXPECT_TRUE(exported({}, "a", "b"));
  EXPECT_TRUE(exported({"*"}, "a", "b"));
  EXPECT_FALSE(exported({"."}, "a", "b"));
  EXPECT_TRUE(exported({"."}, "a", "a"));
  EXPECT_TRUE(exported({".", "b"}, "a", "b"));
  EXPECT_FALSE(exported({"~"}, "a", "a"));
}

TEST(Values, LocateFollowsAPathAsFarAsItGoes) {
  std::vector<yaml::Document> documents;
  Diagnostic problem;
  ASSERT_TRUE(yaml::parse("spec:\n  http:\n  - retry_on: x\n    headers:\n      a.b: y\n", "f", documents, problem));
  const yaml::Node& root = documents[0].root;
  EXPECT_EQ(locate(root, "spec.http[0].retryOn").text, "x");
  EXPECT_EQ(locate(root, "spec.http[0].headers[\"a.b\"]").text, "y");
  EXPECT_EQ(locate(root, "spec.http[0].nothing.there").mark.line, 3);
  EXPECT_EQ(locate(root, "spec.http[7]").mark.line, 3);
  EXPECT_EQ(locate(root, "").mark.line, 1);
  EXPECT_EQ(camel_case("retry_on"), "retryOn");
  EXPECT_EQ(camel_case("http1_max_pending_requests"), "http1MaxPendingRequests");
}

TEST(Node, IsReadFromItsIdAndMetadata) {
  auto node = parse_node(
      "sidecar~10.0.0.1~app-1.default~default.svc.cluster.local", "app.default",
      R"({"LABELS": {"app": "x", "version": "v1"}, "INTERCEPTION_MODE": "NONE", "NAMESPACE": "default", "SERVICE_ACCOUNT": "sa", "POD_PORTS": [1]})",
      {"r", "z", ""});
  ASSERT_TRUE(node);
  EXPECT_EQ(node->type, Node::Type::kSidecar);
  EXPECT_EQ(node->ip, "10.0.0.1");
  EXPECT_EQ(node->name, "app-1");
  EXPECT_EQ(node->ns, "default");
  EXPECT_EQ(node->domain, "default.svc.cluster.local");
  EXPECT_EQ(node->labels.at("version"), "v1");
  EXPECT_EQ(node->interception, Node::Interception::kNone);
  EXPECT_EQ(node->locality.zone, "z");
  EXPECT_TRUE(node->metadata.find("POD_PORTS"));
  EXPECT_EQ(parse_node("router~::1~gw.istio-system~", "", "")->domain, "istio-system.svc.cluster.local");
  EXPECT_EQ(parse_node("router~1.1.1.1~a.b.ns~d", "", "")->name, "a.b");
}

TEST(Node, WhatIsWrongIsSaid) {
  auto error = [](const std::string& id, const std::string& metadata = {}) {
    auto node = parse_node(id, "", metadata);
    return node ? std::string() : node.error().detail;
  };
  EXPECT_NE(error("node-1").find("found 1 part between ~, expected 4"), std::string::npos);
  EXPECT_NE(error("").find("found 1 part"), std::string::npos);
  EXPECT_NE(error("a~b~c~d~e").find("more than four parts"), std::string::npos);
  EXPECT_NE(error("waypoint~1.1.1.1~a.b~c").find("the type \"waypoint\" is not supported"), std::string::npos);
  EXPECT_NE(error("sidecar~x~a.b~c").find("\"x\" is not an IP address"), std::string::npos);
  EXPECT_NE(error("sidecar~1.1.1.1~a~c").find("is not NAME.NAMESPACE"), std::string::npos);
  EXPECT_NE(error("sidecar~1.1.1.1~a.b~c", "[1]").find("node.metadata: found a list, expected a map"), std::string::npos);
  EXPECT_NE(error("sidecar~1.1.1.1~a.b~c", R"({"INTERCEPTION_MODE": "SOME"})").find("expected REDIRECT, TPROXY or NONE"),
            std::string::npos);
}
