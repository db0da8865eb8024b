#include "asr/worker/transcribe_results.h"

#include <transcribe/whisper.h>

#include <algorithm>

#include "base/text.h"
#include "speech/text/words.h"

namespace headroom::worker {
namespace {

// Whisper's own recipe decodes again at a higher temperature beyond 2.4 and -1; a wider window is
// a better second try, so it is made earlier. Measured: docs/kernels.md.
constexpr float kMostRepetitive = 2.4F;  // length of the text by its length compressed
constexpr float kLeastLikely = -0.5F;    // mean log probability of a token
// Fast speech is 20 characters a second; a word or two need no time at all.
constexpr double kCharactersPerSecond = 25;
constexpr double kCharactersAtOnce = 12;

}  // namespace

std::string TextOf(const char* text) {
  return text ? Printable(Trim(text)) : std::string();
}

Result<asr::ModelTraits> Describe(const transcribe_model& model) {
  if (!(transcribe_model_roles(&model) & TRANSCRIBE_ROLE_ASR))
    return Fail(Errc::kUnsupported, "this model does not recognise speech");
  transcribe_capabilities able;
  transcribe_capabilities_init(&able);
  if (transcribe_model_get_capabilities(&model, &able) != TRANSCRIBE_OK)
    return Fail(Errc::kInternal, "the engine does not say what the model can do");
  asr::ModelTraits traits;
  traits.architecture = TextOf(transcribe_model_arch_string(&model));
  traits.variant = TextOf(transcribe_model_variant_string(&model));
  for (int i = 0; i < able.n_languages; ++i) traits.languages.push_back(TextOf(able.languages[i]));
  traits.detects_language = able.supports_language_detect;
  for (int i = 0; able.supports_translate && i < able.n_translate_target_languages; ++i)
    traits.translates_to.push_back(TextOf(able.translate_target_languages[i]));
  // Whisper does not say, and knows English only.
  if (able.supports_translate && traits.translates_to.empty()) traits.translates_to = {"en"};
  traits.punctuation = transcribe_model_supports(&model, TRANSCRIBE_FEATURE_PNC);
  traits.segment_times = able.max_timestamp_kind >= TRANSCRIBE_TIMESTAMPS_SEGMENT;
  traits.word_times = able.max_timestamp_kind >= TRANSCRIBE_TIMESTAMPS_WORD;
  traits.vocabulary = transcribe_model_supports(&model, TRANSCRIBE_FEATURE_VOCABULARY);
  traits.prompt = transcribe_model_supports(&model, TRANSCRIBE_FEATURE_CONTEXT_PROMPT);
  traits.streams = able.supports_streaming;
  traits.max_audio = Milliseconds(able.max_audio_ms);
  return traits;
}

asr::RunResult Collect(const transcribe_session& session, int i, bool partial,
                       Milliseconds duration) {
  asr::RunResult result;
  result.truncated = partial;
  result.transcript.language = TextOf(transcribe_batch_detected_language(&session, i));
  const auto clamp = [duration](std::int64_t ms) {
    return std::clamp(Milliseconds(ms), Milliseconds(0), duration);
  };
  const int segments = transcribe_batch_n_segments(&session, i);
  for (int s = 0; s < segments; ++s) {
    transcribe_segment from;
    transcribe_segment_init(&from);
    transcribe_batch_get_segment(&session, i, s, &from);
    speech::Segment segment{.start = clamp(from.t0_ms),
                            .end = clamp(from.t1_ms),
                            .text = TextOf(from.text),
                            .words = {}};
    for (int w = from.first_word; w < from.first_word + from.n_words; ++w) {
      transcribe_word word;
      transcribe_word_init(&word);
      transcribe_batch_get_word(&session, i, w, &word);
      if (!TextOf(word.text).empty())
        segment.words.push_back({clamp(word.t0_ms), clamp(word.t1_ms), TextOf(word.text)});
    }
    if (!segment.text.empty()) result.transcript.segments.push_back(std::move(segment));
  }
  // Families without times give no rows, or rows without times: the text then spans the audio.
  const std::string whole = TextOf(transcribe_batch_full_text(&session, i));
  if (result.transcript.segments.empty() && !whole.empty())
    result.transcript.segments.push_back({Milliseconds(0), duration, whole, {}});
  for (speech::Segment& segment : result.transcript.segments) {
    if (segment.end <= segment.start) segment.end = duration;
  }
  transcribe_timings timings;
  transcribe_timings_init(&timings);
  transcribe_batch_get_timings(&session, i, &timings);
  result.timings = {timings.mel_ms, timings.encode_ms, timings.decode_ms};
  return result;
}

int WindowsComputed(const transcribe_session& session) {
  return transcribe_get_whisper_chunk_count(&session);
}

bool IsDoubtful(const transcribe_session& session, Milliseconds duration) {
  const int windows = WindowsComputed(session);
  if (windows == 0) return false;
  for (int i = 0; i < windows; ++i) {
    transcribe_whisper_chunk_trace trace;
    transcribe_whisper_chunk_trace_init(&trace);
    if (transcribe_get_whisper_chunk_trace(&session, i, &trace) != TRANSCRIBE_OK) return true;
    if (trace.compression_ratio > kMostRepetitive || trace.avg_logprob < kLeastLikely) return true;
  }
  const double seconds = static_cast<double>(duration.count()) / 1000;
  const std::string text = TextOf(transcribe_batch_full_text(&session, 0));
  return static_cast<double>(text.size()) > kCharactersAtOnce + kCharactersPerSecond * seconds ||
         speech::RepeatsItself(text);
}

}  // namespace headroom::worker
