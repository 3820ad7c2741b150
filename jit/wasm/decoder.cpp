// The streaming decoder's state machine: section framing, the code section, the rules between sections.
#include "jit/wasm/decoder.h"

#include <algorithm>
#include <array>
#include <string>

#include "jit/base/tuning.h"
#include "jit/wasm/bytes.h"
#include "jit/wasm/limits.h"

namespace pollux::wasm {

namespace {

constexpr std::array<std::uint8_t, 8> kMagicAndVersion = {0x00, 0x61, 0x73, 0x6D, 0x01, 0x00, 0x00, 0x00};

/// Place of each section, by id, in the order that sections have to stand in; 0 for custom sections, which stand anywhere.
constexpr std::array<std::uint8_t, kSectionIds> kRanks = {0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 12, 13, 11, 6};

std::string count_text(std::uint64_t count, std::string_view what) { return std::to_string(count) + " " + std::string(what); }

}  // namespace

Decoder::Decoder(FeatureSet features, ModuleConsumer& consumer)
    : consumer_(consumer), module_(std::make_shared<Module>()), sections_(*module_, features) {}

Result<> Decoder::feed(std::span<const std::uint8_t> chunk) {
    if (!status_) return status_;
    if (!buffer_) {
        Result<std::shared_ptr<GrowingBuffer>> buffer =
            GrowingBuffer::reserve(std::min<std::uint64_t>(kMaxModuleBytes, tuning.stream_reservation));
        if (!buffer) return status_ = std::unexpected(std::move(buffer.error()));
        buffer_ = *std::move(buffer);
        bytes_ = buffer_->data();
        module_->storage = buffer_;
    }
    if (Result<> result = buffer_->append(chunk); !result) return status_ = std::move(result);
    available_ += chunk.size();
    return status_ = advance();
}

Result<> Decoder::finish() {
    if (!status_) return status_;
    if (buffer_) buffer_->seal();
    return status_ = end_of_module();
}

Result<std::shared_ptr<const Module>> Decoder::decode_whole(std::span<const std::uint8_t> bytes, FeatureSet features,
                                                            ModuleConsumer& consumer, std::shared_ptr<const void> storage) {
    if (bytes.size() > kMaxModuleBytes) return fail(ErrorKind::resource, "the module is larger than 4 GiB");
    Decoder decoder(features, consumer);
    decoder.module_->storage = std::move(storage);
    decoder.bytes_ = bytes.data();
    decoder.available_ = bytes.size();
    Result<> result = decoder.advance();
    if (result) result = decoder.end_of_module();
    if (!result) return std::unexpected(std::move(result.error()));
    return decoder.module_;
}

Result<> Decoder::advance() {
    while (available_ >= needed_) {
        if (Result<> result = step(); !result) return result;
    }
    return {};
}

Result<> Decoder::step() {
    switch (state_) {
        case State::magic:          return magic();
        case State::section_header: return section_header();
        case State::section:        return section();
        case State::code_count:     return code_count();
        case State::body_size:      return body_size();
        case State::body:           return body();
    }
    return {};
}

Result<bool> Decoder::read_u32(std::uint64_t end, std::uint32_t& out) {
    const std::uint8_t* next = bytes_ + at_;
    const std::uint8_t* const limit = bytes_ + std::min(available_, end);
    const LebStatus status = read_leb(next, limit, out);
    if (status == LebStatus::ok) {
        at_ = static_cast<std::uint64_t>(next - bytes_);
        return true;
    }
    if (status == LebStatus::truncated && available_ < end) {
        needed_ = available_ + 1;
        return false;
    }
    return fail(ErrorKind::malformed, std::string(leb_error(status)), at_);
}

Result<> Decoder::magic() {
    if (!std::equal(kMagicAndVersion.begin(), kMagicAndVersion.begin() + 4, bytes_)) {
        return fail(ErrorKind::malformed, "magic header not detected: this is not a WebAssembly binary", 0);
    }
    if (!std::equal(kMagicAndVersion.begin(), kMagicAndVersion.end(), bytes_)) {
        const bool component = bytes_[4] == 0x0D && bytes_[6] == 0x01;
        return fail(component ? ErrorKind::unsupported : ErrorKind::malformed,
                    component ? "unknown binary version: this is a component, expected a core module" : "unknown binary version", 4);
    }
    at_ = kMagicAndVersion.size();
    wait_for(State::section_header, 2);
    return {};
}

Result<> Decoder::section_header() {
    const std::uint64_t start = at_;
    const std::uint8_t id = bytes_[at_];
    if (id >= kSectionIds) return fail(ErrorKind::malformed, "malformed section id " + std::to_string(id), start);
    section_id_ = static_cast<SectionId>(id);
    ++at_;
    std::uint32_t size = 0;
    const Result<bool> read = read_u32(kMaxModuleBytes, size);
    if (!read) return std::unexpected(read.error());
    if (!*read) {
        at_ = start;
        return {};
    }
    section_end_ = at_ + size;
    if (section_end_ > kMaxModuleBytes) return fail(ErrorKind::malformed, "unexpected end: the section's length is out of bounds", start);

    if (const std::uint8_t rank = kRanks[id]; rank != 0) {
        if (rank <= last_rank_) {
            return fail(ErrorKind::malformed,
                        "unexpected content after last section: the " + std::string(section_name(section_id_)) +
                            " section is out of order or there twice",
                        start);
        }
        last_rank_ = rank;
    }
    if (section_id_ == SectionId::code) {
        wait_for(State::code_count, 1);
    } else {
        wait_for(State::section, size);
    }
    return {};
}

Result<> Decoder::section() {
    Cursor in({bytes_ + at_, bytes_ + section_end_}, at_);
    if (!sections_.decode(section_id_, in, !header_complete_)) return std::unexpected(std::move(in.error()));
    at_ = section_end_;
    wait_for(State::section_header, 2);
    return {};
}

Result<> Decoder::code_count() {
    const std::uint64_t start = at_;
    const Result<bool> read = read_u32(section_end_, bodies_left_);
    if (!read) return std::unexpected(read.error());
    if (!*read) return {};
    const std::uint64_t declared = module_->functions.size() - module_->imported_functions;
    if (bodies_left_ != declared) {
        return fail(ErrorKind::malformed,
                    "function and code section have inconsistent lengths: " + count_text(declared, "functions, ") +
                        count_text(bodies_left_, "bodies"),
                    start);
    }
    next_function_ = module_->imported_functions;
    if (Result<> result = complete_header(); !result) return result;
    wait_for(State::body_size, bodies_left_ == 0 ? 0 : 1);
    return {};
}

Result<> Decoder::body_size() {
    if (bodies_left_ == 0) {
        if (at_ != section_end_)
            return fail(ErrorKind::malformed, "section size mismatch: there are bytes after the last function body", at_);
        wait_for(State::section_header, 2);
        return {};
    }
    const std::uint64_t start = at_;
    std::uint32_t size = 0;
    const Result<bool> read = read_u32(section_end_, size);
    if (!read) return std::unexpected(read.error());
    if (!*read) return {};
    const auto where = [&] { return "function " + std::to_string(next_function_) + ": "; };
    if (size > section_end_ - at_) return fail(ErrorKind::malformed, where() + "unexpected end: the body's length is out of bounds", start);
    if (size > kMaxFunctionBytes)
        return fail(ErrorKind::resource, where() + "a body of more than " + count_text(kMaxFunctionBytes, "bytes"), start);
    wait_for(State::body, size);
    return {};
}

Result<> Decoder::body() {
    const auto size = static_cast<std::uint32_t>(needed_ - at_);
    Function& function = module_->functions[next_function_];
    function.body_offset = static_cast<std::uint32_t>(at_);
    function.body_size = size;
    module_->code_section_bytes += size;
    if (Result<> result = consumer_.on_function(next_function_, {bytes_ + at_, size}); !result) return result;
    at_ += size;
    ++next_function_;
    --bodies_left_;
    wait_for(State::body_size, bodies_left_ == 0 ? 0 : 1);
    return {};
}

Result<> Decoder::complete_header() {
    if (header_complete_) return {};
    header_complete_ = true;
    module_->bytes = {bytes_, static_cast<std::size_t>(available_)};
    return consumer_.on_header_complete(module_);
}

Result<> Decoder::end_of_module() {
    const bool in_framing = state_ == State::section_header && at_ == available_;
    if (!in_framing) {
        const char* what = state_ == State::magic ? "unexpected end: a WebAssembly binary starts with 8 bytes of magic and version"
                                                  : "unexpected end of the module inside a section";
        return fail(ErrorKind::malformed, what, available_);
    }
    const std::uint64_t declared = module_->functions.size() - module_->imported_functions;
    if (!header_complete_ && declared != 0) {
        return fail(ErrorKind::malformed,
                    "function and code section have inconsistent lengths: " + count_text(declared, "functions, no bodies"), at_);
    }
    if (module_->data_count && *module_->data_count != module_->data.size()) {
        return fail(ErrorKind::malformed,
                    "data count and data section have inconsistent lengths: " + count_text(*module_->data_count, "segments announced, ") +
                        count_text(module_->data.size(), "there"),
                    at_);
    }
    if (Result<> result = complete_header(); !result) return result;
    module_->bytes = {bytes_, static_cast<std::size_t>(available_)};
    return consumer_.on_end();
}

}  // namespace pollux::wasm
