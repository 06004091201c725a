// Where the layers of a network run, from settings.
#include <charconv>

#include "core/error.hpp"
#include "training/analog.hpp"

namespace lightloop {
namespace {

/// Takes "layer2.adc.bits" = 6 out of `settings` and puts it into the settings of layer 2.
std::vector<Settings> take_own_settings(Settings& settings, Index layers) {
  std::vector<Settings> own(static_cast<std::size_t>(layers));
  for (auto one = settings.begin(); one != settings.end();) {
    const std::string& key = one->first;
    constexpr std::string_view kWord = "layer";
    const std::size_t dot = key.find('.');
    Index number = 0;
    bool of_layer = key.starts_with(kWord) && dot != std::string::npos;
    if (of_layer) {
      const auto [end, error] = std::from_chars(key.data() + kWord.size(), key.data() + dot, number);
      of_layer = error == std::errc{} && end == key.data() + dot;
    }
    if (!of_layer) {
      ++one;
      continue;
    }
    if (number < 1 || number > layers)
      throw OutOfRange("setting " + key, "layer " + std::to_string(number),
                       "the net has " + std::to_string(layers) + " layers");
    own[static_cast<std::size_t>(number) - 1][key.substr(dot + 1)] = one->second;
    one = settings.erase(one);
  }
  return own;
}

}  // namespace

AnalogPlace analog_place(const std::string& device, const Settings& all, Index layers) {
  for (const auto& [key, value] : all)
    if (!key.starts_with("device.") && !key.starts_with("layer.") && !key.starts_with("session."))
      throw UnknownName("setting", key, "", "settings of analog layers begin with device., layer. or session.");
  AnalogPlace place{.device = device, .settings = below(all, "device"), .layer = below(all, "layer")};
  place.own = take_own_settings(place.settings, layers);
  for (const auto& [key, value] : below(all, "session")) place.settings["session." + key] = value;
  return place;
}

}  // namespace lightloop
