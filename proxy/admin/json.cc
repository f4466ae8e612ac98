#include "proxy/admin/json.h"

#include <google/protobuf/any.pb.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/dynamic_message.h>
#include <google/protobuf/message.h>
#include <google/protobuf/timestamp.pb.h>
#include <google/protobuf/util/json_util.h>
#include <google/protobuf/wrappers.pb.h>

#include <memory>

namespace weft::admin {
namespace {

namespace pb = google::protobuf;
using Field = pb::FieldDescriptor;

constexpr std::string_view kRedacted = "[redacted]";
constexpr int kDepth = 100;

std::unique_ptr<pb::Message> unpack(const std::string& type_url, const std::string& bytes) {
  std::string name = type_url.substr(type_url.rfind('/') + 1);
  const pb::Descriptor* type = pb::DescriptorPool::generated_pool()->FindMessageTypeByName(name);
  if (type == nullptr) return nullptr;
  std::unique_ptr<pb::Message> message(pb::MessageFactory::generated_factory()->GetPrototype(type)->New());
  return message->ParseFromString(bytes) ? std::move(message) : nullptr;
}

bool secret(const Field& field) {
  std::string_view name = field.name(), owner = field.containing_type()->name();
  if (owner == "TlsSessionTicketKeys") return name == "keys";
  if (owner == "GenericSecret") return name == "secret" || name == "secrets";
  for (std::string_view known : {"private_key", "private_key_provider", "password", "refresh_token", "json_key", "authorization_token",
                                 "client_secret", "hmac_secret", "token_secret"})
    if (name == known) return true;
  return false;
}

// Calls f(sub) for each message in the field.
template <class F>
void each_message(pb::Message& message, const Field& field, F f) {
  const pb::Reflection& reflection = *message.GetReflection();
  if (field.is_repeated()) {
    for (int i = 0; i < reflection.FieldSize(message, &field); ++i) f(*reflection.MutableRepeatedMessage(&message, &field, i));
  } else {
    f(*reflection.MutableMessage(&message, &field));
  }
}

void redact(pb::Message& message, bool all, int depth) {
  if (auto* any = dynamic_cast<pb::Any*>(&message)) {
    std::unique_ptr<pb::Message> inner = unpack(any->type_url(), any->value());
    if (inner == nullptr || depth == 0) {
      if (all || depth == 0) any->clear_value();
      return;
    }
    redact(*inner, all, depth - 1);
    any->set_value(inner->SerializeAsString());
    return;
  }
  const pb::Reflection& reflection = *message.GetReflection();
  std::vector<const Field*> fields;
  reflection.ListFields(message, &fields);
  for (const Field* field : fields) {
    bool hide = all || secret(*field);
    if (field->cpp_type() == Field::CPPTYPE_MESSAGE) {
      if (depth > 0)
        each_message(message, *field, [&](pb::Message& inner) { redact(inner, hide, depth - 1); });
      else
        reflection.ClearField(&message, field);
    } else if (hide && field->cpp_type() == Field::CPPTYPE_STRING) {
      bool key = field->containing_type()->map_key() == field;
      if (key) continue;
      if (!field->is_repeated()) reflection.SetString(&message, field, std::string(kRedacted));
      for (int i = 0; field->is_repeated() && i < reflection.FieldSize(message, field); ++i)
        reflection.SetRepeatedString(&message, field, i, std::string(kRedacted));
    } else if (hide && field->cpp_type() != Field::CPPTYPE_ENUM) {
      reflection.ClearField(&message, field);
    }
  }
}

}  // namespace

Result<std::string> to_json(const pb::Message& message, bool print_defaults) {
  pb::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.preserve_proto_field_names = true;
  options.always_print_primitive_fields = print_defaults;
  std::string out;
  auto status = pb::util::MessageToJsonString(message, &out, options);
  if (!status.ok()) return invalid(std::string(status.message()));
  return out;
}

void set_time(pb::Timestamp& to, std::chrono::system_clock::time_point from) {
  auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(from.time_since_epoch()).count();  // Envoy shows milliseconds
  to.set_seconds(ms / 1000);
  to.set_nanos(static_cast<int32_t>(ms % 1000) * 1'000'000);
}

void pack_for_show(pb::Any& to, const std::string& type_url, const std::string& bytes) {
  to.set_type_url(type_url);
  to.set_value(bytes);
  redact(to);
  if (to_json(to)) return;
  pb::StringValue text;
  text.set_value("cannot be shown: " + type_url);
  to.PackFrom(text);
}

void redact(pb::Message& message) { redact(message, false, kDepth); }

bool keep_only(pb::Message& message, const std::vector<std::string_view>& paths) {
  if (auto* any = dynamic_cast<pb::Any*>(&message)) {
    std::unique_ptr<pb::Message> inner = unpack(any->type_url(), any->value());
    if (inner == nullptr || !keep_only(*inner, paths)) return false;
    any->set_value(inner->SerializeAsString());
    return true;
  }
  const pb::Descriptor& type = *message.GetDescriptor();
  const pb::Reflection& reflection = *message.GetReflection();
  for (std::string_view path : paths)
    if (type.FindFieldByName(std::string(path.substr(0, path.find('.')))) == nullptr) return false;
  std::vector<const Field*> fields;
  reflection.ListFields(message, &fields);
  bool good = true;
  for (const Field* field : fields) {
    std::vector<std::string_view> inner;
    bool named = false, whole = false;
    for (std::string_view path : paths) {
      if (path.substr(0, path.find('.')) != field->name()) continue;
      named = true;
      if (path.size() == field->name().size())
        whole = true;
      else
        inner.push_back(path.substr(field->name().size() + 1));
    }
    if (!named)
      reflection.ClearField(&message, field);
    else if (!whole && field->cpp_type() == Field::CPPTYPE_MESSAGE && !field->is_map())
      each_message(message, *field, [&](pb::Message& sub) { good = keep_only(sub, inner) && good; });
    else if (!whole)
      good = false;
  }
  return good;
}

}  // namespace weft::admin
