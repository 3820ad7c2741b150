// Node-API for a module that was made for it (a "napi-rs" binding for wasm32-wasi), without JavaScript: the values of JavaScript that such
// a module makes and takes apart are structs in the memory that it shares with this module. Instantiated first, under the name that the
// binding imports from. A call of a function of the binding is made by the program (call.h), for only that can reach the binding's table.
//
// Values are never freed: a program makes a few calls and ends. Each thread of the binding has an instance of this module, and all have the
// same values and the same stack, so only one thread may make values; the others may call what has nothing on the stack.
#include <stdint.h>

#include "napi.h"

#define EXPORT(name) __attribute__((export_name(#name)))
#define WASI(name) __attribute__((import_module("wasi_snapshot_preview1"), import_name(#name)))
WASI(clock_time_get) uint16_t clock_time_get(uint32_t clock, uint64_t precision, uint64_t* time);

typedef enum {
    kOk,
    kInvalidArgument,
    kObjectExpected,
    kStringExpected,
    kNumberExpected = 6,
    kBooleanExpected,
    kArrayExpected,
    kGenericFailure,
    kPendingException
} napi_status;

enum { kPrototypeDepth = 2 };

extern uint8_t __heap_base;
static uint8_t* heap = &__heap_base;
static struct work* queue;
static struct value undefined = {.type = kUndefined}, null = {.type = kNull}, yes = {.type = kBoolean, .number = 1},
                    no = {.type = kBoolean}, global = {.type = kObject}, *exception;

static void* allocate(uint32_t bytes) {
    uint8_t* const result = heap;
    heap += (bytes + 7) & ~7u;
    return result;
}
static uint32_t length_of(const char* text) {
    uint32_t length = 0;
    while (text[length] != 0) ++length;
    return length;
}
static int same_text(const char* a, uint32_t a_length, const char* b, uint32_t b_length) {
    if (a_length != b_length) return 0;
    for (uint32_t i = 0; i < a_length; ++i) {
        if (a[i] != b[i]) return 0;
    }
    return 1;
}

static struct value* make(enum type type) {
    struct value* const value = allocate(sizeof *value);
    value->type = type;
    return value;
}
static struct value* make_number(double number) {
    struct value* const value = make(kNumber);
    value->number = number;
    return value;
}
static struct value* make_string(const char* text, uint32_t length) {
    struct value* const value = make(kString);
    if (length == UINT32_MAX) length = length_of(text);
    char* const copy = allocate(length + 1);
    __builtin_memcpy(copy, text, length);
    value->text = copy;
    value->length = length;
    return value;
}

static struct property* find(struct value* object, const char* name, uint32_t length) {
    for (struct property* at = object->properties; at != 0; at = at->next) {
        if (same_text(at->name, at->name_length, name, length)) return at;
    }
    return 0;
}
static void set(struct value* object, const char* name, uint32_t length, struct value* value) {
    struct property* at = find(object, name, length);
    if (at == 0) {
        struct property** last = &object->properties;
        while (*last != 0) last = &(*last)->next;
        *last = at = allocate(sizeof *at);
        const struct value* const copy = make_string(name, length);
        at->name = copy->text;
        at->name_length = length;
    }
    at->value = value;
}
static struct value* get(struct value* object, const char* name, uint32_t length) {
    for (int depth = 0; object != 0 && depth < kPrototypeDepth; ++depth, object = object->prototype) {
        const struct property* const at = find(object, name, length);
        if (at != 0) return at->value;
    }
    return &undefined;
}

static napi_status element(struct value* array, uint32_t index, struct value*** place) {
    if (array->type != kObject || !array->is_array) return kArrayExpected;
    if (index >= array->length) {
        struct value** const elements = allocate((index + 1) * sizeof *elements);
        for (uint32_t i = 0; i <= index; ++i) elements[i] = i < array->length ? array->elements[i] : &undefined;
        array->elements = elements;
        array->length = index + 1;
    }
    *place = &array->elements[index];
    return kOk;
}

static struct value* make_function(const char* name, uint32_t length, napi_callback callback, void* data) {
    struct value* const function = make(kFunction);
    function->text = make_string(name, length)->text;
    function->callback = callback;
    function->data = data;
    return function;
}

#define RETURN(value) return *result = (value), kOk
#define NAPI(name, ...) EXPORT(name) napi_status name(void* env, __VA_ARGS__)

// --- values ----------------------------------------------------------------------------------------------------------------------------

NAPI(napi_get_undefined, struct value** result) { RETURN(&undefined); }
NAPI(napi_get_null, struct value** result) { RETURN(&null); }
NAPI(napi_get_global, struct value** result) { RETURN(&global); }
NAPI(napi_get_boolean, uint32_t value, struct value** result) { RETURN(value ? &yes : &no); }
NAPI(napi_create_object, struct value** result) { RETURN(make(kObject)); }
NAPI(napi_create_int32, int32_t value, struct value** result) { RETURN(make_number(value)); }
NAPI(napi_create_uint32, uint32_t value, struct value** result) { RETURN(make_number(value)); }
NAPI(napi_create_int64, int64_t value, struct value** result) { RETURN(make_number((double)value)); }
NAPI(napi_create_string_utf8, const char* text, uint32_t length, struct value** result) { RETURN(make_string(text, length)); }
NAPI(napi_typeof, const struct value* value, uint32_t* result) { RETURN(value->type); }
NAPI(napi_strict_equals, const struct value* a, const struct value* b, uint8_t* result) { RETURN(a == b); }
NAPI(napi_coerce_to_object, struct value* value, struct value** result) { RETURN(value); }

NAPI(napi_create_array_with_length, uint32_t length, struct value** result) {
    struct value* const array = make(kObject);
    array->is_array = 1;
    struct value** last;
    if (length != 0) element(array, length - 1, &last);
    RETURN(array);
}
NAPI(napi_get_value_bool, const struct value* value, uint8_t* result) {
    if (value->type != kBoolean) return kBooleanExpected;
    RETURN(value->number != 0);
}
NAPI(napi_get_value_int32, const struct value* value, int32_t* result) {
    if (value->type != kNumber) return kNumberExpected;
    RETURN((int32_t)value->number);
}
NAPI(napi_get_value_uint32, const struct value* value, uint32_t* result) {
    if (value->type != kNumber) return kNumberExpected;
    RETURN((uint32_t)value->number);
}
NAPI(napi_get_value_string_utf8, const struct value* value, char* buffer, uint32_t size, uint32_t* result) {
    if (value->type != kString) return kStringExpected;
    if (buffer == 0) RETURN(value->length);
    if (size == 0) return kInvalidArgument;
    const uint32_t length = value->length < size ? value->length : size - 1;
    __builtin_memcpy(buffer, value->text, length);
    buffer[length] = 0;
    if (result != 0) *result = length;
    return kOk;
}

// --- objects ---------------------------------------------------------------------------------------------------------------------------

NAPI(napi_set_named_property, struct value* object, const char* name, struct value* value) {
    set(object, name, length_of(name), value);
    return kOk;
}
NAPI(napi_get_named_property, struct value* object, const char* name, struct value** result) { RETURN(get(object, name, length_of(name))); }
NAPI(napi_set_property, struct value* object, const struct value* name, struct value* value) {
    set(object, name->text, name->length, value);
    return kOk;
}
NAPI(napi_get_property, struct value* object, const struct value* name, struct value** result) {
    RETURN(get(object, name->text, name->length));
}
NAPI(napi_has_own_property, struct value* object, const struct value* name, uint8_t* result) {
    RETURN(find(object, name->text, name->length) != 0);
}
NAPI(napi_get_prototype, struct value* object, struct value** result) { RETURN(object->prototype != 0 ? object->prototype : &null); }
NAPI(napi_get_array_length, const struct value* array, uint32_t* result) {
    if (!array->is_array) return kArrayExpected;
    RETURN(array->length);
}
NAPI(napi_set_element, struct value* array, uint32_t index, struct value* value) {
    struct value** place;
    const napi_status status = element(array, index, &place);
    if (status == kOk) *place = value;
    return status;
}
NAPI(napi_get_element, struct value* array, uint32_t index, struct value** result) {
    if (array->is_array && index >= array->length) RETURN(&undefined);
    struct value** place;
    const napi_status status = element(array, index, &place);
    if (status == kOk) *result = *place;
    return status;
}
NAPI(napi_is_typedarray, const struct value* value, uint8_t* result) { RETURN(0); }

// --- functions and classes -------------------------------------------------------------------------------------------------------------

NAPI(napi_create_function, const char* name, uint32_t length, napi_callback callback, void* data, struct value** result) {
    RETURN(make_function(name, length, callback, data));
}
struct descriptor {
    const char* name;
    struct value* name_value;
    napi_callback method, getter, setter;
    struct value* value;
    uint32_t attributes;  ///< 1 << 10: of the class itself
    void* data;
};
static void define(struct value* object, const struct descriptor* descriptor) {
    const char* const name = descriptor->name != 0 ? descriptor->name : descriptor->name_value->text;
    struct value* value = descriptor->value;
    if (descriptor->method != 0) value = make_function(name, UINT32_MAX, descriptor->method, descriptor->data);
    if (descriptor->getter != 0) {
        value = make_function(name, UINT32_MAX, descriptor->getter, descriptor->data);
        value->is_getter = 1;
    }
    if (value != 0) set(object, name, length_of(name), value);
}
NAPI(napi_define_properties, struct value* object, uint32_t count, const struct descriptor* descriptors) {
    for (uint32_t i = 0; i < count; ++i) define(object, &descriptors[i]);
    return kOk;
}
NAPI(napi_define_class, const char* name, uint32_t length, napi_callback constructor, void* data, uint32_t count,
     const struct descriptor* descriptors, struct value** result) {
    struct value* const class = make_function(name, length, constructor, data);
    class->instances = make(kObject);
    for (uint32_t i = 0; i < count; ++i) define((descriptors[i].attributes & 1 << 10) != 0 ? class : class->instances, &descriptors[i]);
    RETURN(class);
}
// So bindings make what they return; their constructors do nothing then.
NAPI(napi_new_instance, const struct value* class, uint32_t count, struct value** arguments, struct value** result) {
    struct value* const instance = make(kObject);
    instance->prototype = class->instances;
    RETURN(instance);
}
NAPI(napi_get_cb_info, const struct call* call, uint32_t* count, struct value** arguments, struct value** this, void** data) {
    if (count != 0) {
        for (uint32_t i = 0; arguments != 0 && i < *count; ++i) arguments[i] = i < call->count ? call->arguments[i] : &undefined;
        *count = call->count;
    }
    if (this != 0) *this = call->this;
    if (data != 0) *data = call->function->data;
    return kOk;
}
NAPI(napi_wrap, struct value* object, void* native, void* finalize, void* hint, struct value** result) {
    object->data = native;
    if (result != 0) *result = object;
    return kOk;
}
NAPI(napi_unwrap, const struct value* object, void** result) {
    if (object->type != kObject || object->data == 0) return kInvalidArgument;
    RETURN(object->data);
}
NAPI(napi_create_reference, struct value* value, uint32_t count, struct value** result) { RETURN(value); }
NAPI(napi_get_reference_value, struct value* reference, struct value** result) { RETURN(reference); }
NAPI(napi_reference_unref, struct value* reference, uint32_t* result) {
    if (result != 0) *result = 0;
    return kOk;
}
NAPI(napi_delete_reference, struct value* reference) { return kOk; }

// --- errors ----------------------------------------------------------------------------------------------------------------------------

static struct value* make_error(const struct value* code, struct value* message) {
    struct value* const error = make(kObject);
    error->is_error = 1;
    set(error, "message", 7, message);
    if (code != 0) set(error, "code", 4, (struct value*)code);
    return error;
}
NAPI(napi_create_error, const struct value* code, struct value* message, struct value** result) { RETURN(make_error(code, message)); }
NAPI(napi_is_error, const struct value* value, uint8_t* result) { RETURN((uint8_t)value->is_error); }
NAPI(napi_throw, struct value* error) {
    exception = error;
    return kOk;
}
NAPI(napi_throw_error, const char* code, const char* message) {
    exception = make_error(code != 0 ? make_string(code, UINT32_MAX) : 0, make_string(message, UINT32_MAX));
    return kOk;
}
NAPI(napi_is_exception_pending, uint8_t* result) { RETURN(exception != 0); }
NAPI(napi_get_and_clear_last_exception, struct value** result) {
    *result = exception != 0 ? exception : &undefined;
    exception = 0;
    return kOk;
}

// --- asynchronous work -----------------------------------------------------------------------------------------------------------------

NAPI(napi_create_promise, struct value** deferred, struct value** result) {
    struct value* const promise = make(kObject);
    promise->is_promise = 1;
    *deferred = promise;
    RETURN(promise);
}
NAPI(napi_resolve_deferred, struct value* promise, struct value* value) {
    promise->settled = value;
    return kOk;
}
NAPI(napi_reject_deferred, struct value* promise, struct value* value) {
    promise->settled = value;
    promise->is_rejected = 1;
    return kOk;
}
NAPI(napi_create_async_work, void* resource, void* name, void (*execute)(void*, void*), void (*complete)(void*, uint32_t, void*),
     void* data, struct work** result) {
    struct work* const work = allocate(sizeof *work);
    *work = (struct work){0, execute, complete, data};
    RETURN(work);
}
NAPI(napi_queue_async_work, struct work* work) {
    struct work** last = &queue;
    while (*last != 0) last = &(*last)->next;
    *last = work;
    return kOk;
}
NAPI(napi_delete_async_work, struct work* work) { return kOk; }
/// Not of Node-API: takes what was queued first off the queue; null when there is nothing.
EXPORT(take_work) struct work* take_work(void) {
    struct work* const first = queue;
    if (first != 0) queue = first->next;
    return first;
}

// --- what emnapi, the C part of a binding, asks of its host ----------------------------------------------------------------------------

EXPORT(_emnapi_get_now) double emnapi_get_now(void) {
    static uint64_t time;
    return clock_time_get(1, 1, &time) == 0 ? (double)time / 1e6 : 0;
}
// No thread is one that must not wait, or that others ask to make calls for them.
EXPORT(_emnapi_is_main_browser_thread) int32_t emnapi_is_main_browser_thread(void) { return 0; }
EXPORT(_emnapi_is_main_runtime_thread) int32_t emnapi_is_main_runtime_thread(void) { return 0; }
NAPI(napi_create_threadsafe_function, struct value* function, struct value* resource, struct value* name, uint32_t queue, uint32_t threads,
     void* data, void* finalize, void* context, void* call, struct value** result) {
    RETURN(make(kObject));
}
NAPI(napi_unref_threadsafe_function, struct value* function) { return kOk; }

// What no function of ours leads to.
#define NOT_NEEDED(name, result, ...) \
    EXPORT(name) result name##_(__VA_ARGS__) { __builtin_trap(); }
NOT_NEEDED(napi_call_function, napi_status, void* env, void* this, void* function, uint32_t count, void* arguments, void* result)
NOT_NEEDED(napi_coerce_to_string, napi_status, void* env, void* value, void* result)
NOT_NEEDED(napi_call_threadsafe_function, napi_status, void* function, void* data, uint32_t mode)
NOT_NEEDED(_emnapi_async_worker, int32_t, int32_t number)
NOT_NEEDED(_emnapi_worker_ref, void, int32_t number)
NOT_NEEDED(_emnapi_runtime_keepalive_push, void, void)
NOT_NEEDED(_emnapi_unwind, void, void)
