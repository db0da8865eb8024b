// For tests: a pip that copies what it is asked for from a folder, by $HEADROOM_PIP.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <string>

#include "models/testing/test_hub.h"

namespace headroom::models {

class TestPip {
 public:
  TestPip() {
    folder_.Write("pip",
                  "#!/bin/sh\n"
                  "echo \"$@\" >> \"$(dirname \"$0\")/calls\"\n"
                  "while [ $# -gt 1 ]; do [ \"$1\" = --dest ] && dest=$2; shift; done\n"
                  "touch \"$TMPDIR/left-by-pip\"\n"
                  "[ -e \"$(dirname \"$0\")/hang\" ] && sleep 20\n"
                  "cp \"$(dirname \"$0\")\"/packages/\"$1\".* \"$dest\" 2>/dev/null && exit 0\n"
                  "echo \"ERROR: No matching distribution found for $1\" >&2\n"
                  "exit 1\n");
    std::filesystem::permissions(folder_ / "pip", std::filesystem::perms::owner_all);
    std::filesystem::create_directory(folder_ / "packages");
    ::setenv("HEADROOM_PIP", (folder_ / "pip").c_str(), 1);
  }
  ~TestPip() { ::unsetenv("HEADROOM_PIP"); }
  TestPip(const TestPip&) = delete;
  TestPip& operator=(const TestPip&) = delete;

  /// "name==1.0" with ".whl" or ".tar.gz"
  std::filesystem::path Package(const std::string& file) const {
    return folder_ / ("packages/" + file);
  }
  std::string calls() const { return ReadAll(folder_ / "calls"); }
  void HangFromNowOn() const { folder_.Write("hang", ""); }

 private:
  TestFolder folder_;
};

}  // namespace headroom::models
