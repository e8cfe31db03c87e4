#include "harness/drivers/parent.h"

#include <signal.h>  // NOLINT(modernize-deprecated-headers): POSIX has more than <csignal>
#include <sys/prctl.h>

namespace padproof {

void DieWithParent() { prctl(PR_SET_PDEATHSIG, SIGKILL); }

}  // namespace padproof
