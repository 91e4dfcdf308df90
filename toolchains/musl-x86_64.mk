# x86_64 Linux, everything static, on a musl we build ourselves.
# tools/deps makes $(DEPS)/bin/musl-gcc out of MUSL_CC before anything else.
# No unwind tables: debuggers find frames in cmdop.debug, the program needs none.
LEAN        := -fno-pie -fno-unwind-tables -fno-asynchronous-unwind-tables
MUSL_TARGET := x86_64-linux-musl
MUSL_CC     := gcc
MUSL_CFLAGS := -fno-pie
CC          := $(DEPS)/bin/musl-gcc
AR          := ar
OBJCOPY     := objcopy
SIZE        := size
LIB_CFLAGS  := -g1 $(LEAN)
TC_CFLAGS   := -O2 -g -fstack-usage $(LEAN)
TC_LDFLAGS  := -static -no-pie -Wl,--gc-sections -Wl,--fatal-warnings \
               -Wl,-z,noseparate-code -Wl,-z,max-page-size=4096 \
               -Wl,-z,relro -Wl,-z,now
