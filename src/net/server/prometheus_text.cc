#include "net/server/prometheus_text.h"

namespace headroom::net {
namespace {

// The format escapes a backslash, a quote and the end of a line in the value of a label.
void AppendEscaped(std::string& text, std::string_view value) {
  for (const char c : value) {
    if (c == '\\' || c == '"') text += '\\';
    if (c == '\n')
      text += "\\n";
    else
      text += c;
  }
}

}  // namespace

void PrometheusText::Begin(std::string_view name, std::string_view type, std::string_view help) {
  name_ = fmt::format("{}_{}", prefix_, name);
  text_ += fmt::format("# HELP {0} {1}\n# TYPE {0} {2}\n", name_, help, type);
}

void PrometheusText::AddLine(const Labels& labels, std::string_view value,
                             std::string_view suffix) {
  text_ += name_;
  text_ += suffix;
  char separator = '{';
  for (const auto& [label, of] : labels) {
    text_ += separator;
    text_ += label;
    text_ += "=\"";
    AppendEscaped(text_, of);
    text_ += '"';
    separator = ',';
  }
  if (!labels.empty()) text_ += '}';
  text_ += ' ';
  text_ += value;
  text_ += '\n';
}

}  // namespace headroom::net
