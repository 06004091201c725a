#include "training/sweep/generator.hpp"

#include <algorithm>

namespace lightloop::sweeps {
namespace {
constexpr std::size_t kPool = 4;

/// Mixes one word after the other; what is multiplied in changes from call to call.
struct Hash {
  std::uint32_t constant, step;
  std::uint32_t operator()(std::uint32_t value) {
    value ^= constant;
    constant *= step;
    value *= constant;
    return value ^ value >> 16;
  }
};

std::uint32_t mixed(std::uint32_t x, std::uint32_t y) {
  const std::uint32_t r = 0xca01f9ddu * x - 0x4973f715u * y;
  return r ^ r >> 16;
}
}  // namespace

std::vector<std::uint32_t> seed_words(const std::vector<std::uint64_t>& entropy, std::size_t count) {
  std::vector<std::uint32_t> words;
  for (const std::uint64_t number : entropy) {
    words.push_back(static_cast<std::uint32_t>(number));
    if (number >> 32) words.push_back(static_cast<std::uint32_t>(number >> 32));
  }
  Hash in{0x43b0d7e5u, 0x931e8875u};
  std::array<std::uint32_t, kPool> pool{};
  for (std::size_t i = 0; i < kPool; ++i) pool[i] = in(i < words.size() ? words[i] : 0);
  for (std::size_t from = 0; from < kPool; ++from)
    for (std::size_t to = 0; to < kPool; ++to)
      if (from != to) pool[to] = mixed(pool[to], in(pool[from]));
  for (std::size_t from = kPool; from < words.size(); ++from)
    for (std::uint32_t& to : pool) to = mixed(to, in(words[from]));
  Hash out{0x8b51f9ddu, 0x58f38dedu};
  std::vector<std::uint32_t> state(count);
  for (std::size_t i = 0; i < count; ++i) state[i] = out(pool[i % kPool]);
  return state;
}

Generator::Generator(const std::vector<std::uint64_t>& entropy) {
  const auto words = seed_words(entropy, 4);
  key_ = {words[0] | std::uint64_t{words[1]} << 32, words[2] | std::uint64_t{words[3]} << 32};
}

std::uint64_t Generator::next() {
  if (used_ == block_.size()) {
    for (std::uint64_t& word : counter_)
      if (++word != 0) break;
    block_ = counter_;
    auto key = key_;
    for (int round = 0; round < 10; ++round) {
      __extension__ using Wide = unsigned __int128;
      const Wide a = Wide{0xD2E7470EE14C6C93u} * block_[0], b = Wide{0xCA5A826395121157u} * block_[2];
      block_ = {static_cast<std::uint64_t>(b >> 64) ^ block_[1] ^ key[0], static_cast<std::uint64_t>(b),
                static_cast<std::uint64_t>(a >> 64) ^ block_[3] ^ key[1], static_cast<std::uint64_t>(a)};
      key[0] += 0x9E3779B97F4A7C15u;
      key[1] += 0xBB67AE8584CAA73Bu;
    }
    used_ = 0;
  }
  return block_[used_++];
}

std::int64_t device_seed(std::uint64_t seed, std::int64_t repeat) {
  return seed_words({seed, static_cast<std::uint64_t>(repeat)}, 1)[0] >> 1;
}

Generator generator_of(std::uint64_t seed, const std::string& key) {
  std::vector<std::uint64_t> entropy{seed};
  for (std::size_t i = 0; i < 32; i += 8) entropy.push_back(std::stoul(key.substr(i, 8), nullptr, 16));
  return Generator(entropy);
}

}  // namespace lightloop::sweeps
