/* Wiping and comparing; see ct.h. */
#include "crypto/ct.h"

void ct_wipe(struct span secret)
{
    /* Each store through a volatile pointer is an effect by itself. */
    volatile uint8_t *at = secret.ptr;
    for (size_t i = 0; i < secret.len; i++)
        at[i] = 0;
}

bool ct_eq(struct view a, struct view b)
{
    volatile uint8_t differ = 0;
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        differ = (uint8_t)(differ | (a.ptr[i] ^ b.ptr[i]));
    return differ == 0;
}
