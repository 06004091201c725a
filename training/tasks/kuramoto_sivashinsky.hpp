#pragma once
// The Kuramoto-Sivashinsky equation in time.
#include <memory>
#include <span>

#include "core/array.hpp"

namespace lightloop {

/// u_t = -u u_x - u_xx - u_xxxx, periodic over `length`, on `points` points (even): ETDRK4 of order 4 in `step`,
/// spectral in space, not dealiased. Throws OutOfRange, ShapeMismatch, and Unsupported in a build without FFTW. Source:
/// Kassam and Trefethen, SIAM J. Sci. Comput. 26, 1214 (2005).
class KuramotoSivashinsky {
 public:
  KuramotoSivashinsky(Index points, double length, double step);
  ~KuramotoSivashinsky();
  void set(std::span<const double> u);
  void get(std::span<double> u);
  void step();

 private:
  struct Work;
  std::unique_ptr<Work> work_;
};

}  // namespace lightloop
