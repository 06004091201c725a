// A first corpus for fuzz_sweep: a record, a FILE.parts of two points, and both torn.
#include <filesystem>
#include <fstream>
#include <string>

#include "core/file.hpp"
#include "training/sweep/journal.hpp"

int main(int, char** words) {
  using namespace lightloop::sweeps;
  const std::string folder = words[1];
  std::filesystem::create_directories(folder);
  const auto seed = [&](const char* name, char which, const std::string& bytes) {
    std::ofstream(folder + "/" + name, std::ios::binary) << which << bytes;
  };
  Record record;
  Variable v;
  v.name = "power";
  v.dims = {"line"};
  v.coordinates["line"] = {std::int64_t{1}, 2.5, std::string("x"), true};
  v.type = Number::u16;
  v.shape = {4};
  v.bytes.resize(8);
  record.values.push_back(v);
  const auto bytes = to_bytes(record);
  const std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  seed("record", 0, text);
  seed("framed", 2, text);
  seed("short", 0, text.substr(0, text.size() - 9));
  const std::string path = folder + "/journal";
  {
    Journal journal(path);
    journal.add(std::string(64, 'b'), record);
    journal.add(std::string(64, 'c'), record);
  }
  const std::string parts = lightloop::read_file(path);
  std::filesystem::remove(path);
  seed("parts", 1, parts);
  seed("torn", 1, parts.substr(0, parts.size() - 3));
  seed("begun", 1, parts.substr(0, 9));
}
