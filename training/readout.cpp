#include "training/readout.hpp"

#include <cmath>
#include <limits>
#include <string>

#include "core/error.hpp"
#include "training/metrics/eigen.hpp"

namespace lightloop {
namespace {

constexpr Index kBlock = 256;  // rows per update; fixed, so that sums do not depend on the caller's cut

/// First and second moments of [x, y] about the first row ever seen (of the other sums too, so that they can be added).
struct Moments2 {
  double n = 0;
  eigen::Columns second;
  Eigen::VectorXd first;
};

struct Standardised {
  Eigen::VectorXd mean, scale;  // of all columns; scale of features only, 0 where one stands still
  eigen::Columns gram, cross;
};

}  // namespace

struct RidgeTrainer::Sums {
  Sums(Index features, Index outputs) : features_(features), outputs_(outputs), block_(kBlock, features + outputs) {
    done_.second = eigen::Columns::Zero(features + outputs, features + outputs);
    done_.first = Eigen::VectorXd::Zero(features + outputs);
  }

  void add(View<const double> x, View<const double> y, Eigen::VectorXd& about) {
    if (x.cols() != features_ || y.cols() != outputs_ || x.rows() != y.rows())
      throw ShapeMismatch("rows of the read-out",
                          "(" + std::to_string(x.rows()) + ", " + std::to_string(x.cols()) + ") and (" +
                              std::to_string(y.rows()) + ", " + std::to_string(y.cols()) + ")",
                          "(T, " + std::to_string(features_) + ") and (T, " + std::to_string(outputs_) + ") wanted");
    if (!eigen::map(x).allFinite() || !eigen::map(y).allFinite())
      throw InvalidParameter("rows of the read-out", "not a number, or infinite", "finite numbers");
    for (Index t = 0; t < x.rows(); ++t) {
      if (about.size() == 0) {
        about.resize(features_ + outputs_);
        about << eigen::map(x).row(t).transpose(), eigen::map(y).row(t).transpose();
      }
      block_.row(filled_) << eigen::map(x).row(t), eigen::map(y).row(t);
      block_.row(filled_) -= about.transpose();
      if (++filled_ == kBlock) flush(done_, filled_), filled_ = 0;
    }
  }

  Index features() const { return features_; }

  Moments2 all() const {
    Moments2 sums = done_;
    flush(sums, filled_);
    return sums;
  }

 private:
  void flush(Moments2& sums, Index rows) const {
    if (rows == 0) return;
    const auto part = block_.topRows(rows);
    sums.second.selfadjointView<Eigen::Lower>().rankUpdate(part.transpose());
    sums.first += part.colwise().sum().transpose();
    sums.n += static_cast<double>(rows);
  }

  Index features_, outputs_, filled_ = 0;
  eigen::Rows block_;
  Moments2 done_;

 public:
  Eigen::VectorXd origin;  // used by the training sums for both
};

namespace {

eigen::Columns whole(const eigen::Columns& lower) { return lower.selfadjointView<Eigen::Lower>(); }

Standardised standardise(const Moments2& sums, Index features) {
  Standardised s;
  s.mean = sums.first / sums.n;
  eigen::Columns covariance = whole(sums.second) / sums.n - s.mean * s.mean.transpose();
  const Eigen::ArrayXd variance = covariance.diagonal().head(features).array();
  const Eigen::ArrayXd size = sums.second.diagonal().head(features).array() / sums.n;
  s.scale = (variance > 1e-14 * size && variance > 0)
                .select(variance.max(0.0).sqrt().max(1e-300).inverse(), Eigen::ArrayXd::Zero(features))
                .matrix();
  s.gram = s.scale.asDiagonal() * covariance.topLeftCorner(features, features) * s.scale.asDiagonal();
  s.cross = s.scale.asDiagonal() * covariance.topRightCorner(features, covariance.cols() - features);
  return s;
}

/// <|y - p|^2> over <|y - mean y|^2> of the validation rows, from their moments alone.
double validation_nmse(const Moments2& sums, const Standardised& train, const eigen::Columns& weights, Index features) {
  const Index outputs = sums.first.size() - features;
  // Residual = A' [x, y] - c with A = [-W; 1], c = A' mean.
  eigen::Columns a(features + outputs, outputs);
  a << -weights, eigen::Columns::Identity(outputs, outputs);
  const Eigen::VectorXd c = a.transpose() * train.mean, shift = a.transpose() * sums.first / sums.n;
  const double squares = (a.transpose() * whole(sums.second) * a).trace() / sums.n - 2 * c.dot(shift) + c.squaredNorm();
  const double variance =
      sums.second.diagonal().tail(outputs).sum() / sums.n - (sums.first.tail(outputs) / sums.n).squaredNorm();
  return std::max(squares, 0.0) / variance;
}

}  // namespace

const std::vector<double>& default_ridges() {
  static const std::vector<double> decades = {1e-10, 1e-9, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1};
  return decades;
}

RidgeTrainer::RidgeTrainer(Index features, Index outputs) {
  if (features < 1 || outputs < 1)
    throw OutOfRange("read-out", std::to_string(features) + " features, " + std::to_string(outputs) + " outputs",
                     "at least 1 of each");
  train_ = std::make_unique<Sums>(features, outputs);
  validation_ = std::make_unique<Sums>(features, outputs);
}
RidgeTrainer::~RidgeTrainer() = default;
RidgeTrainer::RidgeTrainer(RidgeTrainer&&) noexcept = default;
RidgeTrainer& RidgeTrainer::operator=(RidgeTrainer&&) noexcept = default;

void RidgeTrainer::add(View<const double> x, View<const double> y) { train_->add(x, y, train_->origin); }
void RidgeTrainer::add_validation(View<const double> x, View<const double> y) {
  validation_->add(x, y, train_->origin);
}

LinearReadout RidgeTrainer::solve(std::span<const double> ridges) const {
  Moments2 sums = train_->all();
  const Moments2 validation = validation_->all();
  const Index width = sums.first.size();
  if (sums.n < 2)
    throw InvalidParameter("read-out", std::to_string(static_cast<Index>(sums.n)) + " rows", "at least 2");
  if (ridges.empty() || (validation.n < 2 && ridges.size() != 1))
    throw InvalidParameter("read-out: ridges", std::to_string(ridges.size()) + " candidates",
                           "exactly one without validation rows, else at least one");
  for (const double ridge : ridges)
    if (!(ridge >= 0)) throw OutOfRange("read-out: ridge", std::to_string(ridge), "at least 0");
  // W' maps [x, y]: the number of outputs follows from the widths the sums were made with.
  const Index features = train_->features(), outputs = width - features;

  LinearReadout answer;
  answer.ridge = ridges[0];
  const auto weights_for = [&](const Standardised& s, const eigen::Modes& modes, double ridge) -> eigen::Columns {
    const Eigen::ArrayXd floor = modes.values.array().max(0.0) + ridge;
    const double least = 1e-15 * static_cast<double>(features) * modes.values.maxCoeff();
    const Eigen::VectorXd gain =
        (floor > least).select(floor.max(1e-300).inverse(), Eigen::ArrayXd::Zero(features)).matrix();
    return s.scale.asDiagonal() * (modes.vectors * (gain.asDiagonal() * (modes.vectors.transpose() * s.cross)));
  };
  if (ridges.size() > 1) {
    const Standardised s = standardise(sums, features);
    const eigen::Modes modes = eigen::modes(s.gram);
    double best = std::numeric_limits<double>::infinity();
    for (const double ridge : ridges) {
      const double error = validation_nmse(validation, s, weights_for(s, modes, ridge), features);
      answer.candidates.push_back(ridge);
      answer.validation_nmse.push_back(error);
      if (error < best) best = error, answer.ridge = ridge;
    }
  }
  sums.n += validation.n;
  sums.first += validation.first;
  sums.second += validation.second;
  const Standardised s = standardise(sums, features);
  const eigen::Modes modes = eigen::modes(s.gram);
  const eigen::Columns weights = weights_for(s, modes, answer.ridge);
  answer.weights = Matrix<double>(features, outputs);
  Eigen::Map<eigen::Rows>(answer.weights.data(), features, outputs) = weights;
  const Eigen::VectorXd mean = s.mean + train_->origin;
  answer.mean.assign(mean.data(), mean.data() + features);
  answer.offset.assign(mean.data() + features, mean.data() + width);
  return answer;
}

void LinearReadout::predict(View<const double> x, View<double> p) const {
  const Index features = weights.rows(), outputs = weights.cols();
  if (x.cols() != features || p.rows() != x.rows() || p.cols() != outputs)
    throw ShapeMismatch("states for the read-out", std::to_string(x.cols()) + " features",
                        std::to_string(features) + " were learnt");
  for (Index t = 0; t < x.rows(); ++t)
    for (Index c = 0; c < outputs; ++c) {
      double sum = 0;
      for (Index i = 0; i < features; ++i) sum += (x(t, i) - mean[static_cast<std::size_t>(i)]) * weights(i, c);
      p(t, c) = sum + offset[static_cast<std::size_t>(c)];
    }
}

Matrix<double> LinearReadout::predict(View<const double> x) const {
  Matrix<double> p(x.rows(), weights.cols());
  predict(x, p);
  return p;
}

}  // namespace lightloop
