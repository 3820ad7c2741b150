// Calls functions of a Node-API binding: linked with the binding's memory, table and functions, and those of its host (host.c). A program
// is a file that lists REGISTER(F), the binding's functions that register what it exports, and includes this. Its arguments:
//
//     [new|get] NAME [JSON...] [, ...]
//
// call the function NAME of the binding's exports with these values and wait for what it promises; make an object of a class; take an
// object's property. "-" is the text of standard input. What follows a comma is asked of the result of what precedes it. The last result
// is printed as JSON. With ASYNC_WORK, what the binding does for a promise is done on a thread.
#pragma once

#include <stdint.h>

#include "napi.h"

#define IMPORT(module, name) __attribute__((import_module(module), import_name(name)))
#define HOST(name, ...) IMPORT("env", #name) uint32_t name(void* env, __VA_ARGS__)
HOST(napi_get_undefined, struct value** result);
HOST(napi_get_null, struct value** result);
HOST(napi_get_boolean, uint32_t value, struct value** result);
HOST(napi_create_object, struct value** result);
HOST(napi_create_int32, int32_t value, struct value** result);
HOST(napi_create_string_utf8, const char* text, uint32_t length, struct value** result);
HOST(napi_create_array_with_length, uint32_t length, struct value** result);
HOST(napi_set_element, struct value* array, uint32_t index, struct value* value);
HOST(napi_set_named_property, struct value* object, const char* name, struct value* value);
HOST(napi_get_named_property, struct value* object, const char* name, struct value** result);
HOST(napi_get_and_clear_last_exception, struct value** result);
IMPORT("env", "napi_register_wasm_v1") struct value* napi_register_wasm_v1(void* env, struct value* exports);
IMPORT("wasi_snapshot_preview1", "fd_write") uint16_t fd_write(uint32_t fd, const void* iovecs, uint32_t count, uint32_t* written);
IMPORT("wasi_snapshot_preview1", "fd_read") uint16_t fd_read(uint32_t fd, const void* iovecs, uint32_t count, uint32_t* read);
IMPORT("wasi_snapshot_preview1", "args_sizes_get") uint16_t args_sizes_get(uint32_t* count, uint32_t* bytes);
IMPORT("wasi_snapshot_preview1", "args_get") uint16_t args_get(char** arguments, char* buffer);
IMPORT("wasi_snapshot_preview1", "proc_exit") _Noreturn void proc_exit(uint32_t status);

#define DECLARE(name) IMPORT("env", "__napi_register__" #name) void register_##name(void);
#define CALL(name) register_##name();
REGISTER(DECLARE)

static void* const kEnvironment = (void*)1;
static struct value *undefined, *null;

// --- output ----------------------------------------------------------------------------------------------------------------------------

struct iovec {
    void* data;
    uint32_t length;
};

static char output[1 << 23], input[1 << 20];
static uint32_t output_length;

static void put(char c) {
    if (output_length == sizeof output) __builtin_trap();
    output[output_length++] = c;
}
static void put_text(const char* text) {
    while (*text != 0) put(*text++);
}
_Noreturn static void end(uint32_t fd, uint32_t status) {
    put('\n');
    for (uint32_t at = 0, written = 0; at < output_length; at += written) {
        const struct iovec iovec = {output + at, output_length - at};
        if (fd_write(fd, &iovec, 1, &written) != 0) break;
    }
    proc_exit(status);
}
_Noreturn static void fail(const char* what, const char* name) {
    output_length = 0;
    put_text(what);
    put_text(name);
    end(2, 1);
}

static void put_number(double number) {
    if (number < 0) put('-');
    uint64_t rest = (uint64_t)(number < 0 ? -number : number);
    char digits[20];
    int count = 0;
    do digits[count++] = (char)('0' + rest % 10);
    while ((rest /= 10) != 0);
    while (count > 0) put(digits[--count]);
}
static void put_string(const char* text, uint32_t length) {
    put('"');
    for (uint32_t i = 0; i < length; ++i) {
        const char* const escaped = "\"\"\\\\\nn\tt\rr";
        const char* at = escaped;
        while (*at != 0 && *at != text[i]) at += 2;
        if (*at != 0) put('\\');
        put(*at != 0 ? at[1] : text[i]);
    }
    put('"');
}
static void put_json(const struct value* value) {
    switch (value->type) {
        case kNull:    put_text("null"); break;
        case kBoolean: put_text(value->number != 0 ? "true" : "false"); break;
        case kNumber:  put_number(value->number); break;
        case kString:  put_string(value->text, value->length); break;
        case kObject:
            put(value->is_array ? '[' : '{');
            for (uint32_t i = 0; value->is_array && i < value->length; ++i) {
                if (i != 0) put(',');
                put_json(value->elements[i]);
            }
            for (const struct property* at = value->properties; at != 0; at = at->next) {
                if (at != value->properties) put(',');
                put_string(at->name, at->name_length);
                put(':');
                put_json(at->value);
            }
            put(value->is_array ? ']' : '}');
            break;
        default: put_text("undefined");
    }
}

// --- input -----------------------------------------------------------------------------------------------------------------------------

static struct value* parse(char** text);

static int skip(char** text, char wanted) {
    while (**text == ' ' || **text == ',' || **text == ':') ++*text;
    if (**text != wanted) return 0;
    ++*text;
    return 1;
}
/// Behind the opening quote; the text is unescaped in place and ended with a zero.
static char* parse_text(char** text, uint32_t* length) {
    char *const begin = *text, *out = begin, *at = begin;
    for (; *at != '"' && *at != 0; ++at) {
        if (*at == '\\' && *++at == 'n') *at = '\n';
        *out++ = *at;
    }
    *text = at + (*at == '"');
    *out = 0;
    *length = (uint32_t)(out - begin);
    return begin;
}
static struct value* parse_word(char** text) {
    struct value* result = null;
    int32_t number = 0;
    const char first = **text;
    if (first >= '0' && first <= '9') {
        while (**text >= '0' && **text <= '9') number = number * 10 + (*(*text)++ - '0');
        napi_create_int32(kEnvironment, number, &result);
        return result;
    }
    if (first == 't' || first == 'f') napi_get_boolean(kEnvironment, first == 't', &result);
    while (**text >= 'a' && **text <= 'z') ++*text;
    return result;
}
/// No escapes but those of quotes, backslashes and ends of lines; no numbers but natural ones.
static struct value* parse(char** text) {
    struct value* result;
    uint32_t length = 0;
    if (skip(text, '-')) {
        for (uint32_t got = 1; got != 0; length += got) {
            const struct iovec iovec = {input + length, sizeof input - length};
            if (iovec.length == 0 || fd_read(0, &iovec, 1, &got) != 0) fail("cannot read all of the input", "");
        }
        napi_create_string_utf8(kEnvironment, input, length, &result);
    } else if (skip(text, '"')) {
        const char* const string = parse_text(text, &length);
        napi_create_string_utf8(kEnvironment, string, length, &result);
    } else if (skip(text, '[')) {
        napi_create_array_with_length(kEnvironment, 0, &result);
        for (uint32_t i = 0; **text != 0 && !skip(text, ']'); ++i) napi_set_element(kEnvironment, result, i, parse(text));
    } else if (skip(text, '{')) {
        napi_create_object(kEnvironment, &result);
        while (**text != 0 && !skip(text, '}')) {
            if (!skip(text, '"')) fail("no name in ", *text);
            const char* const name = parse_text(text, &length);
            napi_set_named_property(kEnvironment, result, name, parse(text));
        }
    } else {
        result = parse_word(text);
    }
    return result;
}

// --- calls -----------------------------------------------------------------------------------------------------------------------------

_Noreturn static void throw(const struct value* error) {
    put_text("thrown: ");
    put_json(error);
    end(1, 1);
}

#ifdef ASYNC_WORK
IMPORT("env", "take_work") struct work* take_work(void);
IMPORT("env", "emnapi_async_worker_create") void* emnapi_async_worker_create(void);
IMPORT("env", "emnapi_async_worker_init") void emnapi_async_worker_init(void* worker);
IMPORT("wasi", "thread-spawn") int32_t thread_spawn(void* argument);

/// What a thread does: with the stack of a worker of the binding, for that of this program is the first thread's.
static struct {
    void* worker;
    struct work* work;
    int done;
} job;

__attribute__((export_name("wasi_thread_start"))) void thread_start(int32_t number, void* argument) {
    (void)number, (void)argument;
    emnapi_async_worker_init(job.worker);
    job.work->execute(kEnvironment, job.work->data);
    __atomic_store_n(&job.done, 1, __ATOMIC_SEQ_CST);
    __builtin_wasm_memory_atomic_notify(&job.done, 1);
}
static void do_work(void) {
    while ((job.work = take_work()) != 0) {
        job.worker = emnapi_async_worker_create();
        __atomic_store_n(&job.done, 0, __ATOMIC_SEQ_CST);
        if (thread_spawn(0) < 1) fail("no thread", "");
        __builtin_wasm_memory_atomic_wait32(&job.done, 0, -1);
        job.work->complete(kEnvironment, 0, job.work->data);
    }
}
#else
static void do_work(void) {}
#endif

static struct value* call(struct value* function, struct value* this, uint32_t count, struct value** arguments) {
    struct call made = {function, this, arguments, count};
    struct value* const result = function->callback(kEnvironment, &made);
    struct value* error;
    napi_get_and_clear_last_exception(kEnvironment, &error);
    if (error != undefined) throw(error);
    do_work();
    if (result != 0 && result->is_promise) {
        if (result->settled == 0) fail("nothing came of a promise", "");
        if (result->is_rejected) throw(result->settled);
        return result->settled;
    }
    return result != 0 ? result : undefined;
}

static int same(const char* a, const char* b) {
    while (*a != 0 && *a == *b) ++a, ++b;
    return *a == *b;
}

void _start(void) {
    static char* words[256];
    static char text[1 << 16];
    uint32_t count, bytes;
    args_sizes_get(&count, &bytes);
    if (count > 256 || bytes > sizeof text) fail("too many arguments", "");
    args_get(words, text);

    napi_get_undefined(kEnvironment, &undefined);
    napi_get_null(kEnvironment, &null);
    REGISTER(CALL)
    struct value *current, *member;
    napi_create_object(kEnvironment, &current);
    struct value* const exports = napi_register_wasm_v1(kEnvironment, current);
    if (exports != 0) current = exports;

    for (uint32_t i = 1; i < count; ++i) {
        const int makes = same(words[i], "new"), gets = same(words[i], "get");
        const char* const name = words[i += (uint32_t)(makes || gets)];
        struct value* arguments[8];
        uint32_t given = 0;
        while (++i < count && !same(words[i], ",") && given < 8) {
            char* json = words[i];
            arguments[given++] = parse(&json);
        }
        napi_get_named_property(kEnvironment, current, name, &member);
        if (gets && !member->is_getter) {
            current = member;
            continue;
        }
        if (member->type != kFunction) fail("no function ", name);
        struct value* this = current;
        if (makes) {
            napi_create_object(kEnvironment, &this);
            this->prototype = member->instances;
        }
        struct value* const result = call(member, this, given, arguments);
        current = makes ? this : result;
    }
    put_json(current);
    end(1, 0);
}
