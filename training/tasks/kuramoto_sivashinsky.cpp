// Kuramoto-Sivashinsky equation u_t = -u u_x - u_xx - u_xxxx, periodic over L, by ETDRK4 with contour integrals (Kassam
// and Trefethen, SIAM J. Sci. Comput. 26, 1214 (2005)). Given the field at t, predict it one sample later.
#include "training/tasks/kuramoto_sivashinsky.hpp"

#include <cmath>
#include <complex>
#include <numbers>

#include "core/error.hpp"
#include "core/fft.hpp"
#include "training/tasks/task.hpp"

namespace lightloop {
namespace {

using Complex = std::complex<double>;
constexpr int kContour = 32;        // points on the circle around h L, as in the source
constexpr double kTransient = 200;  // time units; the attractor is reached well before

Task make(const ParamSet& params) {
  Task task;
  take_split(task, params);
  task.step = params.real("step");
  const Index total = task.washout + task.train + task.test, points = params.integer("points");
  const double length = params.real("length");
  KuramotoSivashinsky model(points, length, task.step / static_cast<double>(params.integer("substeps")));
  std::vector<double> u(static_cast<std::size_t>(points));
  for (std::size_t i = 0; i < u.size(); ++i) {
    const double x = 2 * std::numbers::pi * static_cast<double>(i) / static_cast<double>(points);
    u[i] = std::cos(x) + 0.3 * std::sin(2 * x) + 0.2 * std::cos(3 * x + 1);  // no symmetry: it would last for ever
  }
  model.set(u);
  const auto advance = [&](double time) {
    for (Index i = std::llround(time / task.step) * params.integer("substeps"); i > 0; --i) model.step();
  };
  advance(kTransient);
  task.inputs = Matrix<double>(total, points);
  task.targets = Matrix<double>(total, points);
  for (Index t = 0; t < total; ++t) {
    model.get(task.inputs.row(t));
    advance(task.step);
    model.get(task.targets.row(t));
  }
  if (!std::isfinite(task.targets(total - 1, 0)))
    throw OutOfRange("task kuramoto_sivashinsky: series", "diverged", "", "Take more substeps or points.");
  task.baseline_taps = 1;
  task.convention = "u_t = -u u_x - u_xx - u_xxxx on " + std::to_string(points) +
                    " points, ETDRK4, cos x + 0.3 sin 2x + 0.2 cos(3x + 1) over one period at the start, 200 time "
                    "units of transient; the "
                    "field one sample ahead from the field; NMSE over all points by the sum of their variances";
  return task;
}

}  // namespace

struct KuramotoSivashinsky::Work {
  explicit Work(Index points) : fft(points) {}
  RealFft fft;
  std::vector<double> e, e2, q, f1, f2, f3;                      // of every wave number
  std::vector<Complex> g, v, a, b, c, nv, na, nb, nc, spectrum;  // g: -i k / 2
  std::vector<double> field;

  void nonlinear(const std::vector<Complex>& from, std::vector<Complex>& to) {
    spectrum = from;
    fft.inverse(spectrum, field);
    for (double& u : field) u *= u;
    fft.forward(field, to);
    for (std::size_t i = 0; i < to.size(); ++i) to[i] *= g[i];
  }
};

KuramotoSivashinsky::KuramotoSivashinsky(Index points, double length, double step) {
  if (points < 8 || points % 2 != 0 || !(length > 0) || !(step > 0))
    throw OutOfRange("kuramoto_sivashinsky", std::to_string(points) + " points", "an even number from 8");
  work_ = std::make_unique<Work>(points);
  Work& w = *work_;
  const auto modes = static_cast<std::size_t>(points / 2 + 1);
  for (auto* part : {&w.e, &w.e2, &w.q, &w.f1, &w.f2, &w.f3}) part->resize(modes);
  for (auto* part : {&w.g, &w.v, &w.a, &w.b, &w.c, &w.nv, &w.na, &w.nb, &w.nc, &w.spectrum}) part->resize(modes);
  w.field.resize(static_cast<std::size_t>(points));
  for (std::size_t i = 0; i < modes; ++i) {
    const bool highest = i + 1 == modes;  // its derivative has no sign: 0, as in the source
    const double k = 2 * std::numbers::pi / length * static_cast<double>(i), linear = k * k - k * k * k * k;
    w.g[i] = highest ? 0.0 : Complex(0, -0.5 * k);
    w.e[i] = std::exp(step * linear);
    w.e2[i] = std::exp(step * linear / 2);
    double q = 0, f1 = 0, f2 = 0, f3 = 0;
    for (int m = 0; m < kContour; ++m) {
      const Complex z = step * linear + std::polar(1.0, std::numbers::pi * (m + 0.5) / kContour), ez = std::exp(z);
      const Complex cube = z * z * z;
      q += ((std::exp(z / 2.0) - 1.0) / z).real();
      f1 += ((-4.0 - z + ez * (4.0 - 3.0 * z + z * z)) / cube).real();
      f2 += ((2.0 + z + ez * (-2.0 + z)) / cube).real();
      f3 += ((-4.0 - 3.0 * z - z * z + ez * (4.0 - z)) / cube).real();
    }
    w.q[i] = step * q / kContour;
    w.f1[i] = step * f1 / kContour;
    w.f2[i] = step * f2 / kContour;
    w.f3[i] = step * f3 / kContour;
  }
}
KuramotoSivashinsky::~KuramotoSivashinsky() = default;

void KuramotoSivashinsky::set(std::span<const double> u) {
  if (u.size() != work_->field.size())
    throw ShapeMismatch("kuramoto_sivashinsky: field", std::to_string(u.size()),
                        std::to_string(work_->field.size()) + " points");
  work_->field.assign(u.begin(), u.end());
  work_->fft.forward(work_->field, work_->v);
}

void KuramotoSivashinsky::get(std::span<double> u) {
  work_->spectrum = work_->v;
  work_->fft.inverse(work_->spectrum, u);
}

void KuramotoSivashinsky::step() {
  Work& w = *work_;
  const std::size_t modes = w.v.size();
  w.nonlinear(w.v, w.nv);
  for (std::size_t i = 0; i < modes; ++i) w.a[i] = w.e2[i] * w.v[i] + w.q[i] * w.nv[i];
  w.nonlinear(w.a, w.na);
  for (std::size_t i = 0; i < modes; ++i) w.b[i] = w.e2[i] * w.v[i] + w.q[i] * w.na[i];
  w.nonlinear(w.b, w.nb);
  for (std::size_t i = 0; i < modes; ++i) w.c[i] = w.e2[i] * w.a[i] + w.q[i] * (2.0 * w.nb[i] - w.nv[i]);
  w.nonlinear(w.c, w.nc);
  for (std::size_t i = 0; i < modes; ++i)
    w.v[i] = w.e[i] * w.v[i] + w.f1[i] * w.nv[i] + 2.0 * w.f2[i] * (w.na[i] + w.nb[i]) + w.f3[i] * w.nc[i];
}

TaskModel kuramoto_sivashinsky_task() {
  auto params = split_params(200, 5000, 2000);
  params.push_back({"points", "1", std::int64_t{64}, 8, 4096, "grid points, even"});
  params.push_back({"length", "1", 22.0, 1, 1e4, "period of the domain"});
  params.push_back({"step", "1", 0.25, 1e-4, 1, "time between samples"});
  params.push_back({"substeps", "1", std::int64_t{2}, 1, 1000, "integration steps per sample"});
  return {"kuramoto_sivashinsky", "prediction of a field with spatio-temporal chaos",
          "Kassam and Trefethen, SIAM J. Sci. Comput. 26, 1214 (2005)", params, make};
}

}  // namespace lightloop
