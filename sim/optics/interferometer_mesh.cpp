#include "sim/optics/interferometer_mesh.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>

#include "core/error.hpp"

namespace lightloop {
namespace {

constexpr double kTurn = 2 * std::numbers::pi;
/// Part of the least leak below which the amplitude that an element should pass there says nothing of the leak's phase
/// (assumed; 0 to 0.25 are alike). Aligned nevertheless, the leaks of elements that pass straight would all have one
/// sign and add up along a channel.
constexpr double kHeard = 0.1;
double at(const std::vector<double>& errors, std::size_t i) { return errors.empty() ? 0.0 : errors[i]; }

Complex2x2 splitter(double error) {
  const double angle = std::numbers::pi / 4 + error;
  const Complex cross(0, std::sin(angle));
  return {std::cos(angle), cross, cross, std::cos(angle)};
}

}  // namespace

Complex2x2 interferometer(double theta, double phi, double alpha, double beta, double amplitude) {
  const Complex2x2 first = splitter(alpha), second = splitter(beta);
  const Complex inside = std::polar(amplitude, theta), before = std::polar(1.0, phi);
  return {(second.a * inside * first.a + amplitude * second.b * first.c) * before,
          second.a * inside * first.b + amplitude * second.b * first.d,
          (second.c * inside * first.a + amplitude * second.d * first.c) * before,
          second.c * inside * first.b + amplitude * second.d * first.d};
}

Matrix<Complex> built_matrix(const Mesh& mesh, const MeshBuild& build) {
  Matrix<Complex> u(mesh.size, mesh.size);
  for (Index i = 0; i < mesh.size; ++i) u(i, i) = 1;
  for (std::size_t i = 0; i < mesh.elements.size(); ++i) {
    const MeshElement& e = mesh.elements[i];
    rotate_rows(interferometer(e.theta, e.phi, at(build.alpha, i), at(build.beta, i), build.amplitude),
                &u(e.channel, 0), &u(e.channel + e.reach, 0), mesh.size);
  }
  for (Index r = 0; r < mesh.size; ++r)
    for (Complex& value : u.row(r)) value *= std::polar(1.0, mesh.output_phase[static_cast<std::size_t>(r)]);
  return u;
}

Mesh corrected(const Mesh& ideal, const MeshBuild& build, Index* out_of_reach) {
  Mesh mesh = ideal;
  std::vector<double> pending(static_cast<std::size_t>(ideal.size));  // phases handed on, per channel
  Index clipped = 0;
  for (std::size_t i = 0; i < mesh.elements.size(); ++i) {
    MeshElement& e = mesh.elements[i];
    double &upper = pending[static_cast<std::size_t>(e.channel)],
           &lower = pending[static_cast<std::size_t>(e.channel + e.reach)];
    const Complex2x2 target = mesh_element_matrix(e.theta, e.phi + upper - lower);
    const double a = std::numbers::pi / 4 + at(build.alpha, i), b = std::numbers::pi / 4 + at(build.beta, i);
    const double straight = std::cos(a) * std::cos(b), around = std::sin(a) * std::sin(b);
    const double cosine = (straight * straight + around * around - std::norm(target.a)) / (2 * straight * around);
    clipped += std::abs(cosine) > 1 + 1e-12;
    const double theta = std::acos(std::clamp(cosine, -1.0, 1.0));
    const Complex2x2 real = interferometer(theta, 0, at(build.alpha, i), at(build.beta, i), 1);
    const bool bar = std::norm(target.a) > 0.5;
    const double wanted = std::abs(bar ? target.b : target.a), leak = std::abs(bar ? real.b : real.a);
    double psi1 = std::arg(target.b * std::conj(real.b)), psi2 = std::arg(target.d * std::conj(real.d));
    double phi = std::arg(target.c * std::conj(real.c * std::polar(1.0, psi2)) +
                          target.a * std::conj(real.a * std::polar(1.0, psi1)));
    if (wanted < kHeard * leak) {  // what leaks keeps a phase of its own
      phi = e.phi + upper - lower;
      const Complex before = std::polar(1.0, -phi);
      if (bar)
        psi1 = std::arg(target.a * std::conj(real.a) * before);
      else
        psi2 = std::arg(target.c * std::conj(real.c) * before);
    }
    e.theta = theta;
    e.phi = phi;
    upper = lower + psi1;
    lower += psi2;
  }
  for (std::size_t c = 0; c < pending.size(); ++c) mesh.output_phase[c] += pending[c];
  if (out_of_reach) *out_of_reach = clipped;
  return mesh;
}

std::vector<std::vector<std::size_t>> shifter_neighbours(const std::vector<MeshPlace>& places, Index size) {
  const std::vector<Index> columns = mesh_columns(places, size);
  const bool crossed = std::ranges::any_of(places, [](const MeshPlace& p) { return p.reach > 1; });
  std::map<std::pair<Index, Index>, std::size_t> place;
  std::vector<Index> filled(places.size() + 1);  // a butterfly's partners lie side by side behind its crossings
  Index depth = 0;
  for (std::size_t i = 0; i < places.size(); ++i) {
    const Index row = crossed ? 2 * filled[static_cast<std::size_t>(columns[i])]++ : places[i].channel;
    place[{row, 2 * columns[i] + 1}] = 2 * i;  // theta inside, phi before it
    place[{row, 2 * columns[i]}] = 2 * i + 1;
    depth = std::max(depth, columns[i] + 1);
  }
  for (Index c = 0; c < size; ++c) place[{c, 2 * depth}] = 2 * places.size() + static_cast<std::size_t>(c);
  std::vector<std::vector<std::size_t>> neighbours(place.size());
  for (const auto& [where, shifter] : place)
    for (const auto& [row, column] : {std::pair<Index, Index>{-1, 0}, {1, 0}, {0, -1}, {0, 1}}) {
      const auto found = place.find({where.first + row, where.second + column});
      if (found != place.end()) neighbours[shifter].push_back(found->second);
    }
  return neighbours;
}

std::vector<double> heated(std::span<const double> set, const std::vector<std::vector<std::size_t>>& neighbours,
                           double strength) {
  std::vector<double> phases(set.begin(), set.end());
  for (std::size_t i = 0; i < phases.size(); ++i)
    for (const std::size_t k : neighbours[i]) phases[i] += strength * set[k];
  return phases;
}

std::vector<double> heat_compensated(std::span<const double> wanted,
                                     const std::vector<std::vector<std::size_t>>& neighbours, double strength) {
  const auto wrapped = [](double phase) { return phase - kTurn * std::floor(phase / kTurn); };
  std::vector<double> set;
  for (const double phase : wanted) set.push_back(wrapped(phase));
  // Gauss and Seidel. A drive that would be negative takes a whole turn more, which its neighbours then feel; the few
  // that this could turn to and fro for ever stay at the end they have after kFree rounds.
  constexpr int kFree = 30, kRounds = 200;
  for (int round = 0; round < kRounds; ++round) {
    double change = 0;
    for (std::size_t i = 0; i < set.size(); ++i) {
      double heat = 0;
      for (const std::size_t k : neighbours[i]) heat += strength * set[k];
      double next = wrapped(wanted[i] - heat);
      if (round >= kFree && std::abs(next - set[i]) > kTurn / 2) next = next > set[i] ? 0 : kTurn;
      change = std::max(change, std::abs(next - set[i]));
      set[i] = next;
    }
    if (change < 1e-13) return set;
  }
  throw Error("mesh: compensation of thermal crosstalk", "did not settle in 200 rounds",
              "strength x neighbours below 1", "Lower the crosstalk.");
}

}  // namespace lightloop
