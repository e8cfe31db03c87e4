// Parsing is by lines and refuses what it does not know: a misspelt key or a block that silently
// matched nothing would be a mutant that survives for the wrong reason.

#include "harness/mutants/mutant_file.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "harness/base/printable.h"
#include "harness/base/words.h"

namespace padproof {
namespace {

constexpr std::string_view kKeys =
    "kernel, source, rows, bug, imitates, killed_by, equivalent, replace";

std::vector<std::string> LinesOf(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    lines.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return lines;
}

Error At(std::string_view path, int line, const std::string& what) {
  return {std::string(path) + ":" + std::to_string(line) + ": " + what};
}

bool IsPlainName(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
}

/// Null for an unknown key.
std::string* FieldOf(Mutant& mutant, std::string_view key) {
  if (key == "kernel") return &mutant.kernel;
  if (key == "source") return &mutant.source;
  if (key == "bug") return &mutant.bug;
  if (key == "imitates") return &mutant.imitates;
  if (key == "killed_by") return &mutant.killed_by;
  if (key == "rows") return &mutant.rows;
  if (key == "equivalent") return &mutant.equivalent;
  return nullptr;
}

class Parser {
 public:
  Parser(std::string_view path, std::string_view text) : path_(path), lines_(LinesOf(text)) {
    mutant_.path = path;
    mutant_.name = std::filesystem::path(path_).stem().string();
  }

  Result<Mutant> Run() {
    while (at_ < lines_.size()) {
      const std::string_view line = Trim(lines_[at_]);
      std::string wrong;
      if (line == "replace:") {
        wrong = ReadReplacement();
      } else if (!line.empty() && line.front() != '#') {
        wrong = ReadField(line);
      }
      if (!wrong.empty()) return At(path_, LineNumber(), wrong);
      ++at_;
    }
    const std::string missing = Missing();
    if (!missing.empty()) return At(path_, 1, missing);
    return std::move(mutant_);
  }

 private:
  int LineNumber() const { return static_cast<int>(std::min(at_, lines_.size() - 1)) + 1; }

  std::string ReadField(std::string_view line) {
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos) {
      return "neither a comment nor \"key: value\"; keys are " + std::string(kKeys);
    }
    const std::string key(Trim(line.substr(0, colon)));
    std::string* field = FieldOf(mutant_, key);
    if (field == nullptr) {
      return "unknown key \"" + Printable(key) + "\"; keys are " + std::string(kKeys);
    }
    if (!field->empty()) return "key \"" + key + "\" is given twice; keep one";
    *field = Trim(line.substr(colon + 1));
    if (field->empty()) return "key \"" + key + "\" has no value; write it on the same line";
    return {};
  }

  /// From "replace:" to ">>>"; leaves at_ on the last line it read, or on the one that is wrong.
  std::string ReadReplacement() {
    if (++at_ >= lines_.size() || Trim(lines_[at_]) != "<<<") {
      return "after \"replace:\" comes a line \"<<<\"";
    }
    Replacement block;
    block.line = static_cast<int>(at_) + 2;
    if (!ReadUntil("===", block.before)) return "the block has no \"===\"; add it";
    if (!ReadUntil(">>>", block.after)) return "the block has no \">>>\"; add it";
    std::string wrong;
    if (block.before.empty()) wrong = "no lines between \"<<<\" and \"===\"; say which to replace";
    if (block.before == block.after) wrong = "both sides are equal; change a line";
    if (!wrong.empty()) at_ = static_cast<size_t>(block.line) - 1;  // the error is at the block
    if (!wrong.empty()) return wrong;
    mutant_.replacements.push_back(std::move(block));
    return {};
  }

  bool ReadUntil(std::string_view mark, std::vector<std::string>& to) {
    for (++at_; at_ < lines_.size(); ++at_) {
      if (lines_[at_] == mark) return true;
      to.push_back(lines_[at_]);
    }
    return false;
  }

  std::string Missing() {
    if (!IsPlainName(mutant_.name)) {
      return "the file's name \"" + Printable(mutant_.name) +
             "\" may hold a-z, 0-9 and _ only; rename it";
    }
    if (!mutant_.source.empty() && !mutant_.kernel.empty()) {
      return "both \"kernel\" and \"source\" are given; keep one";
    }
    const char* what = mutant_.source.empty() ? "kernel" : "source";
    for (const char* key : {what, "bug", "imitates", "killed_by"}) {
      if (FieldOf(mutant_, key)->empty()) {
        return std::string("key \"") + key + "\" is missing; add \"" + key + ": ...\"";
      }
    }
    if (mutant_.replacements.empty()) return "no \"replace:\" block; add one";
    return {};
  }

  const std::string path_;
  const std::vector<std::string> lines_;
  size_t at_ = 0;  // the line being read, from 0
  Mutant mutant_;
};

/// First lines, from 0, of every place where `block` occurs.
std::vector<size_t> Matches(const std::vector<std::string>& lines,
                            const std::vector<std::string>& block) {
  std::vector<size_t> at;
  for (size_t first = 0; first + block.size() <= lines.size(); ++first) {
    if (std::equal(block.begin(), block.end(), lines.begin() + static_cast<ptrdiff_t>(first))) {
      at.push_back(first);
    }
  }
  return at;
}

/// "kernels/flash_fwd.cu" of a path to it; a path without a folder `kernels` stays as it is.
std::string RelativePath(std::string_view path) {
  const std::filesystem::path whole(path);
  std::filesystem::path relative;
  bool inside = false;
  for (const auto& part : whole) {
    if (part == "kernels") {
      relative.clear();
      inside = true;
    }
    if (inside) relative /= part;
  }
  return (inside ? relative : whole).generic_string();
}

std::string LineDirective(size_t line, const std::string& path) {
  return "#line " + std::to_string(line) + " \"" + path + "\"\n";
}

}  // namespace

Result<Mutant> ParseMutant(std::string_view path, std::string_view text) {
  if (Trim(text).empty()) return At(path, 1, "the file is empty; see kernels/README.md");
  return Parser(path, text).Run();
}

Result<std::string> ApplyMutant(const Mutant& mutant, std::string_view source_path,
                                std::string_view source) {
  const bool of_kernel = mutant.source.empty();
  const std::string relative = of_kernel ? RelativePath(source_path) : mutant.source;
  if (of_kernel && std::filesystem::path(source_path).stem() != mutant.kernel) {
    return At(mutant.path, 1,
              "kernel \"" + Printable(mutant.kernel) + "\" is not " + relative +
                  "; name the source without folder and extension");
  }
  if (!of_kernel && !source_path.ends_with(mutant.source)) {
    return At(mutant.path, 1,
              "source \"" + Printable(mutant.source) + "\" is not " + std::string(source_path) +
                  "; name it relative to the repository");
  }
  const std::vector<std::string> lines = LinesOf(source);
  std::vector<std::pair<size_t, const Replacement*>> edits;  // first line in the source, from 0
  for (const Replacement& block : mutant.replacements) {
    const std::vector<size_t> at = Matches(lines, block.before);
    if (at.empty()) {
      return At(
          mutant.path, block.line,
          "these lines occur nowhere in " + relative + "; copy them exactly, indentation included");
    }
    if (at.size() > 1) {
      return At(mutant.path, block.line,
                "these lines occur " + std::to_string(at.size()) + " times in " + relative +
                    ", first at line " + std::to_string(at[0] + 1) + " and " +
                    std::to_string(at[1] + 1) + "; add the lines around the one you mean");
    }
    edits.emplace_back(at[0], &block);
  }
  std::sort(edits.begin(), edits.end());

  std::string out = LineDirective(1, relative);
  size_t next = 0;  // first line of the source not yet copied
  const auto copy_to = [&](size_t end) {
    for (; next < end; ++next) out += lines[next] + "\n";
  };
  for (const auto& [first, block] : edits) {
    if (first < next) {
      return At(mutant.path, block->line, "this block overlaps another one; merge the two");
    }
    copy_to(first);
    for (const std::string& line : block->after) out += line + "\n";
    next = first + block->before.size();
    if (block->after.size() != block->before.size()) out += LineDirective(next + 1, relative);
  }
  copy_to(lines.size());
  return out;
}

}  // namespace padproof
