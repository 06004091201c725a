#include "training/datasets/digits.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "core/random.hpp"
#include "core/threads.hpp"

namespace lightloop {
namespace {
constexpr Index kSide = 28, kPixels = kSide * kSide;

struct Point {
  float x, y;  // y points down, the glyph fills about (-1, -1) to (1, 1)
};
using Stroke = std::vector<Point>;
using Glyph = std::vector<Stroke>;

/// Part of an ellipse, angles in degrees from the x axis towards y (clockwise on the page).
Stroke arc(float cx, float cy, float rx, float ry, float from, float to) {
  constexpr int kPieces = 12;
  Stroke points;
  for (int i = 0; i <= kPieces; ++i) {
    const float angle = (from + (to - from) * static_cast<float>(i) / kPieces) * std::numbers::pi_v<float> / 180;
    points.push_back({cx + rx * std::cos(angle), cy + ry * std::sin(angle)});
  }
  return points;
}

Stroke join(Stroke a, const Stroke& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

/// The shapes each digit may take.
const std::array<std::vector<Glyph>, 10>& glyphs() {
  static const std::array<std::vector<Glyph>, 10> shapes = {{
      {{arc(0, 0, 0.65f, 1, 0, 360)}, {arc(0, 0, 0.5f, 1, -60, 290)}},
      {{{{0, -1}, {0, 1}}}, {{{-0.4f, -0.6f}, {0.05f, -1}, {0.05f, 1}}}},
      {{join(arc(0, -0.45f, 0.6f, 0.55f, 190, 390), {{-0.6f, 1}, {0.65f, 1}})},
       {join(arc(0, -0.45f, 0.55f, 0.55f, 200, 400),
             join(arc(-0.4f, 0.75f, 0.25f, 0.25f, -60, -300), {{0.7f, 0.95f}}))}},
      {{arc(-0.05f, -0.5f, 0.6f, 0.5f, 200, 450), arc(-0.05f, 0.5f, 0.65f, 0.5f, -90, 160)},
       {{{-0.55f, -1}, {0.55f, -1}, {-0.05f, -0.2f}}, arc(-0.1f, 0.4f, 0.65f, 0.6f, -85, 150)}},
      {{{{0.25f, 1}, {0.25f, -1}, {-0.7f, 0.35f}, {0.7f, 0.35f}}},
       {{{-0.5f, -1}, {-0.6f, 0.1f}, {0.6f, 0.1f}}, {{0.45f, -0.9f}, {0.35f, 1}}}},
      {{{{0.6f, -1}, {-0.45f, -1}, {-0.5f, -0.1f}}, arc(-0.05f, 0.4f, 0.65f, 0.6f, -130, 150)}},
      {{join({{0.4f, -1}, {-0.25f, -0.5f}}, arc(0, 0.4f, 0.6f, 0.6f, 200, 560))},
       {join({{0.0f, -1}, {-0.55f, 0.0f}}, arc(0, 0.5f, 0.55f, 0.5f, 180, 500))}},
      {{{{-0.6f, -1}, {0.6f, -1}, {-0.15f, 1}}},
       {{{-0.6f, -0.9f}, {0.6f, -1}, {0.0f, 1}}, {{-0.3f, 0}, {0.5f, -0.05f}}}},
      {{arc(0, -0.5f, 0.5f, 0.48f, 0, 360), arc(0, 0.5f, 0.62f, 0.5f, 0, 360)}},
      {{join(arc(0, -0.4f, 0.55f, 0.58f, 0, 360), {{0.5f, 1}})},
       {join(arc(0, -0.4f, 0.6f, 0.55f, 20, 380), arc(-0.15f, 0.3f, 0.7f, 0.7f, -10, 110))}},
  }};
  return shapes;
}

/// Uniform draws turned into the quantities of one drawing.
class Dice {
 public:
  explicit Dice(const Stream& stream) { stream.uniform(0, 0, values_); }
  float between(float low, float high) { return low + (high - low) * values_[next_++]; }

 private:
  std::array<float, 256> values_{};
  std::size_t next_ = 0;
};

float squared_distance(float x, float y, Point a, Point b) {
  const float dx = b.x - a.x, dy = b.y - a.y, px = x - a.x, py = y - a.y;
  const float t = std::clamp((px * dx + py * dy) / std::max(dx * dx + dy * dy, 1e-12f), 0.0f, 1.0f);
  const float ex = px - t * dx, ey = py - t * dy;
  return ex * ex + ey * ey;
}

/// Lowers `nearest` (squared distance to the drawing) wherever this segment comes closer than `reach`.
void draw_segment(std::array<float, kPixels>& nearest, Point a, Point b, float reach) {
  const auto first = [&](float low) {
    return std::clamp<Index>(static_cast<Index>(std::floor(low - reach)), 0, kSide - 1);
  };
  const auto last = [&](float high) {
    return std::clamp<Index>(static_cast<Index>(std::ceil(high + reach)), 0, kSide - 1);
  };
  for (Index y = first(std::min(a.y, b.y)); y <= last(std::max(a.y, b.y)); ++y) {
    for (Index x = first(std::min(a.x, b.x)); x <= last(std::max(a.x, b.x)); ++x) {
      float& d = nearest[static_cast<std::size_t>(y * kSide + x)];
      d = std::min(d, squared_distance(static_cast<float>(x), static_cast<float>(y), a, b));
    }
  }
}

void draw_digit(int digit, const Stream& stream, std::uint8_t* pixels) {
  Dice dice(stream);
  const auto& shapes = glyphs()[static_cast<std::size_t>(digit)];
  const auto count = static_cast<float>(shapes.size());
  const Glyph& glyph = shapes[static_cast<std::size_t>(dice.between(0, 0.999f * count))];
  // Ranges are assumed: set so that a linear classifier reaches about 90 %.
  const float angle = dice.between(-0.3f, 0.3f), shear = dice.between(-0.35f, 0.35f);
  const float scale_x = dice.between(5.5f, 9.5f), scale_y = dice.between(7.0f, 10.5f);
  const float shift_x = 13.5f + dice.between(-2.0f, 2.0f), shift_y = 13.5f + dice.between(-2.0f, 2.0f);
  const float half_width = dice.between(0.7f, 1.7f), brightness = dice.between(130, 255), noise = dice.between(0, 35);
  const float wave_x = dice.between(-0.18f, 0.18f), wave_y = dice.between(-0.18f, 0.18f);
  const float phase_x = dice.between(0, 6.283f), phase_y = dice.between(0, 6.283f);
  const float c = std::cos(angle), s = std::sin(angle);
  const auto place = [&](Point p) {
    const float x = p.x + wave_x * std::sin(2.5f * p.y + phase_x), y = p.y + wave_y * std::sin(2.5f * p.x + phase_y);
    const float u = scale_x * (x + shear * y), v = scale_y * y;
    return Point{c * u - s * v + shift_x, s * u + c * v + shift_y};
  };
  constexpr float kSoft = 0.6f;  // assumed: half width of the edge in pixels
  const float reach = half_width + kSoft;
  std::array<float, kPixels> nearest;
  nearest.fill(1e6f);
  for (const auto& stroke : glyph)
    for (std::size_t i = 1; i < stroke.size(); ++i)
      draw_segment(nearest, place(stroke[i - 1]), place(stroke[i]), reach);
  std::array<float, kPixels> grain;
  stream.normal(1, 0, grain);
  for (std::size_t i = 0; i < nearest.size(); ++i) {
    const float ink = std::clamp((reach - std::sqrt(nearest[i])) / (2 * kSoft), 0.0f, 1.0f);
    pixels[i] = static_cast<std::uint8_t>(std::clamp(ink * brightness + noise * grain[i], 0.0f, 255.0f));
  }
}

Dataset draw_all(std::uint64_t seed, std::uint64_t first, Index count) {
  Dataset set;
  set.source = "drawn from seed " + std::to_string(seed);
  set.sample_shape = {kSide, kSide};
  set.classes = 10;
  set.bytes.resize(count, kPixels);
  set.labels.resize(static_cast<std::size_t>(count));
  constexpr Index kTile = 100;
  parallel_for((count + kTile - 1) / kTile, [&](Index tile) {
    for (Index i = tile * kTile; i < std::min(count, (tile + 1) * kTile); ++i) {
      const int digit = static_cast<int>(i % 10);
      set.labels[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(digit);
      draw_digit(digit, Stream(seed, first + static_cast<std::uint64_t>(i), Purpose::digits_data),
                 set.bytes.row(i).data());
    }
  });
  return set;
}
}  // namespace

TrainTest make_digits(std::uint64_t seed, Index train, Index test) {
  TrainTest both{draw_all(seed, 0, train), draw_all(seed, std::uint64_t{1} << 32, test)};
  both.train.name = both.test.name = "digits";
  return both;
}

}  // namespace lightloop
