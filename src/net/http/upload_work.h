// The form of a recording while it is being received. Counted among the server's uploads.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "net/http/web_core.h"
#include "net/http/web_upload.h"

namespace headroom::net {

class UploadWork final : public HttpWork {
 public:
  UploadWork(Exchange& exchange, WebCore& core, const std::string& boundary, bool translate,
             UploadFile into);
  ~UploadWork() override { core_.uploads.erase(this); }

  void OnBody(std::string_view bytes) override;
  void OnBodyEnd() override;

  /// Since when it is received; nullopt: it is fast enough.
  std::optional<MonoTime> SlowSince(MonoTime now) const;
  /// Ends it in favour of a faster one.
  void Cut();

 private:
  WebCore& core_;
  UploadForm form_;
};

}  // namespace headroom::net
