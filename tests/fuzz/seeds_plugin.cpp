// A first corpus for fuzz_plugin: a plugin that answers as it should.
#include <filesystem>
#include <fstream>
#include <string>

int main(int, char** words) {
  std::filesystem::create_directories(words[1]);
  const auto text = [](std::string answer) {
    answer.resize((answer.size() + 3) / 4 * 4, '\0');  // a C string: what follows is cut off
    return std::string(1, '\0') + static_cast<char>(answer.size() / 4) + answer;
  };
  const std::string model = text("name=a.b,kind=layer,summary=s");
  const std::string param = text("name=gain,kind=real,default=1,min=0,max=2,help=h");
  const std::string info = text(
      "kind=layer,input.shape=4,input.bits=4,output.shape=2x2,output.bits=10,program.shape=3,program.bits=2,stateful="
      "true,"
      "cost.frame_s=1");
  const std::string good = std::string("\0\1", 2) + model + "\1" + param + std::string("\0\0", 2) + info;
  const auto seed = [&](const char* name, const std::string& bytes) {
    std::ofstream(std::string(words[1]) + "/" + name, std::ios::binary) << bytes;
  };
  seed("opens", good);
  seed("runs", good + std::string("\3\0\0\5\0\0", 6));
  seed("watches", good + std::string("\3\0\0\5\0\0\0", 7) + info + std::string("\0", 1) + text("t[K]=3") +
                      text("fine") + text("state") + std::string("\0\0", 2));
  seed("version", std::string("\xfe\2"));
}
