#include "controlplane/validation/validation.h"

#include "controlplane/validation/kinds.h"

#include <algorithm>
#include <map>

namespace weft::validation {
namespace {

// The lines of a text, found once.
class Lines {
 public:
  explicit Lines(std::shared_ptr<const std::string> source) : source_(std::move(source)) {
    if (!source_) return;
    for (size_t at = 0; at < source_->size();) {
      starts_.push_back(at);
      const size_t end = source_->find('\n', at);
      at = end == std::string::npos ? source_->size() : end + 1;
    }
  }
  size_t size() const { return starts_.size(); }
  std::string_view operator[](size_t i) const {
    const size_t end = i + 1 < starts_.size() ? starts_[i + 1] - 1 : source_->size() - (source_->ends_with('\n') ? 1 : 0);
    return std::string_view(*source_).substr(starts_[i], end - starts_[i]);
  }

 private:
  std::shared_ptr<const std::string> source_;
  std::vector<size_t> starts_;
};

// The lines that hold the document or list item `root`; its marks stay true when the lines before are put back empty.
std::string own_text(const Lines& lines, const yaml::Node& root, bool item) {
  const size_t first = static_cast<size_t>(std::max(1, root.mark.line)) - 1;
  const size_t indent = static_cast<size_t>(std::max(1, root.mark.column)) - 1;
  // A list item in braces may end anywhere in a line.
  if (first >= lines.size() || (item && lines[first].substr(std::min(indent, lines[first].size())).starts_with('{')))
    return yaml::to_json(root);
  std::string out;
  for (size_t i = first; i < lines.size(); ++i) {
    std::string line(lines[i]);
    if (i == first && item) line.replace(0, std::min(indent, line.size()), indent, ' ');
    if (i > first) {
      const bool marker = (line.starts_with("---") || line.starts_with("...")) &&
                          (line.size() == 3 || line[3] == ' ' || line[3] == '\r' || line[3] == '\t');
      const size_t start = line.find_first_not_of(" \r");
      if (marker || (item && start != std::string::npos && start < indent && line[start] != '#')) break;
    }
    out += line + '\n';
  }
  // An alias may lean on another item, a lone carriage return end a line: where the lines do not stand for the object, its tree does.
  std::vector<yaml::Document> documents;
  Diagnostic problem;
  const bool stands_alone =
      yaml::parse(out, "", documents, problem) && documents.size() == 1 && yaml::to_json(documents[0].root) == yaml::to_json(root);
  return stands_alone ? out : yaml::to_json(root);
}

yaml::Node sorted(const yaml::Node& node) {
  yaml::Node copy = node;
  for (yaml::Node& item : copy.items) item = sorted(item);
  for (yaml::Entry& entry : copy.entries) entry.value = sorted(entry.value);
  std::sort(copy.entries.begin(), copy.entries.end(), [](const yaml::Entry& a, const yaml::Entry& b) { return a.key < b.key; });
  return copy;
}

std::string text_at(const yaml::Node& root, std::string_view name) {
  const yaml::Node* node = root.find(name);
  return node && node->is_scalar() ? node->text : std::string();
}

bool has_word(std::string_view words, std::string_view word) {
  for (size_t at = 0; at <= words.size();) {
    const size_t end = std::min(words.find(' ', at), words.size());
    if (words.substr(at, end - at) == word) return true;
    at = end + 1;
  }
  return false;
}

// The first version of "v1 v1beta1" with its group.
std::string api_version(std::string_view group, std::string_view version) {
  return group.empty() ? std::string(version) : std::string(group) + "/" + std::string(version);
}
std::string newest(const Kind& kind) { return api_version(kind.group, kind.versions.substr(0, kind.versions.find(' '))); }

class Validator {
 public:
  Validator(const yaml::Document& document, const Lines& lines, bool item)
      : document_(document), lines_(lines), item_(item), subject_{document, {}, {}, {}, {}, {}} {}

  Verdict run() {
    const yaml::Node& root = document_.root;
    if (!root.is_map()) {
      subject_.report(Severity::kError, codes::kWrongType, root.mark,
                      "found " + found(root) + ", expected an object with apiVersion, kind and metadata", "");
    } else if (const Kind* kind = identify()) {
      check(subject_, root, *kind->table, "");
      name();
      if (!has_errors(subject_.findings)) return build(*kind);
    }
    return {std::nullopt, std::move(subject_.findings)};
  }

 private:
  // Which kind this is, or null with the reason reported.
  const Kind* identify() {
    const yaml::Node& root = document_.root;
    for (const char* field : {"apiVersion", "kind"}) {
      const yaml::Node* node = root.find(field);
      if (node && node->is_scalar() && !node->text.empty()) continue;
      if (node && !node->is_null())
        subject_.report(Severity::kError, codes::kWrongType, node->mark, "found " + found(*node) + ", expected a string", field);
      else
        subject_.report(Severity::kError, codes::kMissing, root.mark,
                        std::string("found no ") + field + ", expected a Kubernetes object with apiVersion, kind and metadata", field);
    }
    if (has_errors(subject_.findings)) return nullptr;

    subject_.kind = text_at(root, "kind");
    const std::string api = text_at(root, "apiVersion");
    const size_t slash = api.find('/');
    const std::string group = slash == std::string::npos ? "" : api.substr(0, slash),
                      version = slash == std::string::npos ? api : api.substr(slash + 1);
    if (const yaml::Node* metadata = root.find("metadata")) subject_.name = text_at(*metadata, "name");
    const Kind* kind = kind_named(subject_.kind, group);
    if (kind && kind->group == group) subject_.kind = kind->key();
    subject_.ns = namespace_of(kind);
    subject_.object = model::Key{subject_.kind, subject_.ns, subject_.name}.to_string();

    if (kind && kind->group == group && has_word(kind->versions, version)) return kind;
    if (kind && kind->old_group == group && !group.empty()) {
      subject_.report(Severity::kWarning, codes::kOldSpelling, root.find("apiVersion")->mark,
                      subject_.kind + " under " + api + " is an old spelling; it works", "apiVersion",
                      "write apiVersion: " + newest(*kind));
      return kind;
    }
    refuse_kind(kind, group, api);
    return nullptr;
  }

  void refuse_kind(const Kind* kind, const std::string& group, const std::string& api) {
    const yaml::Node& root = document_.root;
    auto refuse = [&](std::string what, std::string fix) {
      subject_.report(Severity::kError, codes::kUnsupportedKind, root.find("kind")->mark, std::move(what), "kind", std::move(fix));
    };
    const std::string of = "kind " + subject_.kind + (group.empty() ? " (apiVersion " + api + ")" : " of " + group);
    for (const ForeignKind& foreign : foreign_kinds())
      if (foreign.name == subject_.kind && foreign.group == group)
        return refuse(of + " is not supported by this version of Weft", std::string(foreign.hint));
    if (kind) {
      subject_.report(Severity::kError, codes::kApiVersion, root.find("apiVersion")->mark,
                      "found apiVersion " + api + " for a " + subject_.kind + ", expected " + newest(*kind), "apiVersion",
                      "write apiVersion: " + newest(*kind));
      return;
    }
    for (const ForeignKind& foreign : foreign_kinds())
      if (foreign.name == subject_.kind) return refuse(of + " is not supported by this version of Weft", std::string(foreign.hint));
    std::vector<std::string_view> names;
    for (const Kind& known : kinds()) names.push_back(known.name);
    std::string_view meant = did_you_mean(subject_.kind, names);
    refuse(of + " is not supported by this version of Weft",
           meant.empty() ? "Weft reads VirtualService, DestinationRule, Gateway, ServiceEntry, "
                           "WorkloadEntry, WorkloadGroup, Sidecar, HTTPRoute, GRPCRoute, TCPRoute, TLSRoute, GatewayClass, ReferenceGrant, "
                           "Service, Endpoints, EndpointSlice, Pod and Namespace"
                         : "did you mean " + std::string(meant) + "?");
  }

  std::string namespace_of(const Kind* kind) const {
    if (kind && !kind->namespaced) return {};
    const yaml::Node* metadata = document_.root.find("metadata");
    const std::string ns = metadata ? text_at(*metadata, "namespace") : "";
    return ns.empty() ? "default" : ns;
  }

  void name() {
    const Reader metadata = Reader(subject_, &document_.root, "")["metadata"];
    if (has_errors(subject_.findings)) return;
    if (subject_.name.empty())
      metadata.missing("name", "the name of the object");
    else if (!is_dns_name(subject_.name))
      metadata["name"].error(codes::kName, "found \"" + subject_.name.substr(0, 260) + "\", expected at most 253 of a-z, 0-9, - and .");
    if (!subject_.ns.empty() && !is_dns_label(subject_.ns))
      metadata["namespace"].error(codes::kName, "found \"" + subject_.ns.substr(0, 100) + "\", expected at most 63 of a-z, 0-9 and -");
    check_labels(metadata["labels"]);
  }

  Verdict build(const Kind& kind) {
    const Reader root(subject_, &document_.root, "");
    auto spec = std::make_shared<const model::Spec>(kind.build(root));
    Verdict verdict;
    if (!has_errors(subject_.findings)) {
      model::Resource& resource = verdict.resource.emplace();
      resource.key = {subject_.kind, subject_.ns, subject_.name};
      resource.api_version = text_at(document_.root, "apiVersion");
      resource.labels = root["metadata"]["labels"].text_map();
      resource.annotations = root["metadata"]["annotations"].text_map();
      resource.json = yaml::to_json(sorted(document_.root));
      resource.origin.file = document_.file;
      resource.origin.line = std::max(1, document_.root.mark.line);
      resource.origin.text = std::make_shared<const std::string>(own_text(lines_, document_.root, item_));
      resource.spec = std::move(spec);
    }
    verdict.findings = std::move(subject_.findings);
    return verdict;
  }

  const yaml::Document& document_;
  const Lines& lines_;
  bool item_;
  Subject subject_;
};

// Collects the objects of one or more texts and finds those that are there twice.
class Collector {
 public:
  void add(std::string_view text, const std::string& file) {
    std::vector<yaml::Document> documents;
    Diagnostic problem;
    if (!yaml::parse(text, file, documents, problem)) {
      verdicts_.findings.push_back(std::move(problem));
      return;
    }
    const Lines lines(documents.empty() ? nullptr : documents.front().source);
    for (const yaml::Document& document : documents) {
      const yaml::Node* items = document.root.find("items");
      if (items && items->is_sequence() && text_at(document.root, "kind").ends_with("List")) {
        for (const yaml::Node& item : items->items) {
          const yaml::Document object{item, document.file, document.source};
          take(Validator(object, lines, true).run(), object);
        }
      } else {
        take(Validator(document, lines, false).run(), document);
      }
    }
  }

  Verdicts finish() { return std::move(verdicts_); }

 private:
  void take(Verdict verdict, const yaml::Document& document) {
    std::move(verdict.findings.begin(), verdict.findings.end(), std::back_inserter(verdicts_.findings));
    if (!verdict.resource) return;
    const model::Resource& resource = *verdict.resource;
    const std::string place = (resource.origin.file.empty() ? "line " : resource.origin.file + ":") + std::to_string(resource.origin.line);
    auto [earlier, fresh] = seen_.try_emplace(resource.key, place);
    if (!fresh) {
      Diagnostic finding =
          document.at(document.root.mark, std::string(codes::kSameObject.code),
                      "found " + resource.key.to_string() + " again; it stands at " + earlier->second + " already", "metadata.name");
      finding.object = resource.key.to_string();
      finding.fix = "keep one of them, or give one another name";
      verdicts_.findings.push_back(std::move(finding));
      return;
    }
    verdicts_.resources.push_back(std::move(*verdict.resource));
  }

  Verdicts verdicts_;
  std::map<model::Key, std::string> seen_;
};

}  // namespace

Verdict validate(const yaml::Document& document) {
  const Lines lines(document.source);
  return Validator(document, lines, false).run();
}

Verdicts validate_text(std::string_view text, const std::string& file) {
  Collector collector;
  collector.add(text, file);
  return collector.finish();
}

Verdicts validate_texts(const std::vector<std::pair<std::string, std::string>>& files) {
  Collector collector;
  for (const auto& [name, text] : files) collector.add(text, name);
  return collector.finish();
}

}  // namespace weft::validation
