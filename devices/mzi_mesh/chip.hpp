#pragma once
// A chip of two meshes, that of sim:mzi_mesh or a core of sim:tt_rfnn: from programme codes to the matrix that light
// meets.
#include <cstdint>
#include <span>

#include "core/mesh_codes.hpp"
#include "core/param.hpp"
#include "sim/optics/interferometer_mesh.hpp"

namespace lightloop::mzi_mesh {

class Chip {
 public:
  explicit Chip(const ParamSet& params);
  /// One of several chips of a device: sizes of its own, draws of its own (instance 0 those of a chip alone).
  Chip(const ParamSet& params, Index inputs, Index outputs, std::uint64_t instance);

  /// Of memory while its matrix is made, about.
  static double bytes(Index inputs, Index outputs, Index codes);

  /// The matrix (outputs, inputs) after write number `writes` of these codes; 0: nothing was written.
  Matrix<Complex> matrix(std::span<const std::uint16_t> codes, std::uint64_t writes);
  /// Phases that arise, without errors of setting, where those of a whole programme are set; attenuators stand apart.
  /// Neighbours heat each other alike, so that gradients go back the same way.
  std::vector<double> heated(std::span<const double> programme) const;
  const MeshBuild& build(int side) const { return build_[side]; }  ///< 0: at the inputs (V), 1: at the outputs (U)
  double heater_rad() const { return heater_rad_; }                ///< sum of the phases that were set last
  const PhaseLaw& law() const { return law_; }
  /// Of the longest way through it, attenuators included, at 3e-4 m an interferometer (assumed) in silicon.
  double path_latency_s() const;

 private:
  /// Phases of one mesh as the controller sets them: corrected where asked, and rounded to the DAC again.
  std::vector<double> set_phases(Mesh mesh, int side) const;
  Mesh arisen(int side, std::span<const double> set, std::uint64_t writes, std::uint64_t first_column) const;

  Index inputs_, outputs_;
  MeshLayout layout_;
  PhaseLaw law_;
  double phase_error_, crosstalk_;
  bool correct_splitters_, correct_heat_;
  std::uint64_t seed_, instance_;
  MeshBuild build_[2];  // V, U
  std::vector<std::vector<std::size_t>> neighbours_[2];
  Index depth_ = 1;  ///< interferometers one after the other
  double heater_rad_ = 0;
};

}  // namespace lightloop::mzi_mesh
