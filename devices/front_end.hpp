#pragma once
// The electrical ends that analog layers share: what lies between a code and the physics, and between the physics and a
// code.
//
// Stages, for signed codes around a middle code c0 = 2^(bits - 1), in this order:
//   v = level((c - c0) / c0)                 DAC of dac.bits bits or dac.levels levels
//   v = v + input_noise xi                   xi of variance 1 and the law input_noise_law; carriers (poisson, binomial)
//                                            are counted instead, full scale 1
//   y = physics of v, with the noise of the physics
//   y = y / (1 + s_shape |y|)
//   y = (1 - asymmetry) y where y < 0
//   y = y + output_noise xi                  of the law output_noise_law; full scale adc.range
//   code = clip(round(c0 + c0 level(y / adc.range)), 0, 2^bits - 1)        ADC of adc.bits bits or adc.levels levels;
//                                                                          clipped codes are counted as saturated
// sim/detection/converter.hpp has the equations of levels, bends and rounding: dac.rounding and adc.rounding =
// stochastic round up or down by chance so that level and round are right on average. A DAC rounds only what lies
// between its levels: without dac.levels every code has one, and nothing is left to chance. Laws: devices/read_law.hpp.
// Twins pass levels, bends and noise straight through. The energy of a converter is that of ceil(log2 levels) bits.
//
// Randomness. Read: Gaussian output noise is drawn together with the noise of the physics, as one normal number of the
// summed variance, where nothing bends y in between, and from a stream of its own elsewhere. Streams, row = frame id,
// column = input or output, are those of converter_streams() unless the device's header says otherwise; those of
// rounding are drawn where it is stochastic.
#include <string>
#include <utility>
#include <vector>

#include "core/param.hpp"
#include "core/random.hpp"
#include "devices/read_law.hpp"
#include "devices/streams.hpp"
#include "driver/api/frames.hpp"

namespace lightloop {

/// What some of the settings are called where y is no sum of products.
struct FrontEndNames {
  std::string range = "adc.range", output_noise = "output_noise", output_law = "output_noise_law", unit = "1";
};

/// Where devices differ in the settings they share.
struct FrontEndDefaults {
  FrontEndNames names = {};
  std::int64_t dac_bits = 8, adc_bits = 10;
  double range = 1, least_range = 1e-3, most_range = 1e6;
  bool range_needs_reopen = false;
  std::string range_help = "sum of products at the ends of the ADC's range";
  double output_noise = 0, most_output_noise = 10;
  std::string output_noise_help = "sd of an output before the ADC, in units of the sum of products";
  std::string losses = {};  ///< "name,name": sources of error that make outputs smaller, and so what follows larger
};

/// dac.bits, .levels, .rounding, adc.bits, .levels, .rounding, .range, input_noise, input_noise_law, output_noise,
/// output_noise_law, s_shape, asymmetry; range and output noise by their names.
std::vector<ParamInfo> front_end_params(const FrontEndDefaults& defaults);

struct ConverterStreams {
  Stream input, output, dac, adc;  ///< noise, and rounding
};
/// pass: 0 forward, 1 transposed.
inline ConverterStreams converter_streams(std::uint64_t seed, std::uint64_t pass) {
  return {Stream(seed, pass, kConverterInput), Stream(seed, pass, kConverterOutput), Stream(seed, pass, kDacRounding),
          Stream(seed, pass, kAdcRounding)};
}

/// Present values of the shared settings, and one row at a time through them. Nothing is allocated.
struct FrontEnd {
  FrontEnd() = default;
  /// Throws OutOfRange naming `model` for a converter of one level, or of more than most_levels().
  FrontEnd(const ParamSet& params, const std::string& model, const FrontEndNames& names = {});

  bool bends() const { return s_shape != 0 || asymmetry != 0; }
  bool rolls_dac() const { return dac_random && dac_levels > 0; }
  bool noisy() const { return input_noise > 0 || output_noise > 0 || rolls_dac() || adc_random; }
  /// Sd of the output noise that is drawn together with the noise of the physics: all of it, or 0 where y is bent, or
  /// the noise not Gaussian.
  double early_noise() const { return bends() || output_law != ReadLaw::gaussian ? 0.0 : output_noise; }
  double dac_j() const;  ///< of one conversion
  double adc_j() const;
  double adc_s() const;  ///< what an output waits for its code

  /// The inputs v of a frame.
  void read(const ConstFrames& in, Index row, std::uint64_t id, const ConverterStreams& streams,
            std::span<float> v) const;
  /// Codes of outputs [first, first + y.size()) of a frame, early noise added before; y is used up. Returns how many
  /// were clipped.
  Index write(std::span<float> y, std::uint64_t id, const ConverterStreams& streams, const Frames& out, Index row,
              std::size_t first = 0) const;
  /// How many codes an output of 0 may be away from the middle with noise of this sd in y: no normal draw is beyond 6.8
  /// sd, no Laplacian one beyond 11.8; carriers, of which few are counted at 0, are allowed as much as these
  /// (assumed).
  double off_zero(double sd) const;
  /// While it lives the middle code is no drive, also where the DAC has no level at 0: for self-tests, which look at
  /// the outputs with the DAC disconnected.
  class AtRest {
   public:
    explicit AtRest(FrontEnd& front) : front_(front), levels_(std::exchange(front.dac_levels, 0)) {}
    ~AtRest() { front_.dac_levels = levels_; }
    AtRest(const AtRest&) = delete;
    AtRest& operator=(const AtRest&) = delete;

   private:
    FrontEnd& front_;
    Index levels_;
  };

  int dac_bits = 8, adc_bits = 8;
  Index dac_levels = 0, adc_levels = 0;         ///< 0: one per code
  bool dac_random = false, adc_random = false;  ///< rounding
  double range = 1, input_noise = 0, output_noise = 0, s_shape = 0, asymmetry = 0;
  ReadLaw input_law = ReadLaw::gaussian, output_law = ReadLaw::gaussian;

 private:
  Index codes(std::span<const float> y, std::span<const float> u, const Frames& out, Index row,
              std::size_t first) const;
};

}  // namespace lightloop
