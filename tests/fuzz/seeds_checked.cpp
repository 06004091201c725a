// A first corpus for fuzz_checked: a tape on which a device is only opened, and one with a call of every kind.
#include <filesystem>
#include <fstream>
#include <string>

int main(int, char** words) {
  std::filesystem::create_directories(words[1]);
  const auto seed = [&](const char* name, const std::string& bytes) {
    std::ofstream(std::string(words[1]) + "/" + name, std::ios::binary) << bytes;
  };
  seed("opened", "");
  for (int first : {2, 8}) {  // calls of seven kinds each, twos of a detail, nothing else changed
    std::string calls(1, '\7');
    for (int kind = first; kind < first + 7; ++kind) calls += {static_cast<char>(kind % 13), '\2'};
    seed(first == 2 ? "runs" : "members", calls + std::string(400, '\0'));
  }
}
