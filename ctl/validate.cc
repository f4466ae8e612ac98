// Checking files, with the server's world or without any.
#include "controlplane/validation/validation.h"
#include "ctl/commands.h"
#include "ctl/exit_code.h"
#include "ctl/input_files.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <ostream>

namespace weft::ctl {
namespace {

struct Checked {
  size_t objects = 0;
  Diagnostics findings;
};

// The very code that weft-control runs; the files are all that the references can point to.
Checked check_offline(const NamedTexts& files) {
  validation::Verdicts verdicts = validation::validate_texts(files);
  Checked checked{verdicts.resources.size(), std::move(verdicts.findings)};
  std::vector<model::ResourcePtr> resources;
  for (model::Resource& resource : verdicts.resources) {
    resource.created = 1;
    resources.push_back(std::make_shared<const model::Resource>(std::move(resource)));
  }
  const auto view = model::View::build(1, std::move(resources));
  for (Diagnostic& finding : validation::check_references(*view)) checked.findings.push_back(std::move(finding));
  return checked;
}

json::array json_of(const Diagnostics& findings) {
  constexpr std::string_view kSeverities[] = {"error", "warning", "info"};
  json::array list;
  for (const Diagnostic& finding : findings) {
    json::object object{{"severity", kSeverities[static_cast<size_t>(finding.severity)]}, {"code", finding.code}};
    const std::pair<std::string_view, const std::string*> texts[] = {
        {"alias", &finding.alias},   {"message", &finding.message},         {"file", &finding.file}, {"field", &finding.field},
        {"object", &finding.object}, {"source_line", &finding.source_line}, {"fix", &finding.fix}};
    for (const auto& [name, text] : texts)
      if (!text->empty()) object[name] = *text;
    if (finding.mark.line > 0) {
      object["line"] = finding.mark.line;
      object["column"] = finding.mark.column;
    }
    list.push_back(std::move(object));
  }
  return list;
}

std::string counted(size_t count, const char* word) { return std::to_string(count) + " " + word + (count == 1 ? "" : "s"); }

int tell(const Checked& checked, const Options& options, const Console& console) {
  const auto count = [&](Severity severity) {
    return static_cast<size_t>(
        std::count_if(checked.findings.begin(), checked.findings.end(), [&](const Diagnostic& f) { return f.severity == severity; }));
  };
  const size_t errors = count(Severity::kError), warnings = count(Severity::kWarning), infos = count(Severity::kInfo);
  const json::object whole{{"valid", errors == 0}, {"objects", checked.objects}, {"findings", json_of(checked.findings)}};
  if (!print_whole(whole, options.output, console.data())) console.print(checked.findings);
  console.data().flush();
  console.say(counted(checked.objects, "good object") + ", " + counted(errors, "error") + ", " + counted(warnings, "warning"));
  if (errors > 0) return kBadInput;
  if (options.fail_on == "warning" && warnings > 0) return kFindings;
  if (options.fail_on == "info" && warnings + infos > 0) return kFindings;
  return kOk;
}

}  // namespace

int analyze(const Options& options, Server& server, const Console& console) {
  if (!options.files.empty()) return validate(options, server, console);
  const std::optional<json::value> answer = server.get("/v1/analyze");
  if (!answer) return server.exit_code();
  Checked checked{static_cast<size_t>(number_at(*answer, "objects")), findings_at(*answer, "errors")};
  for (Diagnostic& finding : findings_at(*answer, "warnings")) checked.findings.push_back(std::move(finding));
  return tell(checked, options, console);
}

int validate(const Options& options, Server& server, const Console& console) {
  auto files = read_files(options.files, options.recursive, console.input());
  if (!files) {
    console.error(files.error().detail);
    return kBadInput;
  }
  Checked checked;
  if (options.offline) {
    checked = check_offline(*files);
  } else {
    json::array list;
    for (const auto& [name, text] : *files) list.push_back(json::object{{"name", name}, {"text", text}});
    const std::optional<Answer> answer =
        server.ask("POST", "/v1/validate", json::serialize(json::object{{"files", std::move(list)}}), "application/json");
    if (!answer) {
      if (server.exit_code() == kNotReachable) console.say("  or check the files alone, with --offline");
      return server.exit_code();
    }
    if (answer->status != 200) return server.complain(*answer);
    checked.objects = list_at(answer->body, "objects").size();
    checked.findings = findings_at(answer->body, "errors");
    for (Diagnostic& finding : findings_at(answer->body, "warnings")) checked.findings.push_back(std::move(finding));
  }
  return tell(checked, options, console);
}

}  // namespace weft::ctl
