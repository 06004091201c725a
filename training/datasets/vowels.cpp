// Spoken vowels: twelve formants of a vowel, and utterances of one vowel by nine speakers.
#include <algorithm>
#include <array>
#include <cmath>
#include <sstream>
#include <string_view>

#include "core/error.hpp"
#include "core/file.hpp"
#include "core/random.hpp"
#include "training/datasets/readers.hpp"

namespace lightloop {
namespace {

constexpr std::array<const char*, 7> kVowels = {"ae", "ah", "aw", "uw", "er", "iy", "ih"};
constexpr std::array<std::size_t, 12> kFormants = {2, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14};  // of the 15 numbers
constexpr std::size_t kEach = 37, kTestEach = 7;  // women of every vowel, as in the published task
/// Women who are not among the 259 samples of the published task although their vowel could be measured throughout, in
/// the order of kVowels. Found by the rows of the data set of Wright, Onodera et al., Nature 601, 549 (2022), each of
/// which is one row of vowdata.dat; why these were left out is not published. Momeni et al. (2023) leave out w49uw too.
constexpr std::array<std::string_view, 7> kLeftOut = {"04 11 22 26 28 33 37 40 44 47",
                                                      "04 06 08 12 21 26 27 32 40 48",
                                                      "05 09 12 24 26 27 30 33 50",
                                                      "02 03 04 08 11 25 29 35 36 46 50",
                                                      "",
                                                      "20 26 29 31 44 45",
                                                      "08 12 13 16 29 35 38 39 41 46 49"};
constexpr Index kCoefficients = 12, kSpeakers = 9, kTrainEach = 30, kParts = 3;
constexpr std::array<Index, 9> kTestOf = {31, 35, 88, 44, 29, 24, 40, 50, 29};

using Sample = std::vector<float>;

/// Mean 0 and standard deviation 1 over the training samples, behind `classes` blank features: room for the label of
/// forward-only rules.
TrainTest prepared(const std::vector<Sample>& train, const std::vector<Sample>& test, Index classes) {
  const std::size_t n = train.front().size();
  std::vector<double> mean(n), deviation(n);
  const auto samples = static_cast<double>(train.size());
  for (const Sample& one : train)
    for (std::size_t j = 0; j < n; ++j) mean[j] += static_cast<double>(one[j]) / samples;
  for (const Sample& one : train)
    for (std::size_t j = 0; j < n; ++j) deviation[j] += std::pow(static_cast<double>(one[j]) - mean[j], 2) / samples;
  const auto fill = [&](Dataset& set, const std::vector<Sample>& from) {
    set.classes = classes;
    set.sample_shape = {classes + static_cast<Index>(n)};
    set.floats.resize(static_cast<Index>(from.size()), set.sample_shape[0]);
    std::ranges::fill(set.floats.flat(), 0.0f);
    for (std::size_t r = 0; r < from.size(); ++r)
      for (std::size_t j = 0; j < n; ++j)
        if (deviation[j] > 0)
          set.floats(static_cast<Index>(r), classes + static_cast<Index>(j)) =
              static_cast<float>((static_cast<double>(from[r][j]) - mean[j]) / std::sqrt(deviation[j]));
  };
  TrainTest both;
  fill(both.train, train);
  fill(both.test, test);
  return both;
}

}  // namespace

TrainTest read_vowels(const std::string& path, std::uint64_t seed) {
  std::istringstream lines(read_file(path));
  std::array<std::vector<Sample>, kVowels.size()> of;
  Index number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    std::istringstream words(line);
    std::string name;
    words >> name;
    const bool woman = name.size() == 5 && name[0] == 'w' && name.find_first_not_of("0123456789", 1) == 3;
    if (!woman) continue;
    const auto vowel = std::ranges::find(kVowels, name.substr(3));
    if (vowel == kVowels.end()) continue;
    std::array<float, 15> values{};
    for (float& v : values)
      if (!(words >> v) || !(v >= 0 && v < 1e5f))
        throw FileError(path + ":" + std::to_string(number), "\"" + line + "\"", "a name and 15 numbers from 0 to 1e5",
                        "Take the file vowdata.dat anew.");
    Sample sample;
    for (const std::size_t k : kFormants) sample.push_back(values[k]);
    const auto v = static_cast<std::size_t>(vowel - kVowels.begin());
    const bool measured = std::ranges::all_of(sample, [](float f) { return f > 0; });
    const bool chosen = kLeftOut[v].find(name.substr(1, 2)) == std::string_view::npos;
    if (measured && chosen) of[v].push_back(std::move(sample));
  }
  std::vector<Sample> train, test;
  std::vector<std::uint8_t> train_labels, test_labels;
  const Stream split(seed, 0, Purpose::task_data);
  for (std::size_t v = 0; v < of.size(); ++v) {
    if (of[v].size() != kEach)
      throw FileError(path, std::to_string(of[v].size()) + " women chosen say \"" + kVowels[v] + "\" with all formants",
                      std::to_string(kEach) + " expected", "Take the file vowdata.dat anew.");
    std::vector<std::uint32_t> order(kEach);
    split.permutation(v, order);
    for (std::size_t i = 0; i < kEach; ++i) {
      (i < kTestEach ? test : train).push_back(of[v][order[i]]);
      (i < kTestEach ? test_labels : train_labels).push_back(static_cast<std::uint8_t>(v));
    }
  }
  TrainTest both = prepared(train, test, static_cast<Index>(kVowels.size()));
  both.train.labels = std::move(train_labels);
  both.test.labels = std::move(test_labels);
  both.train.source = both.test.source = path;
  return both;
}

std::vector<Utterance> read_utterances(const std::string& path) {
  std::istringstream lines(read_file(path));
  std::vector<Utterance> all(1);
  Index number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    std::istringstream words(line);
    std::vector<double> values;
    for (double v = 0; words >> v;) values.push_back(v);
    const bool rest = !words.eof();
    if (values.empty() && !rest) continue;
    if (rest || values.size() != kCoefficients ||
        !std::ranges::all_of(values, [](double v) { return std::abs(v) <= 1e6; }))
      throw FileError(path, "line " + std::to_string(number), "12 numbers up to 1e6", "Take the file anew.");
    if (std::ranges::all_of(values, [](double v) { return v == 1.0; })) {
      if (!all.back().empty()) all.emplace_back();
      continue;
    }
    std::ranges::copy(values, all.back().emplace_back().begin());
  }
  if (all.back().empty()) all.pop_back();
  return all;
}

Utterances read_japanese_vowels(const std::string& train, const std::string& test) {
  Utterances both{read_utterances(train), read_utterances(test), {}, {}};
  Index tested = 0;
  for (const Index n : kTestOf) tested += n;
  if (static_cast<Index>(both.train.size()) != kSpeakers * kTrainEach || static_cast<Index>(both.test.size()) != tested)
    throw FileError(train,
                    std::to_string(both.train.size()) + " and " + std::to_string(both.test.size()) + " utterances",
                    std::to_string(kSpeakers * kTrainEach) + " and " + std::to_string(tested), "Take both files anew.");
  for (Index s = 0; s < kSpeakers; ++s) {
    both.train_speaker.insert(both.train_speaker.end(), kTrainEach, static_cast<std::uint8_t>(s));
    both.test_speaker.insert(both.test_speaker.end(), static_cast<std::size_t>(kTestOf[static_cast<std::size_t>(s)]),
                             static_cast<std::uint8_t>(s));
  }
  return both;
}

TrainTest japanese_vowels_data(const std::string& train_file, const std::string& test_file) {
  Utterances both = read_japanese_vowels(train_file, test_file);
  const auto samples = [](const std::vector<Utterance>& all) {
    std::vector<Sample> made;
    for (const Utterance& one : all) {
      const auto frames = static_cast<Index>(one.size());
      Sample& sample = made.emplace_back();
      for (Index part = 0; part < kParts; ++part) {
        const Index first = std::min(part * frames / kParts, frames - 1);
        const Index last = std::max((part + 1) * frames / kParts, first + 1);
        for (std::size_t c = 0; c < kCoefficients; ++c) {
          double sum = 0;
          for (Index f = first; f < last; ++f) sum += one[static_cast<std::size_t>(f)][c];
          sample.push_back(static_cast<float>(sum / static_cast<double>(last - first)));
        }
      }
    }
    return made;
  };
  TrainTest data = prepared(samples(both.train), samples(both.test), kSpeakers);
  data.train.labels = std::move(both.train_speaker);
  data.test.labels = std::move(both.test_speaker);
  data.train.source = train_file;
  data.test.source = test_file;
  return data;
}

}  // namespace lightloop
