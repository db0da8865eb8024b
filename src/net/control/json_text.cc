#include "net/control/json_text.h"

namespace headroom::net {

using nlohmann::json;

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
