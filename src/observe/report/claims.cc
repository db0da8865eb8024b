#include "observe/report/claims.h"

#include <fmt/format.h>

#include <cmath>

#include "base/toml.h"
#include "observe/report/words.h"

namespace headroom::report {
namespace {

using nlohmann::ordered_json;

Result<ordered_json> Check(const toml::table& table, const std::string& name,
                           const ordered_json& report) {
  const std::string where = fmt::format("{}:{}", name, table.source().begin.line);
  const auto text = [&](const char* key) { return table[key].value_or(std::string()); };
  ordered_json claim = {{"text", text("text")}, {"where", text("where")}, {"about", text("about")}};
  if (claim["about"] == "" || !table.contains("says"))
    return Fail(Errc::kInvalid, "{}: a claim needs about and says", where);
  const double tolerance = table["tolerance"].value_or(0.01);
  ordered_json found;
  try {
    const ordered_json::json_pointer pointer(claim["about"].get<std::string>());
    if (report.contains(pointer)) found = report.at(pointer);
  } catch (const nlohmann::json::exception&) {
    return Fail(Errc::kInvalid, "{}: about: not a JSON pointer such as /errors/count", where);
  }
  if (const auto number = table["says"].value<double>()) {
    claim["says"] = *number;
    claim["agrees"] = found.is_number() && std::abs(found.get<double>() - *number) <=
                                               tolerance * std::max(1.0, std::abs(*number));
  } else if (const auto words = table["says"].value<std::string>()) {
    claim["says"] = *words;
    claim["agrees"] = found.is_string() && found.get<std::string>() == *words;
  } else {
    return Fail(Errc::kInvalid, "{}: says must be a number or a text", where);
  }
  claim["found"] = found;
  claim["tolerance"] = tolerance;
  return claim;
}

bool Contradict(const ordered_json& a, const ordered_json& b) {
  if (a["about"] != b["about"]) return false;
  if (a["says"].is_number() && b["says"].is_number()) {
    const double x = a["says"], y = b["says"];
    const double tolerance = std::max(a["tolerance"].get<double>(), b["tolerance"].get<double>());
    return std::abs(x - y) > tolerance * std::max(std::abs(x), std::abs(y));
  }
  return a["says"] != b["says"];
}

std::string Shown(const ordered_json& value) {
  if (value.is_null()) return "not in the record";
  if (value.is_number_float()) return fmt::format("{:.4g}", value.get<double>());
  return value.is_string() ? value.get<std::string>() : value.dump();
}

}  // namespace

Result<ordered_json> CheckClaims(std::string_view text, const std::string& name,
                                 const ordered_json& report) {
  ordered_json claims = ordered_json::array();
  TRY_ASSIGN(const toml::table file, ParseToml(text, name));
  const toml::array* list = file["claim"].as_array();
  if (!list) return Fail(Errc::kInvalid, "{}: has no [[claim]]", name);
  for (const toml::node& node : *list) {
    if (!node.is_table()) return Fail(Errc::kInvalid, "{}: claim must be [[claim]]", name);
    TRY_ASSIGN(ordered_json claim, Check(*node.as_table(), name, report));
    claims.push_back(std::move(claim));
  }
  for (ordered_json& claim : claims) {
    claim["contradicts"] = ordered_json::array();
    for (const ordered_json& other : claims) {
      if (&claim != &other && Contradict(claim, other))
        claim["contradicts"].push_back(other["text"]);
    }
  }
  return claims;
}

std::string ClaimsMarkdown(const ordered_json& claims) {
  std::vector<std::vector<std::string>> rows = {{"claim", "says", "found", ""}};
  std::string contradictions;
  for (const ordered_json& claim : claims) {
    rows.push_back({fmt::format("{} ({})", claim["text"].get<std::string>(),
                                claim["where"].get<std::string>()),
                    Shown(claim["says"]), Shown(claim["found"]),
                    claim["found"].is_null()      ? "cannot be checked"
                    : claim["agrees"].get<bool>() ? "agrees"
                                                  : "**wrong**"});
    for (const ordered_json& other : claim["contradicts"])
      contradictions +=
          fmt::format("- \"{}\" ({}) contradicts \"{}\"\n", claim["text"].get<std::string>(),
                      claim["where"].get<std::string>(), other.get<std::string>());
  }
  std::string text = "\n## 11. Claims that were checked\n\n" + Table(rows);
  if (!contradictions.empty()) text += "\nAnd they contradict each other:\n\n" + contradictions;
  return text;
}

}  // namespace headroom::report
