// "/": the commands as a web page; "/help": as text.
#include "proxy/admin/page.h"

namespace weft::admin {

std::string help_text() {
  std::string out = "admin commands are:\n";
  for (const PageEntry& entry : pages()) {
    out += "  " + std::string(entry.path) + (entry.mutates ? " (POST)" : "") + ": " + std::string(entry.help) + "\n";
    for (const Parameter& parameter : entry.parameters)
      out += "      " + std::string(parameter.name) + ": " + std::string(parameter.help) + "\n";
  }
  return out;
}

Page help_page(PageContext&, const PageRequest&) { return {200, help_text()}; }

Page home_page(PageContext&, const PageRequest&) {
  std::string out =
      "<!DOCTYPE html>\n<html lang='en'>\n<head>\n  <meta charset='utf-8'>\n  <title>Envoy Admin</title>\n  <style>\n"
      "    body { font-family: sans-serif } td { padding: 4px; text-align: left } form { margin: 0 }\n"
      "  </style>\n</head>\n<body>\n<table>\n<thead><tr><th>Command</th><th>Description</th></tr></thead>\n<tbody>\n";
  for (const PageEntry& entry : pages()) {
    std::string name(entry.path.substr(1));
    out += "<tr><td>";
    if (entry.mutates)
      out += "<form action='" + name + "' method='post'><button>" + name + "</button></form>";
    else
      out += "<a href='" + (name.empty() ? std::string("/") : name) + "'>" + std::string(entry.path) + "</a>";
    out += "</td><td>" + std::string(entry.help) + "</td></tr>\n";
  }
  return {200, out + "</tbody>\n</table>\n</body>\n</html>\n", "text/html; charset=UTF-8"};
}

}  // namespace weft::admin
