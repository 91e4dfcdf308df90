/*
 * Join strings from anywhere. What is accepted prints as it was; what is
 * refused has a sentence.
 */
#include <stdlib.h>

#include "base/err.h"
#include "core/joinstr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char sentence[512], printed[JOINSTR_CAP];
    struct joinstr j;
    struct text why, out;
    struct view in = view_of(data, size);

    TEXT_OF(&why, sentence);
    TEXT_OF(&out, printed);
    if (joinstr_parse(in, &j, &why) != OK) {
        if (why.len == 0 || why.cut)
            abort();
        return 0;
    }
    if (why.len != 0 || joinstr_print(&j, &out) != OK ||
        !view_eq(text_done(&out), in))
        abort();
    if (!joinstr_host_ok(view_str(j.host)) || j.port == 0 ||
        !joinstr_key_ok(view_str(j.key)))
        abort();
    return 0;
}
