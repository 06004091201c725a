#include "core/mesh_codes.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/error.hpp"
#include "core/svd.hpp"

namespace lightloop {
namespace {

void append(const Mesh& mesh, std::vector<double>& phases) {
  for (const MeshElement& e : mesh.elements) {
    phases.push_back(e.theta);
    phases.push_back(e.phi);
  }
  phases.insert(phases.end(), mesh.output_phase.begin(), mesh.output_phase.end());
}

Mesh take_mesh(MeshLayout layout, Index size, std::span<const double> phases) {
  Mesh mesh;
  mesh.size = size;
  std::size_t at = 0;
  for (const MeshPlace& place : mesh_places(layout, size)) {
    mesh.elements.push_back({place.channel, phases[at], phases[at + 1], place.reach});
    at += 2;
  }
  mesh.output_phase.assign(phases.begin() + static_cast<std::ptrdiff_t>(at), phases.end());
  return mesh;
}

Index mesh_phase_count(MeshLayout layout, Index n) { return 2 * mesh_elements(layout, n) + n; }

}  // namespace

double PhaseLaw::phase(double code) const {
  const double fraction = code / highest;
  return range_rad * (by_voltage ? fraction * fraction : fraction);
}

double PhaseLaw::slope(double code) const { return range_rad / highest * (by_voltage ? 2 * code / highest : 1.0); }

std::uint32_t PhaseLaw::code(double phase_rad) const {
  constexpr double kTurn = 2 * std::numbers::pi;
  double wanted = phase_rad - kTurn * std::floor(phase_rad / kTurn);
  if (wanted > range_rad) wanted = wanted - range_rad < kTurn - wanted ? range_rad : 0;
  const double fraction = wanted / range_rad;
  const double code = std::rint((by_voltage ? std::sqrt(fraction) : fraction) * highest);
  return static_cast<std::uint32_t>(std::min(code, static_cast<double>(highest)));
}

double PhaseLaw::beyond(double phase_rad) const {
  constexpr double kTurn = 2 * std::numbers::pi;
  const double wanted = phase_rad - kTurn * std::floor(phase_rad / kTurn);
  return wanted > range_rad ? std::min(wanted - range_rad, kTurn - wanted) : 0;
}

PhaseLaw parse_phase_law(const std::string& name, double range_rad, std::uint32_t highest) {
  if (name != "linear" && name != "voltage") throw UnknownName("phase law", name, "linear or voltage");
  return {name == "voltage", range_rad, highest};
}

Index mesh_programme_size(Index inputs, Index outputs) {
  return mesh_programme_size(MeshLayout::clements, inputs, outputs);
}

Index mesh_programme_size(MeshLayout layout, Index inputs, Index outputs) {
  return mesh_phase_count(layout, inputs) + std::min(inputs, outputs) + mesh_phase_count(layout, outputs);
}

MeshPair mesh_pair(MeshLayout layout, View<const Complex> w, double& scale, const std::optional<Stream>& spread) {
  Svd parts = svd(w);
  if (spread) turn_free_vectors(parts, *spread);
  const double largest = parts.s.front();
  if (scale == 0) scale = largest > 0 ? largest : 1;
  if (largest > scale * (1 + 1e-12))
    throw OutOfRange("mesh: largest singular value of the weights", std::to_string(largest),
                     "at most " + std::to_string(scale), "Scale the weights down, or leave the scale open.");
  Matrix<Complex> v_adjoint(parts.v.cols(), parts.v.rows());
  for (Index r = 0; r < v_adjoint.rows(); ++r)
    for (Index c = 0; c < v_adjoint.cols(); ++c) v_adjoint(r, c) = std::conj(parts.v(c, r));
  MeshPair pair{decompose(layout, v_adjoint), decompose(layout, parts.u), {}};
  for (const double s : parts.s) pair.attenuator.push_back(2 * std::asin(std::min(1.0, s / scale)));
  return pair;
}

std::vector<double> mesh_phases(const MeshPair& pair) {
  std::vector<double> phases;
  phases.reserve(static_cast<std::size_t>(mesh_programme_size(pair.in.size, pair.out.size)));
  append(pair.in, phases);
  phases.insert(phases.end(), pair.attenuator.begin(), pair.attenuator.end());
  append(pair.out, phases);
  return phases;
}

Matrix<Complex> joined(const Matrix<Complex>& u, std::span<const double> attenuator, const Matrix<Complex>& v) {
  Matrix<Complex> w(u.rows(), v.cols());
  for (Index r = 0; r < w.rows(); ++r)
    for (std::size_t k = 0; k < attenuator.size(); ++k) {
      const Complex factor = u(r, static_cast<Index>(k)) * std::sin(attenuator[k] / 2);
      const Complex* row = v.row(static_cast<Index>(k)).data();
      for (Index c = 0; c < w.cols(); ++c) w(r, c) += factor * row[c];
    }
  return w;
}

Matrix<Complex> mesh_pair_matrix(const MeshPair& pair) {
  return joined(mesh_matrix(pair.out), pair.attenuator, mesh_matrix(pair.in));
}

MeshPair mesh_pair(MeshLayout layout, Index inputs, Index outputs, std::span<const double> phases) {
  const Index wanted = mesh_programme_size(layout, inputs, outputs);
  if (static_cast<Index>(phases.size()) != wanted)
    throw ShapeMismatch("mesh programme", std::to_string(phases.size()) + " phases", std::to_string(wanted));
  const auto in = static_cast<std::size_t>(mesh_phase_count(layout, inputs)),
             middle = static_cast<std::size_t>(std::min(inputs, outputs));
  const auto a = phases.subspan(in, middle);
  return {take_mesh(layout, inputs, phases.first(in)),
          take_mesh(layout, outputs, phases.subspan(in + middle)),
          {a.begin(), a.end()}};
}

}  // namespace lightloop
