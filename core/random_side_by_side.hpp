#pragma once
// Normal deviates for stepping many stochastic systems, or one system over many steps: four per (member, step), made in
// vectorised passes. The same numbers as Stream's, in the order a stepper wants them.
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "core/random.hpp"

namespace lightloop {

inline constexpr std::size_t kSide = 16;     ///< members or steps computed together
inline constexpr std::size_t kDeviates = 4;  ///< per member and step: one Philox block

/// The streams of kSide members: those of Stream(seed, first_instance + lane, purpose).
///
/// Const, allocates nothing, any number of threads. 64-bit row, as Stream.
class SideBySide {
 public:
  SideBySide(std::uint64_t seed, std::uint64_t first_instance, Purpose purpose);

  /// out[(step * kDeviates + c) * kSide + lane] = column c of row first_row + step of member `lane`. out.size() must be
  /// a whole number of steps (InternalError).
  void members(std::uint64_t first_row, std::span<float> out) const;

  /// The first member alone: out[step * kDeviates + c] = column c of row first_row + step.
  void one(std::uint64_t first_row, std::span<float> out) const;

 private:
  std::array<std::uint32_t, kSide> key0_, key1_;
};

}  // namespace lightloop
