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

ParamInfo rounding(const std::string& name, const std::string& where, const std::string& beside) {
  const Value nearest = std::string("nearest");
  return {name,
          "",
          nearest,
          0,
          0,
          "to the nearest, or by chance and right on average, " + where,
          {"nearest", "stochastic"},
          false,
          nearest,
          beside};
}

/// No source of its own: the sd stays.
ParamInfo law(const std::string& name, const std::string& noise) {
  return {name,
          "",
          std::string(kReadLaws[0]),
          0,
          0,
          "law of " + noise + ", of the same sd; poisson and binomial count carriers, 1 / sd^2 per unit of the signal",
          {std::begin(kReadLaws), std::end(kReadLaws)},
          false,
          {},
          noise};
}

/// f(place, uniform numbers) over `size` places of a row, columns first + place.
template <class F>
void by_chunks(std::size_t size, const Stream& stream, std::uint64_t row, std::size_t first, const F& f) {
  float u[kChunk];
  for (std::size_t done = 0; done < size; done += kChunk) {
    const std::span<float> part(u, std::min(kChunk, size - done));
    stream.uniform(row, first + done, part);
    f(done, std::span<const float>(part));
  }
}

}  // namespace

std::vector<ParamInfo> front_end_params(const FrontEndDefaults& d) {
  const Value fine = whole(16), every = whole(0);
  const auto with = [](std::string condition, const std::string& more) {
    return more.empty() ? condition : condition + "," + more;
  };
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
      rounding("dac.rounding", "between two levels (dac.levels)", "dac.levels"),
      {"adc.bits", "1", d.adc_bits, 2, 16, "bits of an output code", {}, true, fine, with("adc.levels=0", d.losses)},
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
      rounding("adc.rounding", "between two codes or levels", with("adc.bits,adc.levels", d.losses)),
      {d.names.range, d.names.unit, d.range, d.least_range, d.most_range, d.range_help, {}, d.range_needs_reopen},
      {"input_noise", "1", 0.0, 0, 1, "sd of an input behind the DAC in one frame, full scale 1", {}, false, 0.0},
      law("input_noise_law", "input_noise"),
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
      law(d.names.output_law, d.names.output_noise),
      {"s_shape", "1", 0.0, 0, 100, "soft saturation of the output stage per unit of the output", {}, false, 0.0},
      {"asymmetry", "1", 0.0, -0.9, 0.9, "part by which negative outputs are smaller", {}, false, 0.0},
  };
}

FrontEnd::FrontEnd(const ParamSet& params, const std::string& model, const FrontEndNames& names)
    : dac_bits(static_cast<int>(params.integer("dac.bits"))),
      adc_bits(static_cast<int>(params.integer("adc.bits"))),
      dac_levels(levels_of(params, model, "dac")),
      adc_levels(levels_of(params, model, "adc")),
      dac_random(params.text("dac.rounding") == "stochastic"),
      adc_random(params.text("adc.rounding") == "stochastic"),
      range(params.real(names.range)),
      input_noise(params.real("input_noise")),
      output_noise(params.real(names.output_noise)),
      s_shape(params.real("s_shape")),
      asymmetry(params.real("asymmetry")),
      input_law(read_law(params.text("input_noise_law"))),
      output_law(read_law(params.text(names.output_law))) {}

double FrontEnd::dac_j() const { return dac_energy_j(level_bits(dac_bits, dac_levels)); }
double FrontEnd::adc_j() const { return adc_energy_j(level_bits(adc_bits, adc_levels)); }
double FrontEnd::adc_s() const { return adc_latency_s(level_bits(adc_bits, adc_levels)); }

void FrontEnd::read(const ConstFrames& in, Index row, std::uint64_t id, const ConverterStreams& streams,
                    std::span<float> v) const {
  read_row(in, row, dac_bits, v);
  if (rolls_dac())
    by_chunks(v.size(), streams.dac, id, 0,
              [&](std::size_t at, std::span<const float> u) { to_levels(v.subspan(at, u.size()), dac_levels, u); });
  else if (dac_levels > 0)
    to_levels(v, dac_levels);
  if (input_noise > 0) read_noisily(input_law, input_noise, 1, streams.input, id, v);
}

Index FrontEnd::codes(std::span<const float> y, std::span<const float> u, const Frames& out, Index row,
                      std::size_t first) const {
  if (adc_levels == 0) return write_part(y, adc_bits, range, out, row, first, u);
  return out.bytes == 1 ? to_codes(y, adc_bits, adc_levels, range, out.u8().row(row).subspan(first, y.size()), u)
                        : to_codes(y, adc_bits, adc_levels, range, out.u16().row(row).subspan(first, y.size()), u);
}

Index FrontEnd::write(std::span<float> y, std::uint64_t id, const ConverterStreams& streams, const Frames& out,
                      Index row, std::size_t first) const {
  if (bends()) {
    lightloop::s_shape(y, static_cast<float>(s_shape));
    lightloop::asymmetry(y, static_cast<float>(asymmetry));
  }
  if (output_noise > early_noise()) read_noisily(output_law, output_noise, range, streams.output, id, y, first);
  if (!adc_random) return codes(y, {}, out, row, first);
  Index clipped = 0;
  by_chunks(y.size(), streams.adc, id, first, [&](std::size_t at, std::span<const float> u) {
    clipped += codes(y.subspan(at, u.size()), u, out, row, first + at);
  });
  return clipped;
}

double FrontEnd::off_zero(double sd) const {
  const double middle = std::ldexp(1.0, adc_bits - 1), bent = 1 + std::max(0.0, -asymmetry);
  const double level = adc_levels > 0 ? (adc_random ? 2.0 : 1.0) / static_cast<double>(adc_levels - 1) : 0.0;
  const auto far = [](ReadLaw law) { return law == ReadLaw::laplacian || counts_carriers(law); };
  const double most = far(input_law) || far(output_law) ? 12 : 7;
  return middle * (most * bent * sd / range + level) + 1;
}

}  // namespace lightloop
