#pragma once
// The electrical ends of an analog array: DAC and ADC between signed numbers and codes around a middle code, and what
// bends the signal before the ADC. One row at a time; nothing is allocated.
//
// Rounding is to the nearest code or level, or where `u` holds a uniform number on (0, 1) for every value at random: to
// the one above with the probability of the part of a step by which the value is above the one below, so that what is
// within the range is right on average, with a variance of f (1 - f) steps^2.
#include <cstdint>
#include <span>

#include "core/array.hpp"

namespace lightloop {

/// out = code / middle - 1: the DAC of `bits` bits, middle = 2^(bits - 1).
void from_codes(std::span<const std::uint8_t> codes, int bits, std::span<float> out);
void from_codes(std::span<const std::uint16_t> codes, int bits, std::span<float> out);

/// code = clip(round(middle + y middle / range), 0, 2^bits - 1); returns how many were clipped. NaN becomes 0.
Index to_codes(std::span<const float> y, int bits, double range, std::span<std::uint8_t> codes,
               std::span<const float> u = {});
Index to_codes(std::span<const float> y, int bits, double range, std::span<std::uint16_t> codes,
               std::span<const float> u = {});

/// A converter with n >= 2 levels, at most most_levels() of core/levels.hpp: numbers are rounded to the nearest of k /
/// h, k = -h, -h + 1 .. h with h = (n - 1) / 2 (n = 33 is a precision of 16 steps to either side; an even n has no
/// level at 0, which goes to the one above); what lies beyond takes the last.
void to_levels(std::span<float> y, Index levels, std::span<const float> u = {});

/// As above for y / range rounded to `levels`: code = round(middle + middle k / h), and the highest code, which
/// stands for 1 - 1 / middle, for the level at 1. Returns how many were beyond the last level, by more than half a
/// step; at random by any part of one, as often as it is rounded there.
Index to_codes(std::span<const float> y, int bits, Index levels, double range, std::span<std::uint8_t> codes,
               std::span<const float> u = {});
Index to_codes(std::span<const float> y, int bits, Index levels, double range, std::span<std::uint16_t> codes,
               std::span<const float> u = {});

/// The bits whose energy a converter takes: ceil(log2 levels), or `bits` where `levels` is 0.
int level_bits(int bits, Index levels);

/// y becomes y / (1 + n |y|): an output stage that saturates softly.
void s_shape(std::span<float> y, float n);
/// Negative y becomes (1 - a) y: a stage that does not treat both signs alike.
void asymmetry(std::span<float> y, float a);

}  // namespace lightloop
