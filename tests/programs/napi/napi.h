// What host.c, the Node-API of a binding, and call.h, which calls the binding, agree on: the values of JavaScript.
#pragma once

#include <stdint.h>

/// napi_valuetype.
enum type { kUndefined, kNull, kBoolean, kNumber, kString, kSymbol, kObject, kFunction };

struct call;
struct value;
typedef struct value* (*napi_callback)(void* env, struct call* call);

struct property {
    struct property* next;
    const char* name;
    uint32_t name_length;
    struct value* value;
};

struct value {
    enum type type;
    uint8_t is_array, is_error, is_getter, is_promise, is_rejected;
    double number;                 ///< of a boolean, 0 or 1
    const char* text;              ///< of a string; a function's name
    uint32_t length;               ///< of a string, in bytes; of an array
    struct value** elements;       ///< of an array
    struct property* properties;   ///< in the order in which they were made
    struct value* prototype;
    struct value* instances;       ///< the prototype of a class's instances
    struct value* settled;  ///< what a promise has become
    napi_callback callback;        ///< of a function: index in the binding's table
    void* data;                    ///< of a function; or what an object wraps
};

/// What a binding wants to be done on another thread, and then, on the first, with its result (napi_async_work).
struct work {
    struct work* next;
    void (*execute)(void* env, void* data);
    void (*complete)(void* env, uint32_t status, void* data);
    void* data;
};

/// One call of a function of the binding (napi_callback_info).
struct call {
    struct value *function, *this, **arguments;
    uint32_t count;
};
