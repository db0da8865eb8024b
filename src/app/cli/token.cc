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

void AddToken(CLI::App& app, Action& chosen) {
  const auto options = std::make_shared<Options>();
  CLI::App* token = app.add_subcommand("token", "Manage access to the network server.");
  token->require_subcommand(1);
  token->footer("Once there is a token, every client needs one, also on this machine.");
  CLI::App* add = token->add_subcommand("add", "Create a client's token and print it once.");
  add->add_option("NAME", options->name, "Name of the client, e.g. phone")->required();
  add->callback(Runs(chosen, options, Add));
  CLI::App* list = token->add_subcommand("list", "List clients that have a token, and since when.");
  list->add_flag("--json", options->json, "Print JSON");
  list->callback(Runs(chosen, options, List));
  CLI::App* revoke = token->add_subcommand("revoke", "Revoke a client's token immediately.");
  revoke->add_option("NAME", options->name, "Name of the client")->required();
  revoke->callback(Runs(chosen, options, Revoke));
}

}  // namespace headroom::cli
