#include <array>
#include <cmath>
#include <numbers>

#include "driver/projection/readout.hpp"

namespace lightloop {
namespace {

using Vector3 = std::array<double, 3>;

Vector3 cross(const Vector3& a, const Vector3& b) {
  return {a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]};
}
double dot(const Vector3& a, const Vector3& b) { return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]; }

}  // namespace

std::vector<Shot> phase_shots(int steps, int phase_bits) {
  const int codes = 1 << phase_bits;
  std::vector<Shot> shots(static_cast<std::size_t>(steps));
  std::vector<Vector3> basis(shots.size());  // the functions 1, 2 cos, 2 sin at each angle
  std::array<Vector3, 3> normal{};
  for (std::size_t n = 0; n < shots.size(); ++n) {
    const long code = std::lround(static_cast<double>(n) * codes / steps);
    const double angle = 2 * std::numbers::pi * static_cast<double>(code) / codes;
    shots[n].reference = true;
    shots[n].phase = static_cast<std::uint16_t>(code);
    basis[n] = {1, 2 * std::cos(angle), 2 * std::sin(angle)};
    for (std::size_t i = 0; i < 3; ++i)
      for (std::size_t j = 0; j < 3; ++j) normal[i][j] += basis[n][i] * basis[n][j];
  }
  // Rows 1 and 2 of the inverse of the symmetric normal matrix, by cofactors.
  const Vector3 row1 = cross(normal[2], normal[0]), row2 = cross(normal[0], normal[1]);
  const double determinant = dot(normal[2], row2);
  for (std::size_t n = 0; n < shots.size(); ++n) {
    shots[n].real = static_cast<float>(dot(row1, basis[n]) / determinant);
    shots[n].imaginary = static_cast<float>(dot(row2, basis[n]) / determinant);
  }
  return shots;
}

}  // namespace lightloop
