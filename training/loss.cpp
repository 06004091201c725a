#include "training/loss.hpp"

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "core/vector_math.hpp"

namespace lightloop {
namespace {

/// Into `e`; returns log sum exp(a - top).
double softmax_row(std::span<const float> a, float top, std::span<float> e) {
  for (std::size_t c = 0; c < a.size(); ++c) e[c] = a[c] - top;
  vector_exp(e, e);
  double sum = 0;
  for (const float v : e) sum += static_cast<double>(v);
  const auto scale = static_cast<float>(1.0 / sum);
  for (float& v : e) v *= scale;
  return std::log(sum);
}

double cross_entropy_row(std::span<const float> a, std::size_t label, std::span<float> e) {
  const float top = *std::ranges::max_element(a);
  const double rest = softmax_row(a, top, e);
  e[label] -= 1.0f;
  return rest + static_cast<double>(top - a[label]);
}

double mse_row(std::span<const float> a, std::size_t label, std::span<float> e) {
  double sum = 0;
  for (std::size_t c = 0; c < a.size(); ++c) {
    e[c] = a[c] - (c == label ? 1.0f : 0.0f);
    sum += 0.5 * static_cast<double>(e[c]) * static_cast<double>(e[c]);
  }
  return sum;
}

}  // namespace

Loss loss_from(const std::string& name) {
  if (name == "cross_entropy") return Loss::cross_entropy;
  if (name == "mse") return Loss::mse;
  throw UnknownName("loss", name, "cross_entropy or mse");
}

void softmax(View<const float> logits, View<float> out) {
  if (out.rows() != logits.rows() || out.cols() != logits.cols())
    throw ShapeMismatch("softmax", "out (" + std::to_string(out.rows()) + ", " + std::to_string(out.cols()) + ")",
                        "logits (" + std::to_string(logits.rows()) + ", " + std::to_string(logits.cols()) + ")");
  for (Index r = 0; r < logits.rows(); ++r) {
    const auto a = logits.row(r);
    softmax_row(a, *std::ranges::max_element(a), out.row(r));
  }
}

double output_error(Loss loss, View<const float> logits, std::span<const std::uint8_t> labels, View<float> error,
                    std::span<const std::uint8_t> counts) {
  if (static_cast<Index>(labels.size()) != logits.rows() || error.rows() != logits.rows() ||
      error.cols() != logits.cols() || (!counts.empty() && counts.size() != labels.size()))
    throw ShapeMismatch("output_error",
                        std::to_string(labels.size()) + " labels, error (" + std::to_string(error.rows()) + ", " +
                            std::to_string(error.cols()) + ")",
                        "logits (" + std::to_string(logits.rows()) + ", " + std::to_string(logits.cols()) + ")");
  double total = 0;
  for (Index r = 0; r < logits.rows(); ++r) {
    if (!counts.empty() && counts[static_cast<std::size_t>(r)] == 0) {
      std::ranges::fill(error.row(r), 0.0f);
      continue;
    }
    const std::size_t label = labels[static_cast<std::size_t>(r)];
    if (label >= static_cast<std::size_t>(logits.cols()))
      throw OutOfRange("label", std::to_string(label), "below the " + std::to_string(logits.cols()) + " outputs");
    total += loss == Loss::mse ? mse_row(logits.row(r), label, error.row(r))
                               : cross_entropy_row(logits.row(r), label, error.row(r));
  }
  return total;
}

double value_error(View<const float> outputs, View<const float> targets, View<float> error) {
  if (targets.rows() != outputs.rows() || targets.cols() != outputs.cols() || error.rows() != outputs.rows() ||
      error.cols() != outputs.cols())
    throw ShapeMismatch("targets", std::to_string(targets.rows()) + " x " + std::to_string(targets.cols()),
                        "outputs " + std::to_string(outputs.rows()) + " x " + std::to_string(outputs.cols()));
  double total = 0;
  for (Index r = 0; r < outputs.rows(); ++r)
    for (Index c = 0; c < outputs.cols(); ++c) {
      const float e = outputs(r, c) - targets(r, c);
      error(r, c) = e;
      total += 0.5 * static_cast<double>(e) * static_cast<double>(e);
    }
  return total;
}

Index Targets::counted() const {
  return counts.empty() ? static_cast<Index>(labels.size())
                        : std::ranges::count_if(counts, [](auto c) { return c != 0; });
}

double answer_error(Loss loss, View<const float> answers, const Targets& targets, View<float> error) {
  if (!targets.values.empty()) return value_error(answers, targets.values, error);
  const auto rows = static_cast<Index>(targets.labels.size());
  if (rows == answers.rows()) return output_error(loss, answers, targets.labels, error, targets.counts);
  if (answers.rows() == 0 || rows % answers.rows() != 0)
    throw ShapeMismatch("targets", std::to_string(rows) + " labels", std::to_string(answers.rows()) + " answers");
  const Index width = answers.size() / rows;  // of one token's answer
  return output_error(loss, {answers.data(), rows, width}, targets.labels, {error.data(), rows, width}, targets.counts);
}

}  // namespace lightloop
