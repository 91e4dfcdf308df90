/*
 * What the relay's HTTP port serves: one table of all routes (faces.c), and
 * the functions behind them, by file.
 */
#ifndef RELAY_FACES_H
#define RELAY_FACES_H

#include "relay/call.h"

extern const struct call_route FACES[];
extern const size_t FACES_COUNT;

/* page_signin.c */
call_fn signin_show, signin_password, signin_code, signout_show, signout_do;
call_fn style_show, root_show;
/* Begin a session of the person that stands in c->account, and go to
 * c->text[0]. */
void signin_session(struct call *c);

/* page_device.c */
call_fn device_show, device_decide;

/* page_account.c */
call_fn account_show, account_set, account_password, account_totp_start;
call_fn account_totp_confirm, account_totp_off, account_revoke, account_fleet;

/* page_invite.c */
call_fn invite_show, invite_look, invite_accept, invite_decline;
call_fn invite_make_person;

/* face_oauth.c */
call_fn oauth_about, oauth_device_post, oauth_token_post, oauth_revoke_post;
call_fn oauth_authorize_post, oauth_info_get, oauth_tokens_get;

/* rest_fleets.c */
call_fn rest_fleets_list, rest_fleets_make, rest_fleets_show, rest_fleets_set;
call_fn rest_fleets_remove, rest_members_list, rest_members_add;
call_fn rest_members_set, rest_members_remove, rest_invites_list;
call_fn rest_invites_make, rest_invites_renew, rest_invites_cancel;

/* rest_machines.c */
call_fn rest_machines_list, rest_machine_show, rest_machine_rename;
call_fn rest_machine_disable, rest_keys_list, rest_keys_make, rest_keys_revoke;

/* rest_links.c */
call_fn rest_links_list, rest_links_make, rest_links_remove;

/* rest_access.c */
call_fn rest_access_list, rest_access_set;

/* rest_audit.c */
call_fn rest_audit_list;

/* rest_me.c */
call_fn rest_me_show, rest_me_set;

#endif
