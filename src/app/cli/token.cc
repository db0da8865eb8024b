// headroom token: who may use the network server.
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
  Note("keep it: it is not shown again");
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
  if (none) Note("there are none: programs of this machine need none, others get none");
  if (!none && known.empty()) Note("all were revoked: nobody gets in");
  for (const net::ClientToken& token : known) fmt::print("{}  {}\n", token.since, token.name);
  return kOk;
}

Result<int> Revoke(const Options& options) {
  TRY(net::RevokeToken(net::TokenFilePath(), options.name));
  Note(fmt::format("{} does not get in any more", options.name));
  return kOk;
}

}  // namespace

void AddToken(CLI::App& app, Action& chosen) {
  const auto options = std::make_shared<Options>();
  CLI::App* token = app.add_subcommand("token", "Who may use the network server.");
  token->require_subcommand(1);
  token->footer("With the first token every client needs one, also on this machine.");
  CLI::App* add = token->add_subcommand("add", "Make a client's token and print it, this once.");
  add->add_option("NAME", options->name, "Of the client, such as phone")->required();
  add->callback(Runs(chosen, options, Add));
  CLI::App* list = token->add_subcommand("list", "Show which clients have one, and since when.");
  list->add_flag("--json", options->json, "For programs");
  list->callback(Runs(chosen, options, List));
  CLI::App* revoke = token->add_subcommand("revoke", "Take a client's token away, at once.");
  revoke->add_option("NAME", options->name, "Of the client")->required();
  revoke->callback(Runs(chosen, options, Revoke));
}

}  // namespace headroom::cli
