/*
 * BearSSL's error codes as sentences for people.
 */
#ifndef TRANSPORT_TLSWHY_H
#define TRANSPORT_TLSWHY_H

/* Reasons of our own, beside BearSSL's codes. */
enum {
    TLSWHY_NOT_TLS = -1, /* the first byte is no TLS record */
    TLSWHY_NO_H2 = -2,   /* no ALPN "h2" was agreed */
};

/* One sentence for a code of br_ssl_engine_last_error, or one of the above.
 * Lives for ever. */
const char *tlswhy_text(int code);

#endif
