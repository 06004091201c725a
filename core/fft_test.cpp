#include "core/fft.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <numbers>
#include <vector>

#include "core/error.hpp"

using namespace lightloop;

TEST_CASE("a transform is the sum it is defined as, and its inverse brings the series back") {
  if (!RealFft::available()) return;
  for (const Index n : {2, 7, 64}) {
    RealFft fft(n);
    std::vector<double> x(static_cast<std::size_t>(n)), back(x.size());
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = std::sin(1.7 * static_cast<double>(i * i)) + 0.3;
    std::vector<std::complex<double>> spectrum(static_cast<std::size_t>(n / 2 + 1));
    fft.forward(x, spectrum);
    for (std::size_t k = 0; k < spectrum.size(); ++k) {
      std::complex<double> sum = 0;
      for (std::size_t i = 0; i < x.size(); ++i)
        sum += x[i] * std::polar(1.0, -2 * std::numbers::pi * static_cast<double>(i * k) / static_cast<double>(n));
      CHECK(std::abs(sum - spectrum[k]) < 1e-12 * static_cast<double>(n));
    }
    fft.inverse(spectrum, back);
    for (std::size_t i = 0; i < x.size(); ++i) CHECK(back[i] == Approx(x[i]).margin(1e-14));
    CHECK_THROWS_AS(fft.forward(x, std::span(spectrum).first(1)), ShapeMismatch);
  }
  CHECK_THROWS_AS(RealFft(1), OutOfRange);
}
