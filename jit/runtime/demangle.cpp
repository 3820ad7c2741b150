#include "jit/runtime/demangle.h"

#include <cxxabi.h>

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>

namespace pollux {
namespace {

constexpr std::size_t kMaxSymbol = 4096;  // symbols come from modules: longer ones are shown as they are

/// "…::h" and 16 hexadecimal digits: the hash that ends Rust's legacy symbols.
bool has_rust_hash(std::string_view name) {
    constexpr std::size_t kHash = 19;
    if (name.size() <= kHash || name.substr(name.size() - kHash, 3) != "::h") return false;
    return std::ranges::all_of(name.substr(name.size() - 16),
                               [](unsigned char c) { return std::isxdigit(c) != 0 && std::isupper(c) == 0; });
}

/// Rust's legacy escapes: `$LT$` and so on, `..` for `::`.
std::string unescape_rust(std::string_view name) {
    static constexpr std::pair<std::string_view, std::string_view> kEscapes[] = {
        {"$SP$", "@"},  {"$BP$", "*"},  {"$RF$", "&"},  {"$LT$", "<"},  {"$GT$", ">"},  {"$LP$", "("},
        {"$RP$", ")"},  {"$C$", ","},   {"$u20$", " "}, {"$u27$", "'"}, {"$u5b$", "["}, {"$u5d$", "]"},
        {"$u7b$", "{"}, {"$u7d$", "}"}, {"$u7e$", "~"}, {"$u3b$", ";"}, {"$u2b$", "+"}, {"..", "::"},
    };
    std::string text;
    while (!name.empty()) {
        const auto* escape = std::ranges::find_if(kEscapes, [&](const auto& pair) { return name.starts_with(pair.first); });
        if (escape != std::end(kEscapes)) {
            if (text.ends_with("_") && escape->second == "<") text.pop_back();  // a leading escape is written after an underscore
            text += escape->second;
            name.remove_prefix(escape->first.size());
        } else {
            text += name.front();
            name.remove_prefix(1);
        }
    }
    return text;
}

/// The paths of Rust's v0 symbols: crates, modules, items, closures. Types and constants in generic arguments are not spelled out.
class RustV0 {
public:
    explicit RustV0(std::string_view symbol) : all_(symbol), rest_(symbol) {}

    std::optional<std::string> demangle() {
        std::string text;
        if (!path(text, 0)) return std::nullopt;
        return text;
    }

private:
    static constexpr int kMaxDepth = 64;

    bool take(char c) {
        if (rest_.empty() || rest_.front() != c) return false;
        rest_.remove_prefix(1);
        return true;
    }

    bool base62(std::uint64_t& value) {
        value = 0;
        if (take('_')) return true;
        while (!rest_.empty()) {
            const char c = rest_.front();
            rest_.remove_prefix(1);
            if (c == '_') return ++value, true;
            std::uint64_t digit = 0;
            if (c >= '0' && c <= '9')
                digit = static_cast<std::uint64_t>(c - '0');
            else if (c >= 'a' && c <= 'z')
                digit = static_cast<std::uint64_t>(c - 'a') + 10;
            else if (c >= 'A' && c <= 'Z')
                digit = static_cast<std::uint64_t>(c - 'A') + 36;
            else
                return false;
            if (value > (~std::uint64_t{0} - digit) / 62 - 1) return false;
            value = value * 62 + digit;
        }
        return false;
    }

    bool identifier(std::string& text) {
        if (std::uint64_t disambiguator = 0; take('s') && !base62(disambiguator)) return false;
        static_cast<void>(take('u'));  // punycode is shown as it is
        std::size_t length = 0;
        if (rest_.empty() || std::isdigit(static_cast<unsigned char>(rest_.front())) == 0) return false;
        while (!rest_.empty() && std::isdigit(static_cast<unsigned char>(rest_.front())) != 0) {
            length = length * 10 + static_cast<std::size_t>(rest_.front() - '0');
            if (length > all_.size()) return false;
            rest_.remove_prefix(1);
        }
        static_cast<void>(take('_'));
        if (length > rest_.size()) return false;
        text += rest_.substr(0, length);
        rest_.remove_prefix(length);
        return true;
    }

    bool path(std::string& text, int depth) {
        if (depth > kMaxDepth || rest_.empty() || text.size() > kMaxSymbol) return false;
        if (take('C')) return identifier(text);
        if (take('N')) {
            if (rest_.empty()) return false;
            const char space = rest_.front();
            rest_.remove_prefix(1);
            if (!path(text, depth + 1)) return false;
            std::string name;
            if (!identifier(name)) return false;
            if (space == 'C') name = "{closure" + (name.empty() ? "" : ":" + name) + "}";
            if (!name.empty()) text += "::" + name;
            return true;
        }
        if (take('I')) {  // generic arguments end the readable part
            return path(text, depth + 1) && (text += "::<…>", true);
        }
        if (take('B')) {
            std::uint64_t position = 0;
            if (!base62(position) || position >= all_.size() - rest_.size()) return false;
            const std::string_view after = rest_;
            rest_ = all_.substr(position);
            const bool ok = path(text, depth + 1);
            rest_ = after;
            return ok;
        }
        return false;
    }

    std::string_view all_;
    std::string_view rest_;
};

}  // namespace

std::string demangle(std::string_view symbol) {
    if (symbol.size() > kMaxSymbol) return std::string(symbol);
    if (symbol.starts_with("_R")) return RustV0(symbol.substr(2)).demangle().value_or(std::string(symbol));
    if (!symbol.starts_with("_Z")) return std::string(symbol);
    int status = 0;
    const std::unique_ptr<char, decltype(&std::free)> text(abi::__cxa_demangle(std::string(symbol).c_str(), nullptr, nullptr, &status),
                                                           &std::free);
    if (status != 0 || !text) return std::string(symbol);
    const std::string_view name = text.get();
    if (!has_rust_hash(name)) return std::string(name);
    return unescape_rust(name.substr(0, name.size() - 19));
}

}  // namespace pollux
