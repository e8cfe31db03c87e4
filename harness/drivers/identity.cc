#include "harness/drivers/identity.h"

namespace padproof {

std::string IdentityOf(const std::string& law, const std::string& kernel, const Failure& failure) {
  return law + "/" + kernel + "/" + failure.kind + "/" + failure.region;
}

}  // namespace padproof
