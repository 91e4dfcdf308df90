# The machine's own compiler and C library, optimized and without sanitizers:
# for simulations in great number. The libraries keep their assertions.
CC          := gcc
AR          := ar
OBJCOPY     := objcopy
SIZE        := size
LIB_CFLAGS  := -g -O2
CHECKED     := yes
TC_CFLAGS   := -O2 -g
TC_LDFLAGS  :=
