/* Lightloop's plugin interface: devices of a vendor's library behind a table of C functions.
 *
 * C99, and all a plugin needs: build a shared object that exports lightloop_plugin_entry (below), put its folder into
 * LIGHTLOOP_PLUGIN_PATH, and open its devices as "plugin:vendor.model,key=value". C++ may use <lightloop/plugin.hpp>
 * instead, which turns a class into this table.
 *
 * Rules that hold for every function:
 *  - Memory belongs to the host. What the host passes is valid during the call only; what a plugin has to tell is
 *    copied into a buffer of the host (lightloop_put).
 *  - No exception, longjmp or exit() crosses the boundary. A function that cannot do its work writes one line about why
 *    into `error` and returns a status other than LIGHTLOOP_OK; the device is then as before the call.
 *  - A function pointer that is NULL says: unsupported. Those marked "required" may not be NULL.
 *  - The host calls functions of one device from one thread at a time, though not always from the same one. Functions
 *    of different devices may be called at once. The library is never unloaded.
 *  - Text is UTF-8 without a terminating zero; its length is given. Text that lists settings reads "a=1,b=4.5,c='x'".
 *
 * Frozen since version 1: within one major number the tables only grow at their end. */
#ifndef LIGHTLOOP_PLUGIN_H
#define LIGHTLOOP_PLUGIN_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define LIGHTLOOP_PLUGIN_MAJOR 1u /* a host refuses a plugin of another major number */
#define LIGHTLOOP_PLUGIN_MINOR 1u /* a host accepts every minor number of its major one */

#if defined(_WIN32)
#define LIGHTLOOP_PLUGIN_EXPORT __declspec(dllexport)
#elif defined(__GNUC__)
#define LIGHTLOOP_PLUGIN_EXPORT __attribute__((visibility("default")))
#else
#define LIGHTLOOP_PLUGIN_EXPORT
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef int32_t lightloop_status;
enum {
  LIGHTLOOP_OK = 0,
  LIGHTLOOP_UNSUPPORTED = 1,  /* this device cannot do that */
  LIGHTLOOP_INVALID = 2,      /* an argument makes no sense */
  LIGHTLOOP_OUT_OF_RANGE = 3, /* a number outside its range */
  LIGHTLOOP_TIMEOUT = 4,      /* not done before the deadline */
  LIGHTLOOP_LINK = 5,         /* the link to the hardware failed; the host may open the device again */
  LIGHTLOOP_FRAMES = 6,       /* frames were lost or damaged, the link stands: a repeat may succeed */
  LIGHTLOOP_BUSY = 7,         /* somebody else has the device; name the holder */
  LIGHTLOOP_FAULT = 8         /* anything else; so is every number not listed here */
};

/* Memory of the host for an answer. The plugin writes at most `capacity` bytes to `data` and sets `need` to the bytes
 * of the whole answer; lightloop_put does both. If that is more, the host comes again with more room, except for
 * `error` and the texts of self_test and monitors, which it cuts off. */
typedef struct lightloop_buffer {
  void* data;
  size_t capacity;
  size_t need;
} lightloop_buffer;

static inline lightloop_status lightloop_put(lightloop_buffer* out, const void* bytes, size_t size) {
  const size_t n = size < out->capacity ? size : out->capacity;
  if (n > 0) memcpy(out->data, bytes, n);
  out->need = size;
  return LIGHTLOOP_OK;
}
static inline lightloop_status lightloop_put_text(lightloop_buffer* out, const char* text) {
  return lightloop_put(out, text, strlen(text));
}
/* return lightloop_fail(LIGHTLOOP_LINK, error, "camera 0451:c900 does not answer"); */
static inline lightloop_status lightloop_fail(lightloop_status status, lightloop_buffer* error, const char* why) {
  if (error != NULL) lightloop_put_text(error, why);
  return status;
}

/* One value of a parameter, in SI units. All fields are set: a number as text too, a switch as 0 or 1. */
typedef struct lightloop_setting {
  const char* name; /* "camera.exposure", zero-terminated */
  const char* text; /* zero-terminated */
  double real;
  int64_t integer;
} lightloop_setting;

/* One batch. Codes are one byte each up to 8 bits, else two, in the byte order of the machine; frames lie one after the
 * other. The host has checked sizes and codes. */
typedef struct lightloop_run {
  uint32_t struct_size;      /* of the host's table: fields beyond it do not exist */
  uint32_t transposed;       /* 1: input and output have changed places */
  uint64_t first_frame_id;   /* logical id of frame 0: a repeatable device draws the noise of frame i from id + i */
  int64_t frames;            /* at least 1, at most max_batch */
  int64_t in_size, out_size; /* codes per frame */
  const void* in;
  const uint16_t* aux; /* (frames, auxiliary inputs), or NULL: all at rest */
  void* out;           /* every code must be written, and lie in the described range */
  uint64_t* numbers;   /* with pairing=counted the hardware's number of each exposure goes here; may be NULL */
  int64_t deadline_ns; /* nanoseconds left when the call is made; negative: no deadline */
} lightloop_run;

/* What a batch cost. The host fills in what it would assume (the cost model of the description; clipped codes: those at
 * the highest code); a plugin that knows better overwrites it. */
typedef struct lightloop_report {
  uint32_t struct_size;
  uint32_t reserved;
  int64_t saturated; /* codes that were clipped, at either end; -1 on entry: the host counts the highest ones */
  double device_s, device_j;
} lightloop_report;

typedef struct lightloop_plugin {
  uint32_t struct_size;  /* sizeof(lightloop_plugin) where the plugin was compiled */
  uint32_t major, minor; /* LIGHTLOOP_PLUGIN_MAJOR, LIGHTLOOP_PLUGIN_MINOR where the plugin was compiled */
  uint32_t reserved;

  /* --- what there is; none of these touches hardware --- */

  /* Required. How many models the library has. */
  uint32_t (*models)(void);
  /* Required. Model number `index` as settings text: name=vendor.model, kind=projection | layer | reservoir,
   * summary=..., source=... (paper or data sheet). Name: letters, digits, dots, dashes and underscores, with one dot at
   * least. */
  lightloop_status (*model)(uint32_t index, lightloop_buffer* out, lightloop_buffer* error);
  /* How many parameters a model has, and the record of each as settings text: name=..., kind=switch | integer | real |
   * text, default=..., and if need be unit=..., min=..., max=..., help=..., choices=a|b, needs_reopen=true; of a source
   * of error, off=... (the value that takes it away) and only_with=... Numbers in SI units; a pure number has unit=1.
   */
  uint32_t (*parameters)(const char* model);
  lightloop_status (*parameter)(const char* model, uint32_t index, lightloop_buffer* out, lightloop_buffer* error);

  /* --- one device --- */

  /* Required. Opens a device with a value for each of its parameters, all of them checked by the host. */
  lightloop_status (*open)(const char* model, const lightloop_setting* settings, size_t count, void** device,
                           lightloop_buffer* error);
  /* Required. Ends the use and frees the device; cannot fail. No function is called with the device afterwards. */
  void (*close)(void* device);
  /* Required. The description as settings text. Needed: kind, input.shape=28x28, input.bits, output.shape, output.bits.
   * Further: model, serial, version, input.meaning, output.meaning, program.shape, program.bits, program.meaning,
   * stateful, deterministic, repeatable (default: false), transposed, max_batch, cost.frame_s, cost.batch_s,
   * cost.program_s, cost.power_w, cost.program_j, calibration_id, pairing=certain | counted | unknown, aux=N and for
   * each n below N aux.n.name, aux.n.bits, aux.n.rest, aux.n.help. Asked after opening and after every configure
   * and program.
   * For hosts of version 1.1 and later (host_minor of the entry), the components that take the energy: cost.parts=N and
   * for each n below N cost.part.n.name ("laser", "adc"), .frame_events and .frame_j (conversions, photons and the
   * joules of them, per frame), .program_events and .program_j (per program), .latency_s (that a frame spends in it) and
   * .per=frame | input | output (what its events go with in a transposed pass); those left out are 0 and frame. Reports
   * count them as frames are shown and programmes written. Together they take no more than cost.power_w * cost.frame_s
   * and cost.program_j; what they leave is called "other". */
  lightloop_status (*describe)(void* device, lightloop_buffer* out, lightloop_buffer* error);
  /* Required. Shows a batch and returns what was detected. */
  lightloop_status (*run)(void* device, const lightloop_run* run, lightloop_report* report, lightloop_buffer* error);
  /* The values of all parameters, of which some have changed; all of them checked by the host. */
  lightloop_status (*configure)(void* device, const lightloop_setting* settings, size_t count, lightloop_buffer* error);
  /* Writes what the hardware holds: one frame in the format program.*. */
  lightloop_status (*program)(void* device, const void* codes, int64_t size, lightloop_buffer* error);
  /* Back to the state after opening; settings and programme stay. For a device with stateful=true, as are these two:
   * everything beyond settings and programme that later frames depend on (of a programmable device also the number of
   * the last write, if its error is drawn anew with every write). */
  lightloop_status (*reset)(void* device, lightloop_buffer* error);
  lightloop_status (*snapshot)(void* device, lightloop_buffer* out, lightloop_buffer* error);
  lightloop_status (*restore)(void* device, const void* state, size_t size, lightloop_buffer* error);
  /* Sets `passed` to 0 or 1 and writes one line a person can act on. */
  lightloop_status (*self_test)(void* device, int32_t* passed, lightloop_buffer* out, lightloop_buffer* error);
  /* What the device watches, as settings text: temperature[K]=301.5,power[W]=0.02. */
  lightloop_status (*monitors)(void* device, lightloop_buffer* out, lightloop_buffer* error);
  /* Further tables by name, NULL where unknown: how this interface grows without a new major number. */
  const void* (*extension)(const char* name);
} lightloop_plugin;

/* The one symbol a plugin exports. The numbers are the host's; the table lives as long as the process. A host that
 * finds another major number in the table looks at nothing else in it. */
#define LIGHTLOOP_PLUGIN_SYMBOL "lightloop_plugin_entry"
LIGHTLOOP_PLUGIN_EXPORT const lightloop_plugin* lightloop_plugin_entry(uint32_t host_major, uint32_t host_minor);

#ifdef __cplusplus
}
#endif
#endif
