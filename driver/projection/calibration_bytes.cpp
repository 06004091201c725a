#include <algorithm>

#include "driver/projection/calibration.hpp"

namespace lightloop {

void Calibration::write(ByteWriter& out) const {
  out.put(done);
  out.put(exposure_s);
  out.put(saturation);
  out.put(dark_code);
  out.put(signal_code);
  out.put(warnings.size());
  for (const std::string& text : warnings) {
    out.put(text.size());
    out.put_all(std::span<const char>(text));
  }
  if (!done) return;
  out.put_all(std::span<const std::uint32_t>(source));
  out.put_all(std::span<const float>(offset));
  out.put_all(std::span<const float>(gain));
}

void Calibration::read(ByteReader& in, Index outputs, Index sources) {
  done = in.get<bool>();
  exposure_s = in.get<double>();
  saturation = in.get<double>();
  dark_code = in.get<double>();
  signal_code = in.get<double>();
  const auto texts = in.get<std::size_t>();
  if (texts > in.left()) in.refuse("damaged");
  warnings.resize(texts);
  for (std::string& text : warnings) {
    const auto length = in.get<std::size_t>();
    if (length > in.left()) in.refuse("damaged");
    text.resize(length);
    in.get_all(std::span<char>(text));
  }
  if (!done) return;
  const auto n = static_cast<std::size_t>(outputs);
  if (n > in.left()) in.refuse("too short");
  source.resize(n);
  offset.resize(n);
  gain.resize(n);
  in.get_all(std::span<std::uint32_t>(source));
  in.get_all(std::span<float>(offset));
  in.get_all(std::span<float>(gain));
  const bool fits = std::all_of(source.begin(), source.end(), [&](auto s) { return s < sources; });
  if (!fits) in.refuse("of more pixels than the device has");
}

}  // namespace lightloop
