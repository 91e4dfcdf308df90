/* Which question is which function, and how hard it writes; see
 * store_ops.h. What says LOOKS and writes all the same asks for it, by
 * query_need. */
#include <assert.h>

#include "relay/store_ops.h"

const struct store_op_row *store_sqlite_op(enum store_op op)
{
    static const struct store_op_row rows[STORE_OP_COUNT] = {
        [STORE_SETUP] = {STORE_LOOKS, false, store_setup},

        [STORE_PERSON_MAKE] = {STORE_SWEARS, false, store_person_make},
        [STORE_PERSON_BY_LOGIN] = {STORE_LOOKS, false, store_person_by_login},
        [STORE_PERSON_BY_ID] = {STORE_LOOKS, false, store_person_by_id},
        [STORE_PERSON_LIST] = {STORE_LOOKS, true, store_person_list},
        [STORE_PERSON_SET] = {STORE_SWEARS, false, store_person_set},
        [STORE_PERSON_SET_PASSWORD] = {STORE_SWEARS, false,
                                       store_person_set_password},
        [STORE_PERSON_SET_TOTP] = {STORE_SWEARS, false, store_person_set_totp},
        [STORE_PERSON_TRIED] = {STORE_SWEARS, false, store_person_tried},
        [STORE_PERSON_ENABLE] = {STORE_SWEARS, false, store_person_enable},
        [STORE_BACKUP_CODE_USE] = {STORE_SWEARS, false, store_backup_code_use},

        [STORE_TOKEN_MAKE] = {STORE_SWEARS, false, store_token_make},
        [STORE_TOKEN_CHECK] = {STORE_LOOKS, false, store_token_check},
        [STORE_TOKEN_LIST] = {STORE_LOOKS, true, store_token_list},
        [STORE_TOKEN_REVOKE] = {STORE_SWEARS, false, store_token_revoke},
        [STORE_TOKEN_REVOKE_HASH] = {STORE_SWEARS, false,
                                     store_token_revoke_hash},
        [STORE_TOKEN_REFRESH] = {STORE_LOOKS, false, store_token_refresh},
        [STORE_DEVICE_MAKE] = {STORE_NOTES, false, store_device_make},
        [STORE_DEVICE_BY_CODE] = {STORE_LOOKS, false, store_device_by_code},
        [STORE_DEVICE_DECIDE] = {STORE_SWEARS, false, store_device_decide},
        [STORE_DEVICE_POLL] = {STORE_LOOKS, false, store_device_poll},

        [STORE_FLEET_MAKE] = {STORE_SWEARS, false, store_fleet_make},
        [STORE_FLEET_GET] = {STORE_LOOKS, false, store_fleet_get},
        [STORE_FLEET_LIST] = {STORE_LOOKS, true, store_fleet_list},
        [STORE_FLEET_SET] = {STORE_SWEARS, false, store_fleet_set},
        [STORE_FLEET_REMOVE] = {STORE_SWEARS, false, store_fleet_remove},
        [STORE_MEMBER_LIST] = {STORE_LOOKS, true, store_member_list},
        [STORE_MEMBER_SET] = {STORE_SWEARS, false, store_member_set},
        [STORE_MEMBER_REMOVE] = {STORE_SWEARS, false, store_member_remove},
        [STORE_MEMBER_USE_FLEET] = {STORE_SWEARS, false,
                                    store_member_use_fleet},
        [STORE_INVITE_MAKE] = {STORE_SWEARS, false, store_invite_make},
        [STORE_INVITE_RENEW] = {STORE_SWEARS, false, store_invite_renew},
        [STORE_INVITE_LIST] = {STORE_LOOKS, true, store_invite_list},
        [STORE_INVITE_CANCEL] = {STORE_SWEARS, false, store_invite_cancel},
        [STORE_INVITE_BY_HASH] = {STORE_LOOKS, false, store_invite_by_hash},
        [STORE_INVITE_ACCEPT] = {STORE_SWEARS, false, store_invite_accept},
        [STORE_INVITE_DECLINE] = {STORE_SWEARS, false, store_invite_decline},
        [STORE_ACCESS_SET] = {STORE_SWEARS, false, store_access_set},
        [STORE_ACCESS_LIST] = {STORE_LOOKS, true, store_access_list},
        [STORE_ACCESS_OF] = {STORE_LOOKS, false, store_access_of},

        [STORE_JOINKEY_MAKE] = {STORE_SWEARS, false, store_joinkey_make},
        [STORE_JOINKEY_LIST] = {STORE_LOOKS, true, store_joinkey_list},
        [STORE_JOINKEY_REVOKE] = {STORE_SWEARS, false, store_joinkey_revoke},
        [STORE_ENROL] = {STORE_LOOKS, false, store_enrol},
        [STORE_MACHINE_LOGIN] = {STORE_LOOKS, false, store_machine_login},
        [STORE_MACHINE_CONFIRM] = {STORE_LOOKS, false, store_machine_confirm},
        [STORE_MACHINE_SEEN] = {STORE_NOTES, false, store_machine_seen},
        [STORE_MACHINE_GET] = {STORE_LOOKS, false, store_machine_get},
        [STORE_MACHINE_LIST] = {STORE_LOOKS, true, store_machine_list},
        [STORE_MACHINE_STATE] = {STORE_SWEARS, false, store_machine_state},
        [STORE_MACHINE_RENAME] = {STORE_SWEARS, false, store_machine_rename},
        [STORE_MACHINE_LINK] = {STORE_SWEARS, false, store_machine_link},
        [STORE_MACHINE_UNLINK] = {STORE_SWEARS, false, store_machine_unlink},
        [STORE_MACHINE_FLEETS] = {STORE_LOOKS, true, store_machine_fleets},

        [STORE_AUDIT] = {STORE_SWEARS, false, store_audit},
        [STORE_AUDIT_LIST] = {STORE_LOOKS, true, store_audit_list},
        [STORE_SWEEP] = {STORE_NOTES, false, store_sweep},
    };
    assert(op < STORE_OP_COUNT && rows[op].run != NULL);
    return &rows[op];
}
