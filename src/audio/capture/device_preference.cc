#include <algorithm>
#include <cctype>

#include "audio/capture/devices.h"

namespace headroom::audio {
namespace {

constexpr std::string_view kDefault = "default";

bool ContainsIgnoringCase(std::string_view text, std::string_view part) {
  const auto same = [](unsigned char a, unsigned char b) {
    return std::tolower(a) == std::tolower(b);
  };
  return std::search(text.begin(), text.end(), part.begin(), part.end(), same) != text.end();
}

template <class Matches>
const Device* First(const std::vector<Device>& devices, Matches matches) {
  const auto found = std::ranges::find_if(devices, matches);
  return found == devices.end() ? nullptr : &*found;
}

}  // namespace

DevicePreference::DevicePreference(std::vector<std::string> wanted) : wanted_(std::move(wanted)) {
  if (wanted_.empty()) wanted_.emplace_back(kDefault);
}

const Device* DevicePreference::Find(const std::string& wanted,
                                     const std::vector<Device>& devices) const {
  if (const Device* named = First(devices, [&](auto& d) { return d.name == wanted; })) return named;
  if (const Device* said = First(devices, [&](auto& d) { return d.description == wanted; }))
    return said;
  if (const auto known = known_as_.find(wanted); known != known_as_.end()) {
    const auto same = [&](auto& d) { return d.description == known->second; };
    if (const Device* renamed = First(devices, same)) return renamed;
  }
  // A part of a description matches microphones only: "Jabra" is not the monitor of its speakers.
  return First(devices,
               [&](auto& d) { return !d.monitor && ContainsIgnoringCase(d.description, wanted); });
}

DevicePreference::Choice DevicePreference::Choose(const std::vector<Device>& devices) {
  for (const std::string& wanted : wanted_) {
    if (wanted == kDefault) {
      const Device* usual = First(devices, [](auto& d) { return d.is_default; });
      if (usual && !usual->monitor) return {usual, ""};
      continue;
    }
    if (const Device* found = Find(wanted, devices)) {
      if (found->name == wanted && !found->description.empty())
        known_as_[wanted] = found->description;
      return {found, ""};
    }
  }
  const bool only_default = wanted_ == std::vector<std::string>{std::string(kDefault)};
  if (!only_default)
    return {nullptr, fmt::format("not connected: {}; waiting for it", fmt::join(wanted_, ", "))};
  if (const Device* usual = First(devices, [](auto& d) { return d.is_default; }))
    return {nullptr, fmt::format("no microphone: the default source is what {} plays; name it as "
                                 "the device if that is meant",
                                 usual->description.empty() ? usual->name : usual->description)};
  return {nullptr, "no microphone is connected; waiting for one"};
}

}  // namespace headroom::audio
