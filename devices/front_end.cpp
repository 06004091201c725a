#include "devices/front_end.hpp"

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "core/levels.hpp"
#include "devices/frame_rows.hpp"
#include "sim/detection/component_energy.hpp"
#include "sim/detection/component_latency.hpp"

namespace lightloop {
namespace {

constexpr std::size_t kChunk = 256;

Value whole(std::int64_t value) { return value; }

Index levels_of(const ParamSet& params, const std::string& model, const std::string& converter) {
  const Index levels = params.integer(converter + ".levels"), bits = params.integer(converter + ".bits");
  const Index most = most_levels(static_cast<int>(bits));
  if (levels != 0 && (levels < 2 || levels > most))
    throw OutOfRange(model + ": " + converter + ".levels", std::to_string(levels),
                     "0 (one per code), or from 2 to " + std::to_string(most) + " with " + converter +
                         ".bits = " + std::to_string(bits),
                     "More need more " + converter + ".bits; 2^b levels are " + converter + ".bits = b.");
  return levels;
}

}  // namespace

std::vector<ParamInfo> front_end_params(const FrontEndDefaults& d) {
  const Value fine = whole(16), every = whole(0);
  return {
      {"dac.bits", "1", d.dac_bits, 2, 16, "bits of an input code", {}, true, fine, "dac.levels=0"},
      {"dac.levels",
       "1",
       every,
       0,
       32767,
       "levels of the DAC, below half of the codes; an even number has none at 0; 0: one per code",
       {},
       true,
       every},
      {"adc.bits",
       "1",
       d.adc_bits,
       2,
       16,
       "bits of an output code",
       {},
       true,
       fine,
       d.losses.empty() ? "adc.levels=0" : "adc.levels=0," + d.losses},
      {"adc.levels",
       "1",
       every,
       0,
       32767,
       "levels of the ADC, below half of the codes; an even number has none at 0; 0: one per code",
       {},
       true,
       every,
       d.losses},
      {d.names.range, d.names.unit, d.range, d.least_range, d.most_range, d.range_help, {}, d.range_needs_reopen},
      {"input_noise", "1", 0.0, 0, 1, "sd of an input behind the DAC in one frame, full scale 1", {}, false, 0.0},
      {d.names.output_noise,
       d.names.unit,
       d.output_noise,
       0,
       d.most_output_noise,
       d.output_noise_help,
       {},
       false,
       0.0,
       d.losses},
      {"s_shape", "1", 0.0, 0, 100, "soft saturation of the output stage per unit of the output", {}, false, 0.0},
      {"asymmetry", "1", 0.0, -0.9, 0.9, "part by which negative outputs are smaller", {}, false, 0.0},
  };
}

void add_noise(const Stream& stream, std::uint64_t row, std::size_t first, double sd, std::span<float> y) {
  float xi[kChunk];
  const auto scale = static_cast<float>(sd);
  for (std::size_t done = 0; done < y.size(); done += kChunk) {
    const std::span<float> part(xi, std::min(kChunk, y.size() - done));
    stream.normal(row, first + done, part);
    for (std::size_t i = 0; i < part.size(); ++i) y[done + i] += scale * part[i];
  }
}

FrontEnd::FrontEnd(const ParamSet& params, const std::string& model, const FrontEndNames& names)
    : dac_bits(static_cast<int>(params.integer("dac.bits"))),
      adc_bits(static_cast<int>(params.integer("adc.bits"))),
      dac_levels(levels_of(params, model, "dac")),
      adc_levels(levels_of(params, model, "adc")),
      range(params.real(names.range)),
      input_noise(params.real("input_noise")),
      output_noise(params.real(names.output_noise)),
      s_shape(params.real("s_shape")),
      asymmetry(params.real("asymmetry")) {}

double FrontEnd::dac_j() const { return dac_energy_j(level_bits(dac_bits, dac_levels)); }
double FrontEnd::adc_j() const { return adc_energy_j(level_bits(adc_bits, adc_levels)); }
double FrontEnd::adc_s() const { return adc_latency_s(level_bits(adc_bits, adc_levels)); }

void FrontEnd::read(const ConstFrames& in, Index row, std::uint64_t id, const Stream& noise, std::span<float> v) const {
  read_row(in, row, dac_bits, v);
  if (dac_levels > 0) to_levels(v, dac_levels);
  if (input_noise > 0) add_noise(noise, id, 0, input_noise, v);
}

Index FrontEnd::write(std::span<float> y, std::uint64_t id, const Stream& noise, const Frames& out, Index row,
                      std::size_t first) const {
  if (bends()) {
    lightloop::s_shape(y, static_cast<float>(s_shape));
    lightloop::asymmetry(y, static_cast<float>(asymmetry));
    if (output_noise > 0) add_noise(noise, id, first, output_noise, y);
  }
  if (adc_levels == 0) return write_part(y, adc_bits, range, out, row, first);
  return out.bytes == 1 ? to_codes(y, adc_bits, adc_levels, range, out.u8().row(row).subspan(first, y.size()))
                        : to_codes(y, adc_bits, adc_levels, range, out.u16().row(row).subspan(first, y.size()));
}

double FrontEnd::off_zero(double sd) const {
  const double middle = std::ldexp(1.0, adc_bits - 1), bent = 1 + std::max(0.0, -asymmetry);
  const double half_level = adc_levels > 0 ? 1.0 / static_cast<double>(adc_levels - 1) : 0.0;
  return middle * (7 * bent * sd / range + half_level) + 1;
}

}  // namespace lightloop
