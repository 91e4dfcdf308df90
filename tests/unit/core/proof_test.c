/*
 * The signed transcripts. The digests and signatures here were computed by
 * another program (Python's hashlib and cryptography) from the words of
 * proof.h; every field must count, and none may stand for another.
 */
#include "core/proof.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/text.h"

/* The seed of RFC 8032, 7.1, test 1. */
static const uint8_t seed[32] = {
    0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a,
    0xf4, 0x92, 0xec, 0x2c, 0xc4, 0x44, 0x49, 0xc5, 0x69, 0x7b, 0x32,
    0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60,
};
static const uint8_t hello[] = {0x0a, 4, 8, 1, 0x10, 1};
static const uint8_t challenge[] = {0x12, 3, 0x0a, 1, 0};

static struct sign_key key, other_key;
static uint8_t nonce[32], binding[32];
static struct proof_relay relay;
static struct proof_machine machine;

static int setup(void **state)
{
    uint8_t other_seed[32] = {1};

    (void)state;
    for (size_t i = 0; i < 32; i++) {
        nonce[i] = (uint8_t)i;
        binding[i] = (uint8_t)(0x80 + i);
    }
    sign_keypair_from_seed(seed, &key);
    sign_keypair_from_seed(other_seed, &other_key);
    relay = (struct proof_relay){
        .hello = VIEW_ARRAY(hello),
        .nonce = VIEW_ARRAY(nonce),
        .relay_key = VIEW_ARRAY(key.pub),
        .relay_time_ms = 1700000000123,
        .version = 1,
        .binding = VIEW_ARRAY(binding),
    };
    machine = (struct proof_machine){
        .hello = VIEW_ARRAY(hello),
        .challenge = VIEW_ARRAY(challenge),
        .binding = VIEW_ARRAY(binding),
        .machine_key = VIEW_ARRAY(key.pub),
        .join_key = view_str("cmdop_enroll_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"),
        .name = view_str("edge-7"),
    };
    return 0;
}

static void assert_hex(struct view v, const char *hex)
{
    char buf[2 * SIGN_LEN + 1];
    struct text t;

    TEXT_OF(&t, buf);
    text_hex(&t, v);
    assert_string_equal(buf, hex);
}

static void relay_digest_is_the_documents(void **state)
{
    uint8_t digest[HASH_LEN];

    (void)state;
    proof_relay_digest(&relay, digest);
    assert_hex(VIEW_ARRAY(digest), "f7b865a243e951b8ca785bad3ae7a1d4"
                                   "710becea96326401d41ef4243e8222c3");
    relay.binding = VIEW_NONE;
    proof_relay_digest(&relay, digest);
    assert_hex(VIEW_ARRAY(digest), "ec0223c7028bd8d71ec99f8dd56306c5"
                                   "9e242587b6230f5c4ee5b1d61cdc55f8");
    relay.relay_time_ms = -1;
    proof_relay_digest(&relay, digest);
    assert_hex(VIEW_ARRAY(digest), "75fcec1ac92cd3a7b806bf940aa8ce10"
                                   "d5d0223ff0063760ea98f012bfc45e2c");
}

static void machine_digest_is_the_documents(void **state)
{
    uint8_t digest[HASH_LEN];

    (void)state;
    proof_machine_digest(&machine, digest);
    assert_hex(VIEW_ARRAY(digest), "a45800d394fbd3e70bbfc77e97939d54"
                                   "14b4ebd52fd6f821d34f1544f97ed559");
    machine.binding = machine.join_key = machine.name = VIEW_NONE;
    proof_machine_digest(&machine, digest);
    assert_hex(VIEW_ARRAY(digest), "84da757e3a175c305bf6b4d91f4ab199"
                                   "1d84fc7a80209e3879c59c83f1f88e26");
}

static void signatures_are_the_documents(void **state)
{
    uint8_t sig[SIGN_LEN];

    (void)state;
    proof_relay_sign(&relay, &key, sig);
    assert_hex(VIEW_ARRAY(sig),
               "190438173d0fb0ef4b303adb8ca3ebaff46db2f2a25d022b00586120fa8c"
               "857cd96c5e28e8486c876a650c49d9b0bbd526c794b37d81f58e32c1ec21"
               "413c520b");
    assert_int_equal(
        proof_relay_verify(&relay, VIEW_ARRAY(key.pub), VIEW_ARRAY(sig)), OK);
    proof_machine_sign(&machine, &key, sig);
    assert_hex(VIEW_ARRAY(sig),
               "ee5fc6b91c747eac5d0879d2b6c05165022298623f0ba5a06a0282849217"
               "d6ebfc3ea94b3833c75625b017e5f7fb40ce7594ede9d3dfb1702a89dccd"
               "0b4a0306");
    assert_int_equal(proof_machine_verify(&machine, VIEW_ARRAY(sig)), OK);
}

static void signatures_of_a_rotation_are_the_documents(void **state)
{
    uint8_t digest[HASH_LEN], sig[SIGN_LEN];

    (void)state;
    machine.next_key = VIEW_ARRAY(other_key.pub);
    proof_machine_digest(&machine, digest);
    assert_hex(VIEW_ARRAY(digest), "5291feed916bb266a9690fff7f9af86c"
                                   "c49537bda13fcfb01150a3c56b8411ac");
    proof_machine_sign(&machine, &key, sig);
    assert_hex(VIEW_ARRAY(sig),
               "0fb2684f576dbb2766e4a390134bdd2d989b1e65a5275b2c587028c668fd"
               "44b0d2ab8216819f20ea2814a068c3148aa03e2e6f80d118616875e3aba2"
               "74b37200");
    assert_int_equal(proof_machine_verify(&machine, VIEW_ARRAY(sig)), OK);
    proof_next_sign(&machine, &other_key, sig);
    assert_hex(VIEW_ARRAY(sig),
               "d169e43e6a3019712322f1c38ee72de9b9d7fc53f612cb1581420d28b824"
               "1b8e2e99a513394c575daa35d0ec6483e5d7ffd31d49226f6b90da4ec167"
               "ea7b5e0f");
    assert_int_equal(proof_next_verify(&machine, VIEW_ARRAY(sig)), OK);
}

/* Does a changed challenge still pass under the signature of the true one? */
static int verify_relay(const struct proof_relay *changed)
{
    uint8_t sig[SIGN_LEN];

    proof_relay_sign(&relay, &key, sig);
    return proof_relay_verify(changed, VIEW_ARRAY(key.pub), VIEW_ARRAY(sig));
}

static void every_field_of_the_challenge_counts(void **state)
{
    struct proof_relay p = relay;
    uint8_t bytes[32];

    (void)state;
    assert_int_equal(verify_relay(&p), OK);
    p.hello = VIEW_ARRAY(challenge);
    assert_int_equal(verify_relay(&p), ERR_AUTH);
    p = relay;
    memcpy(bytes, nonce, sizeof bytes);
    bytes[31] ^= 1;
    p.nonce = VIEW_ARRAY(bytes);
    assert_int_equal(verify_relay(&p), ERR_AUTH);
    p = relay;
    p.relay_time_ms++;
    assert_int_equal(verify_relay(&p), ERR_AUTH);
    p = relay;
    p.version++;
    assert_int_equal(verify_relay(&p), ERR_AUTH);
    p = relay;
    p.binding = VIEW_NONE;
    assert_int_equal(verify_relay(&p), ERR_AUTH);
    memcpy(bytes, binding, sizeof bytes);
    bytes[0] ^= 1;
    p.binding = VIEW_ARRAY(bytes);
    assert_int_equal(verify_relay(&p), ERR_AUTH);
}

static int verify_machine(const struct proof_machine *changed)
{
    uint8_t sig[SIGN_LEN];

    proof_machine_sign(&machine, &key, sig);
    return proof_machine_verify(changed, VIEW_ARRAY(sig));
}

static void every_field_of_the_proof_counts(void **state)
{
    struct proof_machine p = machine;

    (void)state;
    assert_int_equal(verify_machine(&p), OK);
    p.hello = VIEW_ARRAY(challenge);
    assert_int_equal(verify_machine(&p), ERR_AUTH);
    p = machine;
    p.challenge = VIEW_ARRAY(hello);
    assert_int_equal(verify_machine(&p), ERR_AUTH);
    p = machine;
    p.binding = VIEW_NONE;
    assert_int_equal(verify_machine(&p), ERR_AUTH);
    p = machine;
    p.join_key = VIEW_NONE;
    assert_int_equal(verify_machine(&p), ERR_AUTH);
    p = machine;
    p.name = view_str("edge-8");
    assert_int_equal(verify_machine(&p), ERR_AUTH);
    p = machine;
    p.machine_key = VIEW_ARRAY(other_key.pub);
    assert_int_equal(verify_machine(&p), ERR_AUTH);
}

/* Neither of a rotation's signatures is one of a plain proof, nor the other
 * way round, and each belongs to one of the two keys. */
static void a_rotation_is_signed_by_both_keys_and_as_nothing_else(void **state)
{
    uint8_t plain[SIGN_LEN], old[SIGN_LEN], next[SIGN_LEN];
    uint8_t third_seed[32] = {3};
    struct proof_machine p = machine;
    struct sign_key third;

    (void)state;
    proof_machine_sign(&machine, &key, plain);
    p.next_key = VIEW_ARRAY(other_key.pub);
    proof_machine_sign(&p, &key, old);
    proof_next_sign(&p, &other_key, next);
    assert_int_equal(proof_machine_verify(&p, VIEW_ARRAY(plain)), ERR_AUTH);
    assert_int_equal(proof_machine_verify(&machine, VIEW_ARRAY(old)), ERR_AUTH);
    assert_int_equal(proof_machine_verify(&p, VIEW_ARRAY(next)), ERR_AUTH);
    assert_int_equal(proof_next_verify(&p, VIEW_ARRAY(old)), ERR_AUTH);
    sign_keypair_from_seed(third_seed, &third);
    p.next_key = VIEW_ARRAY(third.pub);
    assert_int_equal(proof_machine_verify(&p, VIEW_ARRAY(old)), ERR_AUTH);
    assert_int_equal(proof_next_verify(&p, VIEW_ARRAY(next)), ERR_AUTH);
    p.next_key = view_of(other_key.pub, 31);
    assert_int_equal(proof_next_verify(&p, VIEW_ARRAY(next)), ERR_AUTH);
}

static void a_key_does_not_replace_itself(void **state)
{
    uint8_t sig[SIGN_LEN];

    (void)state;
    machine.next_key = machine.machine_key;
    proof_next_sign(&machine, &key, sig);
    assert_int_equal(proof_next_verify(&machine, VIEW_ARRAY(sig)), ERR_AUTH);
}

static void bytes_cannot_move_between_fields(void **state)
{
    struct proof_machine p = machine;

    (void)state;
    machine.join_key = view_str("abc");
    machine.name = view_str("def");
    p.join_key = view_str("abcd");
    p.name = view_str("ef");
    assert_int_equal(verify_machine(&p), ERR_AUTH);
}

static void a_relay_with_another_key_is_not_the_pinned_one(void **state)
{
    uint8_t sig[SIGN_LEN];

    (void)state;
    relay.relay_key = VIEW_ARRAY(other_key.pub);
    proof_relay_sign(&relay, &other_key, sig);
    assert_int_equal(
        proof_relay_verify(&relay, VIEW_ARRAY(other_key.pub), VIEW_ARRAY(sig)),
        OK);
    assert_int_equal(
        proof_relay_verify(&relay, VIEW_ARRAY(key.pub), VIEW_ARRAY(sig)),
        ERR_PIN);
    assert_int_equal(proof_relay_verify(&relay, VIEW_NONE, VIEW_ARRAY(sig)),
                     ERR_PIN);
}

static void a_signature_serves_no_other_purpose(void **state)
{
    uint8_t digest[HASH_LEN], sig[SIGN_LEN];

    (void)state;
    proof_relay_digest(&relay, digest);
    sign_detached(&key, VIEW_ARRAY(digest), sig);
    assert_int_equal(
        proof_relay_verify(&relay, VIEW_ARRAY(key.pub), VIEW_ARRAY(sig)),
        ERR_AUTH);
    proof_relay_sign(&relay, &key, sig);
    assert_int_equal(proof_machine_verify(&machine, VIEW_ARRAY(sig)), ERR_AUTH);
}

static void wrong_lengths_are_refused(void **state)
{
    uint8_t sig[SIGN_LEN];

    (void)state;
    proof_relay_sign(&relay, &key, sig);
    for (size_t n = 0; n < SIGN_LEN; n++)
        assert_int_equal(
            proof_relay_verify(&relay, VIEW_ARRAY(key.pub), view_of(sig, n)),
            ERR_AUTH);
    relay.nonce = view_of(nonce, 31);
    proof_relay_sign(&relay, &key, sig);
    assert_int_equal(
        proof_relay_verify(&relay, VIEW_ARRAY(key.pub), VIEW_ARRAY(sig)),
        ERR_AUTH);
    proof_machine_sign(&machine, &key, sig);
    machine.machine_key = view_of(key.pub, 31);
    assert_int_equal(proof_machine_verify(&machine, VIEW_ARRAY(sig)), ERR_AUTH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(relay_digest_is_the_documents, setup),
        cmocka_unit_test_setup(machine_digest_is_the_documents, setup),
        cmocka_unit_test_setup(signatures_are_the_documents, setup),
        cmocka_unit_test_setup(signatures_of_a_rotation_are_the_documents,
                               setup),
        cmocka_unit_test_setup(every_field_of_the_challenge_counts, setup),
        cmocka_unit_test_setup(every_field_of_the_proof_counts, setup),
        cmocka_unit_test_setup(
            a_rotation_is_signed_by_both_keys_and_as_nothing_else, setup),
        cmocka_unit_test_setup(a_key_does_not_replace_itself, setup),
        cmocka_unit_test_setup(bytes_cannot_move_between_fields, setup),
        cmocka_unit_test_setup(a_relay_with_another_key_is_not_the_pinned_one,
                               setup),
        cmocka_unit_test_setup(a_signature_serves_no_other_purpose, setup),
        cmocka_unit_test_setup(wrong_lengths_are_refused, setup),
    };
    return cmocka_run_group_tests_name("core/proof", tests, NULL, NULL);
}
