#include "core/threads.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <stdexcept>
#include <thread>
#include <vector>

#include "core/error.hpp"

using namespace lightloop;

namespace {
struct ThreadCount {
  explicit ThreadCount(int count) : before_(threads()) { set_threads(count); }
  ~ThreadCount() { set_threads(before_); }
  int before_;
};
}  // namespace

TEST_CASE("parallel_for calls every tile once for any thread count") {
  for (const int count : {1, 2, 3, 8}) {
    const ThreadCount guard(count);
    for (const Index n : {0, 1, 2, 7, 1000}) {
      std::vector<std::atomic<int>> calls(static_cast<std::size_t>(n));
      parallel_for(n, [&](Index i) { ++calls[static_cast<std::size_t>(i)]; });
      for (auto& c : calls) REQUIRE(c == 1);
    }
  }
}

TEST_CASE("an exception in a body reaches the caller and the pool stays usable") {
  const ThreadCount guard(4);
  for (int round = 0; round < 200; ++round) {
    const Index bad = round % 50;
    REQUIRE_THROWS_WITH(parallel_for(50,
                                     [&](Index i) {
                                       if (i == bad) throw std::runtime_error("tile");
                                     }),
                        "tile");
    std::atomic<Index> sum{0};
    parallel_for(10, [&](Index i) { sum += i; });
    REQUIRE(sum == 45);
  }
}

TEST_CASE("nested calls run inline, their exceptions too") {
  const ThreadCount guard(3);
  std::atomic<int> calls{0};
  parallel_for(6, [&](Index) { parallel_for(5, [&](Index) { ++calls; }); });
  REQUIRE(calls == 30);
  REQUIRE_THROWS_AS(parallel_for(6, [&](Index) { parallel_for(5, [&](Index) { throw std::logic_error("in"); }); }),
                    std::logic_error);
  REQUIRE_THROWS_AS(parallel_for(6, [&](Index) { set_threads(2); }), Unsupported);
  REQUIRE(threads() == 3);
}

TEST_CASE("many small jobs from several threads at once all complete") {
  const ThreadCount guard(3);
  std::atomic<long> total{0};
  std::vector<std::thread> callers;
  for (int t = 0; t < 3; ++t)
    callers.emplace_back([&] {
      for (int round = 0; round < 3000; ++round) parallel_for(4, [&](Index i) { total += i; });
    });
  for (auto& c : callers) c.join();
  REQUIRE(total == 3L * 3000 * 6);
}

TEST_CASE("a thread count outside its range is refused and changes nothing") {
  const int before = threads();
  REQUIRE_THROWS_AS(set_threads(0), OutOfRange);
  REQUIRE_THROWS_AS(set_threads(-3), OutOfRange);
  REQUIRE(threads() == before);
}

TEST_CASE("a forked child works with a pool of its own") {
  const ThreadCount guard(3);
  // All helpers are there before the fork: the address sanitizer's own locks do not survive one while a thread starts.
  std::atomic<int> there{0};
  parallel_for(3, [&](Index) {
    ++there;
    while (there < 3) std::this_thread::yield();
  });
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    alarm(20);  // a hang becomes a signal, which the parent sees
    std::atomic<Index> sum{0};
    for (int round = 0; round < 50; ++round) parallel_for(10, [&](Index i) { sum += i; });
    const bool kept = threads() == 3;
    set_threads(2);
    parallel_for(10, [&](Index i) { sum += i; });
    _exit(kept && sum == 51 * 45 ? 0 : 1);
  }
  int status = -1;
  REQUIRE(waitpid(child, &status, 0) == child);
  REQUIRE((WIFEXITED(status) && WEXITSTATUS(status) == 0));
}
