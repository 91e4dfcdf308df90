/*
 * `cmdop keeper`: the process that a session or a command lives in. It starts
 * the child, hands everything to its agent, and waits. While an agent is
 * there it does nothing but tell how the child ended; when the agent is gone
 * (killed, restarted, replaced) it moves the child's output into the ring
 * itself, until the next agent asks for it at its socket.
 *
 *            agent's connection ends
 *     SERVED <-------------------------> ALONE      child ended, told, and
 *            an agent connects                      released: exit
 *
 * It knows nothing of the network and of operators; see core/hold.h.
 */
#ifndef KEEPER_KEEPER_H
#define KEEPER_KEEPER_H

#include "core/cmd.h"

extern const struct cmd keeper_cmd;

#endif
