#include "sim/optics/in_situ.hpp"

#include <cmath>
#include <numbers>

#include "core/error.hpp"

namespace lightloop {

InSitu::InSitu(const Mesh& mesh, const MeshBuild& build) : size_(mesh.size), amplitude_(build.amplitude) {
  const auto of = [](double angle) { return Turn{std::cos(angle), std::sin(angle)}; };
  const auto splitter = [&](const std::vector<double>& errors, std::size_t i) {
    return of(std::numbers::pi / 4 + (errors.empty() ? 0.0 : errors[i]));
  };
  elements_.reserve(mesh.elements.size());
  for (std::size_t i = 0; i < mesh.elements.size(); ++i) {
    const MeshElement& e = mesh.elements[i];
    elements_.push_back({static_cast<std::size_t>(e.channel), static_cast<std::size_t>(e.channel + e.reach),
                         of(e.theta), of(e.phi), splitter(build.alpha, i), splitter(build.beta, i)});
  }
  for (const double phase : mesh.output_phase) output_.push_back(of(phase));
}

void InSitu::turn(Turn by, FieldLanes& f) {
  for (Index k = 0; k < FieldLanes::kCount; ++k) {
    const double re = by.cos * f.re[k] - by.sin * f.im[k];
    f.im[k] = by.cos * f.im[k] + by.sin * f.re[k];
    f.re[k] = re;
  }
}

void InSitu::split(Turn by, double amplitude, FieldLanes& x, FieldLanes& y) {
  const double c = amplitude * by.cos, s = amplitude * by.sin;
  for (Index k = 0; k < FieldLanes::kCount; ++k) {  // (c x + i s y, i s x + c y): its own transpose
    const double xr = x.re[k], xi = x.im[k], yr = y.re[k], yi = y.im[k];
    x.re[k] = c * xr - s * yi;
    x.im[k] = c * xi + s * yr;
    y.re[k] = c * yr - s * xi;
    y.im[k] = c * yi + s * xr;
  }
}

double InSitu::measure(const FieldLanes& forth, const FieldLanes& back, const MonitorReading* reading,
                       std::size_t shifter) {
  double sum = 0;
  if (reading) {
    for (std::size_t n = 0; n < reading->weight.size(); ++n) {
      const auto k = static_cast<Index>(n);
      const double re = forth.re[k] + back.im[k], im = forth.im[k] + back.re[k];
      const double both = re * re + im * im, one = forth.re[k] * forth.re[k] + forth.im[k] * forth.im[k],
                   other = back.re[k] * back.re[k] + back.im[k] * back.im[k];
      sum -= reading->weight[n] * ((both - one - other) / 2 +
                                   reading->monitors.draw(k, reading->first_column + shifter, both + one + other));
    }
    return sum;
  }
  for (Index k = 0; k < FieldLanes::kCount;
       ++k) {  // three intensities: with both fields, forth + i back*, and each alone
    const double re = forth.re[k] + back.im[k], im = forth.im[k] + back.re[k];
    const double both = re * re + im * im, one = forth.re[k] * forth.re[k] + forth.im[k] * forth.im[k];
    sum -= (both - one - (back.re[k] * back.re[k] + back.im[k] * back.im[k])) / 2;
  }
  return sum;
}

void InSitu::forward(std::span<FieldLanes> field, std::vector<FieldLanes>& there) const {
  there.resize(shifters());
  std::size_t at = 0;
  for (const Element& e : elements_) {
    FieldLanes &x = field[e.x], &y = field[e.y];
    turn(e.phi, x);
    there[at + 1] = x;
    split(e.alpha, 1, x, y);
    turn(e.theta, x);
    there[at] = x;
    split(e.beta, amplitude_, x, y);
    at += 2;
  }
  for (std::size_t c = 0; c < output_.size(); ++c) {
    turn(output_[c], field[c]);
    there[at + c] = field[c];
  }
}

void InSitu::backward(std::span<FieldLanes> back, std::span<const FieldLanes> there, std::span<double> gradient,
                      const MonitorReading* reading) const {
  std::size_t at = 2 * elements_.size();
  for (std::size_t c = 0; c < output_.size(); ++c) {
    gradient[at + c] += measure(there[at + c], back[c], reading, at + c);
    turn(output_[c], back[c]);
  }
  for (std::size_t i = elements_.size(); i-- > 0;) {
    const Element& e = elements_[i];
    FieldLanes &x = back[e.x], &y = back[e.y];
    at -= 2;
    split(e.beta, amplitude_, x, y);
    gradient[at] += measure(there[at], x, reading, at);
    turn(e.theta, x);
    split(e.alpha, 1, x, y);
    gradient[at + 1] += measure(there[at + 1], x, reading, at + 1);
    turn(e.phi, x);
  }
}

std::vector<double> in_situ_gradient(const Mesh& mesh, const MeshBuild& build, std::span<const Complex> input,
                                     std::span<const Complex> g) {
  const auto channels = static_cast<std::size_t>(mesh.size);
  if (input.size() != channels || g.size() != channels)
    throw ShapeMismatch("mesh: fields", std::to_string(input.size()) + " in, " + std::to_string(g.size()) + " back",
                        std::to_string(channels));
  const InSitu light(mesh, build);
  std::vector<FieldLanes> field(channels), back(channels), there;
  for (std::size_t c = 0; c < channels; ++c) {  // the other lanes are dark
    field[c].re[0] = input[c].real(), field[c].im[0] = input[c].imag();
    back[c].re[0] = g[c].real(), back[c].im[0] = g[c].imag();
  }
  std::vector<double> gradient(light.shifters());
  light.forward(field, there);
  light.backward(back, there, gradient);
  return gradient;
}

}  // namespace lightloop
