#pragma once
// Unitary matrices as meshes of 2 x 2 elements between neighbouring channels, and back.
//
// One element on channels (m, m + 1) is
//   M(theta, phi) = i e^{i theta/2} [[e^{i phi} sin(theta/2), cos(theta/2)], [e^{i phi} cos(theta/2), -sin(theta/2)]],
// a Mach-Zehnder interferometer of ideal splitters with the phase phi before it and theta inside it (theta = 0 crosses,
// theta = pi passes straight). A mesh is U = diag(e^{i output_phase}) M_K ... M_2 M_1: element 1 is met first.
#include <complex>
#include <string>
#include <vector>

#include "core/array.hpp"

namespace lightloop {

using Complex = std::complex<double>;

/// Rectangle: W. R. Clements et al., Optica 3, 1460 (2016), depth N. Triangle: M. Reck et al., Phys. Rev. Lett. 73, 58
/// (1994), depth 2 N - 3. Both hold any unitary matrix. Butterfly: log2 N columns, N a power of two, the elements of
/// column j between channels whose numbers differ in bit j, as in a fast Fourier transform (FFTNet of M. Y.-S. Fang et
/// al., Opt. Express 27, 14009 (2019)); light reaches its partner through crossings, taken as perfect. It holds few
/// matrices: its phases are trained, not computed.
enum class MeshLayout { clements, reck, butterfly };
/// "clements", "reck" or "butterfly"; throws UnknownName.
MeshLayout parse_mesh_layout(const std::string& name);

struct MeshElement {
  Index channel = 0;
  double theta = 0;  ///< 0..pi
  double phi = 0;    ///< -pi..pi
  Index reach = 1;   ///< the other channel is channel + reach
};

struct Mesh {
  Index size = 0;
  std::vector<MeshElement> elements;  ///< in the order in which a signal meets them
  std::vector<double> output_phase;   ///< one per channel
};

/// The channels of an element.
struct MeshPlace {
  Index channel = 0, reach = 1;
  bool operator==(const MeshPlace&) const = default;
};
/// Where a layout's N (N - 1) / 2 elements (butterfly: N log2(N) / 2) are, in the order in which light meets them;
/// those of every decomposition into it. Throws ShapeMismatch for a butterfly whose size is no power of two.
std::vector<MeshPlace> mesh_places(MeshLayout layout, Index size);
/// How many these are.
Index mesh_elements(MeshLayout layout, Index size);
/// Column of each element when everyone stands as early as possible: elements of one column do not touch.
std::vector<Index> mesh_columns(const std::vector<MeshPlace>& places, Index size);

/// Phases whose mesh is `u` (N, N), in O(N^3); matrices with zeros (identity, permutations) included. Error of the
/// rebuilt matrix at most 2e-14 per entry up to N = 512, computed by anybody in double: what a phase loses as a double
/// is made up for by the next ones, in the last digit. Throws ShapeMismatch, and
/// InvalidParameter for a matrix that is not finite or departs from unitarity by more than 1e-8, Unsupported for a
/// butterfly.
Mesh decompose(MeshLayout layout, View<const Complex> u);

/// The matrix of a mesh. Throws OutOfRange for an element outside the channels.
Matrix<Complex> mesh_matrix(const Mesh& mesh);

/// A general 2 x 2 matrix [[a, b], [c, d]].
struct Complex2x2 {
  Complex a, b, c, d;
};
Complex2x2 mesh_element_matrix(double theta, double phi);
/// (x_k, y_k) becomes (a x_k + b y_k, c x_k + d y_k) for k < n. x and y do not overlap.
void rotate_rows(const Complex2x2& m, Complex* x, Complex* y, Index n);

}  // namespace lightloop
