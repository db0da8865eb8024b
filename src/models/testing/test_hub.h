// For tests: a temporary folder, small models and archives, and the misbehaving hub of
// tests/hub_server.py as a child process.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/child.h"
#include "base/fd.h"

namespace headroom::models {

class TestFolder {
 public:
  TestFolder();
  ~TestFolder();
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
  void Write(const std::string& name, const std::string& bytes) const;
  /// Every file below, as relative paths, sorted; locks left out.
  std::vector<std::string> Files() const;

 private:
  std::filesystem::path path_;
};

std::string ReadAll(const std::filesystem::path& path);
std::string SumOf(const std::string& bytes);
/// Bytes that do not compress and differ by seed.
std::string Noise(std::size_t size, unsigned seed = 1);

/// A GGUF file of one F16 tensor that Inspect accepts; differs by seed.
std::string TinyGguf(const std::string& variant = "whisper-test", unsigned seed = 1);

/// A zip with these members, or a gzipped tar.
struct TestMember {
  std::string name, bytes;
};
void WriteZip(const std::filesystem::path& path, const std::vector<TestMember>& members);
void WriteTarGz(const std::filesystem::path& path, const std::vector<TestMember>& members);

class TestHub {
 public:
  TestHub();

  std::string endpoint() const;
  std::string Url(const std::string& file) const;
  void Put(const std::string& file, const std::string& bytes) { root_.Write(file, bytes); }
  /// See tests/hub_server.py.
  void Answer(const std::string& file, const nlohmann::json& answers);
  void AnswerCdn(const std::string& file, const nlohmann::json& answers);
  std::vector<nlohmann::json> Requests() const;

 private:
  TestFolder root_;
  Pipe input_;
  std::optional<Child> child_;
  int port_ = 0;
};

}  // namespace headroom::models
