#pragma once

#include <hdf5.h>

#include <string>

namespace diffphase {

// HDF5 gives numbers that nobody wrote the value of a filling, without a word. These throw DatasetError unless every
// number of a dataset was written and can be read. `name`: what messages call it. No numbers are read. Local.

/// Of a virtual dataset: it is made of whole parts of datasets that are there, none virtual itself, all as
/// require_written() wants them. `file`: the path of the dataset's file. To be called before anything else is asked of
/// a dataset, as HDF5 opens sources to answer, without end where they lead back. Does nothing for others.
void require_virtual_sources(const std::string& file, const std::string& name, hid_t dataset);

/// Of any other dataset: it, and each of its chunks, was written, into this file (not into external storage, which may
/// be any file of the user), with filters that this HDF5 has. Does nothing for virtual ones.
void require_written(const std::string& name, hid_t dataset);

/// Forbids filters from plugins, which are code that a data file asks for, unless the user says where they are
/// (HDF5_PLUGIN_PATH).
void forbid_unasked_plugins();

}  // namespace diffphase
