/*
 * A kept TLS handshake that anybody wrote: what is loaded is for this relay,
 * keeps the bound on its session id, and saved again it is the same file;
 * for another relay it is none.
 */
#include "core/ticket.h"

#include <string.h>

#include "fake/port_keep.h"

static const uint8_t pin[32] = "the relay's key has 32 bytes...";
static const uint8_t other[32] = "the relaz's key has 32 bytes...";
#define PATH "/run/ticket-7468652072656c61"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tls_ticket t;
    if (size > FAKE_FILE_BYTES)
        return 0;
    fake_reset_files();
    fake_put(PATH, view_of(data, size));
    memset(&t, 0x5A, sizeof t);
    int err = ticket_load("/run", pin, &t);
    if (err != OK) {
        assert(err == ERR_DAMAGED || err == ERR_TOO_BIG);
        return 0;
    }
    assert(size == 157 && memcmp(data, "CMDOPTK1", 8) == 0);
    assert(memcmp(data + 8, pin, sizeof pin) == 0);
    assert(t.params.session_id_len <= sizeof t.params.session_id);
    ticket_save("/run", pin, &t);
    assert(fake.count == 1 && fake_find(PATH)->len == size);
    assert(memcmp(fake_find(PATH)->data, data, size) == 0);
    memcpy(fake_find(PATH)->data + 8, other, sizeof other);
    assert(ticket_load("/run", pin, &t) == ERR_DAMAGED);
    return 0;
}
