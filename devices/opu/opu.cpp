#include "devices/opu/opu.hpp"

#include "devices/opu/device.hpp"
#include "devices/opu/twin.hpp"

namespace lightloop::opu {

DeviceModel model() {
  DeviceModel model;
  model.name = "opu";
  model.kind = "projection";
  model.summary = "Optical random projection: binary mirrors, scattering medium, camera";
  model.source = "Saade et al. 2016, arXiv 1510.06664; Brossollet et al. 2021, arXiv 2107.11814";
  model.params = params();
  model.presets = presets();
  model.open = [](const ParamSet& params) { return std::make_unique<Opu>(params); };
  model.twin = [](const ParamSet& params) { return std::make_unique<OpuTwin>(params); };
  return model;
}

}  // namespace lightloop::opu
