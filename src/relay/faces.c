/* All routes of the relay's HTTP port; see faces.h. */
#include "relay/faces.h"

#define PAGE(m, path, op, fn)                   \
    {                                           \
        HTTP_##m, path, CALL_PAGE, MAY_##op, fn \
    }
#define JSON(m, path, op, fn)                   \
    {                                           \
        HTTP_##m, path, CALL_JSON, MAY_##op, fn \
    }
#define OAUTH(m, path, op, fn)                   \
    {                                            \
        HTTP_##m, path, CALL_OAUTH, MAY_##op, fn \
    }

const struct call_route FACES[] = {
    /* pages */
    PAGE(GET, "/", PAGE_PUBLIC, root_show),
    PAGE(GET, "/style.css", PAGE_PUBLIC, style_show),
    PAGE(GET, "/signin", PAGE_PUBLIC, signin_show),
    PAGE(POST, "/signin", PAGE_PUBLIC, signin_password),
    PAGE(POST, "/signin/code", PAGE_PUBLIC, signin_code),
    PAGE(GET, "/signout", ACCOUNT_SIGN_OUT, signout_show),
    PAGE(POST, "/signout", ACCOUNT_SIGN_OUT, signout_do),
    PAGE(GET, "/device", AUTH_APPROVE, device_show),
    PAGE(POST, "/device", AUTH_APPROVE, device_decide),
    PAGE(GET, "/account", PAGE_ACCOUNT, account_show),
    PAGE(POST, "/account/person", ACCOUNT_SET, account_set),
    PAGE(POST, "/account/password", ACCOUNT_PASSWORD, account_password),
    PAGE(POST, "/account/totp", ACCOUNT_TOTP, account_totp_start),
    PAGE(POST, "/account/totp/confirm", ACCOUNT_TOTP, account_totp_confirm),
    PAGE(POST, "/account/totp/off", ACCOUNT_TOTP, account_totp_off),
    PAGE(POST, "/account/revoke", PAGE_ACCOUNT, account_revoke),
    PAGE(POST, "/account/fleet", FLEETS_USE, account_fleet),
    PAGE(GET, "/invite", PAGE_PUBLIC, invite_show),
    PAGE(POST, "/invite", INVITES_SHOW, invite_look),
    PAGE(POST, "/invite/accept", INVITES_ACCEPT, invite_accept),
    PAGE(POST, "/invite/decline", INVITES_DECLINE, invite_decline),
    PAGE(POST, "/invite/account", INVITES_SHOW, invite_make_person),

    /* OAuth */
    OAUTH(GET, "/.well-known/oauth-authorization-server", PAGE_PUBLIC,
          oauth_about),
    OAUTH(POST, "/api/system/oauth/device", AUTH_DEVICE, oauth_device_post),
    OAUTH(POST, "/api/system/oauth/token", AUTH_TOKEN, oauth_token_post),
    OAUTH(POST, "/api/system/oauth/revoke", AUTH_REVOKE, oauth_revoke_post),
    JSON(POST, "/api/system/oauth/authorize", AUTH_APPROVE,
         oauth_authorize_post),
    JSON(GET, "/api/system/oauth/token/info", AUTH_WHOAMI, oauth_info_get),
    JSON(GET, "/api/system/oauth/tokens", TOKENS_LIST, oauth_tokens_get),

    /* fleets */
    JSON(GET, "/api/fleets", FLEETS_LIST, rest_fleets_list),
    JSON(POST, "/api/fleets", FLEETS_MAKE, rest_fleets_make),
    JSON(GET, "/api/fleets/{}", FLEETS_SHOW, rest_fleets_show),
    JSON(PATCH, "/api/fleets/{}", FLEETS_SET, rest_fleets_set),
    JSON(DELETE, "/api/fleets/{}", FLEETS_REMOVE, rest_fleets_remove),
    JSON(GET, "/api/fleets/{}/members", MEMBERS_LIST, rest_members_list),
    JSON(POST, "/api/fleets/{}/members", MEMBERS_SET, rest_members_add),
    JSON(PATCH, "/api/fleets/{}/members/{}", MEMBERS_SET, rest_members_set),
    JSON(DELETE, "/api/fleets/{}/members/{}", MEMBERS_REMOVE,
         rest_members_remove),
    JSON(GET, "/api/fleets/{}/invitations", INVITES_LIST, rest_invites_list),
    JSON(POST, "/api/fleets/{}/invitations", INVITES_MAKE, rest_invites_make),
    JSON(POST, "/api/fleets/{}/invitations/{}/resend", INVITES_RENEW,
         rest_invites_renew),
    JSON(DELETE, "/api/fleets/{}/invitations/{}", INVITES_CANCEL,
         rest_invites_cancel),
    JSON(GET, "/api/fleets/{}/api-keys", APIKEYS_LIST, rest_keys_list),
    JSON(POST, "/api/fleets/{}/api-keys", APIKEYS_MAKE, rest_keys_make),
    JSON(DELETE, "/api/fleets/{}/api-keys/{}", APIKEYS_REVOKE,
         rest_keys_revoke),
    JSON(GET, "/api/fleets/{}/machines", MACHINES_LIST, rest_machines_list),
    JSON(POST, "/api/fleets/{}/machines", MACHINES_LINK, rest_links_make),
    JSON(DELETE, "/api/fleets/{}/machines/{}", MACHINES_UNLINK,
         rest_links_remove),
    JSON(GET, "/api/fleets/{}/audit", AUDIT_LIST, rest_audit_list),

    /* machines */
    JSON(GET, "/api/machines", MACHINES_LIST, rest_machines_list),
    JSON(GET, "/api/machines/{}", MACHINES_SHOW, rest_machine_show),
    JSON(PATCH, "/api/machines/{}", MACHINES_RENAME, rest_machine_rename),
    JSON(DELETE, "/api/machines/{}", MACHINES_DISABLE, rest_machine_disable),
    JSON(GET, "/api/machines/{}/fleets", MACHINES_FLEETS, rest_links_list),
    JSON(GET, "/api/machines/{}/access", ACCESS_LIST, rest_access_list),
    JSON(PUT, "/api/machines/{}/access/{}", ACCESS_SET, rest_access_set),

    /* oneself */
    JSON(GET, "/api/me", AUTH_WHOAMI, rest_me_show),
    JSON(PATCH, "/api/me", ACCOUNT_SET, rest_me_set),
};

const size_t FACES_COUNT = sizeof FACES / sizeof FACES[0];
