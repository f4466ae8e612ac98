// Whether a text is an object that this version can carry, and what it means. Pure: no files, no network, so weftctl uses the very
// same code offline. Wrong in itself is an error and yields no resource; dangling references only warn, by check_references.
#pragma once
#include "controlplane/model/view.h"

#include <optional>

namespace weft::validation {

struct Verdict {
  std::optional<model::Resource> resource;  // absent when there is an error
  Diagnostics findings;                     // warnings too
};

// One object. `document.file` and the marks are kept for later findings.
Verdict validate(const yaml::Document& document);

struct Verdicts {
  std::vector<model::Resource> resources;  // of the objects without errors
  Diagnostics findings;
  bool ok() const { return !has_errors(findings); }
};

// Every object of a file: several documents, `kind: List` too. The same object twice is an error.
Verdicts validate_text(std::string_view text, const std::string& file);
// The same for several files at once (name, text), so that an object in two of them is found.
Verdicts validate_texts(const std::vector<std::pair<std::string, std::string>>& files);

// What the objects of a view say about each other that will not work as meant: warnings with Istio's analyzer codes.
Diagnostics check_references(const model::View& view);

// docs/reference/istio.md, from the very tables that validate() goes by.
std::string render_reference();

}  // namespace weft::validation
