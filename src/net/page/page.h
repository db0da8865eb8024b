// The files of the web page, which are built into the program.
#pragma once

#include <span>
#include <string_view>

namespace headroom::net {

struct PageFile {
  std::string_view path, type, text;
};
std::span<const PageFile> PageFiles();

}  // namespace headroom::net
