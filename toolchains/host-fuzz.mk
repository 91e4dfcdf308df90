# clang with libFuzzer and sanitizers. Libraries are instrumented too: their
# branches guide the search. Only tests/fuzz links with the fuzzer's main.
CC          := clang
AR          := ar
OBJCOPY     := objcopy
SIZE        := size
LIB_CFLAGS  := -g -O1 -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address
CHECKED     := yes
TC_CFLAGS   := -O1 -g -fno-omit-frame-pointer \
               -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
TC_LDFLAGS  := -fsanitize=fuzzer,address,undefined
