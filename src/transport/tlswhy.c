/* A table of reasons; see tlswhy.h. */
#include "transport/tlswhy.h"

#include <bearssl.h>
#include <stddef.h>

#define ALERT_IN(n)  (BR_ERR_RECV_FATAL_ALERT + (n))
#define ALERT_OUT(n) (BR_ERR_SEND_FATAL_ALERT + (n))
#define ALERT_ALPN   120 /* no_application_protocol, RFC 7301 */

static const char why_version[] =
    "the peer and this program share no TLS version (1.2 is needed)";
static const char why_alpn[] =
    "the peer does not speak HTTP/2 over TLS (ALPN h2)";
static const char why_damaged[] =
    "a TLS record was damaged on the way, or forged";
static const char why_broken[] = "the peer broke the TLS protocol";

static const struct {
    int code;
    const char *why;
} reasons[] = {
    {TLSWHY_NOT_TLS, "the peer does not speak TLS"},
    {TLSWHY_NO_H2, why_alpn},
    {BR_ERR_BAD_PARAM, "TLS was set up with a wrong parameter"},
    {BR_ERR_UNSUPPORTED_VERSION, why_version},
    {BR_ERR_BAD_VERSION, why_broken},
    {BR_ERR_BAD_LENGTH, why_broken},
    {BR_ERR_TOO_LARGE, "the peer sent a TLS record that is too large"},
    {BR_ERR_BAD_MAC, why_damaged},
    {BR_ERR_NO_RANDOM, "there is no entropy for TLS"},
    {BR_ERR_BAD_CIPHER_SUITE, "the peer chose a cipher that was not offered"},
    {BR_ERR_BAD_FINISHED, "the TLS handshake was tampered with"},
    {BR_ERR_BAD_SIGNATURE, "the server cannot prove its certificate's key"},
    {BR_ERR_X509_EMPTY_CHAIN, "the server sent no certificate"},
    {BR_ERR_X509_WRONG_KEY_TYPE,
     "the server's certificate has a key of another kind than P-256, P-384 or "
     "RSA"},
    {BR_ERR_X509_BAD_SIGNATURE,
     "the signature on the server's certificate is wrong"},
    {BR_ERR_X509_TIME_UNKNOWN,
     "the time is unknown, so the server's certificate cannot be checked"},
    {BR_ERR_X509_EXPIRED, "the server's certificate is expired or not valid "
                          "yet; check this machine's clock"},
    {BR_ERR_X509_DN_MISMATCH, "the server's certificate chain is broken"},
    {BR_ERR_X509_BAD_SERVER_NAME,
     "the server's certificate is for another name"},
    {BR_ERR_X509_CRITICAL_EXTENSION,
     "the server's certificate has a critical extension we do not know"},
    {BR_ERR_X509_NOT_CA,
     "the server's certificate was signed by one that may not sign"},
    {BR_ERR_X509_FORBIDDEN_KEY_USAGE,
     "the server's certificate forbids this use of its key"},
    {BR_ERR_X509_WEAK_PUBLIC_KEY, "the server's key is too short"},
    {BR_ERR_X509_NOT_TRUSTED,
     "no authority that this machine trusts signed the server's certificate; "
     "name the one that did with --ca-file or CMDOP_CA_FILE, or use a join "
     "string, which pins the relay's key"},
    {ALERT_IN(BR_ALERT_BAD_RECORD_MAC), why_damaged},
    {ALERT_IN(BR_ALERT_HANDSHAKE_FAILURE),
     "the peer accepts none of our TLS ciphers"},
    {ALERT_OUT(BR_ALERT_HANDSHAKE_FAILURE),
     "the peer offers no TLS cipher that we accept"},
    {ALERT_IN(BR_ALERT_BAD_CERTIFICATE), "the peer refused our certificate"},
    {ALERT_IN(BR_ALERT_CERTIFICATE_EXPIRED),
     "the peer says that our certificate is expired"},
    {ALERT_IN(BR_ALERT_CERTIFICATE_UNKNOWN),
     "the peer refused our certificate"},
    {ALERT_IN(BR_ALERT_UNKNOWN_CA),
     "the peer does not know who signed our certificate"},
    {ALERT_IN(BR_ALERT_ACCESS_DENIED), "the peer denied access"},
    {ALERT_IN(BR_ALERT_PROTOCOL_VERSION), why_version},
    {ALERT_OUT(BR_ALERT_PROTOCOL_VERSION), why_version},
    {ALERT_IN(BR_ALERT_INTERNAL_ERROR), "the peer had an internal error"},
    {ALERT_IN(ALERT_ALPN), why_alpn},
    {ALERT_OUT(ALERT_ALPN), why_alpn},
};

/* see tlswhy.h */
const char *tlswhy_text(int code)
{
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        if (reasons[i].code == code)
            return reasons[i].why;
    }
    if (code > BR_ERR_X509_OK && code < BR_ERR_X509_NOT_TRUSTED)
        return "the server's certificate cannot be read";
    if (code >= BR_ERR_SEND_FATAL_ALERT)
        return why_broken;
    if (code >= BR_ERR_RECV_FATAL_ALERT)
        return "the peer gave up the TLS handshake";
    return code == BR_ERR_OK ? "no error" : why_broken;
}
