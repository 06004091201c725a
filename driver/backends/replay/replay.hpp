#pragma once
#include "driver/api/registry.hpp"

/// replay:FILE answers as the device of a recording did, bit by bit, as long as it is asked the same in the same order.
///
/// Frames are compared one by one (id, pass, input and auxiliary codes), so a batch may be cut otherwise than recorded;
/// what a recorded batch cost and saturated is shared among its frames. Calls of program(), reset() and
/// configure() must come where they came; a configure() that changes nothing may come anywhere. Any difference throws
/// InvalidParameter, which says where it is and what was recorded there, and leaves the replay where it was. snapshot()
/// is the place in the recording, also for a device without state.
namespace lightloop::replay {

/// Opens the file named by the target. Throws FileError; InvalidParameter for settings other than those recorded.
Backend backend();

}  // namespace lightloop::replay
