/* Objects:                      Lists of objects:
 *
 *     packets          1200         label        flows  bytes
 *     flows                         news            12  34567
 *       created          34         video            2      1
 *
 * Numbers stand to the right, words to the left; columns are as wide as their widest cell. */
#include "daemon/ctl_text.h"

#include <ctype.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS_MAX = 32, INDENT = 2, NAME_WIDTH_MAX = 40 };

static bool is_scalar(const cJSON *value)
{
    return !cJSON_IsObject(value) && !cJSON_IsArray(value);
}

static bool all_scalars(const cJSON *list)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, list) if (!is_scalar(item)) return false;
    return true;
}

static bool all_objects(const cJSON *list)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, list) if (!cJSON_IsObject(item)) return false;
    return cJSON_GetArraySize(list) > 0;
}

static void make_printable(char *text)
{
    for (; *text != '\0'; text++)
        if (iscntrl((unsigned char)*text))
            *text = '?';
}

void ctl_text_cell(const cJSON *value, char *cell)
{
    if (value == NULL || cJSON_IsNull(value))
        (void)snprintf(cell, CTL_CELL_MAX, "-");
    else if (cJSON_IsBool(value))
        (void)snprintf(cell, CTL_CELL_MAX, "%s", cJSON_IsTrue(value) ? "yes" : "no");
    else if (cJSON_IsString(value))
        (void)snprintf(cell, CTL_CELL_MAX, "%s", value->valuestring);
    else if (cJSON_IsNumber(value) && fabs(value->valuedouble) < 1e15 &&
             value->valuedouble == floor(value->valuedouble))
        (void)snprintf(cell, CTL_CELL_MAX, "%.0f", value->valuedouble);
    else if (cJSON_IsNumber(value))
        (void)snprintf(cell, CTL_CELL_MAX, "%.6g", value->valuedouble);
    else if (all_scalars(value))
        (void)snprintf(cell, CTL_CELL_MAX, "[%d]", cJSON_GetArraySize(value));
    else
        (void)snprintf(cell, CTL_CELL_MAX, "{%d}", cJSON_GetArraySize(value));
    make_printable(cell);
}

void ctl_text_amount(double amount, char *text)
{
    static const char prefixes[] = "KMGTPE";
    const char *prefix = prefixes;

    if (amount < 1000) {
        (void)snprintf(text, CTL_AMOUNT_MAX, "%.0f", amount);
        return;
    }
    for (amount /= 1000; amount >= 999.95 && prefix[1] != '\0'; amount /= 1000)
        prefix++;
    (void)snprintf(text, CTL_AMOUNT_MAX, "%.1f%c", amount, *prefix);
}

struct table {
    int n_columns;
    const char *names[COLUMNS_MAX]; /* keys, in order of first appearance */
    int widths[COLUMNS_MAX];
    bool numeric[COLUMNS_MAX]; /* every cell is a number */
};

static int column_find(struct table *table, const char *name)
{
    for (int i = 0; i < table->n_columns; i++)
        if (strcmp(table->names[i], name) == 0)
            return i;
    if (table->n_columns == COLUMNS_MAX)
        return -1;
    table->names[table->n_columns] = name;
    table->widths[table->n_columns] = (int)strlen(name);
    table->numeric[table->n_columns] = true;
    return table->n_columns++;
}

static void table_measure(struct table *table, const cJSON *rows)
{
    char cell[CTL_CELL_MAX];
    const cJSON *row;
    const cJSON *value;

    cJSON_ArrayForEach(row, rows)
    {
        cJSON_ArrayForEach(value, row)
        {
            int column = column_find(table, value->string);
            int width;

            if (column < 0)
                continue;
            ctl_text_cell(value, cell);
            width = (int)strlen(cell);
            if (width > table->widths[column])
                table->widths[column] = width;
            table->numeric[column] = table->numeric[column] && cJSON_IsNumber(value);
        }
    }
}

static void table_row(FILE *to, const struct table *table, const cJSON *row, int indent)
{
    char cell[CTL_CELL_MAX];

    (void)fprintf(to, "%*s", indent, "");
    for (int i = 0; i < table->n_columns; i++) {
        int width = i + 1 < table->n_columns || table->numeric[i] ? table->widths[i] : 0;

        if (row == NULL)
            (void)snprintf(cell, sizeof cell, "%s", table->names[i]);
        else
            ctl_text_cell(cJSON_GetObjectItemCaseSensitive(row, table->names[i]), cell);
        (void)fprintf(to, table->numeric[i] ? "%*s" : "%-*s", width, cell);
        (void)fputs(i + 1 < table->n_columns ? "  " : "\n", to);
    }
}

static void print_table(FILE *to, const cJSON *rows, int indent)
{
    struct table table = {0};
    const cJSON *row;

    table_measure(&table, rows);
    table_row(to, &table, NULL, indent);
    cJSON_ArrayForEach(row, rows) table_row(to, &table, row, indent);
}

static void print_value(FILE *to, const cJSON *value, int indent);

static int names_width(const cJSON *object)
{
    const cJSON *item;
    int width = 0;

    cJSON_ArrayForEach(item, object)
    {
        int length = (int)strlen(item->string);

        if (length > width && length <= NAME_WIDTH_MAX)
            width = length;
    }
    return width;
}

static void print_object(FILE *to, const cJSON *object, int indent)
{
    int width = names_width(object);
    char cell[CTL_CELL_MAX];
    const cJSON *item;

    cJSON_ArrayForEach(item, object)
    {
        if (is_scalar(item)) {
            ctl_text_cell(item, cell);
            (void)fprintf(to, "%*s%-*s  %s\n", indent, "", width, item->string, cell);
        } else if (cJSON_GetArraySize(item) == 0) {
            (void)fprintf(to, "%*s%-*s  none\n", indent, "", width, item->string);
        } else {
            (void)fprintf(to, "%*s%s\n", indent, "", item->string);
            print_value(to, item, indent + INDENT);
        }
    }
}

static void print_value(FILE *to, const cJSON *value, int indent)
{
    char cell[CTL_CELL_MAX];
    const cJSON *item;

    if (cJSON_IsObject(value)) {
        print_object(to, value, indent);
    } else if (cJSON_IsArray(value) && all_objects(value)) {
        print_table(to, value, indent);
    } else if (cJSON_IsArray(value)) {
        cJSON_ArrayForEach(item, value) print_value(to, item, indent);
    } else {
        ctl_text_cell(value, cell);
        (void)fprintf(to, "%*s%s\n", indent, "", cell);
    }
}

void ctl_text_print(FILE *to, const cJSON *value)
{
    print_value(to, value, 0);
}
