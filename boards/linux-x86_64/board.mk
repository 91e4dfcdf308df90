# A 64-bit PC, server or virtual machine. Numbers only.
PORT      := linux
TOOLCHAIN := musl-x86_64
