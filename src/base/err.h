/*
 * Every error of the program, once. The list makes the enum, the text and
 * the table in the manual. Negative is an error; functions that count return
 * zero or more on success.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#define ERR_LIST(X)                                                    \
    X(OK, 0, "no error")                                               \
    X(ERR_MORE, -1, "more bytes are needed")                           \
    X(ERR_FULL, -2, "no room now, try after a read")                   \
    X(ERR_CLOSED, -3, "the other side closed the connection")          \
    X(ERR_RANGE, -4, "a value is out of its range")                    \
    X(ERR_PROTO, -10, "the peer broke the protocol")                   \
    X(ERR_TOO_BIG, -11, "a message is larger than the limit")          \
    X(ERR_TLS, -12, "the TLS connection failed")                       \
    X(ERR_PIN, -13, "the relay's key is not the one that was pinned")  \
    X(ERR_AUTH, -14, "the credential was refused")                     \
    X(ERR_VERSION, -15, "no protocol version is common to both sides") \
    X(ERR_TIMEOUT, -20, "it took too long")                            \
    X(ERR_UNREACHABLE, -21, "the address cannot be reached")           \
    X(ERR_REFUSED, -22, "nothing listens at the address")              \
    X(ERR_NAME, -23, "the name cannot be resolved")                    \
    X(ERR_NOT_FOUND, -30, "there is no such thing")                    \
    X(ERR_EXISTS, -31, "it exists already")                            \
    X(ERR_DENIED, -32, "permission denied")                            \
    X(ERR_BUSY, -33, "it is in use by another process")                \
    X(ERR_NO_SPACE, -34, "no space is left on the device")             \
    X(ERR_DAMAGED, -35, "the stored data is damaged")                  \
    X(ERR_LIMIT, -36, "a limit is reached")                            \
    X(ERR_UNSUPPORTED, -37, "this build or platform cannot do it")     \
    X(ERR_IO, -38, "the operating system reported an input/output error")

enum err {
#define ERR_ENUM(name, value, text) name = (value),
    ERR_LIST(ERR_ENUM)
#undef ERR_ENUM
};

/* The text of an error, for people. Never NULL; lives for ever. */
const char *err_str(int err);

#endif
