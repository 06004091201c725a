#pragma once
// How the output of two meshes with attenuators changes with their phases.
#include <span>
#include <vector>

#include "core/mesh_codes.hpp"
#include "sim/optics/in_situ.hpp"

namespace lightloop::mzi_mesh {

/// Phases of both meshes, and how they are built.
struct Pair {
  MeshPair phases;
  MeshBuild in, out;

  /// From phases in the order of a programme, both meshes built alike.
  static Pair of(MeshLayout layout, Index inputs, Index outputs, std::span<const double> phases,
                 const MeshBuild& build);
  Matrix<Complex> matrix() const;
};

/// For input fields (samples, inputs) and g = dL/d Re y - i dL/d Im y (samples, outputs) adds dL/d(phase), summed over
/// samples, to `gradient`, in the order of the programme. By the three intensities of in_situ_gradient().
void add_gradient(const Pair& pair, View<const Complex> input, View<const Complex> g, std::span<double> gradient);
/// The same as monitors read it: the light sent back is g of a sample over the largest |g| of its channels, which the
/// readings are multiplied with again. Sample r draws row monitors.first_row + r, columns in the order of the
/// programme.
void measure_gradient(const Pair& pair, View<const Complex> input, View<const Complex> g, const MonitorNoise& monitors,
                      std::span<double> gradient);

}  // namespace lightloop::mzi_mesh
