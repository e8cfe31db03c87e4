#include "fuzz/support/finding.h"

#include <cstdio>
#include <cstdlib>

#include "harness/drivers/identity.h"
#include "harness/drivers/search.h"
#include "harness/report/failure.h"

namespace padproof {

void ReportAndDie(const Entry& entry, const Failure& failure, const Property& law,
                  const KernelInfo& kernel, const char* next) {
  const Finding finding{
      .entry = entry, .failure = failure, .statement = law.statement, .source = kernel.file};
  std::fprintf(stderr, "%s  then    %s\nDEDUP_TOKEN: %s\n", Report(finding).c_str(), next,
               IdentityOf(entry.law, entry.kernel, failure).c_str());
  std::abort();
}

void ParserFailed(const char* parser, const char* what, const std::string& text) {
  std::fprintf(stderr, "%s: %s\n  on      %s\nDEDUP_TOKEN: %s/%s\n", parser, what, text.c_str(),
               parser, what);
  std::abort();
}

}  // namespace padproof
