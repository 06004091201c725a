#include "driver/projection/encoder.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>

#include "core/error.hpp"

namespace lightloop {

void ternary(std::span<const float> x, float dead_zone, std::span<float> out) {
  if (out.size() != x.size())
    throw ShapeMismatch("ternary code",
                        std::to_string(out.size()) + " outputs for " + std::to_string(x.size()) + " inputs",
                        "equal lengths");
  for (std::size_t i = 0; i < x.size(); ++i)
    out[i] = static_cast<float>(x[i] > dead_zone) - static_cast<float>(x[i] < -dead_zone);
}

Index Encoding::patterns() const {
  switch (kind) {
    case Kind::threshold:
      return 1;
    case Kind::ternary:
      return 2;
    case Kind::bitplanes:
      return 2 * bits;
  }
  return 0;
}

Encoding parse_encoding(const std::string& text) {
  Encoding encoding;
  const std::string planes = "bitplanes:";
  if (text == "ternary") return encoding;
  if (text == "threshold") {
    encoding.kind = Encoding::Kind::threshold;
    return encoding;
  }
  if (!text.starts_with(planes))
    throw UnknownName("projection.encoding", text, "ternary, threshold or bitplanes:N",
                      text == "bitplanes" ? "Say how many planes, e.g. bitplanes:6." : "");
  encoding.kind = Encoding::Kind::bitplanes;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data() + planes.size(), end, encoding.bits);
  if (error != std::errc() || stop != end || encoding.bits < 1 || encoding.bits > 12)
    throw OutOfRange("projection.encoding", text, "bitplanes:1 to bitplanes:12");
  return encoding;
}

Encoder::Encoder(Encoding encoding, Index inputs)
    : encoding_(encoding),
      patterns_(encoding.patterns(), inputs),
      weights_(static_cast<std::size_t>(encoding.patterns())),
      ones_(static_cast<std::size_t>(encoding.patterns())) {
  for (std::size_t k = 0; k < weights_.size(); ++k) {
    const auto plane = static_cast<int>(weights_.size() - 1 - k) / 2;  // 0 for ternary and threshold
    weights_[k] = std::ldexp(k % 2 == 0 ? 1.0f : -1.0f, plane);
  }
  if (encoding.feedback) {
    residual_.resize(static_cast<std::size_t>(inputs));
    shaped_.resize(static_cast<std::size_t>(inputs));
  }
}

void Encoder::check(View<const float> x) const {
  // A residual may push a coded value beyond the full scale, so the limit then speaks of the input alone.
  const float limit = encoding_.full_scale > 0 ? encoding_.full_scale : std::numeric_limits<float>::max();
  for (Index r = 0; r < x.rows(); ++r) {
    const auto row = x.row(r);
    bool fits = true;
    for (const float v : row) fits &= std::abs(v) <= limit;  // false for NaN too
    if (fits) continue;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string where = "projection input, row " + std::to_string(r) + ", column " + std::to_string(i);
      if (!std::isfinite(row[i]))
        throw InvalidParameter(where, std::to_string(row[i]), "a finite number", "Look for a diverging loss upstream.");
      if (std::abs(row[i]) > limit)
        throw OutOfRange(where, std::to_string(row[i]), "magnitude at most " + std::to_string(limit),
                         "Raise projection.full_scale, or set it to 0 to scale every row by its largest entry.");
    }
  }
}

void Encoder::encode(std::span<const float> x) {
  if (encoding_.feedback) {
    std::transform(x.begin(), x.end(), residual_.begin(), shaped_.begin(), std::plus<>());
    x = shaped_;
  }
  if (encoding_.kind == Encoding::Kind::bitplanes)
    encode_planes(x);
  else
    encode_signs(x);
  for (std::size_t k = 0; k < ones_.size(); ++k) {
    const auto bits = pattern(static_cast<Index>(k));
    ones_[k] = std::accumulate(bits.begin(), bits.end(), Index{0});
  }
  if (encoding_.feedback) carry(x);
}

void Encoder::encode_signs(std::span<const float> x) {
  scale_ = 1;
  for (Index k = 0; k < patterns_.rows(); ++k) {
    std::uint8_t* bits = patterns_.row(k).data();
    const float sign = weight(k), dead_zone = encoding_.dead_zone;
    for (std::size_t i = 0; i < x.size(); ++i) bits[i] = sign * x[i] > dead_zone;
  }
}

void Encoder::encode_planes(std::span<const float> x) {
  float largest = encoding_.full_scale;
  if (largest == 0)
    for (const float v : x) largest = std::max(largest, std::abs(v));
  const auto top = static_cast<float>((1 << encoding_.bits) - 1);
  scale_ = largest / top;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const float level = largest > 0 ? std::min(std::nearbyint(std::abs(x[i]) / largest * top), top) : 0.0f;
    const auto code = static_cast<unsigned>(level);
    for (int p = 0; p < encoding_.bits; ++p) {
      const auto bit = static_cast<std::uint8_t>(code >> (encoding_.bits - 1 - p) & 1u);
      patterns_(2 * p, static_cast<Index>(i)) = x[i] > 0 ? bit : std::uint8_t{0};
      patterns_(2 * p + 1, static_cast<Index>(i)) = x[i] > 0 ? std::uint8_t{0} : bit;
    }
  }
}

void Encoder::carry(std::span<const float> x) {
  std::copy(x.begin(), x.end(), residual_.begin());
  for (Index k = 0; k < patterns_.rows(); ++k)
    for (std::size_t i = 0; i < residual_.size(); ++i)
      residual_[i] -= scale_ * weight(k) * static_cast<float>(pattern(k)[i]);
}

}  // namespace lightloop
