#pragma once
// Random bits as the input of a task.
#include <cstdint>

#include "core/random.hpp"

namespace lightloop {

/// Bit t >= 0 of series `seed`: fair, independent. Stream task_data, instance 3.
inline int task_bit(std::uint64_t seed, std::uint64_t t) {
  std::uint32_t word[1];
  Stream(seed, 3, Purpose::task_data).words(0, t, word);
  return static_cast<int>(word[0] >> 31);
}

}  // namespace lightloop
