// For comparing what replaces a function of the engine with the engine's own declaration:
//
//   static_assert(std::is_same_v<decltype(__wrap_f), decltype(f)>, ENGINE_CHANGED);
//
// so that a changed signature, or a changed struct of a private header, is a compile error instead
// of undefined behaviour. overrides.tsv lists all that is replaced.
#pragma once

#include <type_traits>

#define ENGINE_CHANGED                                                                             \
  "the engine changed: it declares this function otherwise; read its new declaration, change the " \
  "replacement, then overrides.tsv"

namespace headroom::worker {

template <class Method>
struct FunctionOf;
template <class Class, class Result, class... Arguments>
struct FunctionOf<Result (Class::*)(Arguments...)> {
  using Type = Result(Class*, Arguments...);
};
template <class Class, class Result, class... Arguments>
struct FunctionOf<Result (Class::*)(Arguments...) const> {
  using Type = Result(const Class*, Arguments...);
};
/// The method as a function whose first argument is `this`, which is how the linker sees it.
template <class Method>
using AsFunction = typename FunctionOf<Method>::Type;

}  // namespace headroom::worker
