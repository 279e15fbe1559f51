/* One line: what is read is written, read and written again as the same text, within the room for a line. */
#include <stdlib.h>
#include <string.h>

#include "flowtrack/record_json.h"
#include "tests/fuzz/fuzz.h"

static void check(bool right)
{
    if (!right)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static char line[RECORD_JSON_MAX], again[RECORD_JSON_MAX];
    struct record record, back;
    struct error err = {0};
    unsigned cut;
    size_t length, length_again;
    int kind = record_json_read(&record, (const char *)bytes, size, &cut, &err);

    check((kind < 0) == (err.text[0] != '\0'));
    if (kind != RECORD_JSON_RECORD)
        return 0;
    length = record_json_write(line, &record);
    check(length <= sizeof line && memchr(line, '\n', length) == line + length - 1);
    check(record_json_read(&back, line, length - 1, &cut, &err) == RECORD_JSON_RECORD && cut == 0);
    length_again = record_json_write(again, &back);
    check(length == length_again && memcmp(line, again, length) == 0);
    return 0;
}
