// Which containers and codecs are read at all. What is not named here is never parsed: playlists
// and anything that names other files, module music, images, subtitles, capture devices.
#pragma once

#include <string_view>

namespace headroom::audio {

/// Comma-separated demuxer names as FFmpeg has them.
extern const char* const kContainers;
/// Comma-separated audio decoder names.
extern const char* const kCodecs;

/// `name` is FFmpeg's, which may itself be a list ("matroska,webm").
bool IsContainerRead(const char* name);
bool IsCodecRead(const char* name);

/// A container whose header (or index) gives the length of its sound exactly enough to compare.
bool HasExactDuration(std::string_view container);

/// A container that only names where the sound is.
bool IsPlaylist(std::string_view container);

}  // namespace headroom::audio
