#pragma once
// How the output of two meshes with attenuators changes with their phases.
#include <span>
#include <vector>

#include "core/mesh_codes.hpp"
#include "sim/optics/interferometer_mesh.hpp"

namespace lightloop::mzi_mesh {

/// Phases of both meshes, how they are built, and the matrices that follow.
struct Pair {
  MeshPair phases;
  MeshBuild build;  ///< of both meshes
  Matrix<Complex> u, v;

  /// From phases in the order of a programme.
  static Pair of(MeshLayout layout, Index inputs, Index outputs, std::span<const double> phases,
                 const MeshBuild& build);
  Matrix<Complex> matrix() const;
};

/// For one input field and g = dL/d Re y - i dL/d Im y adds dL/d(phase) to `gradient`, in the order of the programme
/// (nothing where it is empty), and returns dL/d Re x - i dL/d Im x of the input. By the three intensities of
/// in_situ_gradient().
std::vector<Complex> add_gradient(const Pair& pair, std::span<const Complex> input, std::span<const Complex> g,
                                  std::span<double> gradient);

}  // namespace lightloop::mzi_mesh
