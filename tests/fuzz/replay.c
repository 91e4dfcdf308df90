/*
 * Gives the files of a corpus to a fuzz target, one after the other, without
 * libFuzzer: what a fuzzer found once is a test for ever.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (f == NULL || fseek(f, 0, SEEK_END) != 0) {
        perror(path);
        return 1;
    }
    long len = ftell(f);
    rewind(f);
    /* Exactly as large as the input, so that a read beyond it is seen. */
    uint8_t *data = malloc(len > 0 ? (size_t)len : 1);
    size_t got = data == NULL ? 0 : fread(data, 1, (size_t)len, f);
    fclose(f);
    if (data == NULL || got != (size_t)len) {
        perror(path);
        free(data);
        return 1;
    }
    LLVMFuzzerTestOneInput(data, got);
    free(data);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fputs("no inputs: the corpus is empty\n", stderr);
        return 1;
    }
    for (int i = 1; i < argc; i++)
        if (replay(argv[i]) != 0)
            return 1;
    printf("%d inputs\n", argc - 1);
    return 0;
}
