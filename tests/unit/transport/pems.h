/*
 * Chains and keys for tests, as people keep them: PEM, made once with
 * openssl(1), all valid for 100 years from 2026 and for relay.test. *_leaf was
 * signed by *_mid, and that by *_root. EC: the leaf on P-256, the others on
 * P-384, signed with SHA-384. RSA: 2048 bits, SHA-256.
 */
#ifndef TESTS_TRANSPORT_PEMS_H
#define TESTS_TRANSPORT_PEMS_H

#define EC_ROOT_PEM                                                      \
    "-----BEGIN CERTIFICATE-----\n"                                      \
    "MIIBpzCCAS2gAwIBAgIUVSEwocugFVoKZaHg1yTkgDwho1IwCgYIKoZIzj0EAwMw\n" \
    "EjEQMA4GA1UEAwwHZWNfcm9vdDAgFw0yNjExMjgwODQ5NTZaGA8yMTI2MTEwNDA4\n" \
    "NDk1NlowEjEQMA4GA1UEAwwHZWNfcm9vdDB2MBAGByqGSM49AgEGBSuBBAAiA2IA\n" \
    "BLb4KhmxwAw5zGgE+cokeWWFGSnWuuF0VzSvv/dAq4PFjuo0QZTfzSgWNh09tlG/\n" \
    "u7lK9UI+MjWUApXGTsR/Eg3V3/WuCsuqiaKf88z467+3KyuhmK4H02N1oEro39dG\n" \
    "LaNCMEAwDwYDVR0TAQH/BAUwAwEB/zAOBgNVHQ8BAf8EBAMCAQYwHQYDVR0OBBYE\n" \
    "FPMrjtz+c6V+6S9/F+HbZE+GDv9fMAoGCCqGSM49BAMDA2gAMGUCMQD9WToZ1KqX\n" \
    "oqc/rWtahcFRUGrNgzm65PUTFiqgaahrQcrz4w/KJvEdbc/pBazblk4CMCRwniEt\n" \
    "Ayr/JsMFoNVUVt2RPjIopo5MPcXqFV3mDF3Ezz9cvzwV5F7IrqFj0t8pjg==\n"     \
    "-----END CERTIFICATE-----\n"

#define EC_MID_PEM                                                       \
    "-----BEGIN CERTIFICATE-----\n"                                      \
    "MIIByDCCAU2gAwIBAgIUUTwdZkSqghsrkKjTn5Prs1gcVcQwCgYIKoZIzj0EAwMw\n" \
    "EjEQMA4GA1UEAwwHZWNfcm9vdDAgFw0yNjExMjgwODQ5NTZaGA8yMTI2MTEwNDA4\n" \
    "NDk1NlowETEPMA0GA1UEAwwGZWNfbWlkMHYwEAYHKoZIzj0CAQYFK4EEACIDYgAE\n" \
    "teA3JdZgyKXpVQ240YzXcvBZWedcQ75+WtP2hNFVJNGoSzfoXbeow5HHe8TmOacS\n" \
    "T4fefYKrU/bCemqrzIcOjHRmK+v8EJAJEgJDYxQ884P7b6ARnZvrQTC6VHYrl/ou\n" \
    "o2MwYTAPBgNVHRMBAf8EBTADAQH/MA4GA1UdDwEB/wQEAwIBBjAdBgNVHQ4EFgQU\n" \
    "gCg9ht1PLynAAVmvwMx4sfQfuHowHwYDVR0jBBgwFoAU8yuO3P5zpX7pL38X4dtk\n" \
    "T4YO/18wCgYIKoZIzj0EAwMDaQAwZgIxAMG7DZxRO8qvIdJiQ9oSH3ei6Kc2X6+V\n" \
    "OXgvghT+2Slg4kvm8bRmz4YYyHljrWHi0AIxANFhOF+q21rsNVhIWgg+5IHQsDHN\n" \
    "chwjkqhetYapHMApTu5/WWZLCe6JeuzcqSS27A==\n"                         \
    "-----END CERTIFICATE-----\n"

#define EC_LEAF_PEM                                                      \
    "-----BEGIN CERTIFICATE-----\n"                                      \
    "MIIB1jCCAVugAwIBAgIUFMuCRg1HusJ4sMzIiYl2LpCSk1EwCgYIKoZIzj0EAwMw\n" \
    "ETEPMA0GA1UEAwwGZWNfbWlkMCAXDTI2MTEyODA4NDk1NloYDzIxMjYxMTA0MDg0\n" \
    "OTU2WjASMRAwDgYDVQQDDAdlY19sZWFmMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcD\n" \
    "QgAExjdVaTEe9AaogvJ+EBPm0qhBF2FAMHl3rbKHUJiBBtOlve8FndiVGJHVRP5d\n" \
    "ouw3bIfB3oC1c7Q5iNqTCvbLAKOBjTCBijAMBgNVHRMBAf8EAjAAMA4GA1UdDwEB\n" \
    "/wQEAwIHgDATBgNVHSUEDDAKBggrBgEFBQcDATAVBgNVHREEDjAMggpyZWxheS50\n" \
    "ZXN0MB0GA1UdDgQWBBQ5I3gmGcofF221XCqPW0ZXUm0G3jAfBgNVHSMEGDAWgBSA\n" \
    "KD2G3U8vKcABWa/AzHix9B+4ejAKBggqhkjOPQQDAwNpADBmAjEArdv5vbxtC5IJ\n" \
    "1K0eRROqtz8j5C9KGoQHFQoH759cQos60cAr0GNUU3NfolPgNe6vAjEAnHK4FF65\n" \
    "HwEWPCDJ1RPHswBqZVlfFSHwlmtG0+EMTfNbJ0YWzL0S1jgJCEx8bOJE\n"         \
    "-----END CERTIFICATE-----\n"

#define EC_LEAF_KEY                                                      \
    "-----BEGIN PRIVATE KEY-----\n"                                      \
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg8ZJ6IG99gczxKdCK\n" \
    "n4P0lCBx57wnFL21WC/fPtksL8ihRANCAATGN1VpMR70BqiC8n4QE+bSqEEXYUAw\n" \
    "eXetsodQmIEG06W97wWd2JUYkdVE/l2i7Ddsh8HegLVztDmI2pMK9ssA\n"         \
    "-----END PRIVATE KEY-----\n"

#define EC_LEAF_SEC1_KEY                                                 \
    "-----BEGIN EC PRIVATE KEY-----\n"                                   \
    "MHcCAQEEIPGSeiBvfYHM8SnQip+D9JQgcee8JxS9tVgv3z7ZLC/IoAoGCCqGSM49\n" \
    "AwEHoUQDQgAExjdVaTEe9AaogvJ+EBPm0qhBF2FAMHl3rbKHUJiBBtOlve8FndiV\n" \
    "GJHVRP5douw3bIfB3oC1c7Q5iNqTCvbLAA==\n"                             \
    "-----END EC PRIVATE KEY-----\n"

#define EC_LEAF_ENC_KEY                                                  \
    "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"                            \
    "MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAgLyORF1JG28gICCAAw\n" \
    "DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEHtKQ4tBvrC1OoN0pWlCo/AEgZC4\n" \
    "fg+dpYtaZNzh6tAY2UczAYzAjr2uhG1BT21ll39rJd/U2aRHK/0vKvvNwNKQtM5x\n" \
    "M8K8MbaJ610CzEAAjyq/HLRbR6ZGwR4rfcdqLVo6caBhw6TJwTlEn2K5OTnGzhsy\n" \
    "Rjq2dewavuWxvRV9wuKwoGFShAlZ5knbPYykFlfd1m5CsviSHxlwb6JXrg5aQIg=\n" \
    "-----END ENCRYPTED PRIVATE KEY-----\n"

#define RSA_ROOT_PEM                                                     \
    "-----BEGIN CERTIFICATE-----\n"                                      \
    "MIIC+DCCAeCgAwIBAgIUVMjpcmIbX3T5NgBFVvLlH8irrkIwDQYJKoZIhvcNAQEL\n" \
    "BQAwEzERMA8GA1UEAwwIcnNhX3Jvb3QwIBcNMjYxMTI4MDg0OTU3WhgPMjEyNjEx\n" \
    "MDQwODQ5NTdaMBMxETAPBgNVBAMMCHJzYV9yb290MIIBIjANBgkqhkiG9w0BAQEF\n" \
    "AAOCAQ8AMIIBCgKCAQEApQQL92J4RKImxpX6iD+mswW1rAt8f4xKrpxmGQn7ZHQI\n" \
    "X0uMmSQlMPFx5babbKq4/YXjnjCjRI6+1HsQIqSGKyUtGehQKzfkK2QdHgoVL/fU\n" \
    "T6aSvH/2ymVMx89UNLMQLFx8DvnLtBTs9kWUGML1F2OeMIhnhqcvraFA9ycL21/Y\n" \
    "EWwH2/IgjLZijMEjoyBfdXxUWAnNpLIu0GAU+9c13msAUTxp9qi8fs2ScRWLV/ym\n" \
    "Wty8rE+7IGEM//zt9zYHPecpPpKFNsAxYfy5viOLE7L+NwuPx7dayBA3LrqRU6WT\n" \
    "qzX/FvsZqlLggLIzU79CmK6u836WCUtcp9ldhdqZYwIDAQABo0IwQDAPBgNVHRMB\n" \
    "Af8EBTADAQH/MA4GA1UdDwEB/wQEAwIBBjAdBgNVHQ4EFgQUjnBvfWb9epoRDzcQ\n" \
    "ngjuFGU40uAwDQYJKoZIhvcNAQELBQADggEBAC6xQtA35ZQOaJSEGjFdHQXtFv9h\n" \
    "/hbMCMU7HsLpTvn+D0FTeXcfmXc2xPFWhMVfHsK1OgY7i1Wb1KfiRs8gHHo+JJng\n" \
    "c4CcI2Ubj4ED3J7rlsl65dEcsIsw9LtjEpgHV5FC+NCxNeLrBm6+9FmFUibcxK7v\n" \
    "irvuazLPVX22LWHICKsBqgT+Qq3EnSqoBR72IADGoSPNEynq6N5uPAdMdH7JYGSE\n" \
    "XWQ+RwSrYTgJHdmxklwbjEXkGsL+aSo0AaXuvOqyUfknEQhr0kVS6X2rDQrsRUb7\n" \
    "bJgisDaqKggFTtcJelBSmdxOpvVpbhlUtrCew47RB/b9DVXdgp151o77Bvw=\n"     \
    "-----END CERTIFICATE-----\n"

#define RSA_MID_PEM                                                      \
    "-----BEGIN CERTIFICATE-----\n"                                      \
    "MIIDGDCCAgCgAwIBAgIUXCMLmv+EMKKf96A+5iwPlwS0a4wwDQYJKoZIhvcNAQEL\n" \
    "BQAwEzERMA8GA1UEAwwIcnNhX3Jvb3QwIBcNMjYxMTI4MDg0OTU3WhgPMjEyNjEx\n" \
    "MDQwODQ5NTdaMBIxEDAOBgNVBAMMB3JzYV9taWQwggEiMA0GCSqGSIb3DQEBAQUA\n" \
    "A4IBDwAwggEKAoIBAQC9aRIIGgrCU0sEnLOWEszeU78xi+CuWX/l5ZUo8GUS8Raa\n" \
    "pZ8ivs3jY8W9A6lNF5fV3b90DbHVblvygJvs/g3eeTHC+3woXf6zzpKYEDwopZJH\n" \
    "Av5YqoHRwzkILuUlHVUB+l53Dvo/6jiLOSTAsRw5PIZAkyXl2c0Ju70i8PEAys9i\n" \
    "toxO/+FXNeDvjkStsd7ilHhborDT266fhu9fWEYGzaAChu7wUhKntS1ShHDjRzrI\n" \
    "vhm4vjd+FsRG4/C8ebRYzMkIJIeSfRUUU4tXKg2A2dPCsLaUbPbCl42sDs3j2Ubv\n" \
    "0UgMBJ4NhHlwCveHT/M0hcVdnDm97/6gMndMSqfHAgMBAAGjYzBhMA8GA1UdEwEB\n" \
    "/wQFMAMBAf8wDgYDVR0PAQH/BAQDAgEGMB0GA1UdDgQWBBTq/z3zBg8mCj9dwmdh\n" \
    "GwiLWKQXezAfBgNVHSMEGDAWgBSOcG99Zv16mhEPNxCeCO4UZTjS4DANBgkqhkiG\n" \
    "9w0BAQsFAAOCAQEAXT7v1QuB+TeKAKj3cvFKanend/z0Z6j3rfXB1VvrnrT8zgh8\n" \
    "WY3FVxsNVEbBTOJmq7NUnWkpHB6UcF/NkdubT4ghjlzKmkvmS3kf6GVtzvJzhWun\n" \
    "EN/YhjOZA7p9F33KecD4JZd3Svqdq9UETF5Dxlt09Ujy+VDSm6cMTOVByfZpbqXh\n" \
    "c2uqbLG5S9LR47WeMltIeuYXOFLgAm8BozXT7NQU9bZqMalqM0dw/phDDd1EhDe3\n" \
    "1OfOXsYPLxCsCLKR071GDwezUc6cw/c6MlABkW+MepivCm046vLsakJawM/X5KOH\n" \
    "a3nRmXNL3dG/KSeS/kc3eIo8ynjsdFAUxHq1Ow==\n"                         \
    "-----END CERTIFICATE-----\n"

#define RSA_LEAF_PEM                                                     \
    "-----BEGIN CERTIFICATE-----\n"                                      \
    "MIIDQzCCAiugAwIBAgIUO9iHjnLWcxrnlLKUqoTiYVptJ+EwDQYJKoZIhvcNAQEL\n" \
    "BQAwEjEQMA4GA1UEAwwHcnNhX21pZDAgFw0yNjExMjgwODQ5NTdaGA8yMTI2MTEw\n" \
    "NDA4NDk1N1owEzERMA8GA1UEAwwIcnNhX2xlYWYwggEiMA0GCSqGSIb3DQEBAQUA\n" \
    "A4IBDwAwggEKAoIBAQCXcJGsC0Ppisb+y4/tPxh4VJbCqVrU8deP3kAVJCxr2qt1\n" \
    "cfpC+XhEI56lxHwNPXcYu0398Z4/O4rNqVP1L+ML9i/G7sU6y5kI/LaNADtqk9Mh\n" \
    "YPTThhGCF0kqIYgNFGEDurXV+LZxubMDoJ84OGUQVgHfpix3vSWe3fndYT5VI9BT\n" \
    "VZCKphriVb8kRCoHeIQ8xeWZcWaypl3trCQ2a3Wt69qOKQESczOgLC0h9s2xLghc\n" \
    "n2IR7SnI9ZAYujMFHiN3IDLAJAzQWKtcUi860zcdgxtFPcSHEL9G+TLZ+fs3SUer\n" \
    "8oRq0C6zSQ7GHsjEPWbWOZIKgA+J5R0a7igJj3WxAgMBAAGjgY0wgYowDAYDVR0T\n" \
    "AQH/BAIwADAOBgNVHQ8BAf8EBAMCB4AwEwYDVR0lBAwwCgYIKwYBBQUHAwEwFQYD\n" \
    "VR0RBA4wDIIKcmVsYXkudGVzdDAdBgNVHQ4EFgQUZQVAWGTaXJqK7q50obxU08YM\n" \
    "hNwwHwYDVR0jBBgwFoAU6v898wYPJgo/XcJnYRsIi1ikF3swDQYJKoZIhvcNAQEL\n" \
    "BQADggEBAJSQ1YeVRlf3E/iCeUtTukfKLdrAw4N81aTxec8Ma4ZkbmlINCX/glvv\n" \
    "c7DTeUA0jVL7AwHH2CHSqGS2OLY+ugZFSuo2v+8jkcUDDKcz3hyPATmq10WPNndt\n" \
    "aALt4zOapssz3Y3vaTrB1eeO1qiaDT1GOnrJKfjHH2HXpk7HR63Se/Vow+enCayx\n" \
    "dcehMj5dm91S2w3jEOIQ3XGDQbJFF/qMXE7Pma9lbOaXBA8MqnmtSaiQ3SXEeA3v\n" \
    "4tVQu5X3bTtfKgKHMEu5uX5L2JptImtn0CbiBpjvi7IRITNQCzMCt2gJY4whJ2aJ\n" \
    "pORZj94LXK/PXNl2Id4ny2Vsf/mMbqw=\n"                                 \
    "-----END CERTIFICATE-----\n"

#define RSA_LEAF_KEY                                                     \
    "-----BEGIN PRIVATE KEY-----\n"                                      \
    "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQCXcJGsC0Ppisb+\n" \
    "y4/tPxh4VJbCqVrU8deP3kAVJCxr2qt1cfpC+XhEI56lxHwNPXcYu0398Z4/O4rN\n" \
    "qVP1L+ML9i/G7sU6y5kI/LaNADtqk9MhYPTThhGCF0kqIYgNFGEDurXV+LZxubMD\n" \
    "oJ84OGUQVgHfpix3vSWe3fndYT5VI9BTVZCKphriVb8kRCoHeIQ8xeWZcWaypl3t\n" \
    "rCQ2a3Wt69qOKQESczOgLC0h9s2xLghcn2IR7SnI9ZAYujMFHiN3IDLAJAzQWKtc\n" \
    "Ui860zcdgxtFPcSHEL9G+TLZ+fs3SUer8oRq0C6zSQ7GHsjEPWbWOZIKgA+J5R0a\n" \
    "7igJj3WxAgMBAAECggEAI1Uhv6SvNx1oWUkwLteyQ1zlAczWgulb9FaT1/rlHFLb\n" \
    "/x5VF+wxiaBP4vgpQ0OMdmo5A58sXy9qrpormwCNthw9wGmz/YhED8s6YkJkGnUb\n" \
    "5OVEqddVXWdGbDx/jCGtktuskhwhoP4FDLscetb5iWqvrDkOle89CEhdBDAshVtm\n" \
    "OPG5VCc09P2yxx8f3wrJo9aJ2rK4xTd+6pufXLD8jySTxiosOxJmwsDHTd9bwvRc\n" \
    "ih2nj96syS79IR6TLZjxpOEDXrtthmZ35KB14snkljObmxeahcAqo6VrMRoTUQBT\n" \
    "RvTdy8oLrkvBFPzvvDzHLhiR4SL659h9j8G9Yb4RwwKBgQDQT86brzyErO2HDNBs\n" \
    "+TfGmHzeWIpcmU+JaMvLFhs2nOPA17sx7juzhzXycQALEE6758vCna4f1b7Patw/\n" \
    "fH9AT1QiSBgz7GudfvucmGh1Bxuamtiuc4/VaSW5xFeS47Ol39GacftiLLsfcul8\n" \
    "ZJbo2AWayRi8HQAelq3/krPaSwKBgQC6G8EddaJ5xK+njqsMFeKAxcaGvBeK8x7B\n" \
    "7ufMjTVt3ihSl0fShPPJ2GTe35BPpygv2AwgJPEZrG5BxRGOCclRI68pqYPgsfd6\n" \
    "0pvWApj6Sk10YbZm+l66NDdLRL48G8Vxl1qjOWr0LsRB+E4Of8U9siEuZszXxM1l\n" \
    "tnbnSU1ycwKBgB0tAFgHzCcc/Uur/Mk2gpxbISoXJpHfmyc4uUphd0BH6xJIZNyS\n" \
    "bGQxrNmfAA2MpCpnRb+lTA0DZ+0vH1f4/O2p7rO6e0FSfKQbc+wz4HV7oF8gDvco\n" \
    "El4mkvUYzdcx8yhpV7cU/ct7Tl4SPyeAAy7riqVqQv+d5DVkj0w7ZNtPAoGBAKzK\n" \
    "+BISFjhYlX5MyCMAbryA5EJUgMdR00zcM/uHYAQSL/3+14BuUKsnbwA/Mg3CdV12\n" \
    "ikuOAQyFPBl0j0gBbhkXuJpF+Vu14MD4qheZcc9xDVjxIBmcfDcGJBCOUtIcNsWw\n" \
    "cUb7GIJ+qVlW4aI0nz0ZFhWu/KGY59t3/g3f0ThhAoGAe+WpxSQ/W+4/JeCMQUEq\n" \
    "NqMta3sOdebdtlJ83y/5rTEoC+MyAetc/RoNfDzL4pqtfa8GL/QdFxvUOwDFZej+\n" \
    "U/rr6XPlkixlCggNpDnIj5mLUjQxHBfL2l6Sr6rQuNE8vQ4vF4g2j/C1CEZWJ+dW\n" \
    "2zILOSNb2tLbaX6/8uDHnC4=\n"                                         \
    "-----END PRIVATE KEY-----\n"

#define RSA_LEAF_PKCS1_KEY                                               \
    "-----BEGIN RSA PRIVATE KEY-----\n"                                  \
    "MIIEowIBAAKCAQEAl3CRrAtD6YrG/suP7T8YeFSWwqla1PHXj95AFSQsa9qrdXH6\n" \
    "Qvl4RCOepcR8DT13GLtN/fGePzuKzalT9S/jC/Yvxu7FOsuZCPy2jQA7apPTIWD0\n" \
    "04YRghdJKiGIDRRhA7q11fi2cbmzA6CfODhlEFYB36Ysd70lnt353WE+VSPQU1WQ\n" \
    "iqYa4lW/JEQqB3iEPMXlmXFmsqZd7awkNmt1revajikBEnMzoCwtIfbNsS4IXJ9i\n" \
    "Ee0pyPWQGLozBR4jdyAywCQM0FirXFIvOtM3HYMbRT3EhxC/Rvky2fn7N0lHq/KE\n" \
    "atAus0kOxh7IxD1m1jmSCoAPieUdGu4oCY91sQIDAQABAoIBACNVIb+krzcdaFlJ\n" \
    "MC7XskNc5QHM1oLpW/RWk9f65RxS2/8eVRfsMYmgT+L4KUNDjHZqOQOfLF8vaq6a\n" \
    "K5sAjbYcPcBps/2IRA/LOmJCZBp1G+TlRKnXVV1nRmw8f4whrZLbrJIcIaD+BQy7\n" \
    "HHrW+Ylqr6w5DpXvPQhIXQQwLIVbZjjxuVQnNPT9sscfH98KyaPWidqyuMU3fuqb\n" \
    "n1yw/I8kk8YqLDsSZsLAx03fW8L0XIodp4/erMku/SEeky2Y8aThA167bYZmd+Sg\n" \
    "deLJ5JYzm5sXmoXAKqOlazEaE1EAU0b03cvKC65LwRT877w8xy4YkeEi+ufYfY/B\n" \
    "vWG+EcMCgYEA0E/Om688hKzthwzQbPk3xph83liKXJlPiWjLyxYbNpzjwNe7Me47\n" \
    "s4c18nEACxBOu+fLwp2uH9W+z2rcP3x/QE9UIkgYM+xrnX77nJhodQcbmprYrnOP\n" \
    "1WklucRXkuOzpd/RmnH7Yiy7H3LpfGSW6NgFmskYvB0AHpat/5Kz2ksCgYEAuhvB\n" \
    "HXWiecSvp46rDBXigMXGhrwXivMewe7nzI01bd4oUpdH0oTzydhk3t+QT6coL9gM\n" \
    "ICTxGaxuQcURjgnJUSOvKamD4LH3etKb1gKY+kpNdGG2ZvpeujQ3S0S+PBvFcZda\n" \
    "ozlq9C7EQfhODn/FPbIhLmbM18TNZbZ250lNcnMCgYAdLQBYB8wnHP1Lq/zJNoKc\n" \
    "WyEqFyaR35snOLlKYXdAR+sSSGTckmxkMazZnwANjKQqZ0W/pUwNA2ftLx9X+Pzt\n" \
    "qe6zuntBUnykG3PsM+B1e6BfIA73KBJeJpL1GM3XMfMoaVe3FP3Le05eEj8ngAMu\n" \
    "64qlakL/neQ1ZI9MO2TbTwKBgQCsyvgSEhY4WJV+TMgjAG68gORCVIDHUdNM3DP7\n" \
    "h2AEEi/9/teAblCrJ28APzINwnVddopLjgEMhTwZdI9IAW4ZF7iaRflbteDA+KoX\n" \
    "mXHPcQ1Y8SAZnHw3BiQQjlLSHDbFsHFG+xiCfqlZVuGiNJ89GRYVrvyhmOfbd/4N\n" \
    "39E4YQKBgHvlqcUkP1vuPyXgjEFBKjajLWt7DnXm3bZSfN8v+a0xKAvjMgHrXP0a\n" \
    "DXw8y+KarX2vBi/0HRcb1DsAxWXo/lP66+lz5ZIsZQoIDaQ5yI+Zi1I0MRwXy9pe\n" \
    "kq+q0LjRPL0OLxeINo/wtQhGVifnVtsyCzkjW9rS22l+v/Lgx5wu\n"             \
    "-----END RSA PRIVATE KEY-----\n"

#define P384_LEAF_PEM                                                    \
    "-----BEGIN CERTIFICATE-----\n"                                      \
    "MIIB9DCCAXqgAwIBAgIUFMuCRg1HusJ4sMzIiYl2LpCSk1IwCgYIKoZIzj0EAwIw\n" \
    "ETEPMA0GA1UEAwwGZWNfbWlkMCAXDTI2MTEyODA4NDk1N1oYDzIxMjYxMTA0MDg0\n" \
    "OTU3WjAUMRIwEAYDVQQDDAlwMzg0X2xlYWYwdjAQBgcqhkjOPQIBBgUrgQQAIgNi\n" \
    "AAQ4klHak5Nlw+CW0aOHcPxdwacWWWrqiMQR5GV3wh/2RjmblppaTTXh8h45TzOe\n" \
    "fBm00xJLD5bpugHy+7wPxIOr8s1+ICBgt1WbjjkAdxPLuhljWCRQZz8BOav3fNCa\n" \
    "8UujgY0wgYowDAYDVR0TAQH/BAIwADAOBgNVHQ8BAf8EBAMCB4AwEwYDVR0lBAww\n" \
    "CgYIKwYBBQUHAwEwFQYDVR0RBA4wDIIKcmVsYXkudGVzdDAdBgNVHQ4EFgQUpiGc\n" \
    "UKDmiFkIuFKoo4egtblv0o4wHwYDVR0jBBgwFoAUgCg9ht1PLynAAVmvwMx4sfQf\n" \
    "uHowCgYIKoZIzj0EAwIDaAAwZQIxAN+iopQWHDb6YoDmE/jGbmcbYzD/m8b/JbSG\n" \
    "ktaMbZZeHXjQ+Yst81l/JH6U1mc8KwIwBukHhAVukscB54zRJUj2rAlQc3PS1DlT\n" \
    "4rxTjSX4zhtqjUqaRnMGDcXNFBC+UgFP\n"                                 \
    "-----END CERTIFICATE-----\n"

#define P384_LEAF_KEY                                                    \
    "-----BEGIN PRIVATE KEY-----\n"                                      \
    "MIG2AgEAMBAGByqGSM49AgEGBSuBBAAiBIGeMIGbAgEBBDC7L2mBtsBEVH53Owuo\n" \
    "xR9eG+wT3m0qhe+I+6UxK1+Q9qZlTymXiedKMu235WlGtfOhZANiAAQ4klHak5Nl\n" \
    "w+CW0aOHcPxdwacWWWrqiMQR5GV3wh/2RjmblppaTTXh8h45TzOefBm00xJLD5bp\n" \
    "ugHy+7wPxIOr8s1+ICBgt1WbjjkAdxPLuhljWCRQZz8BOav3fNCa8Us=\n"         \
    "-----END PRIVATE KEY-----\n"

#define P521_LEAF_PEM                                                    \
    "-----BEGIN CERTIFICATE-----\n"                                      \
    "MIICHzCCAYCgAwIBAgIUORMVrJuwrCNGLtbv6lVcj+7mzdMwCgYIKoZIzj0EAwIw\n" \
    "FDESMBAGA1UEAwwJcDUyMV9sZWFmMCAXDTI2MTEyODA4NDk1N1oYDzIxMjYxMTA0\n" \
    "MDg0OTU3WjAUMRIwEAYDVQQDDAlwNTIxX2xlYWYwgZswEAYHKoZIzj0CAQYFK4EE\n" \
    "ACMDgYYABABKex6UIrzobz4A/wxKmk4j21gpzCX7gIxP/B/3t8LEsGN/3HdXJ0B0\n" \
    "JPx5YECKht/JROk0Ewg3vYFxaEyvI7j+GgCsR2+dN0pIhph3RMjFTlQcrSKSBUWd\n" \
    "A65B6MuEFi4Ep54I5UrP+/Wv41FacsISZAaNNV7eEVKxIkYE5PFuYS+haqNrMGkw\n" \
    "DAYDVR0TAQH/BAIwADAOBgNVHQ8BAf8EBAMCB4AwEwYDVR0lBAwwCgYIKwYBBQUH\n" \
    "AwEwFQYDVR0RBA4wDIIKcmVsYXkudGVzdDAdBgNVHQ4EFgQUcEjy77/yE9X7PgOc\n" \
    "aKMS1YEpXqQwCgYIKoZIzj0EAwIDgYwAMIGIAkIBMMbR465Dev5ozn8C6GucxyLb\n" \
    "QvJyW3WxuaIFlAH0YquCa9FXwtT/Qwvc2JMs4bNXZyiNvhzN/zQy0ZMQ/MFvI4QC\n" \
    "QgCKWiXnjWfQbZTw0ewm//SeBiYO/8gCyqZ3x42u0Iq9gn50M4+t2c0qyjYBjdMW\n" \
    "1vJ7R/ubyP3JS6q9DrDkWg/c6Q==\n"                                     \
    "-----END CERTIFICATE-----\n"

#define P521_LEAF_KEY                                                    \
    "-----BEGIN PRIVATE KEY-----\n"                                      \
    "MIHuAgEAMBAGByqGSM49AgEGBSuBBAAjBIHWMIHTAgEBBEIBjuTFpAt6TL+MUgxQ\n" \
    "3+awmMLOSWAIqFToMD58cuos6jumyXB9nBGCrEwXjPwJJiK5K+Sht3le6y7KmvX0\n" \
    "9nrFmd6hgYkDgYYABABKex6UIrzobz4A/wxKmk4j21gpzCX7gIxP/B/3t8LEsGN/\n" \
    "3HdXJ0B0JPx5YECKht/JROk0Ewg3vYFxaEyvI7j+GgCsR2+dN0pIhph3RMjFTlQc\n" \
    "rSKSBUWdA65B6MuEFi4Ep54I5UrP+/Wv41FacsISZAaNNV7eEVKxIkYE5PFuYS+h\n" \
    "ag==\n"                                                             \
    "-----END PRIVATE KEY-----\n"

#define WEAK_LEAF_PEM                                                    \
    "-----BEGIN CERTIFICATE-----\n"                                      \
    "MIICHjCCAYegAwIBAgIUPYVl/VcggadDMirxNKrqJG/NK9gwDQYJKoZIhvcNAQEL\n" \
    "BQAwFDESMBAGA1UEAwwJd2Vha19sZWFmMCAXDTI2MTEyODA4NDk1N1oYDzIxMjYx\n" \
    "MTA0MDg0OTU3WjAUMRIwEAYDVQQDDAl3ZWFrX2xlYWYwgZ8wDQYJKoZIhvcNAQEB\n" \
    "BQADgY0AMIGJAoGBAKic1VXaWyS4e3SiY16xi6RylTkDy1EepK5wbF5hQEpBzUr2\n" \
    "cldyUNxS+hv9oop84kvo6pQPBCaryUcJFFG5NlA6TZEiZEq3fnKxZqZHWuqH3zGf\n" \
    "L364hh8M/oAZnF29koSQuKPS8GqxGKPZntxMwyHAlOp66M7FmP2obaJ62ollAgMB\n" \
    "AAGjazBpMAwGA1UdEwEB/wQCMAAwDgYDVR0PAQH/BAQDAgeAMBMGA1UdJQQMMAoG\n" \
    "CCsGAQUFBwMBMBUGA1UdEQQOMAyCCnJlbGF5LnRlc3QwHQYDVR0OBBYEFDyA6Yfr\n" \
    "F77YHBmEX0Tpeb9l7RTJMA0GCSqGSIb3DQEBCwUAA4GBAHr+PR5w4bEsAF2b23es\n" \
    "pD/U8gwmy31OeamCW0qydDc26VIUmMW0J2yxOfnLczileyqh8OPFfw9gFm8kotcO\n" \
    "BYcz80GUjP2Sokwmq15kw+kj7SkxgyqU33oCvpZnQr799q/lLI3L78s3QcQZ3F3s\n" \
    "61Ns38hAEjRsIyoKyPgQWKob\n"                                         \
    "-----END CERTIFICATE-----\n"

#define WEAK_LEAF_KEY                                                    \
    "-----BEGIN PRIVATE KEY-----\n"                                      \
    "MIICdwIBADANBgkqhkiG9w0BAQEFAASCAmEwggJdAgEAAoGBAKic1VXaWyS4e3Si\n" \
    "Y16xi6RylTkDy1EepK5wbF5hQEpBzUr2cldyUNxS+hv9oop84kvo6pQPBCaryUcJ\n" \
    "FFG5NlA6TZEiZEq3fnKxZqZHWuqH3zGfL364hh8M/oAZnF29koSQuKPS8GqxGKPZ\n" \
    "ntxMwyHAlOp66M7FmP2obaJ62ollAgMBAAECgYAxjpbtOtZa/pXae/f01v4SAVN2\n" \
    "hHT3jKgeVRCk1LSOnrR1+eU1anX1q7WzEGL7jST95qE7jwZLT2ZDKJn+Qw+BHphE\n" \
    "SdM38+tQ7t71NMewYBoZqF31YL6eXBAOCijJi9AaZ3WOyLRPNb+IeZsB0rudJVd7\n" \
    "gNGfJIO+kQib2l4EaQJBAN5pMyVrRxfZzxNOK2/Ggh/LpEiOIdwkcWqE1c4ntxBO\n" \
    "07LENEKb7RBokge/G6LzUWNOIQb66RVWwKgGTnqBDnsCQQDCE7IkUaM59F7MG8Zc\n" \
    "mtoEC9+ZkOLRpJgYWxG+l8StuJBdTdm5YgWCFVbxAc9rTRdLwFs+pXcH230vFyzV\n" \
    "tzGfAkEA2OSQezJF7016MmJt26Ajb6xg9lydSpjDfdQyyMtUK/QjYNcT+80hf3nq\n" \
    "xuEoq11LhmM/tBXmTef/ExyrVa4blwJAMbAvPMM2AiGBn8pAp/bxeHW9wqhomfoF\n" \
    "Ar9WNLDQpxWIyIqlAqSI+nwSLVQkUbmEDF3sPobIidd1HnhVf0YOywJBAI+L4HzJ\n" \
    "kxEhS2eZo0RR2b05BiBGhi1JxmVGpc0W/1cRRKpCjeJBgdHUHkqKGuV1g5DZ8xpi\n" \
    "NzGO2952bRaq5ks=\n"                                                 \
    "-----END PRIVATE KEY-----\n"

#define ED_LEAF_PEM                                                      \
    "-----BEGIN CERTIFICATE-----\n"                                      \
    "MIIBUzCCAQWgAwIBAgIUEqZyaaTegbXGJ3uwUT+QOwy0/hUwBQYDK2VwMBIxEDAO\n" \
    "BgNVBAMMB2VkX2xlYWYwIBcNMjYxMTI4MDg0OTU4WhgPMjEyNjExMDQwODQ5NTha\n" \
    "MBIxEDAOBgNVBAMMB2VkX2xlYWYwKjAFBgMrZXADIQDh/XhDgZ94QggynnweMMWs\n" \
    "ZnTJzCeVEgcUOcv9tpDd2qNrMGkwDAYDVR0TAQH/BAIwADAOBgNVHQ8BAf8EBAMC\n" \
    "B4AwEwYDVR0lBAwwCgYIKwYBBQUHAwEwFQYDVR0RBA4wDIIKcmVsYXkudGVzdDAd\n" \
    "BgNVHQ4EFgQUvmlITUES5xq+SnhWCHJZu8cq9g4wBQYDK2VwA0EAdjVfk679GHbD\n" \
    "wuFW1nERVU2HS+CQk8cXrZi3D15sucdVKOCMPkdYz5PhdqvXLtcAxZlmnkaRphrl\n" \
    "2sBHYKv1Dw==\n"                                                     \
    "-----END CERTIFICATE-----\n"

#define ED_LEAF_KEY                                                      \
    "-----BEGIN PRIVATE KEY-----\n"                                      \
    "MC4CAQAwBQYDK2VwBCIEIEtMK3h4pxwP3wphzsOGy1/3xyz2SzClFMtHTXcDSkRg\n" \
    "-----END PRIVATE KEY-----\n"

#endif
