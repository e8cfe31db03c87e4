// What a process does when the one that started it is gone.

#pragma once

namespace padproof {

/// Ends with its parent, however that ends.
void DieWithParent();

}  // namespace padproof
