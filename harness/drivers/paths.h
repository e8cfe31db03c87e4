// Where padproof finds its own files.

#pragma once

#include <string>
#include <vector>

namespace padproof {

std::string ExecutableDirectory();  // of this process

/// The program that workers run: `padproof` beside this executable.
std::string WorkerProgram();

/// Shared libraries with further kernels: plugins/*.so beside the executable, then the files named
/// in the environment variable PADPROOF_PLUGINS (colon separated).
std::vector<std::string> PluginFiles();

/// Kernels built by nvcc: device/*.so beside the executable, or the files named in the environment
/// variable PADPROOF_DEVICE_PLUGINS (colon separated) instead.
std::vector<std::string> DeviceFiles();

/// mutants/*.so beside the executable.
std::vector<std::string> MutantFiles();

/// The source tree this was built from.
std::string SourceDirectory();

/// The environment variable PADPROOF_PLUGINS, "" if there is none.
std::string PluginsNamed();

/// Where saved cases live: $PADPROOF_CORPORA, else corpora/ of the source tree this was built from,
/// or, if that is not there or PADPROOF_PLUGINS names kernels from elsewhere, corpora/ in the
/// current directory.
std::string CorporaDirectory();

/// "kernels/x.so" -> "x".
std::string Stem(const std::string& path);

}  // namespace padproof
