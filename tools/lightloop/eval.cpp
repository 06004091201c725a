// `lightloop eval`: scores the network of a run file on labelled data.
#include <cstdio>

#include "core/error.hpp"
#include "tools/lightloop/command.hpp"
#include "tools/lightloop/json.hpp"
#include "tools/lightloop/text.hpp"
#include "training/datasets/readers.hpp"
#include "training/evaluate.hpp"
#include "training/run_file.hpp"

namespace lightloop::command {
namespace {
/// What to score on: every sample of a CSV file, the test part of an HDF5 file that has one, the test set of a known
/// name.
Dataset samples(const std::string& name, const std::string& folder, std::uint64_t seed) {
  if (name.ends_with(".csv")) return read_csv(name);
  if (name.ends_with(".h5") && !hdf5_has_samples(name, "/test")) return read_hdf5(name, "/");
  return load_dataset(name, folder, seed).test;
}
}  // namespace

int eval(const EvalRequest& request) {
  const RunFile run = load_run(request.run);
  if (!request.device.empty() && request.device != "digital")
    throw Unsupported("eval --device " + request.device, request.run + " has no layer that runs on a device", "",
                      "Leave --device away: the network is computed digitally.");
  const std::string name = request.data.empty() ? run.train.text("dataset") : request.data;
  const std::string folder = request.data_dir.empty() ? run.train.text("data_dir") : request.data_dir;
  Dataset test = samples(name, folder, static_cast<std::uint64_t>(run.train.integer("seed")));
  test.name = name;
  const auto rule = answering_rule(run.net, run.train.text("rule"), run.rule.all(),
                                   static_cast<std::uint64_t>(run.train.integer("seed")), run.own.flat());
  const Evaluation score = evaluate(run.net, test, loss_from(run.train.text("loss")), rule.get());
  const std::string hash = weights_sha256(run.net);
  if (request.json) {
    std::fputs(settings_json({{"run", request.run},
                              {"data", test.source.empty() ? name : test.source},
                              {"samples", Value(static_cast<std::int64_t>(score.samples))},
                              {"test_accuracy", score.accuracy},
                              {"loss", score.loss},
                              {"weights_sha256", hash}})
                   .c_str(),
               stdout);
    return kDone;
  }
  std::printf("%s on %s (%s samples): accuracy %s, loss %.4f\n", request.run.c_str(), name.c_str(),
              grouped(score.samples).c_str(), percent(score.accuracy).c_str(), score.loss);
  return kDone;
}

}  // namespace lightloop::command
