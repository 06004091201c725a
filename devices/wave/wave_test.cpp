#include "devices/wave/wave.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <complex>
#include <numbers>

#include "core/error.hpp"
#include "core/hdf5.hpp"
#include "core/temporary_folder_for_tests.hpp"
#include "devices/wave/params.hpp"
#include "devices/wave/twin.hpp"

namespace lightloop::wave {
namespace {

ParamSet asked(const Settings& settings) {
  ParamSet params("sim:wave", wave::params());
  params.set(settings);
  return params;
}

Value whole(std::int64_t v) { return v; }

/// Two inputs, three outputs, all different.
struct Example {
  std::vector<double> matrix = {0.5, 0.1, -0.2, 0.3, 0.7, -0.4, 0.2, 0.2, -0.1, 0.6, 0.3, -0.3};
  std::vector<double> offset = {0.1, -0.2, 0.3, 0.05, -0.1, 0.2}, full_scale = {3, 2, 1.5}, noise = {0, 0, 0};
  std::vector<Index> shape = {3, 2, 2};
  std::string encoding, detection;

  std::string write(const test::TemporaryFolder& folder, const char* name = "m.h5") const {
    const std::string path = folder / name;
    h5::Writer file(path);
    file.write("/matrix", std::span<const double>(matrix), shape, "1");
    if (!encoding.empty()) file.attribute("/", "encoding", Value(encoding));
    if (!detection.empty()) file.attribute("/", "detection", Value(detection));
    file.write("/offset", std::span<const double>(offset), {Index(offset.size()) / 2, 2}, "1");
    file.write("/full_scale", std::span<const double>(full_scale), {Index(full_scale.size())}, "1");
    file.write("/noise", std::span<const double>(noise), {Index(noise.size())}, "1");
    file.commit();
    return path;
  }
};

Matrix<std::uint16_t> answers(Device& device, const Matrix<std::uint16_t>& in, std::uint64_t first = 0) {
  Matrix<std::uint16_t> out(in.rows(), device.describe().output.size());
  device.run(ConstFrames(in.view()), Frames(out.view()), {.first_frame_id = first});
  return out;
}

Matrix<std::uint16_t> frames(Index rows, Index size) {
  Matrix<std::uint16_t> in(rows, size);
  for (Index i = 0; i < in.size(); ++i) in.data()[i] = static_cast<std::uint16_t>((i * 977 + 131) % 4096);
  return in;
}

std::string refusal(const Example& example) {
  const test::TemporaryFolder folder;
  const std::string path = example.write(folder);
  try {
    read_medium(path);
  } catch (const FileError& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("waves of a file come out as their equation says, for every encoding and detection") {
  const test::TemporaryFolder folder;
  const Example example;
  const std::string path = example.write(folder);
  const auto encoding = GENERATE(as<std::string>{}, "signed", "amplitude", "phase");
  const auto detection = GENERATE(as<std::string>{}, "intensity", "amplitude", "field");
  const auto device = model().open(asked({{"matrix", path}, {"encoding", encoding}, {"detection", detection}}));
  const Matrix<std::uint16_t> in = frames(5, 2);
  const Matrix<std::uint16_t> out = answers(*device, in);
  for (Index r = 0; r < 5; ++r)
    for (std::size_t i = 0; i < 3; ++i) {
      std::complex<double> e(example.offset[2 * i], example.offset[2 * i + 1]);
      for (std::size_t j = 0; j < 2; ++j) {
        const double c = in(r, static_cast<Index>(j)), s = (c - 2048) / 2048;
        const std::complex<double> u = encoding == "phase"       ? std::polar(1.0, std::numbers::pi * s)
                                       : encoding == "amplitude" ? c / 4095
                                                                 : s;
        e += std::complex<double>(example.matrix[4 * i + 2 * j], example.matrix[4 * i + 2 * j + 1]) * u;
      }
      const double signal = detection == "field" ? e.real() : detection == "amplitude" ? std::abs(e) : std::norm(e);
      const double dark = 4095.0 / 32;
      const double code = detection == "field" ? 2048 + 2048 * signal / example.full_scale[i]
                                               : dark + (4095 - dark) * signal / example.full_scale[i];
      // single precision in the product: a thousandth of a code, which may turn the rounding
      CHECK(std::abs(out(r, static_cast<Index>(i)) - code) < 0.51);
    }
}

TEST_CASE("the twin of waves has the gradient of finite differences") {
  const test::TemporaryFolder folder;
  const std::string path = Example{}.write(folder);
  const auto encoding = GENERATE(as<std::string>{}, "signed", "amplitude", "phase");
  const auto detection = GENERATE(as<std::string>{}, "intensity", "amplitude", "field");
  const auto twin = make_twin(asked({{"matrix", path}, {"encoding", encoding}, {"detection", detection}}));
  Matrix<float> x(1, 2), up(1, 3), down(1, 3), grad(1, 3), found(1, 2);
  x(0, 0) = 900;
  x(0, 1) = 3100;
  for (Index i = 0; i < 3; ++i) grad(0, i) = 1.0f + 0.5f * static_cast<float>(i);
  twin->vjp(x, grad, found, {});
  constexpr float h = 32;
  for (Index j = 0; j < 2; ++j) {
    Matrix<float> moved(1, 2);
    double slope = 0;
    for (const float step : {h, -h}) {
      std::ranges::copy(x.flat(), moved.data());
      moved(0, j) += step;
      twin->forward(moved, step > 0 ? up : down);
    }
    for (Index i = 0; i < 3; ++i) slope += static_cast<double>(grad(0, i) * (up(0, i) - down(0, i)) / (2 * h));
    // the third derivative of the phase times h^2 / 6: below 1 %
    CHECK(static_cast<double>(found(0, j)) == Approx(slope).epsilon(0.01).margin(1e-3));
  }
}

TEST_CASE("a medium that nobody measured has the statistics of speckle") {
  const auto device = model().open(asked({{"input.size", whole(200)},
                                          {"output.size", whole(500)},
                                          {"noise", 0.0},
                                          {"encoding", std::string("phase")},
                                          {"adc.bits", whole(16)},
                                          {"headroom", 20.0}}));
  Matrix<std::uint16_t> in(1, 200);
  for (Index j = 0; j < 200; ++j) in(0, j) = static_cast<std::uint16_t>(j * 20);
  const Matrix<std::uint16_t> out = answers(*device, in);
  double mean = 0, square = 0;
  for (const std::uint16_t code : out.flat()) {
    const double i = (code - 65535.0 / 32) / (65535 * 31.0 / 32) * 20;  // in units of the mean
    mean += i / 500;
    square += i * i / 500;
  }
  // Null: exponential intensities of mean 1, so deviation 1; n = 500, seed 1, two-sided alpha 0.001 (3.29 sd); the
  // second moment 2 has deviation sqrt(20) of one sample
  CHECK(std::abs(mean - 1) < 3.29 / std::sqrt(500.0));
  CHECK(std::abs(square - 2) < 3.29 * std::sqrt(20.0 / 500));
}

TEST_CASE("a perturbation begins at its frame, wherever batches are cut, and changes its part of the field") {
  const Settings sizes = {{"input.size", whole(300)},
                          {"output.size", whole(200)},
                          {"noise", 0.0},
                          {"detection", std::string("field")},
                          {"adc.bits", whole(16)}};
  Settings perturbed = sizes;
  perturbed["perturbation"] = 0.36;
  perturbed["perturbation.frame"] = whole(103);
  const auto still = model().open(asked(sizes)), moved = model().open(asked(perturbed));
  CHECK(still->describe().deterministic);
  CHECK_FALSE(moved->describe().deterministic);
  const Matrix<std::uint16_t> in = frames(6, 300);
  const Matrix<std::uint16_t> before = answers(*still, in, 100), after = answers(*moved, in, 100);
  CHECK(std::equal(before.data(), before.data() + 3 * 200, after.data()));
  Matrix<std::uint16_t> one(1, 300);
  for (Index r = 0; r < 6; ++r) {
    std::ranges::copy(in.row(r), one.row(0).begin());
    const Matrix<std::uint16_t> alone = answers(*moved, one, 100 + static_cast<std::uint64_t>(r));
    CHECK(std::equal(alone.data(), alone.data() + 200, after.row(r).data()));
  }
  double product = 0, a = 0, b = 0;
  for (Index r = 3; r < 6; ++r)
    for (Index i = 0; i < 200; ++i) {
      const double x = before(r, i) - 32768.0, y = after(r, i) - 32768.0;
      product += x * y;
      a += x * x;
      b += y * y;
    }
  // Null: correlation sqrt(1 - 0.36) = 0.8; 600 values of which the 200 rows of T' are independent and the three inputs
  // nearly so; deviation (1 - 0.64) / sqrt(600) = 0.015, two-sided alpha 0.001
  CHECK(std::abs(product / std::sqrt(a * b) - 0.8) < 3.29 * 0.015);
  CHECK(std::abs(b / a - 1) < 0.2);
}

TEST_CASE("a measured state takes the place of the first where the perturbation is whole") {
  const test::TemporaryFolder folder;
  Example other;
  for (double& v : other.matrix) v = -v + 0.1;
  other.offset[0] = 0.4;
  const std::string first = Example{}.write(folder), second = other.write(folder, "other.h5");
  const auto device = model().open(asked({{"matrix", first}, {"perturbation", 1.0}, {"perturbation.matrix", second}})),
             direct = model().open(asked({{"matrix", second}}));
  const Matrix<std::uint16_t> in = frames(4, 2);
  const Matrix<std::uint16_t> a = answers(*device, in), b = answers(*direct, in);
  CHECK(std::ranges::equal(a.flat(), b.flat()));
  CHECK_THROWS_AS(device->configure({{"perturbation", 0.5}}),
                  InvalidParameter);  // two states have no state between them
  CHECK_THROWS_AS(model().open(asked({{"matrix", first}, {"perturbation", 0.5}, {"perturbation.matrix", second}})),
                  InvalidParameter);
  device->configure({{"perturbation", 0.0}});
  const auto still = model().open(asked({{"matrix", first}}));
  const Matrix<std::uint16_t> c = answers(*device, in), d = answers(*still, in);
  CHECK(std::ranges::equal(c.flat(), d.flat()));
}

TEST_CASE("a file that says what it holds for is taken so, and not otherwise") {
  const test::TemporaryFolder folder;
  Example example;
  const std::string silent = example.write(folder, "silent.h5");
  example.encoding = "phase";
  example.detection = "amplitude";
  const std::string told = example.write(folder, "told.h5");
  const Settings law = {{"encoding", std::string("phase")}, {"detection", std::string("amplitude")}};
  Settings explicitly = law;
  explicitly["matrix"] = silent;
  const auto device = model().open(asked({{"matrix", told}})), other = model().open(asked(explicitly));
  const Matrix<std::uint16_t> in = frames(4, 2), a = answers(*device, in), b = answers(*other, in);
  CHECK(std::ranges::equal(a.flat(), b.flat()));
  explicitly["matrix"] = told;
  CHECK_NOTHROW(model().open(asked(explicitly)));
  for (const auto& [name, word] : {std::pair{"encoding", "signed"}, {"detection", "intensity"}}) {
    const Settings against = {{"matrix", told}, {name, std::string(word)}};
    CHECK_THROWS_AS(model().open(asked(against)), InvalidParameter);
    CHECK_THROWS_AS(make_twin(asked(against)), InvalidParameter);
  }
  CHECK_THROWS_AS(model().open(asked({{"matrix", silent}, {"perturbation.matrix", told}})), InvalidParameter);
  CHECK_NOTHROW(model().open(asked({{"matrix", told}, {"perturbation.matrix", silent}})));
  example.detection = "loudness";
  CHECK_THAT(refusal(example), Catch::Contains("loudness"));
}

TEST_CASE("files that hold no wave system are refused with what is wrong") {
  const test::TemporaryFolder folder;
  CHECK_THROWS_AS(read_medium(folder / "none.h5"), FileError);
  CHECK(refusal({}).empty());
  Example bad;
  bad.matrix[3] = NAN;
  CHECK_THAT(refusal(bad), Catch::Contains("number 3"));
  bad = {};
  std::ranges::fill(bad.matrix, 0.0);
  CHECK_THAT(refusal(bad), Catch::Contains("zero everywhere"));
  bad = {};
  bad.shape = {12};
  CHECK_THAT(refusal(bad), Catch::Contains("(12)"));
  bad = {};
  bad.full_scale[1] = 0;
  CHECK_THAT(refusal(bad), Catch::Contains("above 0"));
  bad = {};
  std::ranges::fill(bad.matrix, 1e-50);  // zero in single precision
  CHECK_THAT(refusal(bad), Catch::Contains("zero everywhere"));
  bad = {};
  bad.full_scale[1] = 1e-50;
  CHECK_THAT(refusal(bad), Catch::Contains("above 0"));
  bad = {};
  bad.noise = {0.1};
  CHECK_THAT(refusal(bad), Catch::Contains("one number per output"));
  bad = {};
  bad.offset = {1, 2};
  CHECK_THAT(refusal(bad), Catch::Contains("/offset"));
  Example imaginary;
  for (std::size_t i = 0; i < imaginary.matrix.size(); i += 2) imaginary.matrix[i] = 0;
  const std::string turned = imaginary.write(folder, "i.h5");
  CHECK_NOTHROW(model().open(asked({{"matrix", turned}})));
  const Settings field = {{"matrix", turned}, {"detection", std::string("field")}};
  CHECK_THROWS_AS(model().open(asked(field)), InvalidParameter);
  CHECK_THROWS_AS(make_twin(asked(field)), InvalidParameter);
  const std::string good = Example{}.write(folder);
  CHECK_THROWS_AS(model().open(asked({{"matrix", good}, {"input.size", whole(3)}})), ShapeMismatch);
  Example wide;
  wide.shape = {2, 3, 2};
  wide.offset.resize(4);
  wide.full_scale.resize(2);
  wide.noise.resize(2);
  CHECK_THROWS_AS(model().open(asked({{"matrix", good}, {"perturbation.matrix", wide.write(folder, "w.h5")}})),
                  ShapeMismatch);
}

}  // namespace lightloop::wave
