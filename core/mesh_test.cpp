#include "core/mesh.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <numbers>

#include "core/error.hpp"
#include "core/mesh_kernel.hpp"
#include "core/random_unitary_for_tests.hpp"

namespace lightloop {
namespace {

Matrix<Complex> dft(Index n) {
  Matrix<Complex> u(n, n);
  for (Index r = 0; r < n; ++r)
    for (Index c = 0; c < n; ++c)
      u(r, c) = std::polar(1 / std::sqrt(static_cast<double>(n)),
                           -2 * std::numbers::pi * static_cast<double>(r * c % n) / static_cast<double>(n));
  return u;
}

Matrix<Complex> permutation(Index n, bool reversed) {
  Matrix<Complex> u(n, n);
  for (Index i = 0; i < n; ++i) u(i, reversed ? n - 1 - i : i) = 1;
  return u;
}

/// U(r, (r + 1) mod N) = e^{i r}.
Matrix<Complex> turned_shift(Index n) {
  Matrix<Complex> u(n, n);
  for (Index r = 0; r < n; ++r) u(r, (r + 1) % n) = std::polar(1.0, static_cast<double>(r));
  return u;
}

/// Largest departure from u of the matrix that a stranger computes from the phases, by the header's formula in Real;
/// in long double that of the phases alone.
template <class Real>
double error_of_phases(const Mesh& mesh, const Matrix<Complex>& u) {
  using Field = std::complex<Real>;
  const auto unit = [](double phase) {
    const auto angle = static_cast<Real>(phase);
    return Field(std::cos(angle), std::sin(angle));
  };
  Matrix<Field> built(mesh.size, mesh.size);
  for (Index r = 0; r < mesh.size; ++r) built(r, r) = 1;
  for (const MeshElement& e : mesh.elements) {
    const Field half = unit(e.theta / 2), common = Field(0, 1) * half, turned = common * unit(e.phi);
    const Field a = turned * half.imag(), b = common * half.real(), c = turned * half.real(), d = -common * half.imag();
    for (Index k = 0; k < mesh.size; ++k) {
      const Field x = built(e.channel, k), y = built(e.channel + 1, k);
      built(e.channel, k) = a * x + b * y;
      built(e.channel + 1, k) = c * x + d * y;
    }
  }
  Real worst = 0;
  for (Index r = 0; r < mesh.size; ++r) {
    const Field phase = unit(mesh.output_phase[static_cast<std::size_t>(r)]);
    for (Index c = 0; c < mesh.size; ++c) worst = std::max(worst, std::abs(phase * built(r, c) - Field(u(r, c))));
  }
  return static_cast<double>(worst);
}

double largest_difference(const Matrix<Complex>& a, const Matrix<Complex>& b) {
  double worst = 0;
  for (Index i = 0; i < a.size(); ++i) worst = std::max(worst, std::abs(a.data()[i] - b.data()[i]));
  return worst;
}

template <class Real>
void check_exact(const Matrix<Complex>& u, MeshLayout layout, double limit, double limit_of_matrix) {
  const Mesh mesh = decompose(layout, u);
  const std::vector<MeshPlace> places = mesh_places(layout, u.rows());
  REQUIRE(mesh.elements.size() == places.size());
  CHECK(mesh_elements(layout, u.rows()) == static_cast<Index>(places.size()));
  bool same = true, in_range = true;
  for (std::size_t i = 0; i < places.size(); ++i) {
    same = same && mesh.elements[i].channel == places[i].channel && places[i].reach == 1;
    in_range = in_range && mesh.elements[i].theta >= 0 && mesh.elements[i].theta <= std::numbers::pi + 1e-15 &&
               std::abs(mesh.elements[i].phi) <= std::numbers::pi + 1e-15;
  }
  CHECK(same);
  CHECK(in_range);
  CHECK(1e15 * error_of_phases<Real>(mesh, u) <= 1e15 * limit);
  CHECK(1e15 * largest_difference(mesh_matrix(mesh), u) <= 1e15 * limit_of_matrix);
}

}  // namespace

TEST_CASE("meshes of both layouts rebuild any unitary matrix, those with zeros included") {
  const auto exact = [](const Matrix<Complex>& u, MeshLayout layout) {
    check_exact<long double>(u, layout, 2e-15, 4e-15);
  };
  for (const MeshLayout layout : {MeshLayout::clements, MeshLayout::reck})
    for (const Index n : {1, 2, 3, 4, 5, 8, 31, 64, 96}) {
      INFO("N = " << n);
      exact(permutation(n, false), layout);
      exact(permutation(n, true), layout);
      exact(dft(n), layout);
      exact(turned_shift(n), layout);
      exact(haar_unitary(n, static_cast<std::uint64_t>(n)), layout);
    }
}

TEST_CASE("at N = 512 the error per entry stays below 2e-14", "[.slow]") {
  const auto exact = [](const Matrix<Complex>& u, MeshLayout layout) { check_exact<double>(u, layout, 2e-14, 2e-14); };
  for (const MeshLayout layout : {MeshLayout::clements, MeshLayout::reck}) {
    exact(permutation(512, false), layout);
    exact(permutation(512, true), layout);
    exact(dft(512), layout);
    exact(turned_shift(512), layout);
    exact(haar_unitary(512, 1), layout);
  }
}

TEST_CASE("angles agree with atan2 to an ulp, on the axes exactly") {
  std::vector<double> y{0, 0, 1, -1, 1, -1, -0.0, 1e-300, 1}, x{1, -1, 0, 0, 1, -1, 1, 1, -1e-300};
  for (int i = 0; i < 5000; ++i) {
    y.push_back(std::sin(0.1 + i * 1.7) * (i % 7 + 1));
    x.push_back(std::cos(0.3 + i * 2.9) * (i % 5 + 0.01));
  }
  std::vector<double> out(y.size()), rest(y.size());
  angles(y.data(), x.data(), out.data(), rest.data(), static_cast<Index>(y.size()));
  CHECK(rest[0] == 0);
  CHECK(out[1] + rest[1] == std::numbers::pi);
  CHECK(rest[1] == Approx(1.2246467991473532e-16).epsilon(1e-12));
  CHECK(rest[2] == rest[1] / 2);
  CHECK(rest[3] == -rest[2]);
  CHECK(rest[4] == rest[2] / 2);
  double worst = 0;
  for (std::size_t i = 0; i < y.size(); ++i) {
    const double wanted = std::atan2(y[i], x[i]);
    if (i < 4 || i == 6) CHECK(out[i] == wanted);
    worst = std::max(worst, std::abs(out[i] - wanted) / std::max(std::abs(wanted), 1e-300));
  }
  CHECK(worst < 5e-16);
}

TEST_CASE("a rectangle is N columns deep, a triangle 2 N - 3") {
  for (const Index n : {4, 5, 16, 33}) {
    const auto depth = [&](MeshLayout layout) {
      const auto columns = mesh_columns(mesh_places(layout, n), n);
      return *std::max_element(columns.begin(), columns.end()) + 1;
    };
    CHECK(depth(MeshLayout::clements) == n);
    CHECK(depth(MeshLayout::reck) == 2 * n - 3);
  }
}

TEST_CASE("a butterfly of N channels is log2 N columns deep, mixes all of them, and is refused arbitrary matrices") {
  const auto places = mesh_places(MeshLayout::butterfly, 16);
  REQUIRE(places.size() == 32);
  CHECK(mesh_elements(MeshLayout::butterfly, 16) == 32);
  const auto columns = mesh_columns(places, 16);
  CHECK(*std::max_element(columns.begin(), columns.end()) == 3);
  CHECK(places[9] == MeshPlace{1, 2});
  Mesh mesh{.size = 16, .elements = {}, .output_phase = std::vector<double>(16, 0.3)};
  for (const MeshPlace& place : places)  // equal splitters: every input reaches every output alike
    mesh.elements.push_back(
        {place.channel, std::numbers::pi / 2, 0.1 * static_cast<double>(place.channel), place.reach});
  const Matrix<Complex> u = mesh_matrix(mesh);
  for (Index i = 0; i < u.size(); ++i) CHECK(std::abs(u.data()[i]) == Approx(0.25));
  for (Index a = 0; a < 16; ++a)
    for (Index b = 0; b < 16; ++b) {
      Complex sum = 0;
      for (Index k = 0; k < 16; ++k) sum += u(a, k) * std::conj(u(b, k));
      CHECK(std::abs(sum - (a == b ? 1.0 : 0.0)) < 1e-14);
    }
  CHECK_THROWS_AS(mesh_places(MeshLayout::butterfly, 12), ShapeMismatch);
  CHECK_THROWS_AS(decompose(MeshLayout::butterfly, haar_unitary(8, 1)), Unsupported);
}

TEST_CASE("what is not unitary, not square or not finite has no mesh") {
  Matrix<Complex> u = haar_unitary(6, 1);
  u(2, 3) += 1e-6;
  CHECK_THROWS_AS(decompose(MeshLayout::clements, u), InvalidParameter);
  u(2, 3) = std::numeric_limits<double>::quiet_NaN();
  CHECK_THROWS_AS(decompose(MeshLayout::reck, u), InvalidParameter);
  u(2, 3) = 1e200;  // finite, but its square is not
  CHECK_THROWS_AS(decompose(MeshLayout::clements, u), InvalidParameter);
  CHECK_THROWS_AS(decompose(MeshLayout::reck, u), InvalidParameter);
  CHECK_THROWS_AS(decompose(MeshLayout::reck, Matrix<Complex>(3, 4)), ShapeMismatch);
  CHECK_THROWS_AS(parse_mesh_layout("square"), UnknownName);
}

}  // namespace lightloop
