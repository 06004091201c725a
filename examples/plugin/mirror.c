/* The least a plugin can be, in C: plugin:example.mirror returns the codes it is shown, back to front.
 *   cc -std=c99 -shared -fPIC -fvisibility=hidden -I PREFIX/include mirror.c -o mirror.so */
#include <lightloop/plugin.h>

static int opened;

static uint32_t models(void) { return 1; }

static lightloop_status model(uint32_t index, lightloop_buffer* out, lightloop_buffer* error) {
  if (index > 0) return lightloop_fail(LIGHTLOOP_INVALID, error, "there is one model only");
  return lightloop_put_text(out,
                            "name=example.mirror,kind=reservoir,summary='returns what it is shown, back to front',"
                            "source='none'");
}

static lightloop_status open_device(const char* name, const lightloop_setting* settings, size_t count, void** device,
                                    lightloop_buffer* error) {
  (void)name, (void)settings, (void)count, (void)error;
  *device = &opened;
  return LIGHTLOOP_OK;
}

static void close_device(void* device) { (void)device; }

static lightloop_status describe(void* device, lightloop_buffer* out, lightloop_buffer* error) {
  (void)device, (void)error;
  return lightloop_put_text(out,
                            "kind=reservoir,input.shape=8,input.bits=8,output.shape=8,output.bits=8,"
                            "deterministic=true,cost.frame_s=1e-6,cost.power_w=0.1");
}

static lightloop_status run(void* device, const lightloop_run* r, lightloop_report* report, lightloop_buffer* error) {
  const uint8_t* in = (const uint8_t*)r->in;
  uint8_t* out = (uint8_t*)r->out;
  int64_t frame, i;
  (void)device, (void)error;
  for (frame = 0; frame < r->frames; ++frame)
    for (i = 0; i < r->in_size; ++i) out[frame * r->in_size + i] = in[(frame + 1) * r->in_size - 1 - i];
  report->saturated = 0;
  return LIGHTLOOP_OK;
}

static const lightloop_plugin table = {
    .struct_size = sizeof(lightloop_plugin),
    .major = LIGHTLOOP_PLUGIN_MAJOR,
    .minor = LIGHTLOOP_PLUGIN_MINOR,
    .models = models,
    .model = model,
    .open = open_device,
    .close = close_device,
    .describe = describe,
    .run = run,
};

const lightloop_plugin* lightloop_plugin_entry(uint32_t host_major, uint32_t host_minor) {
  (void)host_major, (void)host_minor;
  return &table;
}
