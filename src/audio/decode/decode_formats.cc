#include "audio/decode/decode_formats.h"

extern "C" {
#include <libavutil/avstring.h>
}

#include <algorithm>
#include <array>

namespace headroom::audio {

const char* const kContainers =
    "aac,ac3,eac3,aiff,amr,ape,asf,au,avi,caf,dts,flac,flv,loas,matroska,mov,mp3,mpc,mpc8,mpeg,"
    "mpegts,nistsphere,ogg,tak,tta,voc,w64,wav,wv";

const char* const kCodecs =
    "pcm_u8,pcm_s8,pcm_s16le,pcm_s16be,pcm_s16le_planar,pcm_s24le,pcm_s24be,pcm_s32le,pcm_s32be,"
    "pcm_s64le,pcm_s64be,pcm_f32le,pcm_f32be,pcm_f64le,pcm_f64be,pcm_alaw,pcm_mulaw,pcm_bluray,"
    "pcm_dvd,adpcm_ms,adpcm_ima_wav,adpcm_ima_qt,adpcm_g722,adpcm_g726,adpcm_g726le,adpcm_yamaha,"
    "adpcm_swf,mp1float,mp1,mp2float,mp2,mp3float,mp3,aac,aac_latm,flac,alac,vorbis,opus,libopus,"
    "speex,libspeex,ac3,eac3,dca,truehd,mlp,wmav1,wmav2,wmapro,wmavoice,wmalossless,amrnb,amrwb,"
    "gsm,"
    "gsm_ms,ape,tta,tak,wavpack,mpc7,mpc8,shorten,g723_1,g729,ilbc,nellymoser";

bool IsContainerRead(const char* name) {
  return ::av_match_list(name, kContainers, ',') > 0;
}

bool IsCodecRead(const char* name) {
  return ::av_match_list(name, kCodecs, ',') > 0;
}

bool HasExactDuration(std::string_view container) {
  static constexpr std::array<std::string_view, 13> kExact = {"wav",
                                                              "w64",
                                                              "aiff",
                                                              "au",
                                                              "caf",
                                                              "nistsphere",
                                                              "flac",
                                                              "ape",
                                                              "tta",
                                                              "wv",
                                                              "tak",
                                                              "mp3",
                                                              "mov,mp4,m4a,3gp,3g2,mj2"};
  return std::ranges::find(kExact, container) != kExact.end();
}

bool IsPlaylist(std::string_view container) {
  static constexpr std::array<std::string_view, 6> kPlaylists = {"hls", "concat", "dash",
                                                                 "sdp", "rtsp",   "imf"};
  return std::ranges::find(kPlaylists, container) != kPlaylists.end();
}

}  // namespace headroom::audio
