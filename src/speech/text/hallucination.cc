#include "speech/text/hallucination.h"

#include <algorithm>
#include <string>

#include "base/text.h"
#include "speech/text/words.h"

namespace headroom::speech {
namespace {

struct Phrase {
  std::string_view language;
  std::string_view text;  // compared folded, without spaces
};

constexpr Phrase kPhrases[] = {
    {"en", "You"},
    {"en", "Bye."},
    {"en", "Bye bye."},
    {"en", "Thank you."},
    {"en", "Thank you very much."},
    {"en", "Thank you so much."},
    {"en", "Thank you for watching."},
    {"en", "Thank you so much for watching."},
    {"en", "Thanks for watching."},
    {"en", "Thanks for listening."},
    {"en", "Please subscribe to my channel."},
    {"en", "Please subscribe."},
    {"en", "See you next time."},
    {"en", "See you in the next video."},
    {"en", "I'll see you in the next video."},
    {"en", "Subtitles by the Amara.org community"},
    {"en", "Transcription by CastingWords"},
    {"de", "Vielen Dank."},
    {"de", "Vielen Dank fürs Zuschauen."},
    {"de", "Bis zum nächsten Mal."},
    {"de", "Untertitel der Amara.org-Community"},
    {"de", "Untertitel im Auftrag des ZDF für funk, 2017"},
    {"de", "Untertitelung des ZDF, 2020"},
    {"fr", "Merci."},
    {"fr", "Merci d'avoir regardé cette vidéo."},
    {"fr", "Sous-titres réalisés par la communauté d'Amara.org"},
    {"fr", "Sous-titres réalisés para la communauté d'Amara.org"},
    {"fr", "Sous-titrage Société Radio-Canada"},
    {"fr", "Sous-titrage ST' 501"},
    {"es", "Gracias."},
    {"es", "Gracias por ver el video."},
    {"es", "Subtítulos realizados por la comunidad de Amara.org"},
    {"es", "Suscríbete al canal."},
    {"it", "Grazie."},
    {"it", "Grazie per la visione."},
    {"it", "Grazie a tutti."},
    {"it", "Sottotitoli creati dalla comunità Amara.org"},
    {"it", "Sottotitoli e revisione a cura di QTSS"},
    {"pt", "Obrigado."},
    {"pt", "Obrigado por assistir."},
    {"pt", "Legendas pela comunidade Amara.org"},
    {"nl", "Bedankt."},
    {"nl", "Bedankt voor het kijken."},
    {"nl", "Ondertitels ingediend door de Amara.org gemeenschap"},
    {"pl", "Dziękuję."},
    {"pl", "Dziękuję za oglądanie."},
    {"pl", "Napisy stworzone przez społeczność Amara.org"},
    {"cs", "Děkuji."},
    {"cs", "Titulky vytvořil JohnyX."},
    {"sv", "Tack."},
    {"sv", "Tack för att ni tittade."},
    {"sv", "Undertexter från Amara.org-gemenskapen"},
    {"da", "Tak."},
    {"da", "Tak fordi du så med."},
    {"tr", "Teşekkürler."},
    {"tr", "İzlediğiniz için teşekkür ederim."},
    {"tr", "Altyazı M.K."},
    {"ru", "Спасибо."},
    {"ru", "Спасибо за просмотр."},
    {"ru", "Продолжение следует..."},
    {"ru", "Субтитры сделал DimaTorzok"},
    {"ru", "Субтитры создавал DimaTorzok"},
    {"ru", "Редактор субтитров А.Синецкая Корректор А.Егорова"},
    {"uk", "Дякую."},
    {"uk", "Дякую за перегляд."},
    {"ja", "ありがとうございました。"},
    {"ja", "ご視聴ありがとうございました。"},
    {"zh", "谢谢。"},
    {"zh", "谢谢大家。"},
    {"zh", "谢谢观看。"},
    {"zh", "字幕由Amara.org社区提供"},
    {"zh", "请不吝点赞 订阅 转发 打赏支持明镜与点点栏目"},
    {"ko", "감사합니다."},
    {"ko", "시청해주셔서 감사합니다."},
    {"ko", "MBC 뉴스 이덕영입니다."},
};

std::string Letters(std::string_view text) {
  std::string letters;
  for (const Token& token : Tokenise(text)) letters += token.folded;
  return letters;
}

// "[Music]", "(applause)", "*sighs*", "♪ ♪": in brackets from end to end, or no word at all.
bool IsNote(std::string_view text, std::string_view letters) {
  if (letters.empty()) return true;
  constexpr std::pair<std::string_view, std::string_view> kBrackets[] = {
      {"[", "]"}, {"(", ")"}, {"*", "*"}, {"♪", "♪"}, {"（", "）"}, {"【", "】"}};
  return std::any_of(std::begin(kBrackets), std::end(kBrackets), [&](const auto& bracket) {
    const auto& [open, close] = bracket;
    return text.starts_with(open) && text.ends_with(close) && text.size() > open.size() &&
           text.find(close, open.size()) == text.size() - close.size();
  });
}

}  // namespace

bool IsHallucinatedPhrase(std::string_view text, std::string_view language) {
  text = Trim(text);
  const std::string letters = Letters(text);
  if (IsNote(text, letters)) return true;
  return std::any_of(std::begin(kPhrases), std::end(kPhrases), [&](const Phrase& phrase) {
    const bool spoken = language.empty() || phrase.language == language || phrase.language == "en";
    return spoken && Letters(phrase.text) == letters;
  });
}

bool IsWeak(const Evidence& evidence) {
  return evidence.probability <
         (evidence.speech < kShortSpeech ? kUnsureShortSpeech : kUnsureSpeech);
}

}  // namespace headroom::speech
