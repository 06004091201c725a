#include "driver/api/session_policy.hpp"

namespace lightloop {

std::vector<ParamInfo> session_params() {
  return {
      {"deadline_s", "s", 0.0, 0, 1e9,
       "time a job may take that brings no deadline of its own; 0: as long as it takes"},
      {"retries", "1", std::int64_t{5}, 0, 1000, "how often a batch is shown again after a fault"},
      {"queue", "1", std::int64_t{8}, 1, 1e6, "jobs that may be under way or waiting at a time"},
      {"reopen_s", "s", 30.0, 0, 1e9, "how long a lost device is tried to be opened again"},
      {"check_every", "1", std::int64_t{-1}, -1, 1e9,
       "check frames behind every n-th batch; 0: never; -1: behind every batch of a device that cannot tell which "
       "picture belongs to which frame, else never"},
      {"repeat", "", false, 0, 0, "show every batch twice and take it when both answers are equal"},
      {"snapshots", "", false, 0, 0,
       "keep the memory of a stateful device after every batch, so that its frames can be repeated"},
      {"max_saturation", "1", 1.0, 0, 1, "fraction of clipped codes above which a batch is shown again"},
  };
}

SessionPolicy::SessionPolicy(const ParamSet& params)
    : retries(params.integer("retries")),
      queue(params.integer("queue")),
      check_every(params.integer("check_every")),
      deadline_s(params.real("deadline_s")),
      reopen_s(params.real("reopen_s")),
      max_saturation(params.real("max_saturation")),
      repeat(params.boolean("repeat")),
      snapshots(params.boolean("snapshots")) {}

}  // namespace lightloop
