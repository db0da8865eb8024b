#include "models/testing/test_hub.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <fstream>
#include <random>
#include <sstream>

#include "base/check.h"
#include "base/file.h"
#include "base/sha256.h"
#include "models/store/archive.h"

namespace headroom::models {

namespace fs = std::filesystem;

TestFolder::TestFolder() {
  std::string path = fs::temp_directory_path() / "headroom-models-XXXXXX";
  CHECK(::mkdtemp(path.data()));
  path_ = path;
}

TestFolder::~TestFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

void TestFolder::Write(const std::string& name, const std::string& bytes) const {
  const fs::path path = path_ / name;
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << bytes;
}

std::vector<std::string> TestFolder::Files() const {
  std::vector<std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(path_)) {
    const std::string name = entry.path().lexically_relative(path_);
    const bool lock = name.ends_with("lock") && !name.ends_with("models.lock");
    if (entry.is_regular_file() && !lock && !name.starts_with(".locks/")) files.push_back(name);
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::string ReadAll(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

std::string SumOf(const std::string& bytes) {
  Sha256 sum;
  sum.Add(std::as_bytes(std::span(bytes)));
  return sum.Finish();
}

std::string Noise(std::size_t size, unsigned seed) {
  std::minstd_rand random(seed);
  std::string bytes(size, '\0');
  for (char& c : bytes) c = static_cast<char>(random() >> 8);
  return bytes;
}

namespace {

template <class T>
void PutRaw(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void PutSizedText(std::string& out, const std::string& text) {
  PutRaw(out, static_cast<std::uint64_t>(text.size()));
  out += text;
}

void WriteArchive(archive* a, const fs::path& path, const std::vector<TestMember>& members) {
  const ArchiveWriter owner(a);
  CHECK(archive_write_open_filename(a, path.c_str()) == ARCHIVE_OK);
  for (const TestMember& member : members) {
    const ArchiveEntry entry(archive_entry_new());
    archive_entry_set_pathname(entry.get(), member.name.c_str());
    archive_entry_set_size(entry.get(), static_cast<la_int64_t>(member.bytes.size()));
    archive_entry_set_filetype(entry.get(), AE_IFREG);
    archive_entry_set_perm(entry.get(), 0644);
    CHECK(archive_write_header(a, entry.get()) == ARCHIVE_OK);
    archive_write_data(a, member.bytes.data(), member.bytes.size());
  }
  CHECK(archive_write_close(a) == ARCHIVE_OK);
}

}  // namespace

std::string TinyGguf(const std::string& variant, unsigned seed) {
  constexpr std::uint32_t kUint32 = 4, kString = 8, kF16 = 1;
  constexpr std::uint64_t kElements = 512;
  std::string out = "GGUF";
  PutRaw(out, std::uint32_t{3});
  PutRaw(out, std::uint64_t{1});  // tensors
  PutRaw(out, std::uint64_t{3});  // keys
  PutSizedText(out, "general.architecture");
  PutRaw(out, kString);
  PutSizedText(out, "whisper");
  PutSizedText(out, "stt.variant");
  PutRaw(out, kString);
  PutSizedText(out, variant);
  PutSizedText(out, "general.file_type");
  PutRaw(out, kUint32);
  PutRaw(out, std::uint32_t{1});  // mostly F16
  PutSizedText(out, "weight");
  PutRaw(out, std::uint32_t{1});
  PutRaw(out, kElements);
  PutRaw(out, kF16);
  PutRaw(out, std::uint64_t{0});
  out.resize((out.size() + 31) / 32 * 32);
  std::string weights = Noise(2 * kElements, seed);
  for (std::size_t i = 1; i < weights.size(); i += 2)
    weights[i] = static_cast<char>(weights[i] & 0x3F);  // finite
  return out + weights;
}

void WriteZip(const fs::path& path, const std::vector<TestMember>& members) {
  archive* a = archive_write_new();
  archive_write_set_format_zip(a);
  WriteArchive(a, path, members);
}

void WriteTarGz(const fs::path& path, const std::vector<TestMember>& members) {
  archive* a = archive_write_new();
  archive_write_set_format_pax_restricted(a);
  archive_write_add_filter_gzip(a);
  WriteArchive(a, path, members);
}

TestHub::TestHub() {
  auto output = MakePipe();
  auto input = MakePipe();
  CHECK(output && input);
  input_ = std::move(*input);
  auto child = Child::Spawn({.argv = {"python3", HEADROOM_TESTS_DIR "/hub_server.py", root_.path()},
                             .fds = {{0, input_.read.get()}, {1, output->write.get()}},
                             .environment = {}});
  CHECK(child);
  child_ = std::move(*child);
  output->write.Reset();
  std::string line;
  char c = 0;
  while (ReadSome(output->read.get(), std::as_writable_bytes(std::span(&c, 1))).value_or(0) == 1 &&
         c != '\n')
    line += c;
  port_ = std::atoi(line.c_str());
  CHECK(port_ > 0);
}

std::string TestHub::endpoint() const {
  return "http://127.0.0.1:" + std::to_string(port_);
}

std::string TestHub::Url(const std::string& file) const {
  return endpoint() + "/owner/name/resolve/main/" + file;
}

void TestHub::Answer(const std::string& file, const nlohmann::json& answers) {
  root_.Write(file + ".hub.json", answers.dump());
}

void TestHub::AnswerCdn(const std::string& file, const nlohmann::json& answers) {
  root_.Write(file + ".cdn.json", answers.dump());
}

std::vector<nlohmann::json> TestHub::Requests() const {
  std::vector<nlohmann::json> requests;
  std::ifstream log(root_ / "log.jsonl");
  for (std::string line; std::getline(log, line);) requests.push_back(nlohmann::json::parse(line));
  return requests;
}

}  // namespace headroom::models
