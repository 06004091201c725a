#pragma once
// Data of tests: a text whose characters follow from each other.
#include "core/file.hpp"
#include "core/random.hpp"
#include "core/temporary_folder_for_tests.hpp"
#include "training/datasets/readers.hpp"

namespace lightloop {

/// "abcabdabc...": every character follows from the one before, but for one in three.
inline TrainTest coin_text(Index tokens) {
  const test::TemporaryFolder folder;
  const Stream draws(4, 0, Purpose::user);
  std::string all;
  for (std::uint64_t i = 0; i < 1200; ++i) all += draws.uniform(i, 0) < 0.5 ? "abc" : "abd";
  write_file(folder / "a.txt", all);
  return read_text(folder / "a.txt", tokens);
}

}  // namespace lightloop
