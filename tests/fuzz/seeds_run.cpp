// A first corpus for fuzz_run: a sound file, and a few spoilt ones.
#include <filesystem>
#include <fstream>
#include <string>

int main(int, char** words) {
  std::filesystem::create_directories(words[1]);
  const auto seed = [&](const char* name, std::initializer_list<int> bytes, const std::string& more = {}) {
    std::ofstream(std::string(words[1]) + "/" + name, std::ios::binary)
        << std::string(bytes.begin(), bytes.end()) << more;
  };
  seed("sound", {0, 0, 0, 0, 0, 3});
  seed("net", {1, 30, 1, 2, 5}, "999999-9-2          ");
  seed("shape", {0, 254, 1, 253, 4, 255, 252, 1, 2, 3, 4});
  seed("numbers", {0, 0, 0, 0, 0, 2, 220, 0, 0, 0, 0, 0, 0, 248, 127, 255, 255, 255, 255, 255, 255, 239, 127});
}
