// For desktop_live_test.py:
//   desktop_live locked                    "locked" or "open"
//   desktop_live notice SUMMARY BODY…      one after the other from the same program
#include <iostream>
#include <string>

#include "app/desktop/desktop_notice.h"
#include "app/desktop/session_lock.h"

int main(int argc, char** argv) {
  if (argc == 2) {
    std::cout << (headroom::desktop::SessionLocked() ? "locked" : "open") << std::endl;
    return 0;
  }
  headroom::desktop::DesktopNotices notices;
  for (int i = 3; i < argc; ++i) {
    const auto shown = notices.Show({.summary = argv[2], .body = argv[i], .urgent = i > 3});
    if (!shown) std::cerr << shown.error().what << std::endl;
    if (!shown) return 1;
  }
  return 0;
}
