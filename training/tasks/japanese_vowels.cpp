// Japanese vowels (Kudo, Toyama and Shimbo, Pattern Recognit. Lett. 20, 1103 (1999); UCI data set 128, CC BY 4.0):
// which of nine men said /ae/? 270 utterances to learn from (30 of each), 370 to score, of 7 to 29 frames with 12 LPC
// cepstrum coefficients. The reservoir is reset before each utterance; its states are averaged over the utterance; the
// largest of nine outputs wins. Files: japanese_vowels/ae.train and ae.test in one of the data folders; an utterance
// ends with a line of ones.
#include <array>
#include <fstream>
#include <sstream>

#include "core/error.hpp"
#include "training/tasks/files.hpp"
#include "training/tasks/task.hpp"

namespace lightloop {
namespace {

constexpr Index kChannels = 12, kSpeakers = 9, kTrainEach = 30;
constexpr std::array<Index, 9> kTestOf = {31, 35, 88, 44, 29, 24, 40, 50, 29};

using Frames12 = std::vector<std::array<double, 12>>;

std::vector<Frames12> utterances(const std::string& path) {
  std::ifstream file(path);
  std::vector<Frames12> all(1);
  Index line_number = 0;
  for (std::string line; std::getline(file, line);) {
    ++line_number;
    std::istringstream words(line);
    std::array<double, 12> frame{};
    bool any = false, ones = true;
    for (double& value : frame) {
      if (!(words >> value)) {
        if (!any) break;
        throw FileError(path, "line " + std::to_string(line_number), "12 numbers");
      }
      any = true;
      ones = ones && value == 1.0;
    }
    if (any && !ones) all.back().push_back(frame);
    if (any && ones) all.emplace_back();
  }
  if (all.back().empty()) all.pop_back();
  return all;
}

Task make(const ParamSet& params) {
  const std::string hint = "Japanese Vowels, UCI machine learning repository, data set 128.";
  const auto path = [&](const char* name) {
    return find_data_file(std::string("japanese_vowels/") + name, params.text("data_dir"), hint);
  };
  const auto train = utterances(path("ae.train")), test = utterances(path("ae.test"));
  Task task;
  task.train = kSpeakers * kTrainEach;
  for (const Index n : kTestOf) task.test += n;
  if (static_cast<Index>(train.size()) != task.train || static_cast<Index>(test.size()) != task.test)
    throw FileError(path("ae.train"),
                    std::to_string(train.size()) + " and " + std::to_string(test.size()) + " utterances", "270 and 370",
                    hint);
  Index frames = 0;
  for (const auto* set : {&train, &test})
    for (const auto& one : *set) frames += static_cast<Index>(one.size());
  task.inputs = Matrix<double>(frames, kChannels);
  task.targets = Matrix<double>(task.train + task.test, kSpeakers);
  Index row = 0, place = 0;
  for (const auto* set : {&train, &test})
    for (const auto& one : *set) {
      task.starts.push_back(row);
      for (const auto& frame : one) std::copy(frame.begin(), frame.end(), task.inputs.row(row++).begin());
    }
  for (Index s = 0; s < kSpeakers; ++s)
    for (Index i = 0; i < kTrainEach; ++i) task.targets(place++, s) = 1;
  for (Index s = 0; s < kSpeakers; ++s)
    for (Index i = 0; i < kTestOf[static_cast<std::size_t>(s)]; ++i) task.targets(place++, s) = 1;
  task.score = Score::symbol_error_rate;
  task.baseline_taps = 1;
  task.convention =
      "270 utterances learnt, 370 scored, 12 LPC coefficients as published; reservoir reset before each, states "
      "averaged over the utterance, largest of nine outputs wins; fraction of utterances wrong";
  return task;
}

}  // namespace

TaskModel japanese_vowels_task() {
  return {"japanese_vowels",
          "nine speakers told apart by one vowel",
          "Kudo, Toyama and Shimbo, Pattern Recognit. Lett. 20, 1103 (1999)",
          {{"data_dir", "", std::string(), 0, 0, "folder searched first, then $LIGHTLOOP_DATA"}},
          make};
}

}  // namespace lightloop
