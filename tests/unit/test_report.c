/* The page: everything from data stays text, nothing is fetched, sections come and go with their matter. */
#include "core/learn/report.h"

#include <errno.h>
#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/learn/chart.h"
#include "core/learn/html.h"
#include "core/learn/learn.h"
#include "tests/unit/flows.h"
#include "tests/unit/unit.h"

static const char hostile[] = "<script>alert('x')</script>\"&";
static const char hostile_label[] = "<b onclick='x'>\"&"; /* a folder's name has no slash */
static const char flowtree[] = SOURCE_ROOT "/etc/trees/flowtree.json";

static char *read_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    char *text = flows_alloc(1 << 20, 1);

    ck_assert_ptr_nonnull(file);
    ck_assert_uint_lt(fread(text, 1, (1 << 20) - 1, file), (1 << 20) - 1);
    fclose(file);
    return text;
}

static char *escaped(const char *text)
{
    char *result;
    size_t size;
    FILE *file = open_memstream(&result, &size);

    html_text(file, text);
    fclose(file);
    return result;
}

START_TEST(text_stays_text)
{
    static const struct {
        const char *text, *expected;
    } cases[] = {
        {"plain", "plain"},
        {"<a href=\"x\">&'", "&lt;a href=&quot;x&quot;&gt;&amp;&#39;"},
        {"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80",
         "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80"},
        {"\x01\x7f", "\xef\xbf\xbd\xef\xbf\xbd"},
        {"a\xff z", "a\xef\xbf\xbd z"},
        {"cut \xe2\x82", "cut \xef\xbf\xbd\xef\xbf\xbd"},
        {"\xc0\xbc", "\xef\xbf\xbd\xef\xbf\xbd"},                 /* overlong < */
        {"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"}, /* surrogate */
        {NULL, ""},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *text = escaped(cases[i].text);

        ck_assert_str_eq(text, cases[i].expected);
        free(text);
    }
}
END_TEST

START_TEST(a_chart_breaks_its_line_where_there_is_no_number)
{
    const double x[] = {0, 1, 2, 3}, y[] = {0, NAN, 1, 2};
    const struct chart_series series = {.name = "a<b", .n = 4, .x = x, .y = y};
    const struct chart chart = {.title = "t",
                                .x_label = "x",
                                .y_label = "y",
                                .x_max = 3,
                                .y_max = 2,
                                .mark = NAN,
                                .n_series = 1,
                                .series = &series};
    const char *path;
    char *text;
    size_t size;
    FILE *file = open_memstream(&text, &size);

    chart_write(file, &chart);
    fclose(file);
    path = strstr(text, "class=\"line s0\" d=\"");
    ck_assert_ptr_nonnull(path);
    path += strlen("class=\"line s0\" d=\"");
    ck_assert_int_eq(path[0], 'M');
    ck_assert_ptr_nonnull(strchr(path + 1, 'M'));
    ck_assert_ptr_null(strstr(text, "nan"));
    ck_assert_ptr_null(strstr(text, "mark"));
    ck_assert_ptr_nonnull(strstr(text, "a&lt;b"));
    free(text);
}
END_TEST

/* A data set whose labels and captures have hostile names, and a model of it. */
struct fixture {
    struct dataset *dataset;
    struct learn_result result;
    char path[64];
};

static void setup(struct fixture *fixture)
{
    static const char *const labels[] = {hostile_label, "video", "other"};
    struct learn_options options = learn_defaults();
    struct error err = {0};
    int descriptor;

    fixture->dataset = flows_even(labels, 3, 6, 6);
    for (uint32_t g = 0; g < fixture->dataset->n_groups; g++) {
        free(fixture->dataset->groups[g]);
        fixture->dataset->groups[g] = flows_alloc(64, 1);
        snprintf(fixture->dataset->groups[g], 64, "%s-%u", hostile, g);
    }
    options.tree_path = flowtree;
    options.epochs = 4;
    options.version = hostile;
    options.date = hostile;
    ck_assert_msg(learn_model(&fixture->result, fixture->dataset, &options, &err) == 0, "%s", err.text);
    strcpy(fixture->path, "/tmp/flowclassd-report-XXXXXX");
    descriptor = mkstemp(fixture->path);
    ck_assert_int_ge(descriptor, 0);
    close(descriptor);
}

static void teardown(struct fixture *fixture)
{
    unlink(fixture->path);
    learn_result_deinit(&fixture->result);
    dataset_free(fixture->dataset);
}

static struct report report_of(const struct fixture *fixture)
{
    return (struct report){.title = hostile,
                           .version = hostile,
                           .date = hostile,
                           .command = hostile,
                           .model = fixture->result.model,
                           .tree = fixture->result.model->tree,
                           .dataset = fixture->dataset,
                           .training = &fixture->result.training,
                           .evaluation = &fixture->result.evaluation};
}

static char *written(const struct report *report, const char *path)
{
    struct error err = {0};

    ck_assert_msg(report_write(report, path, &err) == 0, "%s", err.text);
    return read_file(path);
}

START_TEST(names_from_data_are_escaped_everywhere)
{
    struct fixture fixture;
    struct report report;
    char *text;

    setup(&fixture);
    report = report_of(&fixture);
    text = written(&report, fixture.path);
    ck_assert_ptr_null(strstr(text, "<script"));
    ck_assert_ptr_null(strstr(text, "alert('"));
    ck_assert_ptr_null(strstr(text, "<b onclick"));
    ck_assert_ptr_nonnull(strstr(text, "&lt;b onclick=&#39;x&#39;&gt;&quot;&amp;"));
    ck_assert_ptr_nonnull(strstr(text, "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&quot;&amp;"));
    free(text);
    teardown(&fixture);
}
END_TEST

START_TEST(nothing_is_fetched_and_every_section_is_there)
{
    static const char *const foreign[] = {"http:",   "https:", "//",   "url(",
                                          "@import", "<link",  "<img", "src="};
    static const char *const sections[] = {
        "Beside what little can do",
        "Label by label",
        "How far to trust a confidence",
        "Traffic of no class",
        "How it learnt",
        "Capture by capture",
        "Data</h2>",
        "The element tree",
        "Where this comes from",
        "Loss by epoch",
        "Reliability",
        "Precision against coverage",
    };
    struct fixture fixture;
    struct report report;
    char *text;

    setup(&fixture);
    report = report_of(&fixture);
    report.title = report.version = report.date = report.command = "t";
    text = written(&report, fixture.path);
    for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++)
        ck_assert_msg(strstr(text, foreign[i]) == NULL, "the page has %s", foreign[i]);
    for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++)
        ck_assert_msg(strstr(text, sections[i]) != NULL, "no section %s", sections[i]);
    ck_assert_ptr_null(strstr(text, "nan"));
    ck_assert_ptr_nonnull(strstr(text, "</html>"));
    free(text);
    teardown(&fixture);
}
END_TEST

START_TEST(sections_without_matter_are_left_out)
{
    struct fixture fixture;
    struct report report;
    char *text;

    setup(&fixture);
    report = (struct report){.title = "t", .version = "1", .date = "now"};
    text = written(&report, fixture.path);
    ck_assert_ptr_null(strstr(text, "How it learnt"));
    ck_assert_ptr_null(strstr(text, "Label by label"));
    ck_assert_ptr_null(strstr(text, "The element tree"));
    ck_assert_ptr_nonnull(strstr(text, "Where this comes from"));
    free(text);

    /* A model that was loaded brings its own history. */
    report.model = fixture.result.model;
    text = written(&report, fixture.path);
    ck_assert_ptr_nonnull(strstr(text, "How it learnt"));
    ck_assert_ptr_nonnull(strstr(text, "4 epochs"));
    free(text);
    teardown(&fixture);
}
END_TEST

START_TEST(a_cross_validation_has_its_table)
{
    struct train_recipe recipe = *train_recipe_find("flowtree");
    struct crossval_options options = {
        .folds = 3, .seeds = 2, .seed = 7, .recipe = &recipe, .engine = &engine_cpu};
    struct crossval_result result;
    struct fixture fixture;
    struct report report = {.title = "t"};
    char *text;

    setup(&fixture);
    recipe.epochs = 2;
    ck_assert_int_eq(crossval_run(&result, fixture.dataset, fixture.result.model->tree, &options, NULL), 0);
    report.crossval = &result;
    text = written(&report, fixture.path);
    ck_assert_ptr_nonnull(strstr(text, "3 folds by capture, 2 seeds"));
    ck_assert_ptr_nonnull(strstr(text, "<tr><th>8</th>"));
    ck_assert_ptr_nonnull(strstr(text, "Capture by capture"));
    free(text);
    crossval_deinit(&result);
    teardown(&fixture);
}
END_TEST

START_TEST(a_page_that_cannot_be_written_leaves_nothing)
{
    struct report report = {.title = "t"};
    struct error err;
    struct stat st;

    ck_assert_int_eq(report_write(&report, "/nowhere/at/all.html", &err), -ENOENT);
    ck_assert_ptr_nonnull(strstr(err.text, "/nowhere/at/all.html"));
    ck_assert_int_lt(report_write(&report, "/tmp", &err), 0);
    ck_assert_int_eq(stat("/tmp", &st), 0);
    ck_assert(S_ISDIR(st.st_mode));
}
END_TEST

int main(void)
{
    return UNIT_RUN("report", text_stays_text, a_chart_breaks_its_line_where_there_is_no_number,
                    names_from_data_are_escaped_everywhere, nothing_is_fetched_and_every_section_is_there,
                    sections_without_matter_are_left_out, a_cross_validation_has_its_table,
                    a_page_that_cannot_be_written_leaves_nothing);
}
