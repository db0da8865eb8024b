// For output_live_test.py: delivers standard input to one target.
//   output_live KIND [newlines=…] [after=…] [deadline=MS] [restore=MS] [paste_key=…] [INJECTOR…]
//   output_live probe
// With "back" among the words the text is taken back again.
// Errors go to standard error as "code: what", with exit code 1.
#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <iterator>

#include "app/output/probe_typing.h"
#include "app/output/target.h"
#include "base/check.h"

using namespace headroom;
using namespace headroom::output;

namespace {

int Probe() {
  const auto report = ProbeTyping({});
  if (!report) std::cerr << report.error().what << "\n";
  if (!report) return 1;
  for (const InjectorReport& one : report->injectors)
    std::cout << one.name << "\t" << one.exact << "\t" << one.what << "\n";
  std::cout << "first\t" << report->first_exact << "\t" << report->terminal << "\n";
  return 0;
}

void Set(TargetOptions& options, const std::string& word) {
  const std::size_t at = word.find('=');
  const std::string key = word.substr(0, at);
  if (word == "back") return;
  if (at == std::string::npos) return options.typing.injectors.push_back(word);
  const std::string value = word.substr(at + 1);
  if (key == "newlines" && value == "keep") options.newlines = Newlines::kKeep;
  if (key == "newlines" && value == "shift-enter") options.newlines = Newlines::kShiftEnter;
  if (key == "after") options.after = value;
  if (key == "paste_key") options.typing.paste_key = value;
  if (key == "deadline") options.deadline = Milliseconds(std::stoi(value));
  if (key == "restore") options.typing.restore_after = Milliseconds(std::stoi(value));
}

}  // namespace

int main(int argc, char** argv) {
  CHECK(argc >= 2);
  if (std::string(argv[1]) == "probe") return Probe();
  TargetOptions options{.kind = ParseTargetKind(argv[1]).value()};
  options.after = "";
  for (int i = 2; i < argc; ++i) Set(options, argv[i]);
  const std::string text(std::istreambuf_iterator<char>(std::cin), {});
  auto target = MakeTarget(options);
  Result<> done = target ? (*target)->Deliver({.id = 1, .text = text}) : Fail(target.error());
  if (done && std::find(argv, argv + argc, std::string_view("back")) != argv + argc)
    done = (*target)->TakeBack();
  if (!done) std::cerr << Name(done.error().code) << ": " << done.error().what << "\n";
  return done ? 0 : 1;
}
