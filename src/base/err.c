/* The text of each error; see err.h. */
#include "base/err.h"

const char *err_str(int err)
{
    switch ((enum err)err) {
#define ERR_CASE(name, value, text) \
    case name: return text;
        ERR_LIST(ERR_CASE)
#undef ERR_CASE
    }
    return "an unknown error";
}
