#include "app/output/clipboard.h"
#include "app/output/targets.h"
#include "app/output/text_for.h"

namespace headroom::output {
namespace {

class ClipboardTarget : public Target {
 public:
  explicit ClipboardTarget(const TargetOptions& options)
      : newlines_(options.newlines.value_or(Newlines::kKeep)), after_(options.after.value_or("")) {}

  std::string name() const override { return "clipboard"; }
  // Another program may have taken the clipboard before the user could paste.
  bool acknowledges() const override { return false; }
  bool repeatable() const override { return true; }

  Result<> Deliver(const Delivery& delivery) override {
    TRY_ASSIGN(const Clipboard clipboard, Clipboard::Of(FindSession()));
    return clipboard.Write(Selection::kClipboard,
                           {.type = "", .bytes = TextFor(delivery.text, newlines_) + after_});
  }

 private:
  Newlines newlines_;
  std::string after_;
};

}  // namespace

std::unique_ptr<Target> MakeClipboardTarget(const TargetOptions& options) {
  return std::make_unique<ClipboardTarget>(options);
}

}  // namespace headroom::output
