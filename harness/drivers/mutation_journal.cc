#include "harness/drivers/mutation_journal.h"

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "harness/base/random.h"
#include "harness/drivers/paths.h"

namespace padproof {
namespace {

using nlohmann::json;

uint64_t HashOfProgram() {
  std::error_code ignored;
  const std::filesystem::path program = WorkerProgram();
  const auto written =
      std::filesystem::last_write_time(program, ignored).time_since_epoch().count();
  return HashOf({std::filesystem::file_size(program, ignored), static_cast<uint64_t>(written)});
}

Mutation MutationFrom(const json& j) {
  Mutation m;
  j.at("id").get_to(m.edit.id);
  m.fate = static_cast<Fate>(j.at("fate_number").get<int>());
  j.at("law").get_to(m.kill.law);
  j.at("kernel").get_to(m.kill.kernel);
  j.at("kind").get_to(m.kill.kind);
  j.at("case").get_to(m.kill.line);
  j.at("cases").get_to(m.kill.cases);
  j.at("compile_seconds").get_to(m.compile_seconds);
  j.at("run_seconds").get_to(m.run_seconds);
  return m;
}

}  // namespace

std::string ToLine(const Mutation& m, const std::string& key) {
  const json j{{"key", key},
               {"id", m.edit.id},
               {"operator", m.edit.op},
               {"line", m.edit.line},
               {"column", m.edit.column},
               {"what", m.edit.what},
               {"source", m.edit.source_line},
               {"fate", kFateNames[static_cast<size_t>(m.fate)]},
               {"fate_number", static_cast<int>(m.fate)},
               {"law", m.kill.law},
               {"kernel", m.kill.kernel},
               {"kind", m.kill.kind},
               {"case", m.kill.line},
               {"cases", m.kill.cases},
               {"compile_seconds", m.compile_seconds},
               {"run_seconds", m.run_seconds}};
  return j.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string KeyOf(const MutationPlan& plan) {
  uint64_t hash =
      HashOf({HashOf(plan.source), HashOf(plan.rows), plan.search.seed,
              static_cast<uint64_t>(plan.search.cases),
              static_cast<uint64_t>(plan.search.deadline_seconds * 1000), HashOfProgram()});
  for (const Surroundings& kernel : plan.kernels) {
    hash = HashOf({hash, HashOf(kernel.before), HashOf(kernel.after)});
  }
  for (const Property* law : plan.laws) hash = HashOf({hash, HashOf(law->name)});
  for (const std::string& flag : plan.flags) hash = HashOf({hash, HashOf(flag)});
  return std::to_string(hash);
}

MutationJournal::MutationJournal(std::string path, std::string key)
    : path_(std::move(path)), key_(std::move(key)) {
  std::ifstream in(path_);
  for (std::string line; std::getline(in, line);) try {
      const json j = json::parse(line);
      if (j.at("key") != key_) continue;
      Mutation mutation = MutationFrom(j);
      known_[mutation.edit.id] = std::move(mutation);
    } catch (const json::exception&) {
      continue;  // the run ended while it wrote
    }
}

bool MutationJournal::Find(Mutation& mutation) const {
  const auto found = known_.find(mutation.edit.id);
  if (found == known_.end()) return false;
  Edit edit = std::move(mutation.edit);
  mutation = found->second;
  mutation.edit = std::move(edit);
  return true;
}

void MutationJournal::Add(const Mutation& mutation) {
  std::error_code ignored;
  std::filesystem::create_directories(std::filesystem::path(path_).parent_path(), ignored);
  std::ofstream out(path_, std::ios::app);
  out << ToLine(mutation, key_) + "\n" << std::flush;
}

}  // namespace padproof
