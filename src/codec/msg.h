/*
 * Messages of cmdop.agent.v1 to and from bytes. The structs and bounds are
 * nanopb's, generated from proto/; the Frame around them is written here by
 * hand, because one Frame holds one field, and because Data must not be
 * copied into a struct.
 */
#ifndef CODEC_MSG_H
#define CODEC_MSG_H

#include "base/bytes.h"
#include "codec/mesh.pb.h"

/* The field numbers of Frame. */
enum msg_kind {
    MSG_HELLO = 1,
    MSG_CHALLENGE = 2,
    MSG_PROOF = 3,
    MSG_WELCOME = 4,
    MSG_REFUSE = 5,
    MSG_PING = 6,
    MSG_PONG = 7,
    MSG_DRAIN = 8,
    MSG_HEARTBEAT = 9,
    MSG_OPEN = 16,
    MSG_ACCEPT = 17,
    MSG_REJECT = 18,
    MSG_DATA = 19,
    MSG_CREDIT = 20,
    MSG_EVENT = 21,
    MSG_CLOSE = 22,
};

/* Shorter names for what nanopb generates. */
typedef cmdop_agent_v1_Hello msg_hello;
typedef cmdop_agent_v1_Challenge msg_challenge;
typedef cmdop_agent_v1_Proof msg_proof;
typedef cmdop_agent_v1_Welcome msg_welcome;
typedef cmdop_agent_v1_Refuse msg_refuse;
typedef cmdop_agent_v1_Ping msg_ping;
typedef cmdop_agent_v1_Drain msg_drain;
typedef cmdop_agent_v1_Heartbeat msg_heartbeat;
typedef cmdop_agent_v1_Open msg_open;
typedef cmdop_agent_v1_Origin msg_origin;
typedef cmdop_agent_v1_PtyOpen msg_pty_open;
typedef cmdop_agent_v1_ExecOpen msg_exec_open;
typedef cmdop_agent_v1_RpcOpen msg_rpc_open;
typedef cmdop_agent_v1_Accept msg_accept;
typedef cmdop_agent_v1_PtyAccept msg_pty_accept;
typedef cmdop_agent_v1_ExecAccept msg_exec_accept;
typedef cmdop_agent_v1_Reject msg_reject;
typedef cmdop_agent_v1_Credit msg_credit;
typedef cmdop_agent_v1_Event msg_event;
typedef cmdop_agent_v1_Resize msg_resize;
typedef cmdop_agent_v1_Close msg_close;
typedef cmdop_agent_v1_MachineInfo msg_machine_info;
typedef cmdop_agent_v1_AgentStatus msg_agent_status;
typedef cmdop_agent_v1_Call msg_call;
typedef cmdop_agent_v1_SessionInfo msg_session_info;
typedef cmdop_agent_v1_JobInfo msg_job_info;
typedef cmdop_agent_v1_JoinKeyOpen msg_join_key_open;
typedef cmdop_agent_v1_JoinKey msg_join_key;
typedef cmdop_agent_v1_AnyOpen msg_any_open;
typedef cmdop_agent_v1_PasswordKey msg_password_key;
typedef cmdop_agent_v1_PasswordSecret msg_password_secret;
typedef cmdop_agent_v1_PasswordAnswer msg_password_answer;
typedef cmdop_agent_v1_PasswordOrder msg_password_order;
typedef cmdop_agent_v1_PasswordState msg_password_state;
typedef cmdop_agent_v1_Code msg_code;

/*
 * Split one Frame: its field number and the bytes of the message inside,
 * a view into `frame`. ERR_PROTO when it is not exactly one
 * length-delimited field. The number may be one that we do not know.
 */
int msg_split(struct view frame, int *kind, struct view *body);

/*
 * Decode the bytes of one message into *out, whose type belongs to
 * `fields` (cmdop_agent_v1_X_fields). Callback members of *out must be set
 * by the caller beforehand: to msg_blob_in, msg_strings_in, or all zero to
 * skip the field. Everything else in *out is overwritten, also on failure.
 * Fields we do not know are skipped; of a field that comes twice the last
 * one counts. ERR_PROTO when it does not parse or a bound of mesh.options is
 * passed.
 */
int msg_decode(struct view body, const pb_msgdesc_t *fields, void *out);

/*
 * Encode *src; returns the length, or ERR_FULL (the bytes of `out` are then
 * undefined). msg_encode writes a whole Frame of `kind` around it,
 * msg_encode_grpc the gRPC prefix in front of that too, msg_encode_plain the
 * message alone (params, records).
 */
int msg_encode(struct span out, int kind, const pb_msgdesc_t *fields,
               const void *src);
int msg_encode_plain(struct span out, const pb_msgdesc_t *fields,
                     const void *src);
int msg_encode_grpc(struct span out, int kind, const pb_msgdesc_t *fields,
                    const void *src);

/* ---- callback members ---------------------------------------------------- */

/* Bytes that are copied out of a message, or put into one. More than buf.len
 * bytes are ERR_PROTO. */
struct msg_blob {
    struct span buf;  /* decode: room */
    struct view data; /* encode: the bytes; decode: what came, in buf */
};
pb_callback_t msg_blob_in(struct msg_blob *b);
pb_callback_t msg_blob_out(struct msg_blob *b);

/* Repeated bytes as an argument vector: NULL-ended pointers and their NUL
 * terminated text in one buffer. A value with a NUL inside, or more than the
 * room given, is ERR_PROTO. msg_strings_in empties the list. */
struct msg_strings {
    const char **list; /* cap entries, the last stays NULL; cap >= 1 */
    size_t cap;
    size_t count;
    struct span buf;
    size_t used;
};
pb_callback_t msg_strings_in(struct msg_strings *s);
pb_callback_t msg_strings_out(struct msg_strings *s); /* list and count */

/* ---- Data ---------------------------------------------------------------- */

struct msg_data {
    uint32_t channel;
    uint32_t stream;
    uint64_t offset;
    bool fin;
};

/* Parse a Data message; the payload is a view into `body`. ERR_PROTO. */
int msg_data_parse(struct view body, struct msg_data *out,
                   struct view *payload);

/* The most bytes msg_data_head needs, gRPC prefix included. */
#define MSG_DATA_HEAD_MAX    40
#define MSG_DATA_PAYLOAD_MAX ((1u << 21) - 1) /* three bytes of length */

/*
 * Write everything that stands before a payload of `len` bytes (gRPC prefix,
 * Frame field, Data fields, payload tag and length), in the fewest bytes; the
 * caller appends the payload. Returns the length of the head.
 */
size_t msg_data_head(uint8_t out[MSG_DATA_HEAD_MAX], const struct msg_data *d,
                     size_t len);

#endif
