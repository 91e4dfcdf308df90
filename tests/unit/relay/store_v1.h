/*
 * A database as the first release made it: its tables, and its statements
 * with values in them. Never edited: such files exist.
 */
#ifndef TESTS_UNIT_RELAY_STORE_V1_H
#define TESTS_UNIT_RELAY_STORE_V1_H

#define V1_TABLES                                                          \
    "CREATE TABLE fleet ("                                                 \
    "  id TEXT NOT NULL PRIMARY KEY CHECK (length(id) = 36),"              \
    "  slug TEXT NOT NULL UNIQUE,"                                         \
    "  name TEXT NOT NULL,"                                                \
    "  machines INTEGER NOT NULL DEFAULT 0,"                               \
    "  created_ms INTEGER NOT NULL"                                        \
    ") STRICT, WITHOUT ROWID;"                                             \
    "CREATE TABLE person ("                                                \
    "  id TEXT NOT NULL PRIMARY KEY CHECK (length(id) = 36),"              \
    "  name TEXT NOT NULL,"                                                \
    "  created_ms INTEGER NOT NULL"                                        \
    ") STRICT, WITHOUT ROWID;"                                             \
    "CREATE TABLE member ("                                                \
    "  fleet_id TEXT NOT NULL REFERENCES fleet (id) ON DELETE CASCADE,"    \
    "  person_id TEXT NOT NULL REFERENCES person (id) ON DELETE CASCADE,"  \
    "  role TEXT NOT NULL"                                                 \
    "    CHECK (role IN ('owner', 'admin', 'member', 'viewer')),"          \
    "  created_ms INTEGER NOT NULL,"                                       \
    "  PRIMARY KEY (fleet_id, person_id)"                                  \
    ") STRICT, WITHOUT ROWID;"                                             \
    "CREATE TABLE token ("                                                 \
    "  fleet_id TEXT NOT NULL,"                                            \
    "  id TEXT NOT NULL CHECK (length(id) = 36),"                          \
    "  person_id TEXT NOT NULL,"                                           \
    "  label TEXT NOT NULL,"                                               \
    "  hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),"               \
    "  created_ms INTEGER NOT NULL,"                                       \
    "  expires_ms INTEGER NOT NULL,"                                       \
    "  revoked_ms INTEGER NOT NULL DEFAULT 0,"                             \
    "  PRIMARY KEY (fleet_id, id),"                                        \
    "  FOREIGN KEY (fleet_id, person_id)"                                  \
    "    REFERENCES member (fleet_id, person_id) ON DELETE CASCADE"        \
    ") STRICT, WITHOUT ROWID;"                                             \
    "CREATE INDEX token_by_person ON token (fleet_id, person_id);"         \
    "CREATE TABLE joinkey ("                                               \
    "  fleet_id TEXT NOT NULL REFERENCES fleet (id) ON DELETE CASCADE,"    \
    "  id TEXT NOT NULL CHECK (length(id) = 36),"                          \
    "  label TEXT NOT NULL,"                                               \
    "  hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),"               \
    "  uses_max INTEGER NOT NULL,"                                         \
    "  uses INTEGER NOT NULL DEFAULT 0,"                                   \
    "  created_ms INTEGER NOT NULL,"                                       \
    "  expires_ms INTEGER NOT NULL,"                                       \
    "  revoked_ms INTEGER NOT NULL DEFAULT 0,"                             \
    "  PRIMARY KEY (fleet_id, id),"                                        \
    "  CHECK (uses_max = 0 OR uses <= uses_max)"                           \
    ") STRICT, WITHOUT ROWID;"                                             \
    "CREATE INDEX joinkey_by_time ON joinkey (fleet_id, created_ms, id);"  \
    "CREATE TABLE machine ("                                               \
    "  fleet_id TEXT NOT NULL REFERENCES fleet (id) ON DELETE CASCADE,"    \
    "  id TEXT NOT NULL CHECK (length(id) = 36),"                          \
    "  name TEXT NOT NULL,"                                                \
    "  public_key BLOB NOT NULL UNIQUE CHECK (length(public_key) = 32),"   \
    "  hostname TEXT NOT NULL,"                                            \
    "  os TEXT NOT NULL,"                                                  \
    "  os_version TEXT NOT NULL,"                                          \
    "  architecture TEXT NOT NULL,"                                        \
    "  agent_version TEXT NOT NULL,"                                       \
    "  enabled INTEGER NOT NULL DEFAULT 1 CHECK (enabled IN (0, 1)),"      \
    "  joinkey_id TEXT NOT NULL,"                                          \
    "  created_ms INTEGER NOT NULL,"                                       \
    "  last_seen_ms INTEGER NOT NULL,"                                     \
    "  PRIMARY KEY (fleet_id, id)"                                         \
    ") STRICT, WITHOUT ROWID;"                                             \
    "CREATE INDEX machine_by_name ON machine (fleet_id, name, id);"        \
    "CREATE TABLE audit ("                                                 \
    "  id INTEGER PRIMARY KEY,"                                            \
    "  at_ms INTEGER NOT NULL,"                                            \
    "  fleet_id TEXT NOT NULL,"                                            \
    "  actor_kind TEXT NOT NULL,"                                          \
    "  actor TEXT NOT NULL,"                                               \
    "  action TEXT NOT NULL,"                                              \
    "  object TEXT NOT NULL,"                                              \
    "  outcome TEXT NOT NULL,"                                             \
    "  detail TEXT NOT NULL"                                               \
    ") STRICT;"                                                            \
    "CREATE TRIGGER audit_stays BEFORE UPDATE ON audit"                    \
    "  BEGIN SELECT raise(ABORT, 'the audit record is append-only'); END;" \
    "CREATE TRIGGER audit_keeps BEFORE DELETE ON audit"                    \
    "  BEGIN SELECT raise(ABORT, 'the audit record is append-only'); END;" \
    "PRAGMA application_id = 1668113490; PRAGMA user_version = 1;"

#define V1_FLEET   "f1000000-0000-4000-8000-000000000001"
#define V1_PERSON  "a1000000-0000-4000-8000-000000000001"
#define V1_PERSON2 "a2000000-0000-4000-8000-000000000002"
#define V1_PERSON3 "a3000000-0000-4000-8000-000000000003"
#define V1_TOKEN   "b1000000-0000-4000-8000-000000000001"
#define V1_REVOKED "b2000000-0000-4000-8000-000000000002"
#define V1_KEY     "c1000000-0000-4000-8000-000000000001"
#define V1_MACHINE "d1000000-0000-4000-8000-000000000001"
#define V1_SHUT    "d2000000-0000-4000-8000-000000000002"

/* Hashes and keys are 32 times the byte named: x'1111..'. */
#define V1_BYTES(b) \
    "x'" b b b b b b b b b b b b b b b b b b b b b b b b b b b b b b b b "'"

#define V1_ROWS                                                                \
    "INSERT INTO fleet (id, slug, name, machines, created_ms)"                 \
    " VALUES ('" V1_FLEET "', 'home', 'home', 2, 1000);"                       \
    "INSERT INTO person VALUES ('" V1_PERSON "', 'Root', 1000);"               \
    "INSERT INTO person VALUES ('" V1_PERSON2 "', 'root', 1001);"              \
    "INSERT INTO person VALUES ('" V1_PERSON3 "', 'a b', 1002);"               \
    "INSERT INTO member VALUES ('" V1_FLEET "', '" V1_PERSON "',"              \
    " 'owner', 1000);"                                                         \
    "INSERT INTO token (fleet_id, id, person_id, label, hash, created_ms,"     \
    " expires_ms) VALUES ('" V1_FLEET "', '" V1_TOKEN "', '" V1_PERSON "',"    \
    " 'first sign-in', " V1_BYTES(                                             \
        "11") ", 1000, 0);"                                                    \
              "INSERT INTO token (fleet_id, id, person_id, label, hash, "      \
              "created_ms,"                                                    \
              " expires_ms, revoked_ms) VALUES ('" V1_FLEET "', '" V1_REVOKED  \
              "',"                                                             \
              " '" V1_PERSON "', 'old', " V1_BYTES(                            \
                  "22") ", 1000, 0, 2000);"                                    \
                        "INSERT INTO joinkey (fleet_id, id, label, hash, "     \
                        "uses_max, uses,"                                      \
                        " created_ms, expires_ms) VALUES ('" V1_FLEET          \
                        "', '" V1_KEY "', 'lab',"                              \
                        " " V1_BYTES(                                          \
                            "33") ", 5, 2, 1000, 0);"                          \
                                  "INSERT INTO machine (fleet_id, id, name, "  \
                                  "joinkey_id, last_seen_ms,"                  \
                                  " hostname, os, os_version, architecture, "  \
                                  "agent_version, public_key,"                 \
                                  " created_ms) VALUES ('" V1_FLEET            \
                                  "', '" V1_MACHINE "', 'web',"                \
                                  " '" V1_KEY "', 4000, 'web-1', 'linux', "    \
                                  "'12', 'x86_64', '0.1.0',"                   \
                                  " " V1_BYTES(                                \
                                      "44") ", 3000);"                         \
                                            "INSERT INTO machine (fleet_id, "  \
                                            "id, name, joinkey_id, "           \
                                            "last_seen_ms,"                    \
                                            " hostname, os, os_version, "      \
                                            "architecture, agent_version, "    \
                                            "public_key,"                      \
                                            " created_ms, enabled) VALUES "    \
                                            "('" V1_FLEET "', '" V1_SHUT       \
                                            "', 'shut',"                       \
                                            " '" V1_KEY                        \
                                            "', 4000, 'shut-1', 'linux', "     \
                                            "'12', 'x86_64', '0.1.0',"         \
                                            " " V1_BYTES(                      \
                                                "55") ", 3000, 0);"            \
                                                      "INSERT INTO audit "     \
                                                      "(at_ms, fleet_id, "     \
                                                      "actor_kind, actor, "    \
                                                      "action,"                \
                                                      " object, outcome, "     \
                                                      "detail) VALUES (1000, " \
                                                      "'" V1_FLEET             \
                                                      "', 'relay', '',"        \
                                                      " 'fleet.make', "        \
                                                      "'" V1_FLEET             \
                                                      "', 'done', '" V1_PERSON \
                                                      "');"

#endif
