#pragma once
// How the phases of a matrix made of two meshes lie in the programme of a device, and how a phase becomes a code.
//
// A matrix W (m, n) is U diag(sin(a_k / 2)) V^H. The programme is, one after the other: the input mesh V^H (theta and
// phi of every element in the order of the layout, then n output phases), min(m, n) attenuators a_k in [0, pi], the
// output mesh U in the same way: n^2 + min(m, n) + m^2 numbers.
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "core/mesh.hpp"
#include "core/random.hpp"

namespace lightloop {

/// Phase of a code: range * fraction (linear) or range * fraction^2 (voltage: a heater whose power goes with the square
/// of the voltage), fraction = code / highest.
struct PhaseLaw {
  bool by_voltage = false;
  double range_rad = 0;  ///< phase at the highest code
  std::uint32_t highest = 1;

  double phase(double code) const;
  double slope(double code) const;  ///< d phase / d code
  /// The nearest code; the phase is taken to [0, 2 pi) first. Where 2 pi lies beyond the range, a phase that cannot be
  /// reached becomes the nearer end of the gap.
  std::uint32_t code(double phase_rad) const;
  double beyond(double phase_rad) const;  ///< rad from it to the nearer end of the gap; 0 within reach
};
/// "linear" or "voltage"; throws UnknownName.
PhaseLaw parse_phase_law(const std::string& name, double range_rad, std::uint32_t highest);

/// Two meshes and the attenuators between them.
struct MeshPair {
  Mesh in, out;
  std::vector<double> attenuator;  ///< a_k in [0, pi]: amplitude sin(a_k / 2)
};

Index mesh_programme_size(Index inputs, Index outputs);
/// The same for any layout; a butterfly of n channels has n (log2 n + 1) phases in the place of n^2.
Index mesh_programme_size(MeshLayout layout, Index inputs, Index outputs);
/// The pair whose matrix is w / scale. scale = 0: the largest singular value (1 for W = 0); it is given back. What w
/// leaves free of the meshes (svd.hpp) is as the decomposition has it, or turned at random by `spread`. Throws as
/// decompose() and svd(), and OutOfRange where a singular value exceeds a scale that was given.
MeshPair mesh_pair(MeshLayout layout, View<const Complex> w, double& scale, const std::optional<Stream>& spread = {});
/// Phases in the order of the programme, and back. Throws ShapeMismatch.
std::vector<double> mesh_phases(const MeshPair& pair);
MeshPair mesh_pair(MeshLayout layout, Index inputs, Index outputs, std::span<const double> phases);

/// W = U diag(sin(a / 2)) V.
Matrix<Complex> joined(const Matrix<Complex>& u, std::span<const double> attenuator, const Matrix<Complex>& v);
Matrix<Complex> mesh_pair_matrix(const MeshPair& pair);  ///< of perfect meshes

}  // namespace lightloop
