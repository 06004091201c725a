// A first corpus for fuzz_data: a sound matrix and a spoilt one, a table of vowels, two utterances.
#include <filesystem>
#include <fstream>
#include <string>

int main(int, char** words) {
  std::filesystem::create_directories(words[1]);
  const auto seed = [&](const char* name, int which, const std::string& bytes) {
    std::ofstream(std::string(words[1]) + "/" + name, std::ios::binary) << static_cast<char>(which) << bytes;
  };
  seed("matrix", 0, std::string("\1\1\0", 3) + std::string(40, '\x20'));
  seed("spoilt", 0, std::string("\1\1\xfe\2\xff", 5) + std::string(60, '\xf8'));
  std::string table;
  for (const char* vowel : {"ae", "ah", "aw", "uw", "er", "iy", "ih"})
    for (int i = 51; i <= 87; ++i) {  // women whom the published choice does not know
      table += "w" + std::to_string(i) + vowel + " 250 200";
      for (int k = 0; k < 13; ++k) table += " " + std::to_string(500 + 10 * i + k);
      table += "\n";
    }
  seed("vowels", 1, table);
  std::string utterances;
  for (const char* value : {"0.5 ", "1.0 ", "-1e3 ", "1.0 "}) {
    for (int c = 0; c < 12; ++c) utterances += value;
    utterances += "\n";
  }
  seed("utterances", 2, utterances);
}
