#include "proxy/config/access_logs.h"

#include "envoy/config/accesslog/v3/accesslog.pb.h"
#include "envoy/extensions/access_loggers/file/v3/file.pb.h"
#include "envoy/extensions/access_loggers/stream/v3/stream.pb.h"
#include "proxy/config/proto_loader.h"
#include "proxy/config/protocol_options.h"
#include "proxy/filters/bodies/config.h"
#include "proxy/filters/matching/config.h"
#include "proxy/telemetry/access_log.h"

#include <google/protobuf/struct.pb.h>
#include <google/protobuf/wrappers.pb.h>

#include <charconv>
#include <optional>

namespace weft::config {
namespace {

namespace log = envoy::config::accesslog::v3;
namespace file = envoy::extensions::access_loggers::file::v3;
namespace stream = envoy::extensions::access_loggers::stream::v3;
namespace core = envoy::config::core::v3;
using format::Formatter;
using telemetry::LogFilter;

std::optional<Formatter> taken(Result<Formatter> made, const Where& where) {
  if (made) return std::move(*made);
  where.fail(made.error().detail);
  return {};
}

std::optional<Formatter> default_format() {
  Result<Formatter> made = Formatter::text(format::default_access_log_format(), {.escape = true});
  return made ? std::optional<Formatter>(std::move(*made)) : std::nullopt;
}

class FilterBuilder {
 public:
  explicit FilterBuilder(const filters::Runtime& runtime) : runtime_(runtime) {}

  LogFilter build(const log::AccessLogFilter& from, const Where& where, int depth = 0) {
    LogFilter to;
    if (depth > 20) return where.fail("nested too deep"), to;
    switch (from.filter_specifier_case()) {
      case log::AccessLogFilter::kStatusCodeFilter:
        to.kind = LogFilter::Kind::kStatusCode;
        compare(from.status_code_filter().comparison(), to);
        break;
      case log::AccessLogFilter::kDurationFilter:
        to.kind = LogFilter::Kind::kDuration;
        compare(from.duration_filter().comparison(), to);
        break;
      case log::AccessLogFilter::kNotHealthCheckFilter: to.kind = LogFilter::Kind::kNotHealthCheck; break;
      case log::AccessLogFilter::kTraceableFilter: to.kind = LogFilter::Kind::kTraceable; break;
      case log::AccessLogFilter::kRuntimeFilter: {
        to.kind = LogFilter::Kind::kFraction;
        const auto share = filters::fraction(from.runtime_filter().percent_sampled());
        to.value = runtime_.number(from.runtime_filter().runtime_key(), share.numerator);
        to.of = share.denominator;
        to.independent = from.runtime_filter().use_independent_randomness();
        break;
      }
      case log::AccessLogFilter::kAndFilter:
        to.kind = LogFilter::Kind::kAnd;
        list(from.and_filter().filters(), to, Where(where, "and_filter"), depth);
        break;
      case log::AccessLogFilter::kOrFilter:
        to.kind = LogFilter::Kind::kOr;
        list(from.or_filter().filters(), to, Where(where, "or_filter"), depth);
        break;
      case log::AccessLogFilter::kHeaderFilter: {
        to.kind = LogFilter::Kind::kHeader;
        auto matcher = filters::header_matcher(from.header_filter().header(), Where(where, "header_filter"));
        if (matcher) to.header = [matcher = std::move(*matcher)](const http::Head& head) { return matcher.matches(head); };
        break;
      }
      case log::AccessLogFilter::kResponseFlagFilter:
        to.kind = LogFilter::Kind::kResponseFlag;
        for (int i = 0; i < from.response_flag_filter().flags_size(); ++i) {
          const std::string& name = from.response_flag_filter().flags(i);
          const Where at(where, "response_flag_filter");
          if (auto flag = observe::response_flag(name))
            to.flags.set(*flag);
          else
            Where(at, "flags", i).fail("\"" + name + "\" is no response flag");
        }
        break;
      case log::AccessLogFilter::kGrpcStatusFilter:
        to.kind = LogFilter::Kind::kGrpcStatus;
        to.exclude = from.grpc_status_filter().exclude();
        for (int status : from.grpc_status_filter().statuses()) to.values.push_back(status);
        break;
      case log::AccessLogFilter::kLogTypeFilter:
        to.kind = LogFilter::Kind::kLogType;
        to.exclude = from.log_type_filter().exclude();
        for (int type : from.log_type_filter().types()) to.values.push_back(type);
        break;
      case log::AccessLogFilter::kMetadataFilter: {
        to.kind = LogFilter::Kind::kMetadata;
        const bool otherwise =
            !from.metadata_filter().has_match_if_key_not_found() || from.metadata_filter().match_if_key_not_found().value();
        if (!from.metadata_filter().has_matcher()) {
          to.metadata = [otherwise](const format::Metadata*) { return otherwise; };
          break;
        }
        auto matcher = filters::metadata_matcher(from.metadata_filter().matcher(), Where(where, "metadata_filter"));
        if (matcher)
          to.metadata = [matcher = std::move(*matcher), otherwise](const format::Metadata* metadata) {
            const bool there = metadata && metadata->find(matcher.name_space, matcher.path);
            return there ? matcher.matches(metadata) : otherwise;
          };
        break;
      }
      default: where.unsupported("this kind of filter is not supported by this version"); break;
    }
    return to;
  }

 private:
  void compare(const log::ComparisonFilter& from, LogFilter& to) {
    switch (from.op()) {
      case log::ComparisonFilter::GE: to.compare = LogFilter::Compare::kAtLeast; break;
      case log::ComparisonFilter::LE: to.compare = LogFilter::Compare::kAtMost; break;
      case log::ComparisonFilter::NE: to.compare = LogFilter::Compare::kNotEqual; break;
      default: to.compare = LogFilter::Compare::kEqual; break;
    }
    to.value = runtime_.number(from.value().runtime_key(), from.value().default_value());
  }
  template <class List>
  void list(const List& from, LogFilter& to, const Where& where, int depth) {
    for (int i = 0; i < from.size(); ++i) to.filters.push_back(build(from[i], Where(where, "filters", i), depth + 1));
  }
  const filters::Runtime& runtime_;
};

struct Target {
  std::string path;
  std::optional<Formatter> formatter;
};

std::optional<Target> target(const google::protobuf::Any& any, const Where& where) {
  file::FileAccessLog to_file;
  stream::StdoutAccessLog to_stdout;
  stream::StderrAccessLog to_stderr;
  auto line_of = [](const auto& message, const Where& at) {
    return message.has_log_format() ? filters::formatter(message.log_format(), Where(at, "log_format"), true) : default_format();
  };
  if (any.UnpackTo(&to_stdout)) return Target{"/dev/stdout", line_of(to_stdout, Where(where, "(StdoutAccessLog)"))};
  if (any.UnpackTo(&to_stderr)) return Target{"/dev/stderr", line_of(to_stderr, Where(where, "(StderrAccessLog)"))};
  if (!any.UnpackTo(&to_file)) {
    where.unsupported("extension " + std::string(type_name(any.type_url())) + " is not supported here by this version");
    return {};
  }
  const Where at(where, "(FileAccessLog)");
  Target to{to_file.path(), {}};
  switch (to_file.access_log_format_case()) {
    case file::FileAccessLog::kFormat:
      to.formatter =
          to_file.format().empty() ? default_format() : taken(Formatter::text(to_file.format(), {.escape = true}), Where(at, "format"));
      break;
    case file::FileAccessLog::kJsonFormat:
      to.formatter = taken(Formatter::json(filters::json_template(to_file.json_format()), {.escape = true}), Where(at, "json_format"));
      break;
    case file::FileAccessLog::kTypedJsonFormat:
      to.formatter =
          taken(Formatter::json(filters::json_template(to_file.typed_json_format()), {.escape = true}), Where(at, "typed_json_format"));
      break;
    default: to.formatter = line_of(to_file, at); break;
  }
  return to;
}

}  // namespace

telemetry::LogFilter build_log_filter(const log::AccessLogFilter& from, const filters::Runtime& runtime, const Where& where) {
  return FilterBuilder(runtime).build(from, where);
}

std::vector<std::shared_ptr<telemetry::AccessLog>> build_access_logs(const google::protobuf::RepeatedPtrField<log::AccessLog>& from,
                                                                     const BuildContext& context, const Where& parent,
                                                                     std::string_view field) {
  std::vector<std::shared_ptr<telemetry::AccessLog>> out;
  for (int i = 0; i < from.size(); ++i) {
    const Where where(parent, field, i);
    const size_t before = where.problems().size();
    LogFilter filter;
    if (from[i].has_filter()) filter = FilterBuilder(context.runtime).build(from[i].filter(), Where(where, "filter"));
    const Where config(where, "typed_config");
    if (!from[i].has_typed_config()) {
      config.fail("is required: the configuration of an access logger");
      continue;
    }
    std::optional<Target> to = target(from[i].typed_config(), config);
    if (!to || !to->formatter || where.problems().size() != before || !context.log_writer) continue;
    auto opened = context.log_writer->open(to->path);
    if (!opened) {
      config.fail(opened.error().detail);
      continue;
    }
    out.push_back(std::make_shared<telemetry::AccessLog>(std::move(*opened), std::move(*to->formatter), std::move(filter)));
  }
  return out;
}

}  // namespace weft::config
