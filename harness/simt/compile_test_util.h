// Compiling a snippet as tests of the SIMT headers do: as a kernel
// file of another project would be, and looking at what the compiler says.
//
// Needs the macros PADPROOF_SOURCE_DIRECTORY and PADPROOF_CXX_COMPILER.

#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>

namespace padproof {

struct Compilation {
  bool ok;             // the compiler found no error
  std::string output;  // all that it printed
};

/// The compiler that this test was built with, on a .cu file, without making an object.
inline std::string HostCompiler() {
  const std::string root = PADPROOF_SOURCE_DIRECTORY;
  return PADPROOF_CXX_COMPILER
         " -x c++ -std=c++20 -fsyntax-only -Wall -Wextra -Wno-unknown-pragmas -Wno-unused -I" +
         root + " -I" + root + "/harness/simt/include ";
}

/// Runs a command of the shell.
inline Compilation Run(const std::string& command) {
  Compilation result{false, ""};
  FILE* pipe = popen((command + " 2>&1").c_str(), "r");
  if (pipe == nullptr) return result;
  char buffer[4096];
  for (size_t n; (n = std::fread(buffer, 1, sizeof buffer, pipe)) != 0;) {
    result.output.append(buffer, n);
  }
  const int status = pclose(pipe);
  result.ok = WIFEXITED(status) && WEXITSTATUS(status) == 0;
  return result;
}

/// Compiles `source` as the file snippet.cu.
inline Compilation Compile(const std::string& compiler_and_flags, const std::string& source) {
  std::string directory = testing::TempDir() + "padproof_XXXXXX";
  if (mkdtemp(directory.data()) == nullptr) return {false, "no temporary directory"};
  const std::string file = directory + "/snippet.cu";
  std::ofstream(file) << source;
  const Compilation result = Run("LC_ALL=C " + compiler_and_flags + file);
  std::remove(file.c_str());
  rmdir(directory.c_str());
  return result;
}

}  // namespace padproof
