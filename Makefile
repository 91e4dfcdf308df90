# cmdop: one Makefile, no recursion. `make help` lists the targets.
#
#   BOARD=x    reads boards/x/board.mk (PORT, TOOLCHAIN), then that toolchain
#   V=1        shows the commands
#   T=ring     runs only the tests whose path contains that
#
# A variant is a folder of build/ with its own toolchain: the board's, host-asan
# (tests), host-fuzz and host-fast (many simulations). All compile the same
# sources by the same rules.

ifneq ($(words $(CURDIR)),1)
$(error "$(CURDIR)" has blanks in it, and neither make nor the libraries can be built there: move the folder)
endif

BOARD ?= linux-x86_64
include boards/$(BOARD)/board.mk

# --- what is linked into what ------------------------------------------------

ROOMS      := base codec crypto transport core keeper agent cli relay
ROOMS_edge := base codec crypto transport core keeper agent cli
ROOMS_full := $(ROOMS_edge) relay
LIBS_edge  := nghttp2 bearssl nanopb sodium llhttp
LIBS_full  := $(LIBS_edge) sqlite3 yaml
PROFILES   := edge full

# A room and those it may use; a unit test links no more than this.
BELOW_base      := base
BELOW_codec     := codec crypto base
BELOW_crypto    := $(BELOW_codec)
BELOW_transport := transport $(BELOW_codec)
BELOW_core      := core $(BELOW_transport)
BELOW_keeper    := keeper $(BELOW_core)
BELOW_agent     := agent $(BELOW_core)
BELOW_cli       := cli $(BELOW_core)
BELOW_relay     := relay $(BELOW_core)

# --- how --------------------------------------------------------------------

comma    := ,
VERSION  := $(shell cat VERSION)
WARNINGS := -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wswitch-enum -Wvla \
            -Wmissing-prototypes -Werror
CFLAGS   := -std=c11 $(WARNINGS) -ffunction-sections -fdata-sections \
            -ffile-prefix-map=$(CURDIR)=. -iquote src -iquote . -iquote boards/$(BOARD)

# src/ is portable C11; ports and tests may ask the system for all it has.
# What waits for people is made small. Generated messages are nobody's handwriting.
only_for = $(if $(filter port/% tests/%,$1),-D_GNU_SOURCE) \
           $(if $(filter tests/%,$1),-Itests) \
           $(if $(filter src/cli/% src/agent/% src/main/%,$1),-Os) \
           $(if $(filter src/main/%,$1),-DCMDOP_VERSION='"$(VERSION)"') \
           $(if $(filter %.pb.c,$1),-w)

Q   := $(if $(V),,@)
say  = $(if $(V),,@printf '  %-6s %s\n' $1 $2)
FUZZ_SECONDS ?= 60

MAKEFLAGS += --no-builtin-rules
ifeq ($(words $(MAKECMDGOALS)),$(words $(firstword $(MAKECMDGOALS))))
MAKEFLAGS += -j$(shell nproc)
else
.NOTPARALLEL:
endif
.DEFAULT_GOAL := all
.SUFFIXES:
.DELETE_ON_ERROR:
.SECONDARY:

# --- variants: $1 folder under build/, $2 toolchain ---------------------------

define variant
MUSL_TARGET :=
MUSL_CC     :=
LIB_CFLAGS  :=
CHECKED     :=
DEPS        := build/$1/deps
include toolchains/$2.mk
CC_$1      := $$(CC)
AR_$1      := $$(AR)
OBJCOPY_$1 := $$(OBJCOPY)
SIZE_$1    := $$(SIZE)
CFLAGS_$1  := $(CFLAGS) -isystem build/$1/deps/include $$(TC_CFLAGS)
LDFLAGS_$1 := $$(TC_LDFLAGS) -Lbuild/$1/deps/lib

build/$1/deps/ok: deps.lock tools/deps $(wildcard tools/deps.d/*) toolchains/$2.mk
	$$(Q)tools/deps fetch
	$$(Q)tools/deps build $1
	$$(Q)touch $$@

build/$1/obj/%.o: %.c build/$1/deps/ok Makefile toolchains/$2.mk boards/$(BOARD)/board.mk
	$$(call say,CC,$$@)
	$$(Q)mkdir -p $$(@D)
	$$(Q)$$(CC_$1) $$(CFLAGS_$1) $$(call only_for,$$<) -MMD -MP -c -o $$@ $$<

$(PROFILES:%=build/$1/obj/src/main/%.o): VERSION
endef

VARIANTS := $(sort $(BOARD) host-asan host-fuzz host-fast)
$(foreach v,host-asan host-fuzz host-fast,$(eval $(call variant,$v,$v)))
ifeq ($(filter $(BOARD),host-asan host-fuzz host-fast),)
$(eval $(call variant,$(BOARD),$(TOOLCHAIN)))
endif
-include $(shell find $(wildcard $(VARIANTS:%=build/%/obj)) /dev/null -type f -name '*.d')

objects  = $(patsubst %.c,build/$1/obj/%.o,$(foreach d,$2,$(wildcard $d/*.c)))
# Of libraries the linker takes what is asked for; they ask each other, and libc.
libs     = -Wl,--start-group $(addprefix -l,$1) -Wl,--end-group
files_in = $(if $(wildcard $1),$(shell find $1 -name '$2' | LC_ALL=C sort))
picked   = $(if $(T),$(foreach f,$1,$(if $(findstring $(T),$f),$f)),$1)

.PHONY: all
## the programs of this board, edge and full (the default)
all: $(PROFILES:%=build/$(BOARD)/%/cmdop)

# --- programs: $1 variant, $2 profile, $3 folder, $4 more sources, $5 link flags ---
# Folders are prerequisites too, so that a removed source is noticed. With
# sanitizers the symbols stay in, for their reports.

# The kernel maps sixteen pages of a program around the one that is needed. What
# a keeper needs that sleeps lies together, at the front, with what it needs of
# libc: so it holds few.
ASLEEP := src/keeper src/base port/$(PORT)
asleep  = $(call objects,$1,$(ASLEEP)) $(patsubst %,build/$1/obj/src/%.o,core/hold transport/loop)

define program
build/$1/$3/cmdop.whole: $(call asleep,$1) $(call objects,$1,$(ROOMS_$2:%=src/%)) \
        build/$1/obj/src/main/$2.o $(patsubst %.c,build/$1/obj/%.o,$4) \
        $(wildcard $(ROOMS_$2:%=src/%) port/$(PORT))
	$$(call say,LINK,$$@)
	$$(Q)mkdir -p $$(@D)
	$$(Q)$$(CC_$1) -o $$@ $(patsubst %.c,build/$1/obj/%.o,$4) $$(filter $(call asleep,$1),$$^) -lc \
	        $$(filter-out $(call asleep,$1) $(patsubst %.c,build/$1/obj/%.o,$4),$$(filter %.o,$$^)) $$(LDFLAGS_$1) -Wl,-Map=$$(@D)/cmdop.map $5 \
	        $(call libs,$(LIBS_$2))

build/$1/$3/cmdop: build/$1/$3/cmdop.whole
	$(if $(filter host-%,$1),$$(Q)ln -f $$< $$@,$$(Q)$$(OBJCOPY_$1) --only-keep-debug $$< $$@.debug && \
	        $$(OBJCOPY_$1) --strip-all --add-gnu-debuglink=$$@.debug $$< $$@)
endef

$(foreach p,$(PROFILES),$(eval $(call program,$(BOARD),$p,$p)))
$(eval $(call program,$(BOARD),edge,nomalloc,tests/system/nomalloc.c,-Wl$(comma)--wrap=arena_seal))
ifneq ($(BOARD),host-asan)
$(eval $(call program,host-asan,full,full))
endif

# Many machines in one process, for the bench: tools/bench.d/crowd.c.
build/$(BOARD)/bench/crowd: $(call objects,$(BOARD),$(BELOW_core:%=src/%) port/$(PORT)) \
        build/$(BOARD)/obj/tools/bench.d/crowd.o
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC_$(BOARD)) -o $@ $(filter %.o,$^) $(LDFLAGS_$(BOARD)) $(call libs,$(LIBS_edge))

.PHONY: asan nomalloc
## the full program with sanitizers: build/host-asan/full/cmdop
asan: build/host-asan/full/cmdop

## the edge program in which malloc after start aborts: build/BOARD/nomalloc/cmdop
nomalloc: build/$(BOARD)/nomalloc/cmdop

# --- libraries we rest on ------------------------------------------------------

.PHONY: deps deps-lock deps-bundle licenses
## fetch, verify and build the libraries of deps.lock, for the board and for tests
deps: build/$(BOARD)/deps/ok build/host-asan/deps/ok

## write deps.lock anew from this machine's Debian suite, showing the difference
deps-lock:
	$(Q)tools/deps lock

## copy the fetched packages to FOLDER=..., for DEPS_DIR=... on a machine without network
deps-bundle:
	$(if $(FOLDER),,$(error say where to: make deps-bundle FOLDER=...))
	$(Q)tools/deps bundle "$(FOLDER)"

## the licences of all libraries, in build/LICENSES.txt
licenses:
	$(Q)tools/deps fetch
	$(Q)tools/deps licenses > build/LICENSES.txt && echo build/LICENSES.txt

# --- generated messages ----------------------------------------------------------

.PHONY: proto
## generate src/codec/*.pb.[ch] from proto/ (committed; check compares)
proto:
	$(Q)tools/deps fetch
	$(Q)tools/proto src/codec

# --- tests -----------------------------------------------------------------------
# Each stage writes its lines "ok NAME" or "not ok NAME" to build/test.log.

UNIT    := $(call picked,$(call files_in,tests/unit,*_test.c))
PROP    := $(call picked,$(call files_in,tests/prop,*_test.c))
SIM     := $(call picked,$(call files_in,tests/sim,*_test.c))
FUZZ    := $(call picked,$(wildcard tests/fuzz/*_fuzz.c))
SYSTEM  := $(call picked,$(wildcard tests/system/*.sh))
CHECKS  := $(call picked,$(wildcard tools/check-*))
bin      = $(patsubst tests/%.c,build/$1/%,$2)
room_of  = $(filter $(ROOMS),$(word 3,$(subst /, ,$1)))
rooms_of = $(or $(BELOW_$(call room_of,$1)),$(ROOMS))

# Archives: one per room and port; helpers of a stage are its sources that are
# no test, those of tests/support serve every stage.
define archive
build/$1/lib/$2.a: $(call objects,$1,$3) $(wildcard $3)
	$$(Q)mkdir -p $$(@D) && rm -f $$@ && $$(AR_$1) rcsD $$@ $$(filter %.o,$$^)
endef
helpers = $(filter-out %_test.c %_fuzz.c tests/fuzz/replay.c,$(call files_in,tests/$1,*.c))
define helper_archive
build/$1/lib/tests-$2.a: $(patsubst %.c,build/$1/obj/%.o,$(call helpers,$2))
	$$(Q)mkdir -p $$(@D) && rm -f $$@ && $$(AR_$1) rcsD $$@ $$(filter %.o,$$^)
endef
$(foreach v,host-asan host-fuzz, \
    $(foreach r,$(ROOMS),$(eval $(call archive,$v,$r,src/$r))) \
    $(foreach p,$(sort $(PORT) sim),$(eval $(call archive,$v,port-$p,port/$p))) \
    $(foreach s,unit prop sim fuzz support,$(eval $(call helper_archive,$v,$s))))
$(foreach r,$(ROOMS),$(eval $(call archive,host-fast,$r,src/$r)))
$(eval $(call archive,host-fast,port-sim,port/sim))
$(foreach s,sim support,$(eval $(call helper_archive,host-fast,$s)))

# $1 variant, $2 source, $3 rooms, $4 port, $5 more objects and archives, $6 more libraries
define test_program
$(call bin,$1,$2): build/$1/obj/$(2:.c=.o) $5 build/$1/lib/tests-support.a \
        $(patsubst %,build/$1/lib/%.a,$3 port-$4)
	$$(call say,LINK,$$@)
	$$(Q)mkdir -p $$(@D)
	$$(Q)$$(CC_$1) -o $$@ $$(filter %.o,$$^) -Wl,--start-group $$(filter %.a,$$^) -Wl,--end-group \
	        $$(LDFLAGS_$1) $(call libs,$(LIBS_full)) $6 -lm
endef
# tests/sim/pools.c looks into programs from where they begin to turn.
SIM_WRAP = -Wl,--wrap=relay_run -Wl,--wrap=app_run
asan_lib = build/host-asan/lib/tests-$1.a
$(foreach t,$(UNIT),$(eval $(call test_program,host-asan,$t,$(call rooms_of,$t),$(PORT),$(call asan_lib,unit),-lcmocka)))
$(foreach t,$(PROP),$(eval $(call test_program,host-asan,$t,$(call rooms_of,$t),$(PORT),$(call asan_lib,prop),-lcmocka)))
$(foreach t,$(SIM),$(eval $(call test_program,host-asan,$t,$(ROOMS),sim,$(call asan_lib,sim),-lcmocka $(SIM_WRAP))))
$(foreach t,$(FUZZ),$(eval $(call test_program,host-fuzz,$t,$(ROOMS),$(PORT),build/host-fuzz/lib/tests-fuzz.a)))
$(foreach t,$(FUZZ),$(eval $(call test_program,host-asan,$t,$(ROOMS),$(PORT),build/host-asan/obj/tests/fuzz/replay.o $(call asan_lib,fuzz))))

$(eval $(call test_program,host-fast,tests/sim/schedule_test.c,$(ROOMS),sim,build/host-fast/lib/tests-sim.a,-lcmocka $(SIM_WRAP)))

UNIT_BIN   := $(call bin,host-asan,$(UNIT))
PROP_BIN   := $(call bin,host-asan,$(PROP))
SIM_BIN    := $(call bin,host-asan,$(SIM))
REPLAY_BIN := $(call bin,host-asan,$(FUZZ))
FUZZ_BIN   := $(call bin,host-fuzz,$(FUZZ))
SYSTEM_BIN := all build/host-asan/full/cmdop \
              $(if $(wildcard tests/system/nomalloc.c),build/$(BOARD)/nomalloc/cmdop)
# What is run by hand only must build all the same.
HAND_BIN   := build/host-fast/sim/schedule_test build/$(BOARD)/bench/crowd

run_check  := tools/tally run check '"$$1"' $(CHECKS)
run_unit   := tools/tally run unit '"$$1"' $(UNIT_BIN)
run_prop   := tools/tally run prop '"$$1"' $(PROP_BIN)
run_sim    := tools/tally run sim '"$$1"' $(SIM_BIN)
run_replay := tools/tally run fuzz 'c=tests/fuzz/corpus/$$(basename "$$1" _fuzz); \
                  find "$$c" -type f | grep -q . || { echo "$$c holds no inputs"; exit 1; }; \
                  find "$$c" -type f -print0 | xargs -0 "$$1"' $(REPLAY_BIN)
run_system := BUILD=build/$(BOARD) CMDOP=$(CURDIR)/build/$(BOARD)/full/cmdop \
                  tools/tally run system 'tests/system/run "$$1"' $(SYSTEM)
run_strict := BUILD=build/$(BOARD) CMDOP=$(CURDIR)/build/host-asan/full/cmdop \
                  tools/tally run system-asan 'tests/system/run "$$1"' $(SYSTEM)

.PHONY: schedules check unit prop sim fuzz fuzz-replay system system-asan test
## the checkers, tools/check-*: includes, generated files, ...
check: ; $(Q)$(run_check)

## unit tests, with sanitizers
unit: $(UNIT_BIN) ; $(Q)$(run_unit)

## property tests against naive models, with sanitizers
prop: $(PROP_BIN) ; $(Q)$(run_prop)

## agent, relay and tool in one process on the simulated port
sim: $(SIM_BIN) ; $(Q)$(run_sim)

N ?= 10000
## N (10000) random schedules of the simulated town, on all processors, no sanitizers
schedules: build/host-fast/sim/schedule_test ; $(Q)tools/schedules $< $(N)

## fuzz every decoder for FUZZ_SECONDS each (60), with clang; new inputs go to build/fuzz
fuzz: $(FUZZ_BIN)
	$(if $(FUZZ),,$(error there are no tests/fuzz/*_fuzz.c))
	$(Q)for t in $(FUZZ_BIN); do n=$$(basename $$t _fuzz); \
	    mkdir -p build/fuzz/$$n tests/fuzz/corpus/$$n; echo "fuzz $$n"; \
	    $$t -max_total_time=$(FUZZ_SECONDS) -print_final_stats=1 -verbosity=0 \
	        -artifact_prefix=build/fuzz/$$n- build/fuzz/$$n tests/fuzz/corpus/$$n || exit 1; \
	done

## replay the corpus of every fuzz target, with sanitizers
fuzz-replay: $(REPLAY_BIN) ; $(Q)$(run_replay)

## shell tests against the real programs
system: $(SYSTEM_BIN)
	$(call there,tests/system/run)
	$(Q)$(run_system)

## the same with sanitizers in the programs
system-asan: $(SYSTEM_BIN) ; $(Q)$(run_strict)

.PHONY: kills
## N random kills (1000) of agent, relay and tool, alone; SEED=n repeats a schedule
kills: all ; $(Q)KILLS=$(or $(N),1000) LIMIT=7200 BUILD=build/$(BOARD) tests/system/run tests/system/kills.sh

## every test; the last line is the total
test: $(UNIT_BIN) $(PROP_BIN) $(SIM_BIN) $(REPLAY_BIN) $(SYSTEM_BIN) $(HAND_BIN)
	$(Q)tools/tally begin
	-$(Q)$(run_check)
	-$(Q)$(run_unit)
	-$(Q)$(run_prop)
	$(if $(SIM),-$(Q)$(run_sim))
	-$(Q)$(run_replay)
	-$(Q)$(run_system)
	-$(Q)$(run_strict)
	$(Q)tools/tally total

# --- numbers, looks, installing -----------------------------------------------------

OURS  = $(filter-out %.pb.c %.pb.h,$(call files_in,$(wildcard src port boards tests),*.[ch]))
there = @test -x $1 || { echo "make $@: $1 is not there yet" >&2; exit 1; }

.PHONY: size bench memory run fmt lint install clean distclean help
## bytes per room and per library, one JSON line for each profile
size: all
	$(Q)for p in $(PROFILES); do \
	    tools/mapsize $$p build/$(BOARD)/$$p/cmdop build/$(BOARD)/$$p/cmdop.map || exit 1; done

## measure against OpenSSH and ourselves
bench: all build/$(BOARD)/bench/crowd
	$(call there,tools/bench)
	$(Q)tools/bench

## bytes by module, worst stack by function
memory: all
	$(call there,tools/memory)
	$(Q)BUILD=build/$(BOARD) tools/memory

## a relay and an agent on this machine, to try things out
run: all
	$(call there,tools/demo)
	$(Q)BUILD=build/$(BOARD) tools/demo

## put our C sources into the one format
fmt:
	$(Q)$(if $(OURS),clang-format -i $(OURS),echo "nothing to format")

## formatting, clang-tidy and cppcheck, as errors
lint: build/host-asan/deps/ok
	$(if $(OURS),,$(error there are no sources yet))
	$(Q)clang-format --dry-run --Werror $(OURS)
	$(Q)cppcheck --quiet --error-exitcode=1 --inline-suppr --std=c11 --enable=warning,portability \
	    --suppress=missingIncludeSystem --suppress='*:*/deps/include/*' --suppress=varFuncNullUB -Isrc -I. -Iboards/$(BOARD) \
	    $(filter src/%.c port/%.c,$(OURS))
	$(Q)clang-tidy --quiet --warnings-as-errors='*' --checks='-*,clang-analyzer-*,bugprone-*,$(strip \
	    )-bugprone-easily-swappable-parameters,-bugprone-reserved-identifier,$(strip \
	    )-bugprone-implicit-widening-of-multiplication-result,-clang-analyzer-valist.Uninitialized,$(strip \
	    )-clang-analyzer-security.insecureAPI.DeprecatedOrUnsafeBufferHandling' \
	    $(filter src/%.c port/linux/%.c,$(OURS)) -- -std=c11 -D_GNU_SOURCE -iquote src -iquote . \
	    -Iboards/$(BOARD) -isystem build/host-asan/deps/include -DCMDOP_VERSION='"$(VERSION)"'

PREFIX  ?= /usr/local
PROFILE ?= full
## copy the program and man pages below DESTDIR and PREFIX; PROFILE=edge for the small one
install: build/$(BOARD)/$(PROFILE)/cmdop
	$(Q)install -d "$(DESTDIR)$(PREFIX)/bin"
	$(Q)install -m 755 $< "$(DESTDIR)$(PREFIX)/bin/cmdop"
	$(Q)for m in $(wildcard docs/man/*.[1-8]); do \
	    d="$(DESTDIR)$(PREFIX)/share/man/man$${m##*.}"; \
	    install -d "$$d" && install -m 644 $$m "$$d/" || exit 1; done

## remove what was built, keep the libraries
clean:
	$(Q)for d in build/*; do case $$d in build/deps) ;; \
	    *) if [ -d $$d/deps ]; then find $$d -mindepth 1 -maxdepth 1 ! -name deps -exec rm -rf {} +; \
	       else rm -rf $$d; fi ;; esac; done

## remove everything, the libraries too
distclean:
	$(Q)rm -rf build

## this list
help:
	@awk '/^## /{text = substr($$0, 4)} /^[a-z-]+:/{ if (text != "") \
	    { sub(/:.*/, ""); printf "  %-12s %s\n", $$0, text }; text = "" }' Makefile
