/*
 * PEM files and private keys from a disk that may be damaged. The first byte
 * chooses: 0 a PEM text; 1 the DER of a key; 2 bytes that are put into armour
 * and read again. A text that is taken is, line ends aside, what we write; a
 * key that is taken writes the same bytes, and has another public half than
 * its neighbour.
 */
#include "codec/der.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "core/cert.h"

#define INPUT_MAX 3000
#define LABEL     "CERTIFICATE"

static uint8_t der[INPUT_MAX], again[INPUT_MAX], armour[2 * INPUT_MAX];

/* The text without CR, and with an LF at its end. */
static struct view plain(struct view text)
{
    static uint8_t buf[INPUT_MAX + 1];
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] != '\r')
            buf[n++] = text.ptr[i];
    if (n > 0 && buf[n - 1] != '\n')
        buf[n++] = '\n';
    return view_of(buf, n);
}

static struct view arm(struct view bytes)
{
    struct writer w;
    writer_init(&w, SPAN_ARRAY(armour));
    der_to_pem(&w, LABEL, bytes);
    assert(w.err == OK);
    return writer_view(&w);
}

static void pem(struct view text)
{
    int n = der_from_pem(text, LABEL, SPAN_ARRAY(der));
    if (n < 0) {
        assert(n == ERR_PROTO);
        return;
    }
    assert(n > 0 && (size_t)n < text.len);
    assert(view_eq(arm(view_of(der, (size_t)n)), plain(text)));
    uint8_t *exact = malloc((size_t)n);
    assert(exact != NULL);
    assert(der_from_pem(text, LABEL, (struct span){exact, (size_t)n}) == n);
    assert(der_from_pem(text, LABEL, (struct span){exact, (size_t)n - 1}) ==
           ERR_FULL);
    assert(der_from_pem(text, "EC PRIVATE KEY", SPAN_ARRAY(der)) == ERR_PROTO);
    free(exact);
}

static void key(struct view in)
{
    struct cert_key k, kept;
    memset(&k, 0x5A, sizeof k);
    kept = k;
    int err = cert_key_parse(in, &k);
    if (err != OK) {
        assert(err == ERR_DAMAGED && memcmp(&k, &kept, sizeof k) == 0);
        return;
    }
    assert(cert_key_der(&k, SPAN_ARRAY(again)) == CERT_KEY_DER_LEN);
    assert(view_eq(in, view_of(again, CERT_KEY_DER_LEN)));
    assert(k.pub[0] == 4);
    again[CERT_KEY_DER_LEN - 1] ^= 1; /* of the public half */
    assert(cert_key_parse(view_of(again, CERT_KEY_DER_LEN), &kept) ==
           ERR_DAMAGED);
}

static void there_and_back(struct view in)
{
    if (in.len == 0)
        return;
    struct view text = arm(in);
    assert(der_from_pem(text, LABEL, SPAN_ARRAY(der)) == (int)in.len);
    assert(memcmp(der, in.ptr, in.len) == 0);
    /* Cut short it is none; only its last line end may be missing. */
    assert(der_from_pem(view_first(text, text.len - 1), LABEL,
                        SPAN_ARRAY(der)) == (int)in.len);
    assert(der_from_pem(view_first(text, text.len - 2), LABEL,
                        SPAN_ARRAY(der)) == ERR_PROTO);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > INPUT_MAX)
        return 0;
    struct view in = view_of(data + 1, size - 1);
    switch (data[0] % 3) {
    case 0: pem(in); break;
    case 1: key(in); break;
    case 2: there_and_back(in); break;
    }
    return 0;
}
