#include "proxy/config/typed_struct.h"

#include "proxy/config/proto_loader.h"
#include "udpa/type/v1/typed_struct.pb.h"
#include "xds/type/v3/typed_struct.pb.h"

#include <google/protobuf/any.pb.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <memory>
#include <vector>

namespace weft::config {
namespace {

namespace pb = google::protobuf;
constexpr int kMaxDepth = 100;

template <class TypedStruct>
bool unwrap(pb::Any& any, const std::string& path, Diagnostics& problems) {
  TypedStruct from;
  if (!any.UnpackTo(&from)) return true;
  const std::string name(type_name(from.type_url()));
  const pb::Descriptor* type = pb::DescriptorPool::generated_pool()->FindMessageTypeByName(name);
  if (!type) {
    Diagnostic problem;
    problem.code = kUnsupportedCode;
    problem.field = path;
    problem.message = "extension " + name + " is not supported by this version";
    problems.push_back(std::move(problem));
    return false;
  }
  std::unique_ptr<pb::Message> inner(pb::MessageFactory::generated_factory()->GetPrototype(type)->New());
  if (!load_struct(from.value(), *inner, path + ".(" + std::string(short_name(name)) + ")", problems)) return false;
  any.PackFrom(*inner);
  return true;
}

bool visit(pb::Message& message, const std::string& path, Diagnostics& problems, int depth) {
  if (depth > kMaxDepth) return true;  // the field check will complain
  if (message.GetDescriptor()->full_name() == "google.protobuf.Any") {
    auto& any = static_cast<pb::Any&>(message);
    if (any.Is<udpa::type::v1::TypedStruct>() && !unwrap<udpa::type::v1::TypedStruct>(any, path, problems)) return false;
    if (any.Is<xds::type::v3::TypedStruct>() && !unwrap<xds::type::v3::TypedStruct>(any, path, problems)) return false;
    const std::string name(type_name(any.type_url()));
    if (any.value().find("TypedStruct") == std::string::npos) return true;
    const pb::Descriptor* type = pb::DescriptorPool::generated_pool()->FindMessageTypeByName(name);
    if (!type) return true;
    std::unique_ptr<pb::Message> inner(pb::MessageFactory::generated_factory()->GetPrototype(type)->New());
    if (!inner->ParseFromString(any.value())) return true;
    if (!visit(*inner, path + ".(" + std::string(short_name(name)) + ")", problems, depth + 1)) return false;
    any.PackFrom(*inner);
    return true;
  }
  const pb::Reflection& reflection = *message.GetReflection();
  std::vector<const pb::FieldDescriptor*> set;
  reflection.ListFields(message, &set);
  bool good = true;
  for (const pb::FieldDescriptor* field : set) {
    if (field->cpp_type() != pb::FieldDescriptor::CPPTYPE_MESSAGE) continue;
    const std::string where = join(path, field->name());
    if (!field->is_repeated()) {
      good &= visit(*reflection.MutableMessage(&message, field), where, problems, depth + 1);
      continue;
    }
    for (int i = 0; i < reflection.FieldSize(message, field); ++i)
      good &= visit(*reflection.MutableRepeatedMessage(&message, field, i), where + "[" + std::to_string(i) + "]", problems, depth + 1);
  }
  return good;
}

}  // namespace

bool unwrap_typed_structs(pb::Message& message, const std::string& path, Diagnostics& problems) {
  return visit(message, path, problems, 0);
}

}  // namespace weft::config
