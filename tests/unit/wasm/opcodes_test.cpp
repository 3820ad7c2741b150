// The opcode table is consistent in itself.
#include "jit/wasm/opcodes.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

namespace pollux::wasm {
namespace {

constexpr Opcode kAll[] = {
#define OPCODE(group, name, ...) Opcode::name,
#include "jit/wasm/opcodes.def"
};

TEST(Opcodes, EachHasItsPlaceAndNoOtherHasIt) {
    std::map<std::uint16_t, std::string> places;
    std::map<std::string, int> names;
    for (const Opcode op : kAll) {
        const auto value = static_cast<std::uint16_t>(op);
        EXPECT_TRUE(places.emplace(value, text(op)).second) << text(op) << " has the code of " << places[value];
        EXPECT_EQ(value, opcode_page(info(op).prefix) + info(op).code) << text(op);
        EXPECT_TRUE(is_opcode(info(op).prefix, info(op).code)) << text(op);
        ++names[std::string(text(op))];
    }
    for (const auto& [name, count] : names) EXPECT_EQ(count, name == "select" ? 2 : 1) << name;
}

TEST(Opcodes, GroupsHaveTheSignaturesAndImmediatesThatTheirHandlersNeed) {
    for (const Opcode op : kAll) {
        const Signature& type = signature(op);
        SCOPED_TRACE(text(op));
        switch (group(op)) {
            case Group::numeric:
                EXPECT_TRUE(type.fixed && !type.address_operand);
                EXPECT_EQ(immediate(op), Immediate::none);
                EXPECT_GE(results(op).size(), 1U);
                break;
            case Group::lane:
                EXPECT_TRUE(type.fixed && !type.address_operand);
                EXPECT_GT(lane_count(op), 0U);
                EXPECT_EQ(access_bytes(op), 0U);
                break;
            case Group::load:
                EXPECT_TRUE(type.address_operand && params(op).size() == 1 && results(op).size() == 1);
                EXPECT_GT(access_bytes(op), 0U);
                break;
            case Group::store:
                EXPECT_TRUE(type.address_operand && params(op).size() == 2 && results(op).empty());
                EXPECT_GT(access_bytes(op), 0U);
                break;
            case Group::load_lane:
            case Group::store_lane:
                EXPECT_TRUE(type.address_operand && params(op).size() == 2);
                EXPECT_EQ(access_bytes(op) * lane_count(op), 16U);
                break;
            case Group::atomic:
                EXPECT_TRUE(type.address_operand);
                EXPECT_GT(access_bytes(op), 0U);
                EXPECT_EQ(feature(op), Feature::threads);
                break;
            default: EXPECT_EQ(access_bytes(op), 0U); break;
        }
    }
}

TEST(Opcodes, NamesFollowTheTypesOfTheSignature) {
    for (const Opcode op : kAll) {
        if (group(op) != Group::numeric) continue;
        const std::string_view name = text(op);
        const bool vector = name.find('x') < name.find('.') || name.starts_with("v128");
        SCOPED_TRACE(name);
        if (vector) {
            EXPECT_TRUE(params(op)[0] == Kind::v128 || name.ends_with(".splat"));
        } else if (name.starts_with("f32")) {
            EXPECT_TRUE(results(op)[0] == Kind::f32 || (results(op)[0] == Kind::i32 && params(op)[0] == Kind::f32));
        } else if (name.starts_with("f64")) {
            EXPECT_TRUE(results(op)[0] == Kind::f64 || (results(op)[0] == Kind::i32 && params(op)[0] == Kind::f64));
        } else if (name.starts_with("i64")) {
            EXPECT_TRUE(results(op)[0] == Kind::i64 || (results(op)[0] == Kind::i32 && params(op)[0] == Kind::i64));
        }
    }
}

TEST(Features, NamesAreTakenAndGiven) {
    EXPECT_EQ(feature_name(Feature::custom_page_sizes), "custom-page-sizes");
    EXPECT_EQ(feature_from_name("gc"), Feature::gc);
    EXPECT_EQ(feature_from_name("no-such-feature"), std::nullopt);
    EXPECT_TRUE(FeatureSet::all().has(Feature::relaxed_simd));
    EXPECT_FALSE(FeatureSet::all().has(Feature::custom_descriptors));
    EXPECT_FALSE(FeatureSet::all().set(Feature::simd, false).has(Feature::simd));
}

}  // namespace
}  // namespace pollux::wasm
