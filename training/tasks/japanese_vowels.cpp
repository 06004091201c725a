// Japanese vowels (Kudo, Toyama and Shimbo, Pattern Recognit. Lett. 20, 1103 (1999); UCI data set 128, CC BY 4.0):
// which of nine men said /ae/? 270 utterances to learn from (30 of each), 370 to score, of 7 to 29 frames with 12 LPC
// cepstrum coefficients. The reservoir is reset before each utterance; its states are averaged over the utterance; the
// largest of nine outputs wins. Files: japanese_vowels/ae.train and ae.test in one of the data folders; an utterance
// ends with a line of ones.
#include "training/datasets/readers.hpp"
#include "training/tasks/files.hpp"
#include "training/tasks/task.hpp"

namespace lightloop {
namespace {

constexpr Index kChannels = 12, kSpeakers = 9;

Task make(const ParamSet& params) {
  const std::string hint = "Japanese Vowels, UCI machine learning repository, data set 128.";
  const auto path = [&](const char* name) {
    return find_data_file(std::string("japanese_vowels/") + name, params.text("data_dir"), hint);
  };
  const Utterances both = read_japanese_vowels(path("ae.train"), path("ae.test"));
  Task task;
  task.train = static_cast<Index>(both.train.size());
  task.test = static_cast<Index>(both.test.size());
  Index frames = 0;
  for (const auto* set : {&both.train, &both.test})
    for (const auto& one : *set) frames += static_cast<Index>(one.size());
  task.inputs = Matrix<double>(frames, kChannels);
  task.targets = Matrix<double>(task.train + task.test, kSpeakers);
  Index row = 0, place = 0;
  for (const auto* set : {&both.train, &both.test})
    for (const auto& one : *set) {
      task.starts.push_back(row);
      for (const auto& frame : one) std::copy(frame.begin(), frame.end(), task.inputs.row(row++).begin());
    }
  for (const auto* speakers : {&both.train_speaker, &both.test_speaker})
    for (const std::uint8_t speaker : *speakers) task.targets(place++, speaker) = 1;
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
