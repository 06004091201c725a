#pragma once
// The twin of an instrument that brings none: that of another device string, the simulator fitted to it.
#include <memory>
#include <string>

#include "driver/api/registry.hpp"
#include "driver/api/session.hpp"

namespace lightloop {

/// The twin of `address` for an open instrument; `setting` is who named it: "layer.twin", "train.map_twin". Sizes, the
/// range of the ADC and how the programme is laid out are the instrument's where `address` leaves them open. Opens a
/// device of `address` for its description and closes it. Throws ShapeMismatch naming all in which formats (sizes,
/// bits) and these settings differ, as Registry::open, and Unsupported where it has no twin.
std::unique_ptr<Twin> named_twin(const Registry& registry, const std::string& setting, const std::string& address,
                                 const Session& instrument);

}  // namespace lightloop
