#include "training/sweep/measure.hpp"

#include <algorithm>
#include <charconv>

#include "driver/reservoir/delay_reservoir.hpp"
#include "training/metrics/capacity.hpp"
#include "training/metrics/consistency.hpp"
#include "training/metrics/rank.hpp"
#include "training/tasks/evaluate.hpp"

namespace lightloop::sweeps {
namespace {
Matrix<float> drawn_mask(const Draw& draw, Index nodes, Index inputs) {
  std::vector<double> numbers(static_cast<std::size_t>(nodes * inputs));
  draw(numbers);
  Matrix<float> mask(nodes, inputs);
  std::transform(numbers.begin(), numbers.end(), mask.data(), [](double x) { return static_cast<float>(x); });
  return mask;
}

/// Last states of `count` random streams whose last `common` inputs are the same.
Matrix<double> last_states(Session& session, const Draw& draw, Index count, Index length, Index common) {
  if (common > length)
    throw OutOfRange("generalisation_rank: common", std::to_string(common),
                     "at most length, " + std::to_string(length));
  DelayReservoir reservoir(session, drawn_mask(draw, session.info().input.size(), 1));
  Matrix<double> u(length, 1), states(count, reservoir.nodes());
  Matrix<float> run(length, reservoir.nodes());
  const std::span<double> inputs(u.data(), static_cast<std::size_t>(length));
  draw(inputs.last(static_cast<std::size_t>(common)));
  for (Index i = 0; i < count; ++i) {
    reservoir.reset();
    draw(inputs.first(static_cast<std::size_t>(length - common)));
    reservoir.run(u.view(), run.view());
    std::ranges::copy(run.row(length - 1), states.row(i).begin());
  }
  return states;
}

std::vector<Index> lengths_of(const std::string& text) {
  std::vector<Index> lengths;
  for (std::size_t start = 0; start < text.size();) {
    const auto end = std::min(text.find(',', start), text.size());
    Index length = 0;
    const auto [stop, error] = std::from_chars(text.data() + start, text.data() + end, length);
    if (error != std::errc{} || stop != text.data() + end)
      throw InvalidParameter("information_processing_capacity: delays", text, "whole numbers, as in 100,50,15");
    lengths.push_back(length);
    start = end + 1;
  }
  return lengths;
}

constexpr double kMany = 1e9;  // assumed: rows beyond what fits into a memory
ParamInfo count(const std::string& name, Index value, double least, const std::string& help) {
  return {name, "1", std::int64_t{value}, least, kMany, help};
}
/// How the device is driven, and the measure's own.
std::vector<ParamInfo> driven(Index repeats, Index length, std::vector<ParamInfo> own = {}) {
  std::vector<ParamInfo> all = {count("repeats", repeats, 1, "how often one input is shown"),
                                count("length", length, 2, "inputs"), count("washout", 100, 0, "inputs before them")};
  all.insert(all.end(), own.begin(), own.end());
  return all;
}
std::vector<ParamInfo> streamed(std::vector<ParamInfo> own = {}) {
  std::vector<ParamInfo> all = {
      {"threshold", "1", 1e-3, 0, 1, "singular values count above it, relative to the largest"},
      count("streams", 0, 0, "0: as many as nodes"),
      count("length", 50, 1, "inputs of each")};
  all.insert(all.end(), own.begin(), own.end());
  return all;
}

Responses shown(Session& session, const Draw& draw, const ParamSet& p) {
  return responses(session, draw, p.integer("repeats"), p.integer("length"), p.integer("washout"));
}
template <class Body>
auto of_repeats(Body body) {
  return [body](Session& session, const Draw& draw, const ParamSet& p) {
    const Responses seen = shown(session, draw, p);
    std::vector<View<const double>> views;
    for (const auto& states : seen.states) views.push_back(states.view());
    return body(Repeats(views), p);
  };
}
template <class Body>
auto of_drive(Body body) {
  return [body](Session& session, const Draw& draw, const ParamSet& p) {
    const Responses seen = shown(session, draw, p);
    return body(seen.states[0].view(), std::span<const double>(seen.input), p);
  };
}
template <class Body>
auto of_streams(Body body, bool common) {
  return [=](Session& session, const Draw& draw, const ParamSet& p) {
    const Index streams = p.integer("streams") > 0 ? p.integer("streams") : session.info().input.size();
    const auto states = last_states(session, draw, streams, p.integer("length"), common ? p.integer("common") : 0);
    return body(states.view(), p.real("threshold"));
  };
}

std::vector<MeasureModel> made() {
  const MemorySettings memory;
  const CapacitySettings capacity;
  return {
      {"consistency", "correlation of two responses to one input", driven(4, 1000),
       of_repeats([](Repeats r, const ParamSet&) { return consistency(r); })},
      {"consistency_capacity", "Theta, the number of consistent directions",
       driven(4, 1000, {{"noise_variance", "1", 0.0, 0, kMany, "of measurement noise to imagine added to every node"}}),
       of_repeats([](Repeats r, const ParamSet& p) { return consistency_capacity(r, p.real("noise_variance")); })},
      {"dimensionality", "directions of the mean response above its noise",
       driven(4, 1000, {{"ratio", "1", 2.0, 0, kMany, "of signal to noise of the mean"}}),
       of_repeats([](Repeats r, const ParamSet& p) { return dimensionality(r, p.real("ratio")); })},
      {"memory_capacity", "delays whose input can be read from the state",
       driven(1, 4000,
              {count("first_delay", memory.first_delay, 0, "0 counts the present input"),
               count("last_delay", memory.last_delay, 0, "0: twice the nodes, at most a quarter of the inputs"),
               {"train_fraction", "1", memory.train_fraction, 0, 1, "of the inputs; the rest is scored"},
               {"ridge", "1", memory.ridge, 0, kMany, "relative to the largest eigenvalue of the covariance"}}),
       of_drive([](View<const double> x, std::span<const double> u, const ParamSet& p) {
         return memory_capacity(
             x, u, {p.integer("first_delay"), p.integer("last_delay"), p.real("train_fraction"), p.real("ridge")});
       })},
      {"information_processing_capacity", "products of past inputs that can be read from the state, thresholded",
       driven(1, 4000,
              {{"delays", "", std::string("100,50,15,8,6"), 0, 0, "window of the products of degree 1, 2, ..."},
               {"significance", "1", capacity.significance, 0, 1, "p of the threshold"},
               {"tolerance", "1", capacity.tolerance, 0, 1, "of the rank"}}),
       of_drive([](View<const double> x, std::span<const double> u, const ParamSet& p) {
         return information_processing_capacity(
             x, u, {lengths_of(p.text("delays")), p.real("significance"), p.real("tolerance")});
       })},
      {"kernel_rank", "rank of the last states of streams that differ everywhere", streamed(),
       of_streams([](View<const double> x, double t) { return kernel_rank(x, t); }, false)},
      {"generalisation_rank", "the same for streams whose last inputs are equal",
       streamed({count("common", 10, 0, "inputs at the end that all streams share")}),
       of_streams([](View<const double> x, double t) { return generalisation_rank(x, t); }, true)},
  };
}
}  // namespace

const std::vector<MeasureModel>& measures() {
  static const std::vector<MeasureModel> all = made();
  return all;
}

const MeasureModel& measure(const std::string& name) {
  std::vector<std::string> names;
  std::string list;
  for (const MeasureModel& model : measures()) {
    if (model.name == name) return model;
    names.push_back(model.name);
    list += (list.empty() ? "" : ", ") + model.name;
  }
  const auto near = nearest(name, names);
  throw UnknownName("measure", "\"" + name + "\"", "one of " + list + ", or \"file.py:function\"",
                    near ? "Did you mean " + *near + "?" : "");
}

Responses responses(Session& session, const Draw& draw, Index repeats, Index length, Index washout) {
  DelayReservoir reservoir(session, drawn_mask(draw, session.info().input.size(), 1));
  Matrix<double> u(washout + length, 1);
  draw({u.data(), static_cast<std::size_t>(u.size())});
  Matrix<float> run(u.rows(), reservoir.nodes());
  Responses seen{{u.data() + washout, u.data() + u.rows()}, {}};
  for (Index r = 0; r < repeats; ++r) {
    reservoir.reset();
    reservoir.run(u.view(), run.view());
    Matrix<double>& states = seen.states.emplace_back(length, reservoir.nodes());
    std::copy_n(run.data() + washout * run.cols(), states.size(), states.data());
  }
  return seen;
}

Metric score(Session& session, const Draw& draw, const Task& task) {
  DelayReservoir reservoir(session, drawn_mask(draw, session.info().input.size(), task.inputs.cols()));
  // as rows of a sequence task count, too: the range is that of the rows an estimator would be shown first
  const Index rows = std::min(task.inputs.rows(), task.washout + task.train);
  const auto [low, high] = std::minmax_element(task.inputs.data(), task.inputs.data() + rows * task.inputs.cols());
  const double scale = 2 / (*high - *low);
  return evaluate(task, task_states(reservoir, task, scale, -1 - *low * scale).view());
}

}  // namespace lightloop::sweeps
