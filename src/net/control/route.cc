#include "net/control/route.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "base/text.h"

namespace headroom::net {
namespace {

using nlohmann::json;

constexpr std::string_view kPlain =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.,";

Error Invalid(std::string what) {
  return {Errc::kInvalid, std::move(what)};
}

// The fields of a request, from its body and its query; each is taken once, and what is left over
// was not understood.
class Arguments {
 public:
  static Result<Arguments> Parse(std::string_view query, std::string_view body) {
    Arguments arguments;
    if (!Trim(body).empty()) {
      arguments.fields_ = json::parse(body, nullptr, false);
      if (arguments.fields_.is_discarded()) return Fail(Errc::kInvalid, "the body is not JSON");
      if (!arguments.fields_.is_object())
        return Fail(Errc::kInvalid, "the body is not a JSON object");
    }
    for (const std::string& pair : Split(query, '&')) {
      if (pair.empty()) continue;
      const std::size_t equals = pair.find('=');
      const std::string name = pair.substr(0, equals);
      const std::string value = equals == std::string::npos ? "" : pair.substr(equals + 1);
      if (value.find_first_not_of(kPlain) != std::string::npos)
        return Fail(Errc::kInvalid, "{}: only letters, digits and _-., are allowed in a query",
                    Printable(name));
      arguments.fields_[name] = value;
    }
    return arguments;
  }

  bool Has(const char* name) const { return fields_.contains(name); }

  std::string Text(const char* name) {
    const auto value = Take(name);
    if (!value) return "";
    if (value->is_string()) return value->get<std::string>();
    Wrong(name, "has to be text");
    return "";
  }

  void Get(const char* name, std::string& value) { value = Text(name); }
  void Get(const char* name, bool& value) { value = Flag(name); }
  void Get(const char* name, std::vector<std::string>& value) { value = Texts(name); }

  // Also as a text of digits, since that is what a query holds.
  std::optional<std::int64_t> Whole(const char* name, std::int64_t low, std::int64_t high) {
    const auto value = Take(name);
    if (!value) return std::nullopt;
    std::optional<std::int64_t> number;
    if (value->is_number_integer() && !(value->is_number_unsigned() && *value > INT64_MAX))
      number = value->get<std::int64_t>();
    if (value->is_string()) {
      const auto& text = value->get_ref<const std::string&>();
      std::int64_t parsed = 0;
      const auto [end, err] = std::from_chars(text.data(), text.data() + text.size(), parsed);
      if (err == std::errc() && end == text.data() + text.size()) number = parsed;
    }
    if (number && *number >= low && *number <= high) return number;
    Wrong(name, fmt::format("has to be a whole number from {} to {}", low, high));
    return std::nullopt;
  }

  std::vector<std::string> Texts(const char* name) {
    std::vector<std::string> texts;
    const auto value = Take(name);
    if (!value) return texts;
    const bool all = value->is_array() &&
                     std::ranges::all_of(*value, [](const json& one) { return one.is_string(); });
    if (all) return value->get<std::vector<std::string>>();
    Wrong(name, "has to be a list of texts");
    return texts;
  }

  bool Flag(const char* name, bool otherwise = false) {
    const auto value = Take(name);
    if (!value) return otherwise;
    if (value->is_boolean()) return value->get<bool>();
    if (value->is_string() && (*value == "true" || *value == "false")) return *value == "true";
    Wrong(name, "has to be true or false");
    return false;
  }

  /// After all fields were asked for: what was wrong, or was not asked for.
  std::optional<Error> Left() const {
    if (wrong_) return wrong_;
    if (fields_.empty()) return std::nullopt;
    const std::string name = fields_.begin().key();
    const auto near = NearestNames(name, known_, 1);
    const std::string what = !near.empty()    ? fmt::format("; did you mean \"{}\"?", near.front())
                             : known_.empty() ? std::string("; this route has none")
                                              : fmt::format("; known: {}", fmt::join(known_, ", "));
    return Invalid(fmt::format("there is no field \"{}\"{}", Printable(name), what));
  }

 private:
  std::optional<json> Take(const char* name) {
    known_.emplace_back(name);
    const auto found = fields_.find(name);
    if (found == fields_.end() || found->is_null()) return std::nullopt;
    json value = std::move(*found);
    fields_.erase(found);
    return value;
  }
  void Wrong(const char* name, std::string_view what) {
    if (!wrong_) wrong_ = Invalid(fmt::format("{} {}", name, what));
  }

  json fields_ = json::object();
  std::vector<std::string> known_;
  std::optional<Error> wrong_;
};

struct Entry {
  std::string_view method, path;
  Route (*make)(Arguments&);
};

template <auto method>
Route Plain(Arguments&) {
  return Call([](ControlService& service, Answer answer) { (service.*method)(std::move(answer)); });
}

const std::array kEntries = {
    Entry{"POST", "/v1/listen",
          [](Arguments& arguments) -> Route {
            return Call([request = ListenRequest{arguments.Text("language")}](
                            ControlService& service, Answer answer) {
              service.Listen(request, std::move(answer));
            });
          }},
    Entry{"POST", "/v1/finish", Plain<&ControlService::Finish>},
    Entry{"POST", "/v1/toggle", Plain<&ControlService::Toggle>},
    Entry{"POST", "/v1/cancel", Plain<&ControlService::Cancel>},
    Entry{"POST", "/v1/reload", Plain<&ControlService::Reload>},
    Entry{"POST", "/v1/shutdown", Plain<&ControlService::Shutdown>},
    Entry{"POST", "/v1/drain",
          [](Arguments& arguments) -> Route {
            return Call(
                [on = arguments.Flag("drain", true)](ControlService& service, Answer answer) {
                  service.SetDraining(on, std::move(answer));
                });
          }},
    Entry{"DELETE", "/v1/drain",
          [](Arguments&) -> Route {
            return Call([](ControlService& service, Answer answer) {
              service.SetDraining(false, std::move(answer));
            });
          }},
    Entry{"GET", "/v1/report",
          [](Arguments& arguments) -> Route {
            return Call([since = arguments.Text("since")](ControlService& service, Answer answer) {
              service.GetReport(since.empty() ? "12h" : since, std::move(answer));
            });
          }},
    Entry{"GET", "/v1/models", Plain<&ControlService::GetModels>},
    Entry{"POST", "/v1/models/load", Plain<&ControlService::LoadModel>},
    Entry{"POST", "/v1/models/unload", Plain<&ControlService::UnloadModel>},
    Entry{"GET", "/v1/status", Plain<&ControlService::GetStatus>},
    Entry{"GET", "/v1/history",
          [](Arguments& arguments) -> Route {
            HistoryRequest request;
            request.limit = static_cast<int>(arguments.Whole("limit", 1, 1000).value_or(20));
            request.undelivered_only = arguments.Flag("undelivered");
            return Call([request](ControlService& service, Answer answer) {
              service.GetHistory(request, std::move(answer));
            });
          }},
    Entry{"DELETE", "/v1/history", Plain<&ControlService::ClearHistory>},
    Entry{"POST", "/v1/history/paste",
          [](Arguments& arguments) -> Route {
            return Call(
                [id = arguments.Whole("id", 1, INT64_MAX)](ControlService& service, Answer answer) {
                  service.PasteHistory(id, std::move(answer));
                });
          }},
    Entry{"GET", "/v1/events",
          [](Arguments& arguments) -> Route {
            EventStream stream;
            for (const std::string& name : Split(arguments.Text("only"), ',')) {
              if (!name.empty()) stream.only.push_back(name);
            }
            return stream;
          }},
    Entry{"POST", "/v1/yield",
          [](Arguments& arguments) -> Route {
            return YieldStream{Printable(arguments.Text("who")).substr(0, 200)};
          }},
    Entry{"POST", "/v1/recognize",
          [](Arguments& arguments) -> Route {
            const bool given = arguments.Has("fd");
            const auto fd = arguments.Whole("fd", 0, INT32_MAX);
            auto how = std::make_shared<RecognizeRequest>();
            speech::ForEachOption(
                *how, [&arguments](const char* name, auto& value) { arguments.Get(name, value); });
            if (!given)
              return Refusal{Invalid("fd is missing: a file descriptor of yours"), 400, ""};
            return RecognizeStream{static_cast<int>(fd.value_or(-1)), std::move(how)};
          }},
};

Refusal NoSuchPath(std::string_view path) {
  std::vector<std::string> paths;
  for (const Entry& entry : kEntries) paths.emplace_back(entry.path);
  const auto near = NearestNames(path, paths, 1);
  return {{Errc::kNotFound, near.empty() ? fmt::format("there is no {}", Printable(path))
                                         : fmt::format("there is no {}; did you mean {}?",
                                                       Printable(path), near.front())},
          404,
          ""};
}

}  // namespace

Route FindRoute(std::string_view method, std::string_view target, std::string_view body) {
  const std::string_view path = target.substr(0, std::min<std::size_t>(target.find('?'), 200));
  const std::string_view query =
      target.find('?') == std::string_view::npos ? "" : target.substr(target.find('?') + 1);
  std::string allow;
  for (const Entry& entry : kEntries) {
    if (entry.path != path) continue;
    if (entry.method != method) {
      allow += (allow.empty() ? "" : ", ") + std::string(entry.method);
      continue;
    }
    Result<Arguments> arguments = Arguments::Parse(query, body);
    if (!arguments) return Refusal{std::move(arguments.error()), 400, ""};
    Route route = entry.make(*arguments);
    if (auto wrong = arguments->Left()) return Refusal{std::move(*wrong), 400, ""};
    return route;
  }
  if (allow.empty()) return NoSuchPath(path);
  return Refusal{{Errc::kUnsupported, fmt::format("{} wants {}", path, allow)}, 405, allow};
}

unsigned HttpStatus(Errc code) {
  switch (code) {
    case Errc::kInvalid:
      return 400;
    case Errc::kPermission:
      return 403;
    case Errc::kNotFound:
      return 404;
    case Errc::kExists:
    case Errc::kBusy:
    case Errc::kCancelled:
      return 409;
    case Errc::kCorrupt:
    case Errc::kChecksum:
    case Errc::kUnsupported:
      return 422;
    case Errc::kNetwork:
    case Errc::kProtocol:
    case Errc::kWorkerLost:
      return 502;
    case Errc::kNoMemory:
      return 503;
    case Errc::kTimeout:
      return 504;
    case Errc::kNoSpace:
      return 507;
    case Errc::kIo:
    case Errc::kInternal:
      return 500;
  }
  return 500;
}

json ErrorJson(const Error& error) {
  return {{"error", {{"code", Name(error.code)}, {"message", error.what}}}};
}

Error ErrorFromJson(const json& value) {
  const auto error = value.is_object() ? value.find("error") : value.end();
  if (!value.is_object() || error == value.end() || !error->is_object())
    return {Errc::kProtocol, "the daemon sent an error without a reason"};
  const auto text = [&](const char* key) {
    const auto found = error->find(key);
    return found != error->end() && found->is_string() ? found->get<std::string>() : "";
  };
  return {ErrcFromName(text("code")), text("message")};
}

std::string Dump(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string EventText(std::uint64_t id, std::string_view name, const json& data) {
  return fmt::format("id: {}\nevent: {}\ndata: {}\n\n", id, name, Dump(data));
}

}  // namespace headroom::net
