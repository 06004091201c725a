#pragma once
// A mesh of interferometers as it is built: imperfect splitters, loss, heat that leaks to neighbours; and what can be
// done about it. Phases and layout as in core/mesh.hpp.
#include <span>
#include <vector>

#include "core/mesh.hpp"

namespace lightloop {

/// M = amplitude B(beta) diag(e^{i theta}, 1) B(alpha) diag(e^{i phi}, 1) with B(e) = [[cos(pi/4 + e), i sin(pi/4 +
/// e)], [i sin(pi/4 + e), cos(pi/4 + e)]]; for alpha = beta = 0, amplitude = 1 the element of core/mesh.hpp.
Complex2x2 interferometer(double theta, double phi, double alpha, double beta, double amplitude);

/// What a mesh of one layout was made with. Empty vectors: no error.
struct MeshBuild {
  std::vector<double> alpha, beta;  ///< splitter errors in rad, per element: fabrication
  double amplitude = 1;             ///< field transmission of one element
};

/// Matrix of the mesh as built.
Matrix<Complex> built_matrix(const Mesh& mesh, const MeshBuild& build);

/// Phases with which the mesh as built does what `ideal` asks of a perfect one: element by element theta is chosen for
/// the split that was meant, phi and two phases handed on to what follows for its phases (S. Bandyopadhyay et al.,
/// Optica 8, 1247 (2021)). Exact where the split lies in [sin^2(alpha + beta), cos^2(alpha - beta)]; elsewhere the
/// nearest end, where what leaks into a way that should stay dark has a phase by chance: an identity or a permutation
/// is as far off as uncorrected. `out_of_reach`, if given, gets the number of such elements.
Mesh corrected(const Mesh& ideal, const MeshBuild& build, Index* out_of_reach = nullptr);

/// Nearest neighbours of every phase shifter on the chip, in the order of a mesh's part of a programme (theta, phi per
/// element, then output phases): shifters stand on a grid of rows (channels; in a butterfly, whose crossings bring
/// partners together, the order of the elements) and columns (phi, theta of every column).
std::vector<std::vector<std::size_t>> shifter_neighbours(const std::vector<MeshPlace>& places, Index size);
/// phases that arise when `set` is driven: set_i + strength sum over neighbours of set_k.
std::vector<double> heated(std::span<const double> set, const std::vector<std::vector<std::size_t>>& neighbours,
                           double strength);
/// What must be driven, in [0, 2 pi], so that `wanted` arises up to whole turns (but for single shifters at the end of
/// their range); for strengths times neighbours below 1. Throws Error when it does not settle.
std::vector<double> heat_compensated(std::span<const double> wanted,
                                     const std::vector<std::vector<std::size_t>>& neighbours, double strength);

/// dL/d(phase) of every shifter, in the order of the programme, for one input field and g = dL/d Re y - i dL/d Im y at
/// the output, as a chip with power monitors measures it: three intensities at each shifter with the forward field E_f,
/// the backward field E_a of g sent in from the outputs, and both together,
///   dL/dphase = -(|E_f + i E_a*|^2 - |E_f|^2 - |E_a|^2) / 2
/// (T. W. Hughes et al., Optica 5, 864 (2018)). Exact for meshes with loss and splitter errors, too.
std::vector<double> in_situ_gradient(const Mesh& mesh, const MeshBuild& build, std::span<const Complex> input,
                                     std::span<const Complex> g);

}  // namespace lightloop
