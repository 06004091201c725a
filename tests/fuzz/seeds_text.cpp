// A first corpus for fuzz_text: one good text of each kind.
#include <filesystem>
#include <fstream>

#include "driver/api/description.hpp"
#include "driver/api/fake_device_test.hpp"

int main(int, char** words) {
  using namespace lightloop;
  std::filesystem::create_directories(words[1]);
  int count = 0;
  const auto seed = [&](int which, const std::string& text) {
    std::ofstream(std::string(words[1]) + "/seed_" + std::to_string(count++), std::ios::binary)
        << static_cast<char>(which) << text;
  };
  const test::FakeDevice device({});
  for (const char* text : {"a=1,b=4.2 mA,c='x,y'", "camera.bits=8,on=true,d=\"it''s\",e=-1e-300", "a='',b=\"\"\"\""}) {
    seed(0, text);
    seed(1, text);
    seed(8, text);
  }
  seed(8, "camera.exposure=400 us,bits=8.0,on=off,mode=b");
  seed(8, "camera.exposure[us]=400");
  for (const char* text : {"sim:opu,seed=1,camera.exposure='400 us'", "fault:script.toml@sim:opu,seed=7",
                           "remote:host:50051/opu0", "python:bench.py:Bench,gain=2", "replay:session.h5"})
    seed(2, text);
  seed(3, "a = 1\n[b]\nc = \"4 mA\"\nd = [1, 2.5, \"x\"]\ne = 1979-05-27T07:32:00Z\n");
  seed(4, "device = \"sim:opu\"\n[settings]\nseed = 3\n");
  seed(4, "[device]\naddress = \"remote:lab:1/opu0\"\ncamera.bits = 8\n");
  for (const char* text : {"4.2 ms", "850 nm", "3 dBm", "1e-3", "12 THz"}) seed(5, text);
  seed(6, format_settings(to_settings(device.describe())));
  for (const ParamInfo& info : device.settings().infos()) seed(7, format_settings(to_settings(info)));
}
