#include "devices/mzi_mesh/chip.hpp"

#include <algorithm>
#include <cmath>

#include "core/random.hpp"
#include "sim/detection/component_energy.hpp"
#include "sim/detection/component_latency.hpp"

namespace lightloop::mzi_mesh {
namespace {

std::vector<double> draws(const Stream& stream, std::uint64_t row, std::size_t count, double sd) {
  std::vector<double> values;
  if (sd == 0) return values;
  for (std::size_t i = 0; i < count; ++i) values.push_back(sd * stream.normal(row, i));
  return values;
}

std::vector<double> flat(const Mesh& mesh) {
  std::vector<double> phases;
  for (const MeshElement& e : mesh.elements) phases.insert(phases.end(), {e.theta, e.phi});
  phases.insert(phases.end(), mesh.output_phase.begin(), mesh.output_phase.end());
  return phases;
}

}  // namespace

double Chip::bytes(Index inputs, Index outputs, Index codes) {
  constexpr double kCode = 160;  // errors, neighbours and copies of a phase, about
  const auto in = static_cast<double>(inputs), out = static_cast<double>(outputs);
  return kCode * static_cast<double>(codes) + sizeof(Complex) * (in * in + out * out + in * out);
}

Chip::Chip(const ParamSet& params) : Chip(params, params.integer("input.size"), params.integer("output.size"), 0) {}

Chip::Chip(const ParamSet& params, Index inputs, Index outputs, std::uint64_t instance)
    : inputs_(inputs),
      outputs_(outputs),
      layout_(parse_mesh_layout(params.text("mesh.layout"))),
      law_(parse_phase_law(params.text("phase.law"), params.real("phase.range_rad"),
                           (1u << params.integer("phase.bits")) - 1u)),
      phase_error_(params.real("phase_error")),
      crosstalk_(params.real("crosstalk")),
      seed_(static_cast<std::uint64_t>(params.integer("seed"))),
      instance_(instance) {
  const std::string& correction = params.text("correction");
  correct_splitters_ = correction == "splitters" || correction == "all";
  correct_heat_ = (correction == "heat" || correction == "all") && crosstalk_ > 0;
  for (int side = 0; side < 2; ++side) {
    const Index n = side == 0 ? inputs_ : outputs_;
    const auto elements = static_cast<std::size_t>(mesh_elements(layout_, n));
    const Stream fabrication(seed_, 2 * instance_ + static_cast<std::uint64_t>(side), Purpose::mesh_fabrication);
    const double sd = params.real("splitter_error");
    build_[side] = {draws(fabrication, 0, elements, sd), draws(fabrication, 1, elements, sd),
                    std::sqrt(1 - params.real("loss"))};
    const std::vector<MeshPlace> places = mesh_places(layout_, n);
    const std::vector<Index> columns = mesh_columns(places, n);
    if (!columns.empty()) depth_ += 1 + std::ranges::max(columns);
    if (crosstalk_ > 0) neighbours_[side] = shifter_neighbours(places, n);
  }
}

double Chip::path_latency_s() const {
  return lightloop::path_latency_s(static_cast<double>(depth_) * kInterferometerM, kSiliconGroupIndex);
}

std::vector<double> Chip::heated(std::span<const double> programme) const {
  std::vector<double> phases(programme.begin(), programme.end());
  if (crosstalk_ == 0) return phases;
  const auto of_mesh = [&](Index n) { return static_cast<std::size_t>(2 * mesh_elements(layout_, n) + n); };
  const std::size_t in = of_mesh(inputs_), out = of_mesh(outputs_);
  std::ranges::copy(lightloop::heated(programme.first(in), neighbours_[0], crosstalk_), phases.begin());
  std::ranges::copy(lightloop::heated(programme.last(out), neighbours_[1], crosstalk_),
                    phases.end() - static_cast<std::ptrdiff_t>(out));
  return phases;
}

std::vector<double> Chip::set_phases(Mesh mesh, int side) const {
  if (correct_splitters_) mesh = corrected(mesh, build_[side]);
  std::vector<double> phases = flat(mesh);
  if (correct_heat_) phases = heat_compensated(phases, neighbours_[side], crosstalk_);
  if (correct_splitters_ || correct_heat_)
    for (double& phase : phases) phase = law_.phase(law_.code(phase));
  return phases;
}

Mesh Chip::arisen(int side, std::span<const double> set, std::uint64_t writes, std::uint64_t first_column) const {
  std::vector<double> phases(set.begin(), set.end());
  if (crosstalk_ > 0) phases = lightloop::heated(set, neighbours_[side], crosstalk_);
  const Stream programming(seed_, instance_, Purpose::mesh_programming);
  if (phase_error_ > 0 && writes > 0)
    for (std::size_t i = 0; i < phases.size(); ++i)
      phases[i] += phase_error_ * programming.normal(writes, first_column + i);
  const Index n = side == 0 ? inputs_ : outputs_;
  Mesh mesh;
  mesh.size = n;
  std::size_t at = 0;
  for (const MeshPlace& place : mesh_places(layout_, n)) {
    mesh.elements.push_back({place.channel, phases[at], phases[at + 1], place.reach});
    at += 2;
  }
  mesh.output_phase.assign(phases.begin() + static_cast<std::ptrdiff_t>(at), phases.end());
  return mesh;
}

Matrix<Complex> Chip::matrix(std::span<const std::uint16_t> codes, std::uint64_t writes) {
  std::vector<double> asked;
  asked.reserve(codes.size());
  for (const std::uint16_t code : codes) asked.push_back(law_.phase(code));
  MeshPair pair = mesh_pair(layout_, inputs_, outputs_, asked);
  const std::vector<double> in = set_phases(pair.in, 0), out = set_phases(pair.out, 1);
  double sum = 0;
  for (const std::span<const double> phases :
       {std::span(in), std::span(std::as_const(pair.attenuator)), std::span(out)})
    for (const double phase : phases) sum += phase;
  heater_rad_ = sum;
  const Stream programming(seed_, instance_, Purpose::mesh_programming);
  const auto middle = static_cast<std::uint64_t>(in.size());
  if (phase_error_ > 0 && writes > 0)
    for (std::size_t k = 0; k < pair.attenuator.size(); ++k)
      pair.attenuator[k] += phase_error_ * programming.normal(writes, middle + k);
  const Mesh v = arisen(0, in, writes, 0), u = arisen(1, out, writes, middle + pair.attenuator.size());
  return joined(built_matrix(u, build_[1]), pair.attenuator, built_matrix(v, build_[0]));
}

}  // namespace lightloop::mzi_mesh
