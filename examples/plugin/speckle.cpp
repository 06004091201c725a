// A complete plugin in C++: a scattering medium between a mirror array and a camera, plugin:example.speckle. It needs
// only the header:   g++ -std=c++17 -shared -fPIC -fvisibility=hidden -I PREFIX/include speckle.cpp -o speckle.so
#include <algorithm>
#include <cmath>
#include <complex>
#include <lightloop/plugin.hpp>
#include <random>

namespace {
namespace ll = lightloop::plugin;

class Speckle : public ll::Device {
 public:
  explicit Speckle(const ll::Settings& settings)
      : inputs_(settings.integer("input.size")), pixels_(settings.integer("output.size")) {
    std::mt19937_64 random(static_cast<std::uint64_t>(settings.integer("seed")));
    std::normal_distribution<float> normal(0, std::sqrt(0.5f));
    medium_.resize(static_cast<std::size_t>(inputs_ * pixels_));
    for (auto& h : medium_) {
      const float real = normal(random);
      h = {real, normal(random)};
    }
    configure(settings);
  }

  ll::Description describe() const override {
    ll::Description d;
    d.serial = "0001";
    d.input = {{inputs_}, 1, "mirror state"};
    d.output = {{pixels_}, 8, "camera code"};
    d.repeatable = true;  // the noise of a frame is drawn from its id
    d.frame_s = exposure_ + 100e-6;
    d.power_w = 30;
    return d;
  }

  void configure(const ll::Settings& settings) override { exposure_ = settings.real("camera.exposure"); }

  void run(const lightloop_run& r, lightloop_report& report) override {
    const auto* in = static_cast<const std::uint8_t*>(r.in);
    auto* out = static_cast<std::uint8_t*>(r.out);
    report.saturated = 0;
    std::vector<std::complex<float>> field(static_cast<std::size_t>(pixels_));
    for (std::int64_t frame = 0; frame < r.frames; ++frame, in += inputs_, out += pixels_) {
      std::fill(field.begin(), field.end(), 0.0f);
      for (std::int64_t i = 0; i < inputs_; ++i)
        for (std::int64_t p = 0; in[i] != 0 && p < pixels_; ++p)
          field[static_cast<std::size_t>(p)] += medium_[static_cast<std::size_t>(i * pixels_ + p)];
      std::mt19937_64 noise(r.first_frame_id + static_cast<std::uint64_t>(frame));
      std::normal_distribution<float> read(2, 0.5f);
      for (std::int64_t p = 0; p < pixels_; ++p) {
        const float light = std::norm(field[static_cast<std::size_t>(p)]);
        const float code = std::round(static_cast<float>(exposure_) * 2000 * light + read(noise));
        report.saturated += code > 255;
        out[p] = static_cast<std::uint8_t>(std::clamp(code, 0.0f, 255.0f));
      }
    }
  }

  ll::SelfTest self_test() override { return {true, "a simulated bench is always in order"}; }
  std::vector<ll::Monitor> monitors() const override { return {{"temperature", "K", 296.5}}; }

 private:
  std::int64_t inputs_, pixels_;
  double exposure_ = 0;
  std::vector<std::complex<float>> medium_;
};
}  // namespace

LIGHTLOOP_PLUGIN({"example.speckle",
                  "projection",
                  "speckle behind a scattering medium",
                  "circular complex Gaussian transmission matrix",
                  {ll::integer("input.size", "1", 64, 1, 1 << 20, "mirrors").fixed(),
                   ll::integer("output.size", "1", 256, 1, 1 << 20, "camera pixels").fixed(),
                   ll::integer("seed", "1", 0, 0, 1 << 30, "of the medium").fixed(),
                   ll::real("camera.exposure", "s", 1e-3, 1e-5, 1, "of each picture")},
                  [](const ll::Settings& settings) { return std::make_unique<Speckle>(settings); }})
