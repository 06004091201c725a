#pragma once
// What --help says below the options.

namespace lightloop::command {

inline constexpr const char* kExitCodes =
    "Exit codes: 0 done; 1 the work failed (a failed check, out of memory, a bug); 2 wrong usage, setting, data or "
    "file\n"
    "(a full disk too); 3 the device or its link failed or was too late; 4 refused, too much device time;\n"
    "130 stopped by Ctrl-C or SIGTERM, checkpoint saved.";

inline constexpr const char* kExamples =
    "Examples:\n"
    "  lightloop train --dataset digits --rule tdfa --device sim:opu --baseline dfa,bp --out run.h5\n"
    "  lightloop train --dataset mnist --net 784-1024-1024-10 --rule dfa --epochs 10\n"
    "  lightloop devices sim:opu        every setting with unit, default and range\n"
    "  lightloop check sim:opu          does the device keep the contract?\n"
    "  lightloop check sim:delay_vcsel --physics   threshold, relaxation oscillation, locking: measured | formula\n"
    "  lightloop sweep sweep.toml       measures over a grid of settings: sweep.h5\n"
    "  lightloop plot run.h5            draws run.png\n\n";

inline constexpr const char* kTrainHelp =
    "Examples:\n"
    "  lightloop train --dataset digits --rule tdfa --device sim:opu --lr 3e-3 --set rule.dead_zone=0.2\n"
    "  lightloop train --dataset mnist --net 784-1024-1024-10 --rule tdfa --device sim:opu,preset=lightonlike "
    "--dry-run\n"
    "  lightloop train --config run.toml --set device.camera.bits=8 --set rule.dead_zone=0.1 --json\n"
    "  lightloop train --resume run.h5\n"
    "Settings come from the TOML file, then from options, then from --set. In TOML the options are the table [train]\n"
    "(lr = 1e-3), and [rule], [projection] and [device] hold the others: `lightloop rules`, `lightloop devices`.\n"
    "Without --out the run file is run.h5, or run-2.h5 and so on where that is taken; a named file that exists is "
    "replaced\n"
    "only with --force. A baseline's file has its rule in the name: run-bp.h5.\n"
    "Before the first frame the run says how many frames, seconds and joules it may need; above --max-device-seconds "
    "it\n"
    "stops there unless --yes. Progress goes to stderr, the result to stdout.\n";

inline constexpr const char* kSweepHelp =
    "Example, sweep.toml:\n"
    "  device  = \"sim:delay_vcsel\"\n"
    "  measure = [\"consistency\", \"memory_capacity\"]     # of ll.metrics, or \"file.py:function\"\n"
    "  repeats = 4\n"
    "  [over]\n"
    "  \"device.laser.bias[mA]\" = { from = 4, to = 6, points = 9 }\n"
    "  \"device.injection.detuning[GHz]\" = [-20, 0, 20]\n"
    "then: lightloop sweep sweep.toml && lightloop plot sweep.h5\n"
    "Points that are done are kept in FILE.h5.parts: after Ctrl-C or a power cut the same line goes on from there.\n"
    "Other keys: seed, engine = \"threads\", order, settle, hysteresis, reference_every, abort, as of ll.sweep in "
    "Python\n"
    "(docs/sweeps.md). Only a measure that is a Python function needs Python.\n";

inline constexpr const char* kCompareHelp =
    "Examples:\n"
    "  lightloop compare --rules dfa,tdfa,bp --devices digital,sim:opu --seeds 1,2,3 --dataset fashion --epochs 5\n"
    "  lightloop compare --rules dfa,tdfa --devices sim:opu,seed=2,sim:opu,preset=ideal --set tdfa:rule.dead_zone=0.2\n"
    "Every other option is one of `lightloop train` and goes to all runs; --set RULE:KEY=VALUE goes to one rule's.\n"
    "A device that projects carries the error (train --device), a device of layers the network (train --layers).\n"
    "FOLDER gets a run file and its result for each run, compare.md and compare.png. A pair that train refuses is "
    "left\n"
    "out, with the reason; --dry-run tells all pairs and what they may cost a device.\n"
    "The same command again keeps what is done, and resumes what was stopped.\n";

inline constexpr const char* kReportHelp =
    "Examples:\n"
    "  lightloop report sensitivity --net run.h5 --device sim:crossbar,preset=pcm -o sensitivity.h5\n"
    "  lightloop report spec --net run.h5 --device sim:crossbar --drop 0.5 --over device.adc.bits,device.read_noise\n"
    "  lightloop report spec --net run.h5 --device sim:ring_bank --over device.adc.bits,device.power_w --drop 1\n"
    "Sources of error are the settings that `lightloop devices --json` lists with the value that is \"off\". Of "
    "others,\n"
    "spec relaxes real ones on which a frame's energy depends (a power), or its latency (a bandwidth).\n"
    "Layers behind physics (train --map) are reported on behind it, as training left it.\n";

inline constexpr const char* kServeHelp =
    "Example, in two terminals:\n"
    "  lightloop serve --device sim:opu\n"
    "  lightloop train --dataset digits --rule tdfa --device remote:127.0.0.1:50051/opu0\n"
    "A bench of several chips: --device m0=... --device m1=..., and --layers 'remote:127.0.0.1:50051/m{0..1}'.\n"
    "Every device has one user at a time; one that vanishes gives it back. An address that other computers can reach\n"
    "needs TLS and a token. Ctrl-C ends it.\n";

}  // namespace lightloop::command
