// Everything that reads text a person or a plugin has written: settings, device strings, TOML, quantities,
// descriptions, parameter records. The first byte chooses. Whatever the text, only a lightloop::Error may come out;
// what was read must be the same when written and read again.
#include <cstdio>
#include <cstdlib>
#include <string>

#include "core/error.hpp"
#include "core/units.hpp"
#include "driver/api/description.hpp"
#include "driver/api/registry.hpp"
#include "tests/fuzz/script.hpp"

namespace lightloop {
namespace {

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}

const std::string& scratch_file() {
  static const std::string path = fuzz::scratch_file(".toml");
  return path;
}

void write(const std::string& text) {
  std::FILE* file = std::fopen(scratch_file().c_str(), "wb");
  require(file != nullptr, "a file in /dev/shm");
  std::fwrite(text.data(), 1, text.size(), file);
  std::fclose(file);
}

void try_text(int which, const std::string& text) {
  switch (which) {
    case 0: {
      const std::string once = format_settings(parse_settings(text));
      require(format_settings(parse_settings(once)) == once, "settings read back as written");
      break;
    }
    case 1:
      parse_assignment(text);
      break;
    case 2: {
      if (text.ends_with(".toml")) return;  // would open any file the text names
      const std::string once = to_string(parse_address(text));
      if (once.ends_with(".toml")) return;
      require(to_string(parse_address(once)) == once, "a device string reads back as written");
      break;
    }
    case 3:
      write(text);
      read_toml(scratch_file());
      break;
    case 4:
      write(text);
      parse_address(scratch_file());
      break;
    case 5:
      parse_quantity(text, "s", "time");
      break;
    case 6: {
      const Settings flat = to_settings(info_from(parse_settings(text), "it"));
      require(to_settings(info_from(flat, "it")) == flat, "a description reads back as written");
      break;
    }
    case 7: {
      const Settings flat = to_settings(param_from(parse_settings(text), "it"));
      require(to_settings(param_from(flat, "it")) == flat, "a parameter's record reads back as written");
      break;
    }
    default: {
      ParamSet params(
          "it", {{.name = "camera.exposure", .unit = "s", .default_value = 1e-3, .min = 1e-6, .max = 1, .help = ""},
                 {.name = "bits", .unit = "1", .default_value = std::int64_t{8}, .min = 1, .max = 16, .help = ""},
                 {.name = "on", .unit = "", .default_value = true, .help = ""},
                 {.name = "mode", .unit = "", .default_value = std::string("a"), .help = "", .choices = {"a", "b"}}});
      params.set(parse_settings(text));
    }
  }
}
}  // namespace
}  // namespace lightloop

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  try {
    lightloop::try_text(data[0] % 9, std::string(data + 1, data + size));
  } catch (const lightloop::Error&) {
    // refused, as it should be
  }
  return 0;
}
