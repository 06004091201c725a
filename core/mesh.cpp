#include "core/mesh.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numbers>

#include "core/error.hpp"
#include "core/mesh_kernel.hpp"

namespace lightloop {
namespace {

constexpr double kUnitary = 1e-8;

/// Calls null(row, col, from_right, first) for every element below the diagonal in the order of the layout; `first`
/// where it begins a path: the others lie beside the one before them.
template <class Null>
void in_order(MeshLayout layout, Index n, Null null) {
  if (layout == MeshLayout::reck) {
    for (Index row = n - 1; row > 0; --row)
      for (Index col = 0; col < row; ++col) null(row, col, true, col == 0);
    return;
  }
  for (Index i = 0; i + 1 < n; ++i)
    for (Index j = 0; j <= i; ++j)
      if (i % 2 == 0)
        null(n - 1 - j, i - j, true, j == 0);
      else
        null(n - 1 - i + j, j, false, j == 0);
}

/// The element that leaves nothing of `lose` and all in `keep`. Where nothing is to be done it passes straight.
Turn turn(Index channel, Complex keep, Complex lose, double sign) {
  constexpr double kNothing = 1e-150;  // of a squared size: amplitudes of 1e-75 are rounding of rounding
  const double k = std::norm(keep), l = std::norm(lose);
  if (l < kNothing) return {channel, 1, 0, 1};
  if (k < kNothing) return {channel, 0, 1, sign / std::sqrt(l) * lose};
  const double over_both = 1 / std::sqrt(k + l), over_product = sign / std::sqrt(k * l);
  return {channel, std::sqrt(k) * over_both, std::sqrt(l) * over_both, over_product * (lose * std::conj(keep))};
}

/// Nulls the lower triangle of `work` (rows of whole vectors, n columns used); gives the elements on either side. An
/// element first works where the next one is found from; on the rest while that is being found.
void null_lower(MeshLayout layout, Matrix<Complex>& work, std::vector<Turn>& right, std::vector<Turn>& left) {
  constexpr Index kNextRows = 2, kNextColumns = 8;
  const Index n = work.rows(), width = (n + 3) / 4 * 4;
  Turn last{};
  Index rows = 0, column = width;  // where `last` has to work yet: rows above, columns from
  const auto finish = [&] {
    if (rows > 0) turn_columns(last, &work(0, last.channel), work.cols(), rows);
    if (column < width) turn_rows(last, &work(last.channel, column), &work(last.channel + 1, column), width - column);
    rows = 0, column = width;
  };
  in_order(layout, n, [&](Index row, Index col, bool from_right, bool first) {
    if (first) finish();
    if (from_right) {  // U L^-1, L as Turn has it: column col loses its value to the next; rows below are 0 in both
      const Turn t = turn(col, work(row, col + 1), work(row, col), -1);
      finish();
      turn_columns(t, &work(row + 1 - kNextRows, col), work.cols(), kNextRows);
      rows = row + 1 - kNextRows;
      right.push_back(last = t);
    } else {  // L U: row loses its value to the one above; columns before are 0 in both
      const Turn t = turn(row - 1, work(row - 1, col), work(row, col), 1);
      finish();
      const Index from = col / 4 * 4, next = std::min(from + kNextColumns, width);
      turn_rows(t, &work(row - 1, from), &work(row, from), next - from);
      column = next;
      left.push_back(last = t);
    }
    work(row, col) = 0;
  });
  finish();
}

/// An angle: a double and what it lacks.
struct Angle {
  double value, rest;
};

/// Phases as doubles. No double is pi: of N elements that pass straight each would be off the same way, and their
/// errors add up along a channel. What a phase lacks is therefore set by the phases that the same light meets next.
class Rounding {
 public:
  explicit Rounding(Index size) : phase_(static_cast<std::size_t>(size)), split_(static_cast<std::size_t>(size)) {}

  MeshElement element(const Turn& t, Angle theta, Angle phi) {
    double &upper = phase_[static_cast<std::size_t>(t.channel)], &lower = (&upper)[1],
           &split = split_[static_cast<std::size_t>(t.channel)];
    MeshElement e{t.channel, theta.value, 0};
    double lacks = theta.rest;
    if (t.cos < kStraight) {
      e.theta = theta.value + (theta.rest + split);
      lacks += theta.value - e.theta;
      split += lacks;
    }
    phi.rest += upper - lower;
    e.phi = set(phi);
    const double common = lower + lacks / 2;
    upper = common + t.sin * t.sin * phi.rest;  // each output, as much as of its light comes from where phi is
    lower = common + t.cos * t.cos * phi.rest;
    return e;
  }
  double output(Index channel, Complex value) {
    Angle phase{};
    const double y = value.imag(), x = value.real();
    angles(&y, &x, &phase.value, &phase.rest, 1);
    phase.rest += phase_[static_cast<std::size_t>(channel)];
    return set(phase);
  }

 private:
  static constexpr double kStraight = 1e-15;

  /// The double nearest to an angle, in [-pi, pi]; `angle` becomes what that lacks.
  static double set(Angle& angle) {
    double value = angle.value + angle.rest;
    if (std::abs(value) > std::numbers::pi) {
      constexpr double kTurnRest = 2.4492935982947064e-16;  // of the true 2 pi
      angle.rest -= std::copysign(kTurnRest, value);
      angle.value -= std::copysign(2 * std::numbers::pi, value);
      value = angle.value + angle.rest;
    }
    angle.rest += angle.value - value;
    return value;
  }

  std::vector<double> phase_;  ///< what the light of a channel lacks
  std::vector<double> split_;  ///< what the thetas of a pair lack that passed straight
};

/// Diagonal of the triangular rest; throws where the rest is not a diagonal of phases.
std::vector<Complex> phases_left(const Matrix<Complex>& work) {
  const Index n = work.rows();
  double beside = 0, sum = 0, on = 0;  // squares of what is beside the diagonal; the sum keeps what is not a number
  std::vector<Complex> phases;
  for (Index r = 0; r < n; ++r) {
    for (Index c = r + 1; c < n; ++c) {
      const double square = std::norm(work(r, c));
      beside = std::max(beside, square);
      sum += square;
    }
    const double size = std::abs(work(r, r));
    on = std::max(on, std::abs(size - 1));
    sum += size;
    phases.push_back(work(r, r) / size);
  }
  const double worst = std::isfinite(sum) ? std::max(std::sqrt(beside), on) : std::numeric_limits<double>::infinity();
  if (!(worst <= kUnitary))
    throw InvalidParameter("mesh: departure of the matrix from a unitary one", std::to_string(worst), "at most 1e-8",
                           "A matrix that is not unitary needs two meshes and attenuators (singular values).");
  return phases;
}

}  // namespace

MeshLayout parse_mesh_layout(const std::string& name) {
  if (name == "clements") return MeshLayout::clements;
  if (name == "reck") return MeshLayout::reck;
  if (name == "butterfly") return MeshLayout::butterfly;
  throw UnknownName("mesh layout", name, "clements, reck or butterfly");
}

std::vector<MeshPlace> mesh_places(MeshLayout layout, Index size) {
  std::vector<MeshPlace> right;
  if (layout == MeshLayout::butterfly) {
    if (!std::has_single_bit(static_cast<std::uint64_t>(size)))
      throw ShapeMismatch("butterfly mesh", std::to_string(size) + " channels", "a power of two");
    for (Index reach = 1; reach < size; reach *= 2)
      for (Index channel = 0; channel < size; ++channel)
        if ((channel & reach) == 0) right.push_back({channel, reach});
    return right;
  }
  std::vector<MeshPlace> left;
  in_order(layout, size, [&](Index row, Index col, bool from_right, bool) {
    from_right ? right.push_back({col}) : left.push_back({row - 1});
  });
  right.insert(right.end(), left.rbegin(), left.rend());
  return right;
}

Index mesh_elements(MeshLayout layout, Index size) {
  if (layout != MeshLayout::butterfly) return size * (size - 1) / 2;
  return size / 2 * (static_cast<Index>(std::bit_width(static_cast<std::uint64_t>(size))) - 1);
}

std::vector<Index> mesh_columns(const std::vector<MeshPlace>& places, Index size) {
  std::vector<Index> depth(static_cast<std::size_t>(size)), columns;
  for (const MeshPlace& place : places) {
    Index &a = depth[static_cast<std::size_t>(place.channel)],
          &b = depth[static_cast<std::size_t>(place.channel + place.reach)];
    columns.push_back(std::max(a, b));
    a = b = columns.back() + 1;
  }
  return columns;
}

Complex2x2 mesh_element_matrix(double theta, double phi) {
  const Complex half = std::polar(1.0, theta / 2), common = Complex(0, 1) * half,
                turned = common * std::polar(1.0, phi);
  const double s = half.imag(), c = half.real();
  return {turned * s, common * c, turned * c, -common * s};
}

Mesh decompose(MeshLayout layout, View<const Complex> u) {
  const Index n = u.rows();
  if (n < 1 || u.cols() != n)
    throw ShapeMismatch("mesh", std::to_string(n) + " x " + std::to_string(u.cols()), "a square matrix");
  if (layout == MeshLayout::butterfly)
    throw Unsupported("mesh.layout", "butterfly", "clements or reck, which hold any matrix",
                      "The phases of a butterfly are trained: ll.torch.Physical.");
  // Four more columns: rows as far apart as a power of two would share cache sets. Whole vectors: no ragged ends.
  Matrix<Complex> work(n, (n + 3) / 4 * 4 + 4);
  for (Index r = 0; r < n; ++r)
    for (Index c = 0; c < n; ++c) {
      if (!std::isfinite(u(r, c).real()) || !std::isfinite(u(r, c).imag()))
        throw InvalidParameter("mesh: element (" + std::to_string(r) + ", " + std::to_string(c) + ")", "not finite");
      work(r, c) = u(r, c);
    }
  Mesh mesh;
  mesh.size = n;
  std::vector<Turn> right, left;
  right.reserve(static_cast<std::size_t>(n * (n - 1) / 2));
  left.reserve(right.capacity());
  null_lower(layout, work, right, left);
  std::vector<Complex> diagonal = phases_left(work);
  // U = L1^-1 ... Lk^-1 D Rn ... R1, and L(theta, phi)^-1 D = D' L(theta, phi') takes D to the end.
  for (auto t = left.rbegin(); t != left.rend(); ++t) {
    Complex &d1 = diagonal[static_cast<std::size_t>(t->channel)], &d2 = (&d1)[1];
    right.push_back({t->channel, t->sin, t->cos, d1 * std::conj(d2)});
    d1 = std::conj(t->phase) * d2;
  }
  // What both outputs share, taken to the end as well: L = conj(common) M with common = i e^{i theta / 2}, and
  // M(phi) diag(d1, d2) = d2 M(phi + arg d1 - arg d2).
  std::vector<Complex> shared(static_cast<std::size_t>(n), 1);
  for (Turn& t : right) {
    Complex &d1 = shared[static_cast<std::size_t>(t.channel)], &d2 = (&d1)[1];
    t.phase *= d1 * std::conj(d2);
    d1 = d2 *= Complex(-t.sin, -t.cos);
  }
  mesh.elements.reserve(right.size());
  Rounding rounding(n);
  constexpr std::size_t kBlock = 64;
  double y[2][kBlock], x[2][kBlock], angle[2][kBlock], rest[2][kBlock];
  for (std::size_t first = 0; first < right.size(); first += kBlock) {
    const std::size_t count = std::min(kBlock, right.size() - first);
    for (std::size_t i = 0; i < count; ++i) {
      const Turn& t = right[first + i];
      y[0][i] = t.sin, x[0][i] = t.cos;
      y[1][i] = t.phase.imag(), x[1][i] = t.phase.real();
    }
    for (int which = 0; which < 2; ++which)
      angles(y[which], x[which], angle[which], rest[which], static_cast<Index>(count));
    for (std::size_t i = 0; i < count; ++i)
      mesh.elements.push_back(
          rounding.element(right[first + i], {2 * angle[0][i], 2 * rest[0][i]}, {angle[1][i], rest[1][i]}));
  }
  for (std::size_t i = 0; i < diagonal.size(); ++i)
    mesh.output_phase.push_back(rounding.output(static_cast<Index>(i), diagonal[i] * shared[i]));
  return mesh;
}

Matrix<Complex> mesh_matrix(const Mesh& mesh) {
  Matrix<Complex> u(mesh.size, mesh.size);
  for (Index i = 0; i < mesh.size; ++i) u(i, i) = 1;
  for (const MeshElement& e : mesh.elements) {
    if (e.channel < 0 || e.reach < 1 || e.channel + e.reach >= mesh.size)
      throw OutOfRange("mesh: channel of an element", std::to_string(e.channel), "0.." + std::to_string(mesh.size - 2));
    rotate_rows(mesh_element_matrix(e.theta, e.phi), &u(e.channel, 0), &u(e.channel + e.reach, 0), mesh.size);
  }
  for (Index r = 0; r < mesh.size; ++r)
    for (Complex& value : u.row(r)) value *= std::polar(1.0, mesh.output_phase[static_cast<std::size_t>(r)]);
  return u;
}

}  // namespace lightloop
