#pragma once
// What the network of a run file is scored on, and by.
#include <memory>
#include <string>

#include "training/datasets/dataset.hpp"
#include "training/physical_maps.hpp"
#include "training/rules/rule.hpp"
#include "training/run_file.hpp"

namespace lightloop::command {

/// Every sample of a CSV file, the test part of an HDF5 file that has one, the test set of a known name or a text, in
/// windows of the run's where it learned one and the name says none; empty names: the test set of the run.
Dataset samples_of(const RunFile& run, const std::string& data, const std::string& data_dir);
/// The rule of the run where it answers in its own way, its passes in memory or on devices, with or without physics in
/// front of its layers; else null. Throws as answering_rule().
std::unique_ptr<Rule> rule_of(const RunFile& run, LayerProducts* layers, PhysicalMap map = {});

/// The physics in front of the layers of a run: its own device as training left it, or another behind its calibration;
/// null where there is none. Nothing is calibrated with the samples that are scored. `name` is the run's, for messages.
/// Throws as PhysicalMaps.
std::unique_ptr<PhysicalMaps> physics_of(const RunFile& run, const std::string& name, const Registry& registry,
                                         const std::string& device, Settings settings = {});
/// rule_of() with products in memory, or on `layers`, behind `maps`.
std::unique_ptr<Rule> rule_behind(const RunFile& run, PhysicalMaps& maps, LayerProducts* layers = nullptr);
/// The text of a setting of the run that older files do not have.
std::string said(const RunFile& run, const char* key);

}  // namespace lightloop::command
