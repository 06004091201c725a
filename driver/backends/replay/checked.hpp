#pragma once
// Recordings in the hands of the conformance suite. Internal to replay.
#include <memory>
#include <string>

#include "driver/api/candidate.hpp"

namespace lightloop::replay {

/// Throws an E for settings other than those recorded; its message begins with `intro`.
template <class E>
void check_given(const std::string& path, const ParamSet& recorded, const Settings& given,
                 const std::string& intro = {}) {
  ParamSet asked = recorded;
  asked.set(given);
  for (const ParamInfo& info : asked.infos())
    if (asked.value(info.name) != recorded.value(info.name))
      throw E(intro + "setting " + info.name + " of replay:" + path, to_string(asked.value(info.name)),
              "recorded: " + to_string(recorded.value(info.name)),
              "A recording has the settings it was made with; leave them out.");
}

/// What the conformance suite checks behind "replay:FILE". A recording of the suite answers each claim from what was
/// recorded for it: the claim's devices in the order they were opened, each with its own calls in their order, every
/// one answered or refused as it was then; a call that is not the recorded one, and one that is left over, breaks the
/// claim. Any other recording is asked with the frames it begins with, and a claim that asks for something else is not
/// asked. Throws as opening the file.
std::unique_ptr<Candidate> candidate(const std::string& path, const Settings& settings);

/// A device of any other recording for the suite: ready for its first run or programme, and what it does not hold
/// throws NotAsked, `settings` other than those it has by then too. Throws as opening the file.
std::unique_ptr<Device> open_to_be_asked(const std::string& path, const Settings& settings);

}  // namespace lightloop::replay
