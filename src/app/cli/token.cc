// headroom token: manages the tokens of the network server's clients.
#include <memory>
#include <nlohmann/json.hpp>

#include "app/cli/command.h"
#include "app/cli/daemon_client.h"
#include "app/cli/runs.h"
#include "app/cli/terminal.h"
#include "net/server/tokens.h"

namespace headroom::cli {
namespace {

struct Options {
  std::string name;
  bool json = false;
};

Result<int> Add(const Options& options) {
  TRY_ASSIGN(const std::string token,
             net::AddToken(net::TokenFilePath(), options.name, SystemClock().WallNow()));
  fmt::print("{}\n", token);
  Note("save this token; it is not shown again");
  return kOk;
}

Result<int> List(const Options& options) {
  auto tokens = net::ReadTokens(net::TokenFilePath());
  const bool none = !tokens && tokens.error().code == Errc::kNotFound;
  if (!tokens && !none) return Fail(std::move(tokens.error()));
  const std::vector<net::ClientToken> known = none ? std::vector<net::ClientToken>() : *tokens;
  if (options.json) {
    nlohmann::json list = nlohmann::json::array();
    for (const net::ClientToken& token : known)
      list.push_back({{"name", token.name}, {"since", token.since}});
    PrintJson({{"required", !none}, {"tokens", std::move(list)}});
    return kOk;
  }
  if (none) Note("no tokens; programs on this machine need none, other machines have no access");
  if (!none && known.empty()) Note("all tokens are revoked; no client has access");
  for (const net::ClientToken& token : known) fmt::print("{}  {}\n", token.since, token.name);
  return kOk;
}

Result<int> Revoke(const Options& options) {
  TRY(net::RevokeToken(net::TokenFilePath(), options.name));
  Note(fmt::format("{} no longer has access", options.name));
  return kOk;
}

}  // namespace

void AddToken(Parser app, Action& chosen) {
  const auto options = std::make_shared<Options>();
  Parser token = app.Add("token", "Manage access to the network server.");
  token.RequireCommand();
  token.Footer("Once there is a token, every client needs one, also on this machine.");
  Parser add = token.Add("add", "Create a client's token and print it once.");
  add.AddOption("NAME", options->name, "Name of the client, e.g. phone").Required();
  add.OnChosen(Runs(chosen, options, Add));
  Parser list = token.Add("list", "List clients that have a token, and since when.");
  list.AddFlag("--json", options->json, "Print JSON");
  list.OnChosen(Runs(chosen, options, List));
  Parser revoke = token.Add("revoke", "Revoke a client's token immediately.");
  revoke.AddOption("NAME", options->name, "Name of the client").Required();
  revoke.OnChosen(Runs(chosen, options, Revoke));
}

}  // namespace headroom::cli
