#include "training/metrics/layers.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/error.hpp"
#include "core/linalg.hpp"
#include "training/cholesky.hpp"
#include "training/layers/model.hpp"
#include "training/rules/block_runner.hpp"
#include "training/rules/gradient.hpp"
#include "training/rules/head_view.hpp"

namespace lightloop {
namespace {

constexpr double kRidge = 1e-2;  // assumed: far below the spread of features, far above rounding
constexpr Index kBatch = 64;     // samples at a time; what a model keeps inside stays small

Matrix<float> copy_of(View<const float> x) {
  Matrix<float> y(x.rows(), x.cols());
  for (Index r = 0; r < x.rows(); ++r) std::ranges::copy(x.row(r), y.row(r).begin());
  return y;
}

/// x - mean, row by row.
void subtract(std::span<const float> mean, Matrix<float>& x) {
  for (Index r = 0; r < x.rows(); ++r)
    for (std::size_t c = 0; c < mean.size(); ++c) x.row(r)[c] -= mean[c];
}

std::vector<float> mean_of(View<const float> x) {
  std::vector<float> mean(static_cast<std::size_t>(x.cols()));
  column_means(x, mean);
  return mean;
}

Matrix<float> gram(View<const float> a, View<const float> b) {
  Matrix<float> k(a.rows(), b.rows());
  gemm(Transpose::no, Transpose::yes, 1.0f, a, b, 0.0f, k);
  return k;
}

Matrix<float> centred_gram(View<const float> x) {
  Matrix<float> centred = copy_of(x);
  subtract(mean_of(x), centred);
  return gram(centred, centred);
}

double similarity(const Matrix<float>& k, const Matrix<float>& l) {
  return dot(k.flat(), l.flat()) / std::sqrt(dot(k.flat(), k.flat()) * dot(l.flat(), l.flat()));
}

/// What is seen of every hidden layer, all samples below each other.
std::vector<Matrix<float>> seen_layers(const Network& net, const Dataset& data, Index samples) {
  constexpr Index kSide = 4;  // as the rules of blocks look at images
  BlockRunner runner(0, static_cast<std::size_t>(net.layers()));
  std::vector<HeadView> views;
  std::vector<Matrix<float>> all;
  for (Index b = 0; b < net.hidden_layers(); ++b) {
    views.emplace_back(block_shape(net, b), kSide);
    all.emplace_back(samples, views.back().width());
  }
  Matrix<float> x;
  std::vector<std::uint32_t> which;
  for (Index first = 0; first < samples; first += kBatch) {
    which.resize(static_cast<std::size_t>(std::min(kBatch, samples - first)));
    std::iota(which.begin(), which.end(), static_cast<std::uint32_t>(first));
    x.resize(static_cast<Index>(which.size()), data.features());
    data.gather(which, x);
    runner.begin_answer(static_cast<std::uint64_t>(first));
    View<const float> in = x;
    for (std::size_t b = 0; b < all.size(); ++b) {
      in = runner.forward(net, static_cast<Index>(b), in, b);
      const View<const float> seen = views[b].see(in);
      for (Index r = 0; r < seen.rows(); ++r) std::ranges::copy(seen.row(r), all[b].row(first + r).begin());
    }
  }
  return all;
}

std::span<const std::uint8_t> first_labels(const Dataset& data, Index samples) {
  return {data.labels.data(), static_cast<std::size_t>(samples)};
}

}  // namespace

double linear_cka(View<const float> x, View<const float> y) {
  if (x.rows() != y.rows())
    throw ShapeMismatch("rows of CKA", std::to_string(x.rows()) + " and " + std::to_string(y.rows()),
                        "the same samples");
  return similarity(centred_gram(x), centred_gram(y));
}

double linear_probe(View<const float> train, std::span<const std::uint8_t> train_labels, View<const float> test,
                    std::span<const std::uint8_t> test_labels, Index classes, double ridge) {
  if (train.cols() != test.cols() || train.rows() != static_cast<Index>(train_labels.size()) ||
      test.rows() != static_cast<Index>(test_labels.size()))
    throw ShapeMismatch("linear probe",
                        std::to_string(train.cols()) + " and " + std::to_string(test.cols()) + " features",
                        "equal numbers, and a label for every row");
  const std::vector<float> mean = mean_of(train);
  Matrix<float> x = copy_of(train), z = copy_of(test);
  subtract(mean, x);
  subtract(mean, z);
  const Matrix<float> k = gram(x, x), cross = gram(z, x);
  double trace = 0;
  for (Index i = 0; i < k.rows(); ++i) trace += static_cast<double>(k(i, i));
  const double penalty = ridge * trace / static_cast<double>(k.rows());
  std::vector<double> share(static_cast<std::size_t>(classes));
  for (const std::uint8_t label : train_labels) share[label] += 1 / static_cast<double>(train_labels.size());
  if (penalty <= 0)  // features that stand still: the commonest class
    return static_cast<double>(std::ranges::count(test_labels, std::ranges::max_element(share) - share.begin())) /
           static_cast<double>(test_labels.size());
  Matrix<double> y(classes, k.rows());
  for (Index c = 0; c < classes; ++c)
    for (Index i = 0; i < k.rows(); ++i)
      y(c, i) = (train_labels[static_cast<std::size_t>(i)] == c ? 1 : 0) - share[static_cast<std::size_t>(c)];
  Matrix<double> exact(k.rows(), k.rows());
  std::ranges::copy(k.flat(), exact.flat().begin());
  const Matrix<double> a = solve_positive(exact, penalty, y);
  Index right = 0;
  std::vector<double> row(static_cast<std::size_t>(k.rows())), score(static_cast<std::size_t>(classes));
  for (Index r = 0; r < cross.rows(); ++r) {
    std::ranges::copy(cross.row(r), row.begin());
    for (Index c = 0; c < classes; ++c)
      score[static_cast<std::size_t>(c)] =
          share[static_cast<std::size_t>(c)] + inner_product(row.data(), &a(c, 0), k.rows());
    right += std::ranges::max_element(score) - score.begin() == test_labels[static_cast<std::size_t>(r)];
  }
  return static_cast<double>(right) / static_cast<double>(test.rows());
}

LayerMetrics measure_layers(const Network& net, const TrainTest& data, Index samples) {
  const Index fit = std::min(samples, data.train.size()), held = std::min(samples, data.test.size());
  if (std::min(fit, held) < 2)
    throw OutOfRange("train.layer_metrics", std::to_string(std::min(fit, held)) + " samples", "at least 2");
  const std::vector<Matrix<float>> train = seen_layers(net, data.train, fit), test = seen_layers(net, data.test, held);
  LayerMetrics metrics;
  std::vector<Matrix<float>> grams;
  for (std::size_t l = 0; l < train.size(); ++l) {
    metrics.probe.push_back(linear_probe(train[l], first_labels(data.train, fit), test[l],
                                         first_labels(data.test, held), net.widths().back(), kRidge));
    grams.push_back(centred_gram(test[l]));
  }
  for (const Matrix<float>& k : grams)
    for (const Matrix<float>& l : grams) metrics.cka.push_back(similarity(k, l));
  return metrics;
}

}  // namespace lightloop
