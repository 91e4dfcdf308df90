/*
 * The questions of the SQLite engine by name: one function each, in one file
 * per subject. The contract of each stands in store.h and the headers it
 * names. Every function runs inside a transaction, reads first and writes
 * last.
 */
#ifndef RELAY_STORE_OPS_H
#define RELAY_STORE_OPS_H

#include "relay/store_sqlite.h"

#define STORE_OP(name)                                                    \
    int store_##name(struct store_engine *e, const struct store_ask *ask, \
                     struct store_answer *a)

/* store_op_people.c */
STORE_OP(person_make);
STORE_OP(person_by_login);
STORE_OP(person_by_id);
STORE_OP(person_list);
STORE_OP(person_set);
STORE_OP(person_set_password);
STORE_OP(person_set_totp);
STORE_OP(person_tried);
STORE_OP(person_enable);
STORE_OP(backup_code_use);

/* store_op_tokens.c */
STORE_OP(token_make);
STORE_OP(token_check);
STORE_OP(token_list);
STORE_OP(token_revoke);
STORE_OP(token_revoke_hash);
STORE_OP(member_use_fleet);

/* store_op_grants.c */
STORE_OP(token_refresh);
STORE_OP(device_make);
STORE_OP(device_by_code);
STORE_OP(device_decide);
STORE_OP(device_poll);

/* store_op_fleets.c */
STORE_OP(setup);
STORE_OP(fleet_make);
STORE_OP(fleet_get);
STORE_OP(fleet_list);
STORE_OP(fleet_set);
STORE_OP(fleet_remove);

/* store_op_members.c */
STORE_OP(member_list);
STORE_OP(member_set);
STORE_OP(member_remove);
STORE_OP(invite_make);
STORE_OP(invite_renew);
STORE_OP(invite_list);
STORE_OP(invite_cancel);
STORE_OP(invite_by_hash);
STORE_OP(invite_accept);
STORE_OP(invite_decline);

/* store_op_joinkeys.c */
STORE_OP(joinkey_make);
STORE_OP(joinkey_list);
STORE_OP(joinkey_revoke);
STORE_OP(enrol);

/* store_op_lease.c */
STORE_OP(machine_login);
STORE_OP(machine_confirm);

/* store_op_machines.c */
STORE_OP(machine_seen);
STORE_OP(machine_get);
STORE_OP(machine_list);
STORE_OP(machine_state);
STORE_OP(machine_rename);
STORE_OP(machine_link);
STORE_OP(machine_unlink);
STORE_OP(machine_fleets);
STORE_OP(access_set);
STORE_OP(access_list);
STORE_OP(access_of);

/* store_op_record.c */
STORE_OP(audit);
STORE_OP(audit_list);
STORE_OP(sweep);

#endif
