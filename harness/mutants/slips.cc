#include "harness/mutants/slips.h"

#include <algorithm>
#include <array>

namespace padproof {
namespace {

struct Pair {
  std::string_view a, b;
};

constexpr std::array<Pair, 25> kNames{{{"dim", "dim_v"},
                                       {"ld", "ld_v"},
                                       {"heads", "heads_kv"},
                                       {"left", "right"},
                                       {"first", "end"},
                                       {"first", "last"},
                                       {"begin", "end"},
                                       {"q", "k"},
                                       {"k", "v"},
                                       {"dk", "dv"},
                                       {"o", "d_o"},
                                       {"lse", "delta"},
                                       {"i", "j"},
                                       {"b", "h"},
                                       {"h", "head"},
                                       {"row", "lane"},
                                       {"row", "out"},
                                       {"query", "key"},
                                       {"query", "query0"},
                                       {"key", "key0"},
                                       {"kRows", "kColumns"},
                                       {"q_tile", "do_tile"},
                                       {"row_max", "new_max"},
                                       {"row_max", "tile_max"},
                                       {"real", "visible"}}};
constexpr std::array<Pair, 5> kAxes{{{"x", "y"}, {"y", "z"}, {"h", "s"}, {"s", "d"}, {"h", "q"}}};
constexpr std::array<Pair, 7> kEndings{{{"_q", "_k"},
                                        {"_k", "_v"},
                                        {"_b", "_h"},
                                        {"_h", "_s"},
                                        {"_h", "_q"},
                                        {"_s", "_d"},
                                        {"_begin", "_end"}}};
constexpr std::array<Pair, 4> kBeginnings{
    {{"q_", "k_"}, {"k_", "v_"}, {"dk_", "dv_"}, {"p_", "ds_"}}};

template <size_t count>
void AddPartners(const std::array<Pair, count>& pairs, std::string_view name,
                 std::vector<std::string>& to) {
  for (const Pair& pair : pairs) {
    if (name == pair.a) to.emplace_back(pair.b);
    if (name == pair.b) to.emplace_back(pair.a);
  }
}

}  // namespace

std::vector<std::string> SlipsOf(std::string_view name, bool member) {
  std::vector<std::string> others;
  AddPartners(kNames, name, others);
  if (member) AddPartners(kAxes, name, others);
  for (const Pair& pair : kEndings) {
    for (const auto& [from, to] : {Pair{pair.a, pair.b}, Pair{pair.b, pair.a}}) {
      if (!name.ends_with(from)) continue;
      others.push_back(std::string(name.substr(0, name.size() - from.size())) + std::string(to));
    }
  }
  for (const Pair& pair : kBeginnings) {
    for (const auto& [from, to] : {Pair{pair.a, pair.b}, Pair{pair.b, pair.a}}) {
      if (name.starts_with(from))
        others.push_back(std::string(to) + std::string(name.substr(from.size())));
    }
  }
  std::sort(others.begin(), others.end());
  others.erase(std::unique(others.begin(), others.end()), others.end());
  return others;
}

}  // namespace padproof
