# The machine's own compiler and C library with sanitizers: tests run here.
# The libraries are built without them, but with their assertions on.
CC          := gcc
AR          := ar
OBJCOPY     := objcopy
SIZE        := size
LIB_CFLAGS  := -g -O1 -fno-omit-frame-pointer
CHECKED     := yes
TC_CFLAGS   := -O1 -g -fno-omit-frame-pointer \
               -fsanitize=address,undefined -fno-sanitize-recover=all
TC_LDFLAGS  := -fsanitize=address,undefined
