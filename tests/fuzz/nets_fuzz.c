/*
 * A list of networks: 16 bytes of address, then the list. What parses admits
 * by its bits, computed here anew bit by bit; what does not admits nobody.
 */
#include "relay/nets.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"

/* One entry, by libc and bit by bit. */
static bool model(const char *entry, const struct port_addr *from)
{
    char text[600];
    uint8_t net[16] = {[10] = 0xff, [11] = 0xff};
    while (*entry == ' ')
        entry++;
    strcpy(text, entry);
    for (size_t n = strlen(text); n > 0 && text[n - 1] == ' '; n--)
        text[n - 1] = '\0';
    char *slash = strchr(text, '/');
    if (slash != NULL)
        *slash = '\0';
    int first = strchr(text, ':') != NULL ? 0 : 96;
    assert(inet_pton(first == 0 ? AF_INET6 : AF_INET, text,
                     first == 0 ? net : net + 12) == 1);
    int bits = slash != NULL ? first + atoi(slash + 1) : 128;
    for (int i = 0; i < bits; i++)
        if (((net[i / 8] ^ from->ip[i / 8]) >> (7 - i % 8) & 1) != 0)
            return false;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct port_addr from = {.port = 1};
    char list[600];
    if (size < 16 || size > 16 + 512)
        return 0;
    memcpy(from.ip, data, 16);
    struct view v = view_of(data + 16, size - 16);
    bool admits = nets_admit(v, &from);
    if (nets_check(v) != OK) {
        assert(!admits);
        return 0;
    }
    memcpy(list, v.ptr, v.len);
    list[v.len] = '\0';
    bool any = strspn(list, " ") == v.len, found = false;
    for (char *at = any ? NULL : strtok(list, ","); at != NULL;
         at = strtok(NULL, ","))
        found = model(at, &from) || found;
    assert(admits == (any || found));
    return 0;
}
