#pragma once
// The random numbers a measure draws: those of numpy.random.Generator(Philox(SeedSequence(words))), so that a measure
// written in Python and one written in C++ see the same numbers at the same point.
#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace lightloop::sweeps {

/// Fills the span with numbers uniform on [-1, 1). What a measure is given in place of a generator.
using Draw = std::function<void(std::span<double>)>;

/// `count` words that numbers >= 0 seed, after M. E. O'Neill, "Developing a seed_seq alternative" (2015), with the
/// constants and the 4-word pool of NumPy (NEP 19).
std::vector<std::uint32_t> seed_words(const std::vector<std::uint64_t>& entropy, std::size_t count);

/// Philox4x64-10 (Salmon et al., SC'11), counter from 1.
class Generator {
 public:
  explicit Generator(const std::vector<std::uint64_t>& entropy);
  std::uint64_t next();
  /// Uniform on [0, 1), 53 bits.
  double uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }
  void operator()(std::span<double> out) {
    for (double& x : out) x = -1 + 2 * uniform();
  }

 private:
  std::array<std::uint64_t, 2> key_;
  std::array<std::uint64_t, 4> counter_{}, block_{};
  std::size_t used_ = 4;
};

/// The seed of the device in a repeat of a sweep.
std::int64_t device_seed(std::uint64_t seed, std::int64_t repeat);
/// The generator of a point, from the seed of the sweep and the point's key (hexadecimal digits).
Generator generator_of(std::uint64_t seed, const std::string& key);

}  // namespace lightloop::sweeps
