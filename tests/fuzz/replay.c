/* SPDX-License-Identifier: MIT */
/*
 * replay - a fuzz target's corpus as a plain test: each file of the folders given is one input. No fuzzer needed.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static int
replay(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t *bytes = NULL;
    size_t len = 0, room = 0, got = 1;

    if (file == NULL) {
        perror(path);
        return 1;
    }
    while (got > 0) {
        if (len == room) {
            room = 2 * room + 4096;
            bytes = realloc(bytes, room);
            if (bytes == NULL)
                abort();
        }
        got = fread(bytes + len, 1, room - len, file);
        len += got;
    }
    fclose(file);
    /* Exactly as long as the input, so that reading past its end is seen. */
    bytes = realloc(bytes, len != 0 ? len : 1);
    if (bytes == NULL)
        abort();
    LLVMFuzzerTestOneInput(bytes, len);
    free(bytes);
    return 0;
}

int
main(int argc, char **argv)
{
    int passed = 0, failed = 0;

    for (int i = 1; i < argc; i++) {
        DIR *folder = opendir(argv[i]);
        struct dirent *entry;
        char path[4096];

        if (folder == NULL) {
            perror(argv[i]);
            return 1;
        }
        while ((entry = readdir(folder)) != NULL) {
            if (entry->d_name[0] == '.')
                continue;
            snprintf(path, sizeof path, "%s/%s", argv[i], entry->d_name);
            if (replay(path) == 0)
                passed++;
            else
                failed++;
        }
        closedir(folder);
    }
    printf("%d passed, %d failed\n", passed, failed);
    return passed == 0 || failed != 0;
}
