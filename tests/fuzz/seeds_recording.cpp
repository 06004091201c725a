// A first corpus for fuzz_recording: nothing changed, and a few events.
#include <filesystem>
#include <fstream>
#include <string>

int main(int, char** words) {
  std::filesystem::create_directories(words[1]);
  const auto seed = [&](const char* name, const std::string& bytes) {
    std::ofstream(std::string(words[1]) + "/" + name, std::ios::binary) << bytes;
  };
  const auto bytes = [](std::initializer_list<int> all) { return std::string(all.begin(), all.end()); };
  seed("empty", "");
  // no change; one event, four frames; kind 0; first 0, count 4, and zeros
  const std::string run = bytes({0, 1, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4});
  seed("run", run + std::string(200, '\0'));
  seed("configure", bytes({0, 1, 4, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 15}) + std::string(128, '\0') + bytes({8}) +
                        "settings.gain=2,info.max_batch=9");
  seed("changed", bytes({2, 7, 1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 25, 2, 2, 2}) + "abcdefgh" + run);
}
