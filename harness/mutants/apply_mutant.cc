// apply_mutant SOURCE.cu FILE.mutant OUT.cu: writes the edited copy of a kernel. Exit code 2 and
// one line on stderr when an input is wrong; OUT.cu is then left as it was.

#include <cstdio>
#include <fstream>
#include <string>

#include "harness/base/file.h"
#include "harness/mutants/mutant_file.h"

namespace {

int Fail(const std::string& message) {
  std::fprintf(stderr, "%s\n", message.c_str());
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return Fail("usage: apply_mutant SOURCE.cu FILE.mutant OUT.cu");
  const auto source = padproof::ReadFile(argv[1]);
  if (!source) return Fail(std::string(argv[1]) + ": cannot be read; check the path");
  const auto text = padproof::ReadFile(argv[2]);
  if (!text) return Fail(std::string(argv[2]) + ": cannot be read; check the path");
  const auto mutant = padproof::ParseMutant(argv[2], *text);
  if (!mutant) return Fail(mutant.error().message);
  const auto edited = padproof::ApplyMutant(*mutant, argv[1], *source);
  if (!edited) return Fail(edited.error().message);
  std::ofstream out(argv[3], std::ios::binary);
  out << *edited;
  out.close();
  if (!out) return Fail(std::string(argv[3]) + ": cannot be written; does its folder exist?");
  return 0;
}
