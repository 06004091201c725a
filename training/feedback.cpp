#include "training/feedback.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <limits>

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "core/linalg.hpp"
#include "core/random.hpp"
#include "core/threads.hpp"

namespace lightloop {
namespace {

class Digital : public Feedback {
 public:
  Digital(Matrix<float> matrix, bool drawn) : matrix_(std::move(matrix)), drawn_(drawn) {}
  Index inputs() const override { return matrix_.cols(); }
  Index outputs() const override { return matrix_.rows(); }
  void project(View<const float> e, View<float> out) override {
    gemm(Transpose::no, Transpose::yes, 1.0f, e, matrix_, 0.0f, out);
  }
  View<const float> matrix() const override { return matrix_; }
  std::vector<std::byte> snapshot() const override {
    if (drawn_) return {};
    ByteWriter out;
    out.put_all<float>(matrix_.flat());
    return out.take();
  }
  void restore(const std::vector<std::byte>& state) override {
    ByteReader in(state, "feedback matrix");
    const auto bytes = in.take(drawn_ ? 0 : matrix_.flat().size_bytes());
    in.done();
    if (!bytes.empty()) std::memcpy(matrix_.data(), bytes.data(), bytes.size());
  }

 private:
  Matrix<float> matrix_;
  bool drawn_;  // from the seed, which gives it again
};

class OnDevice : public Feedback {
 public:
  explicit OnDevice(Projection& projection) : projection_(projection) {}
  Index inputs() const override { return projection_.inputs(); }
  Index outputs() const override { return projection_.outputs(); }
  void project(View<const float> e, View<float> out) override { projection_.linear(e, out); }
  void begin(View<const float> e, View<float> out) override { projection_.begin_linear(e, out); }
  void finish() override { projection_.finish_linear(); }
  std::vector<std::byte> snapshot() const override { return projection_.snapshot(); }
  void restore(const std::vector<std::byte>& state) override { projection_.restore(state); }

 private:
  Projection& projection_;
};

class Noisy : public Feedback {
 public:
  Noisy(std::unique_ptr<Feedback> inner, double sigma, bool skip_empty, std::uint64_t seed)
      : inner_(std::move(inner)),
        sigma_(static_cast<float>(sigma)),
        skip_empty_(skip_empty),
        stream_(seed, 0, Purpose::projection_noise) {}
  Index inputs() const override { return inner_->inputs(); }
  Index outputs() const override { return inner_->outputs(); }
  View<const float> matrix() const override { return inner_->matrix(); }

  void project(View<const float> e, View<float> out) override {
    inner_->project(e, out);
    add_noise(e, out);
  }
  void begin(View<const float> e, View<float> out) override {
    inner_->begin(e, out);
    errors_ = e;
    out_ = out;
  }
  void finish() override {
    inner_->finish();
    add_noise(errors_, out_);
  }
  void add_noise(View<const float> e, View<float> out) {
    noise_.resize(out.rows(), out.cols());
    parallel_for(out.rows(), [this, &e, &out](Index r) {
      const auto error = e.row(r);
      if (skip_empty_ && std::all_of(error.begin(), error.end(), [](float v) { return v == 0; })) return;
      const auto noise = noise_.row(r);
      stream_.normal(rows_ + static_cast<std::uint64_t>(r), 0, noise);
      float* to = out.row(r).data();
      for (std::size_t i = 0; i < noise.size(); ++i) to[i] += sigma_ * noise[i];
    });
    rows_ += static_cast<std::uint64_t>(e.rows());
  }

  std::vector<std::byte> snapshot() const override {
    ByteWriter out;
    out.put(rows_);
    const auto inner = inner_->snapshot();
    out.put_all(std::span<const std::byte>(inner));
    return out.take();
  }
  void restore(const std::vector<std::byte>& state) override {
    ByteReader in(state, "noisy feedback snapshot");
    const auto rows = in.get<std::uint64_t>();
    const auto rest = in.take(in.left());
    inner_->restore({rest.begin(), rest.end()});
    rows_ = rows;
  }

 private:
  std::unique_ptr<Feedback> inner_;
  float sigma_;
  bool skip_empty_;
  Stream stream_;
  std::uint64_t rows_ = 0;
  Matrix<float> noise_;
  View<const float> errors_;  ///< between begin() and finish()
  View<float> out_;
};

class Timed : public Feedback {
 public:
  Timed(std::unique_ptr<Feedback> inner, double& seconds) : inner_(std::move(inner)), seconds_(seconds) {}
  Index inputs() const override { return inner_->inputs(); }
  Index outputs() const override { return inner_->outputs(); }
  View<const float> matrix() const override { return inner_->matrix(); }
  std::vector<std::byte> snapshot() const override { return inner_->snapshot(); }
  void restore(const std::vector<std::byte>& state) override { inner_->restore(state); }
  void begin(View<const float> e, View<float> out) override { inner_->begin(e, out); }
  void project(View<const float> e, View<float> out) override {
    begin(e, out);
    finish();
  }
  void finish() override {
    const auto start = std::chrono::steady_clock::now();
    inner_->finish();
    seconds_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }

 private:
  std::unique_ptr<Feedback> inner_;
  double& seconds_;
};

}  // namespace

std::unique_ptr<Feedback> timed_feedback(std::unique_ptr<Feedback> inner, double& seconds) {
  return std::make_unique<Timed>(std::move(inner), seconds);
}

std::unique_ptr<Feedback> digital_feedback(Index inputs, Index outputs, std::uint64_t seed) {
  Matrix<float> matrix(outputs, inputs);
  const Stream stream(seed, 0, Purpose::feedback_matrix);
  parallel_for(outputs, [&](Index i) { stream.normal(static_cast<std::uint64_t>(i), 0, matrix.row(i)); });
  return std::make_unique<Digital>(std::move(matrix), true);
}

std::unique_ptr<Feedback> digital_feedback(Matrix<float> matrix) {
  return std::make_unique<Digital>(std::move(matrix), false);
}

std::unique_ptr<Feedback> device_feedback(Projection& projection) { return std::make_unique<OnDevice>(projection); }

std::unique_ptr<Feedback> noisy_feedback(std::unique_ptr<Feedback> inner, double sigma, bool skip_empty,
                                         std::uint64_t seed) {
  if (!(sigma >= 0)) throw OutOfRange("feedback noise", std::to_string(sigma), "a standard deviation of at least 0");
  return std::make_unique<Noisy>(std::move(inner), sigma, skip_empty, seed);
}

Matrix<float> measure_matrix(Projection& projection, Index repeats) {
  const Index n = projection.inputs();
  if (!projection.settings().text("encoding").starts_with("bitplanes") && projection.settings().real("dead_zone") >= 1)
    throw InvalidParameter("projection.dead_zone", std::to_string(projection.settings().real("dead_zone")),
                           "below 1 to measure a matrix", "A unit vector would be coded as nothing.");
  Matrix<float> unit(1, n), column(1, projection.outputs()), matrix(projection.outputs(), n);
  for (Index j = 0; j < n; ++j) {
    unit(0, j) = 1;
    for (Index k = 0; k < repeats; ++k) {
      projection.linear(unit, column);
      for (Index i = 0; i < matrix.rows(); ++i) matrix(i, j) += column(0, i) / static_cast<float>(repeats);
    }
    unit(0, j) = 0;
  }
  return matrix;
}

double projection_fidelity(Projection& projection, View<const float> matrix) {
  const Index n = projection.inputs();
  if (n < 2) return std::numeric_limits<double>::quiet_NaN();
  Matrix<float> signal(n, n), seen(n, projection.outputs());
  for (Index j = 0; j < n; ++j) signal(j, j) = signal(j, (j + 1) % n) = 1;
  projection.linear(signal, seen);
  double total = 0;
  for (Index j = 0; j < n; ++j) {
    double both = 0, measured = 0, expected = 0;
    for (Index i = 0; i < seen.cols(); ++i) {
      const auto y = static_cast<double>(seen(j, i));
      const double sum = static_cast<double>(matrix(i, j)) + static_cast<double>(matrix(i, (j + 1) % n));
      both += y * sum;
      measured += y * y;
      expected += sum * sum;
    }
    total += both / std::sqrt(measured * expected);
  }
  return total / static_cast<double>(n);
}

}  // namespace lightloop
