#include "training/rules/rule.hpp"
#include "training/trainer.hpp"

namespace lightloop {
namespace {

std::vector<std::string> rule_names() {
  std::vector<std::string> names;
  for (const RuleModel& model : rules()) names.push_back(model.info.name);
  return names;
}

ParamInfo only_with(std::string condition, ParamInfo info) {
  info.only_with = std::move(condition);
  return info;
}

}  // namespace

std::vector<ParamInfo> train_params() {
  constexpr double kMany = 1e12;
  return {
      {"dataset", "", std::string("digits"), 0, 0,
       "digits, clicks or picture (generated), mnist, fashion, cora, citeseer, vowels, japanese_vowels, shakespeare "
       "(characters; shakespeare:32 in windows of 32), or the path of a .csv, .h5 or .txt file"},
      {"data_dir", "", std::string(), 0, 0, "where data sets are looked for first"},
      {"net", "", std::string(), 0, 0,
       "layer widths such as 784-1024-10, a preset (mlp:1024x2, vgg8, resnet18-small, gcn:128, char-transformer), "
       "layers such "
       "as "
       "\"conv 32 3, relu, max_pool 2 | flatten, dense classes\", or a .toml file with net and activation; empty: two "
       "hidden "
       "layers of 256"},
      {"activation",
       "",
       std::string("tanh"),
       0,
       0,
       "non-linearity of the hidden layers, where net gives widths alone",
       {"identity", "tanh", "relu", "sigmoid", "elu"}},
      {"loss", "", std::string("cross_entropy"), 0, 0, "what is minimised", {"cross_entropy", "mse"}},
      {"rule", "", std::string("dfa"), 0, 0, "learning rule", rule_names()},
      {"device", "", std::string("digital"), 0, 0, "device string, .toml file, or digital for none"},
      {"layers", "", std::string(), 0, 0,
       "device string for the matrix products of the forward pass (sim:crossbar), or one for each tile "
       "(remote:HOST:PORT/m{0..3}); empty: digital"},
      {"map", "", std::string(), 0, 0,
       "device string of the physics in front of every layer (sim:wave), whose matrix sees the device's answer instead "
       "of its input, or in the place of the physical layers of net; empty: none"},
      {"map_at", "", std::string(), 0, 0,
       "layers of a net of widths that the device stands in front of, such as 1 or 1,3; empty: all. A net of layers "
       "says "
       "it itself: physical 512"},
      {"map_twin", "", std::string(), 0, 0,
       "device string of the simulator whose twin stands for that device's own where signals go back through it "
       "(sim:wave,...): for an instrument that brings none; empty: its own"},
      {"map_range", "1", 3.0, 0.1, 100,
       "input that takes the full drive of that device, in units of the rms of the first batch; what lies beyond is "
       "clipped and counted"},
      {"map_part", "1", std::int64_t{0}, 0, 65536,
       "numbers that a frame of that device carries at most; 0: as many as it has inputs and outputs. The outputs that "
       "repeat themselves best are read"},
      {"map_levels", "1", std::int64_t{1}, 1, 64,
       "inputs of one bit that show one number to that device, one more of them on for each step of it (thermometer); "
       "1: "
       "whether it is above 0"},
      {"encoding", "", std::string(), 0, 0, "short for projection.encoding: ternary, bitplanes:N, threshold"},
      {"readout", "", std::string(), 0, 0, "short for projection.readout: phase4, anchor"},
      {"baseline", "", std::string(), 0, 0, "rules to train as well, without the device: bp,dfa"},
      {"optimizer", "", std::string("adam"), 0, 0, "update rule", {"sgd", "momentum", "adam"}},
      only_with("optimizer=momentum", {"momentum", "1", 0.9, 0, 1, "decay of the velocity (optimizer momentum)"}),
      only_with("optimizer=adam", {"beta1", "1", 0.9, 0, 0.999999, "decay of the first moment (adam)"}),
      only_with("optimizer=adam", {"beta2", "1", 0.999, 0, 0.999999, "decay of the second moment (adam)"}),
      only_with("optimizer=adam", {"epsilon", "1", 1e-8, 1e-12, 1, "added to the root of the second moment (adam)"}),
      {"lr", "1", 1e-3, 0, 1e3, "learning rate of the first step"},
      {"weight_decay", "1", 0.0, 0, 1,
       "times the net's parameters, biases among them, added to the gradient; a rule's own are left out"},
      {"schedule",
       "",
       std::string("cosine"),
       0,
       0,
       "how the learning rate goes on: cosine falls to 0 at the last step, late from the middle on",
       {"constant", "cosine", "step", "late"}},
      only_with("schedule=step",
                {"step_epochs", "1", std::int64_t{10}, 1, kMany, "epochs between two drops (schedule step)"}),
      only_with("schedule=step", {"step_factor", "1", 0.1, 0, 1, "factor of a drop (schedule step)"}),
      {"samples", "1", std::int64_t{0}, 0, 1e12,
       "training samples to use, drawn once and for all from the set; 0: all. For a quick look"},
      {"shift", "1", std::int64_t{0}, 0, 1000,
       "pixels by which each training image is moved at most, up or down and left or right, drawn anew in every epoch"},
      {"batch", "1", std::int64_t{128}, 1, 1e6, "samples per step; of a graph always all nodes"},
      {"epochs", "1", std::int64_t{10}, 1, 1e6, "passes over the training set"},
      {"seed", "1", std::int64_t{1}, 0, 0x1p62,
       "of weights, batches, feedback, data that are drawn (digits, clicks, picture; the split of vowels) and, unless "
       "it has its own, the device"},
      {"threads", "1", std::int64_t{0}, 0, 4096, "processors to use; 0: all. Results do not depend on it"},
      {"init_from", "", std::string(), 0, 0,
       "run file whose weights to start from, and the rule's own parameters where that run had the same rule"},
      {"record", "", std::string(), 0, 0,
       "file to record every frame of the device in, for replay:FILE; of layers one for each device, run-{0..2}.h5; "
       "empty: none"},
      {"out", "", std::string(), 0, 0, "run file to write; empty: none"},
      {"resume", "", std::string(), 0, 0, "run file to continue, or true for the one named by out"},
      {"force", "", false, 0, 0, "replace the files named by out and record if they exist"},
      {"alignment_every", "1", std::int64_t{50}, 0, kMany,
       "steps between two comparisons with back-propagation, counted in each epoch, for which rules with passes of "
       "their own hold all layers' activities of batch / layers samples (8 to 256); 0: never, as the default is behind "
       "train.map and for such rules on graphs"},
      {"layer_metrics", "1", std::int64_t{0}, 0, 1e5,
       "training and test samples with which linear probes and CKA of the hidden layers are measured after every "
       "epoch; "
       "0: never"},
      {"fidelity", "", false, 0, 0,
       "after every epoch, compare the device's projection of sums with the sums of its projections at the start"},
      {"probe", "", true, 0, 0, "measure the device's health at start and end"},
      {"checkpoint_every", "1", std::int64_t{0}, 0, kMany,
       "steps between two checkpoints, epochs' ends among them; 0: at the end of an epoch, where saving takes at most "
       "a tenth of the time"},
      {"max_device_seconds", "s", 36000.0, 0, kMany, "refuse a run that may need more of the device without yes"},
      {"yes", "", false, 0, 0, "run even if it may need more device time than max_device_seconds"},
      {"dry_run", "", false, 0, 0, "stop after the plan, before the first frame"},
  };
}

}  // namespace lightloop
