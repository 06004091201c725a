#pragma once
#include "driver/api/registry.hpp"

/// fault:SCRIPT.toml@DEVICE is DEVICE with the faults of a script: to see what a program does when a bench fails.
///
/// The script is TOML: `seed`, `log` (a file beside the script that gets a line per
/// injected fault: milliseconds since 1970, number of the call of run(), frame id, kind), `counted` (default
/// true: the wrapper numbers its exposures, Pairing::counted; false: Pairing::unknown), and one table per fault. A
/// table's name is its kind, or `kind` says it:
///
///   delay       waits `seconds` before the batch; Timeout when the deadline comes first
///   hang        the same, deaf to the deadline
///   drop        the picture of a frame is missing: the later ones move up, the last pattern is exposed once more
///   duplicate   a picture comes twice: the later ones move down, the last is lost
///   shift       the batch begins with the picture before it, all move down by one, the last is lost
///   corrupt     `bits` bits of a picture flip; seen by the link's CRC-32 (FrameError) unless hidden
///   saturate    pictures of `frames` frames are at the highest code, and counted as saturated
///   mode_hop    pictures of `frames` frames are those of another speckle: moved by half their length
///   warm_up     every picture is 1 - depth exp(-id / frames) times as bright, rounded; never spared
///   disconnect  LinkError, then the device is gone; the next `attempts` openings fail too
///
/// When: `at` (frame ids) or `rate` (per frame); a frame is hit `times` times (default 1), then spared, so that showing
/// it again helps. What was hit is remembered by the Registry: a device opened again goes on in its script. `hidden`:
/// drop, duplicate and shift leave the exposure numbers in order, corrupt happens before the checksum is taken. Nothing
/// but check frames or repeats can find hidden faults; README: docs/faults.md.
///
/// Randomness: stream user of the script's seed, instance = place of the table in alphabetical order, row = frame id;
/// column 0 decides whether, the next ones which bits.
namespace lightloop::fault {

/// Throws FileError or InvalidParameter kinds for a script it does not understand, and what the inner device throws.
/// Settings go to the inner device.
Backend backend();

}  // namespace lightloop::fault
