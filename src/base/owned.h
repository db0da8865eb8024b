// What a C library made, with the function of that library that frees it.
#pragma once

#include <memory>

namespace headroom {

template <auto kFree>
struct FreeWith {
  template <class T>
  void operator()(T* made) const {
    kFree(made);
  }
};

/// Owned<CURL, curl_easy_cleanup> easy(curl_easy_init());
template <class T, auto kFree>
using Owned = std::unique_ptr<T, FreeWith<kFree>>;

}  // namespace headroom
