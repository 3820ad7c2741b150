// Calls @tailwindcss/oxide-wasm32-wasi, the scanner of Tailwind CSS: which class names do these files use?
#define REGISTER(F) F(Scanner_impl_14) F(Scanner_struct_4)
#include "call.h"
