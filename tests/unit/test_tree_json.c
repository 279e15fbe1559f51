#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/tree/tree_json.h"
#include "tests/unit/unit.h"

static const struct {
    const char *name;
    size_t n_weights;
    size_t n_constants;
} shipped[] = {
    {"notebook", 4537, 0},
    {"flowtree", 8979, 60},
    {"flowtree-portable", 7875, 60},
};

START_TEST(test_shipped)
{
    struct error err = {0};
    struct tree *tree;
    char path[4096];

    for (size_t i = 0; i < sizeof shipped / sizeof shipped[0]; i++) {
        (void)snprintf(path, sizeof path, SOURCE_ROOT "/etc/trees/%s.json", shipped[i].name);
        ck_assert_msg(tree_load(&tree, path, NULL, 0, &err) == 0, "%s", err.text);
        ck_assert_str_eq(tree->name, shipped[i].name);
        ck_assert_uint_eq(tree->n_weights, shipped[i].n_weights);
        ck_assert_uint_eq(tree->n_constant_values, shipped[i].n_constants);
        ck_assert_uint_eq(tree->n_labels, 3);
        tree_free(tree);
    }
}
END_TEST

static int parse(struct tree **treep, const char *text, const char *const *labels, size_t n_labels,
                 struct error *err)
{
    return tree_parse(treep, "FILE", text, strlen(text), labels, n_labels, err);
}

/* A tree with one element below the root, and what the root needs around it. */
#define BELOW(element)                                                                                       \
    "{\"format\": 1, \"name\": \"t\", \"root\": {\"name\": \"root\", \"children\": [" element                \
    "], \"layers\": [{\"dense\": \"labels\", \"activation\": \"softmax\"}]}}"

START_TEST(test_names_and_shapes)
{
    static const char text[] = BELOW(
        "{\"name\": \"sides\", \"input\": {\"each\": \"sides\", \"select\": [\"bytes\"]}, \"children\": ["
        "  {\"name\": \"ids\", \"input\": {\"each\": \"ip.id\", \"first\": 20},"
        "   \"layers\": [{\"lstm\": 3, \"bidirectional\": true}, {\"dropout\": 0.5}, {\"lstm\": 4}]}],"
        " \"layers\": [{\"dense\": 2, \"activation\": \"tanh\"}, {\"gru\": 5, \"bidirectional\": true}]}");
    static const char *const names[] = {
        "ids/lstm0/forward/Wx",  "ids/lstm0/forward/Wh",  "ids/lstm0/forward/bx",  "ids/lstm0/forward/bh",
        "ids/lstm0/backward/Wx", "ids/lstm0/backward/Wh", "ids/lstm0/backward/bx", "ids/lstm0/backward/bh",
        "ids/lstm1/Wx",          "ids/lstm1/Wh",          "ids/lstm1/bx",          "ids/lstm1/bh",
        "sides/dense0/W",        "sides/dense0/b",        "sides/gru/forward/Wx",  "sides/gru/forward/Wh",
        "sides/gru/forward/bx",  "sides/gru/forward/bh",  "sides/gru/backward/Wx", "sides/gru/backward/Wh",
        "sides/gru/backward/bx", "sides/gru/backward/bh", "root/dense0/W",         "root/dense0/b"};
    struct error err = {0};
    struct tree *tree;
    const struct element *ids, *sides;

    ck_assert_msg(parse(&tree, text, NULL, 0, &err) == 0, "%s", err.text);
    ck_assert_uint_eq(tree->n_tensors, sizeof names / sizeof names[0]);
    for (size_t i = 0; i < tree->n_tensors; i++)
        ck_assert_str_eq(tree->tensors[i].name, names[i]);
    ids = &tree->elements[tree_element(tree, "ids")];
    sides = &tree->elements[tree_element(tree, "sides")];
    ck_assert_str_eq(ids->path, "root/sides/ids");
    ck_assert_uint_eq(ids->n_columns, 1);
    ck_assert_uint_eq(ids->first, 20);
    ck_assert(ids->layers[0].sequence_out);
    ck_assert(!ids->layers[2].sequence_out);
    ck_assert_uint_eq(ids->out_width, 4);
    ck_assert_uint_eq(sides->item_width, 5);
    ck_assert_uint_eq(sides->out_width, 10);
    ck_assert_uint_eq(tree_tensor(tree, "sides/gru/backward/Wx")->shape[0], 15);
    ck_assert_uint_eq(tree_tensor(tree, "sides/gru/backward/Wx")->shape[1], 2);
    tree_free(tree);
}
END_TEST

START_TEST(test_share)
{
    /* One element shares one that comes later, which shares a third; only that one has weights. */
    static const char text[] =
        BELOW("{\"name\": \"a\", \"input\": {\"each\": \"ip.out.id\"}, \"share\": \"b\"},"
              "{\"name\": \"b\", \"input\": {\"each\": \"ip.in.id\"}, \"share\": \"c\"},"
              "{\"name\": \"c\", \"input\": {\"each\": \"packets\", \"select\": [\"b\"]}, \"layers\": "
              "[{\"gru\": 4}]}");
    struct error err = {0};
    struct tree *tree;

    ck_assert_msg(parse(&tree, text, NULL, 0, &err) == 0, "%s", err.text);
    ck_assert_uint_eq(tree->n_tensors, 6);
    ck_assert_str_eq(tree->tensors[0].name, "c/gru/Wx");
    for (size_t i = 0; i < 3; i++) {
        ck_assert_uint_eq(tree->elements[i].share, 2);
        ck_assert_uint_eq(tree->elements[i].layers[0].tensors[3], 3);
        ck_assert_uint_eq(tree->elements[i].out_width, 4);
    }
    tree_free(tree);
}
END_TEST

START_TEST(test_labels)
{
    static const char *const four[] = {"a", "b", "c", "other"};
    static const char *const unknown[] = {"a", "unknown"};
    static const char *const three[] = {"news", "socialmedia", "videostreaming"};
    static const char open[] = BELOW("{\"name\": \"x\", \"input\": {\"select\": [\"udp\"]}}");
    static const char named[] =
        "{\"format\": 1, \"name\": \"t\", \"labels\": [\"news\", \"socialmedia\", \"videostreaming\"],"
        " \"root\": {\"name\": \"root\", \"input\": {\"select\": [\"udp\"]},"
        " \"layers\": [{\"dense\": 3, \"activation\": \"softmax\"}]}}";
    struct error err = {0};
    struct tree *tree, *again;

    ck_assert_int_eq(parse(&tree, open, four, 4, &err), 0);
    ck_assert_uint_eq(tree_root(tree)->out_width, 4);
    ck_assert_int_eq(parse(&again, open, four, 1, &err), -EBADMSG);
    ck_assert_str_eq(err.text, "FILE: labels: 1 labels, not 2 to 32");
    ck_assert_int_eq(parse(&again, open, unknown, 2, &err), -EBADMSG);
    ck_assert_str_eq(tree->labels[3], "other");
    ck_assert(!tree->labels_named);
    /* The text it keeps says it all. */
    ck_assert_int_eq(parse(&again, tree->json, NULL, 0, &err), 0);
    ck_assert_uint_eq(again->n_labels, 4);
    ck_assert_str_eq(again->labels[3], "other");
    ck_assert_str_eq(again->json, tree->json);
    tree_free(again);
    tree_free(tree);

    ck_assert_int_eq(parse(&tree, named, three, 3, &err), 0);
    ck_assert(tree->labels_named);
    tree_free(tree);
    ck_assert_int_eq(parse(&tree, named, four, 4, &err), -EINVAL);
    ck_assert_int_eq(err.code, -EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "labels"));
}
END_TEST

#define LIST "\"input\": {\"each\": \"packets\", \"select\": [\"b\"]}"
#define VECTOR "\"input\": {\"select\": [\"udp\"]}"

/* What is wrong, and the message. */
static const struct {
    const char *text;
    const char *message;
} refused[] = {
    {"", "FILE:1: not valid JSON"},
    {"{\"format\": 1,\n \"name\" 2}", "FILE:2: not valid JSON"},
    {"{} {}", "FILE:1: something follows the JSON value"},
    {"[]", "FILE: not an object"},
    {"{}", "FILE: format: missing"},
    {"{\"format\": 2}", "FILE: format: 2 is not within 1..1"},
    {"{\"format\": 1, \"format\": 1}", "FILE: key \"format\" twice"},
    {"{\"format\": 1, \"colour\": 1}", "FILE: unknown key \"colour\""},
    {"{\"format\": 1, \"name\": \"a/b\"}", "FILE: name: a name is UTF-8 without '/' and control characters"},
    {"{\"format\": 1, \"name\": \"a\xff\"}",
     "FILE: name: a name is UTF-8 without '/' and control characters"},
    {"{\"format\": 1, \"name\": \"t\", \"labels\": [\"a\", \"unknown\"]}",
     "FILE: labels[1]: \"unknown\" is what flows without a label are called"},
    {"{\"format\": 1, \"name\": \"t\", \"labels\": [\"a\"]}", "FILE: labels: not an array of 2 to 32 names"},
    {"{\"format\": 1, \"name\": \"t\", \"labels\": [\"a\", \"a\"]}", "FILE: labels[1]: label \"a\" twice"},
    {"{\"format\": 1, \"name\": \"t\", \"padding\": \"zero\"}",
     "FILE: padding: neither \"none\" nor \"batch\""},
    {"{\"format\": 1, \"name\": \"t\"}", "FILE: root: missing"},
    {"{\"format\": 1, \"name\": \"t\", \"root\": {\"name\": \"root\", \"input\": {\"select\": [\"udp\"]}}}",
     "FILE: root.layers: the root's last layer must be dense with softmax"},
    {"{\"format\": 1, \"name\": \"t\", \"labels\": [\"a\", \"b\"], \"root\": {\"name\": \"root\", " VECTOR
     ", \"layers\": [{\"dense\": 3, \"activation\": \"softmax\"}]}}",
     "FILE: root.layers[0]: 3 units for 2 labels"},
    {"{\"format\": 1, \"name\": \"t\", \"root\": {\"name\": \"root\", "
     "\"layers\": [{\"dense\": 3, \"activation\": \"softmax\"}]}}",
     "FILE: root: its input is 0 wide, not within 1..4096"},
    {BELOW("{\"name\": \"x\", \"colour\": 1}"), "FILE: root.children[0]: unknown key \"colour\""},
    {BELOW("{\"name\": \"x\", \"input\": {\"colour\": 1}}"),
     "FILE: root.children[0].input: unknown key \"colour\""},
    {BELOW("{\"name\": 5}"), "FILE: root.children[0].name: not a string"},
    {BELOW("{\"name\": \"root\", " VECTOR "}"), "FILE: root.name: another element is called \"root\""},
    {BELOW("{\"name\": \"x\"}"), "FILE: root.children[0]: its input is 0 wide, not within 1..4096"},
    {BELOW("{\"name\": \"x\", \"input\": {\"select\": [\"b\"]}}"),
     "FILE: root.children[0].input.select[0]: a record has no field \"b\""},
    {BELOW("{\"name\": \"x\", \"input\": {\"each\": \"packets\", \"select\": [\"udp\"]}}"),
     "FILE: root.children[0].input.select[0]: a packet has no field \"udp\""},
    {BELOW("{\"name\": \"x\", \"input\": {\"each\": \"ip.id\"}}"),
     "FILE: root.children[0].input.each: a record has no list \"ip.id\""},
    {BELOW("{\"name\": \"x\", \"input\": {\"first\": 3}}"),
     "FILE: root.children[0].input: \"first\" needs \"each\""},
    {BELOW("{\"name\": \"x\", \"input\": {\"each\": \"packets\", \"first\": 101, \"select\": [\"b\"]}}"),
     "FILE: root.children[0].input.first: 101 is not within 1..100"},
    {BELOW("{\"name\": \"x\", \"input\": {\"each\": \"packets\", \"flatten\": true, \"select\": [\"b\"]}}"),
     "FILE: root.children[0].input.flatten: needs \"first\": how many items to lay side by side"},
    {BELOW("{\"name\": \"x\", \"input\": {\"select\": [{\"field\": \"udp\", \"map\": [\"sqrt\"]}]}}"),
     "FILE: root.children[0].input.select[0].map[0]: unknown map \"sqrt\""},
    {BELOW("{\"name\": \"x\", \"input\": {\"select\": [{\"field\": \"udp\", \"map\": [\"scale\"]}]}}"),
     "FILE: root.children[0].input.select[0].map[0]: map \"scale\" takes a number"},
    {BELOW("{\"name\": \"x\", \"input\": {\"select\": [{\"field\": \"udp\", \"map\": [{\"divide\": 0}]}]}}"),
     "FILE: root.children[0].input.select[0].map[0]: division by 0"},
    {BELOW("{\"name\": \"x\", \"input\": {\"select\": [{\"field\": \"udp\", \"map\": [{\"min\": 1e99}]}]}}"),
     "FILE: root.children[0].input.select[0].map[0]: not a number"},
    {BELOW("{\"name\": \"x\", \"input\": {\"select\": [{\"field\": \"udp\", \"map\": [\"sign\"]}]}}"),
     "FILE: root.children[0].input.select[0].map[0]: map \"sign\" means nothing in a record"},
    {BELOW("{\"name\": \"x\", \"input\": {\"select\": [\"udp\"], \"standardise\": {\"clip\": 0}}}"),
     "FILE: root.children[0].input.standardise.clip: not above 0"},
    {BELOW("{\"name\": \"x\", " LIST "}"),
     "FILE: root.children[0]: a list comes out of its layers; it needs an lstm, a gru or \"flatten\""},
    {BELOW("{\"name\": \"x\", " LIST ", \"layers\": [{\"dense\": 3}]}"),
     "FILE: root.children[0]: a list comes out of its layers; it needs an lstm, a gru or \"flatten\""},
    {BELOW("{\"name\": \"x\", " VECTOR ", \"layers\": [{\"lstm\": 3}]}"),
     "FILE: root.children[0].layers[0]: lstm needs a list to walk over, and here is a single vector"},
    {BELOW("{\"name\": \"x\", " LIST ", \"layers\": [{\"gru\": 0}]}"),
     "FILE: root.children[0].layers[0].gru: 0 is not within 1..4096"},
    {BELOW("{\"name\": \"x\", " LIST ", \"layers\": [{\"gru\": 4096, \"bidirectional\": true}]}"),
     "FILE: root.children[0]: a layer is 8192 wide, not within 1..4096"},
    {BELOW("{\"name\": \"x\", " LIST ", \"layers\": [{\"gru\": 3, \"activation\": \"relu\"}]}"),
     "FILE: root.children[0].layers[0]: unknown key \"activation\""},
    {BELOW("{\"name\": \"x\", " VECTOR ", \"layers\": [{\"dense\": 3, \"activation\": \"gelu\"}]}"),
     "FILE: root.children[0].layers[0].activation: not the name of an activation"},
    {BELOW("{\"name\": \"x\", " VECTOR ", \"layers\": [{\"dense\": 3, \"activation\": \"softmax\"}]}"),
     "FILE: root.children[0].layers[0]: softmax is only for the root's last layer"},
    {BELOW("{\"name\": \"x\", " VECTOR ", \"layers\": [{\"dense\": \"labels\"}]}"),
     "FILE: root.children[0].layers[0].dense: \"labels\" is only for the root's last layer"},
    {BELOW("{\"name\": \"x\", " VECTOR ", \"layers\": [{\"conv\": 3}]}"),
     "FILE: root.children[0].layers[0]: no kind of layer: dense, lstm, gru, embedding or dropout"},
    {BELOW("{\"name\": \"x\", " VECTOR ", \"layers\": [{\"dense\": 3, \"lstm\": 3}]}"),
     "FILE: root.children[0].layers[0]: two kinds of layer in one"},
    {BELOW("{\"name\": \"x\", " VECTOR ", \"layers\": [{\"dropout\": 1}]}"),
     "FILE: root.children[0].layers[0].dropout: not within 0 and 1"},
    {BELOW("{\"name\": \"x\", " VECTOR ", \"layers\": [{\"dense\": 3000}, {\"dense\": 3000}]}"),
     "FILE: root.children[0].layers[1]: the tree has more than 4194304 weights"},
    {BELOW("{\"name\": \"x\", \"input\": {\"select\": [\"udp\", \"udp\"]}, \"layers\": [{\"embedding\": [4, "
           "2]}]}"),
     "FILE: root.children[0].layers[0]: an embedding is the first layer and looks at one column alone"},
    {BELOW("{\"name\": \"x\", " VECTOR ", \"share\": \"y\"}"),
     "FILE: root.children[0].share: there is no element \"y\""},
    {BELOW("{\"name\": \"x\", " VECTOR ", \"share\": \"x\"}"),
     "FILE: root.children[0].share: goes round in a circle"},
    {BELOW("{\"name\": \"x\", " VECTOR ", \"share\": \"y\"}, {\"name\": \"y\", " VECTOR
           ", \"share\": \"x\"}"),
     "FILE: root.children[0].share: goes round in a circle"},
    {BELOW("{\"name\": \"x\", " VECTOR ", \"share\": \"y\"}, {\"name\": \"y\", " VECTOR "}"),
     "FILE: root.children[0].share: \"y\" has no layers to share"},
    {BELOW("{\"name\": \"x\", " VECTOR ", \"share\": \"y\", \"layers\": [{\"dense\": 3}]},"
           "{\"name\": \"y\", " VECTOR ", \"layers\": [{\"dense\": 4}]}"),
     "FILE: root.children[0].layers[0]: not as in \"y\", which it shares"},
    {BELOW("{\"name\": \"x\", \"input\": {\"select\": [\"udp\", \"udp\"]}, \"share\": \"y\"},"
           "{\"name\": \"y\", " VECTOR ", \"layers\": [{\"dense\": 4}]}"),
     "FILE: root.children[0].share: its input is 2 wide, that of \"y\" 1"},
    {BELOW("{\"name\": \"x\", " VECTOR ", \"share\": \"y\"}, {\"name\": \"y\", " LIST
           ", \"layers\": [{\"gru\": 4}]}"),
     "FILE: root.children[0].layers[0]: gru needs a list to walk over, and here is a single vector"},
};

START_TEST(test_refused)
{
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        struct error err = {0};
        struct tree *tree = NULL;

        ck_assert_msg(parse(&tree, refused[i].text, NULL, 0, &err) == -EBADMSG, "taken: %s", refused[i].text);
        ck_assert_str_eq(err.text, refused[i].message);
        ck_assert_ptr_null(tree);
    }
}
END_TEST

/* No layers of its own, said in so many words, is no fault beside `share`. */
START_TEST(test_share_with_empty_layers)
{
    static const char text[] = BELOW("{\"name\": \"x\", " VECTOR ", \"share\": \"y\", \"layers\": []},"
                                     "{\"name\": \"y\", " VECTOR ", \"layers\": [{\"dense\": 4}]}");
    struct error err = {0};
    struct tree *tree;

    ck_assert_msg(parse(&tree, text, NULL, 0, &err) == 0, "%s", err.text);
    ck_assert_uint_eq(tree->elements[0].n_layers, 1);
    tree_free(tree);
}
END_TEST

/* A tree must fit into the header of a model file before anybody trains it. */
START_TEST(test_too_many_tensors)
{
    static const char layer[] = "{\"gru\": 1, \"bidirectional\": true}";
    char *text = NULL;
    struct error err = {0};
    struct tree *tree;
    size_t size;
    FILE *file = open_memstream(&text, &size);

    fputs("{\"format\": 1, \"name\": \"t\", \"root\": {\"name\": \"root\", \"children\": [", file);
    for (int i = 0; i < 9; i++) {
        fprintf(file, "%s{\"name\": \"e%d\", " LIST ", \"layers\": [", i > 0 ? ", " : "", i);
        for (int l = 0; l < TREE_LAYERS_MAX; l++)
            fprintf(file, "%s%s", l > 0 ? ", " : "", layer);
        fputs("]}", file);
    }
    fputs("], \"layers\": [{\"dense\": \"labels\", \"activation\": \"softmax\"}]}}", file);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_int_eq(parse(&tree, text, NULL, 0, &err), -EBADMSG);
    ck_assert_str_eq(err.text, "FILE: root: the tree has more than 1024 tensors");
    free(text);
}
END_TEST

/* Wide items of long lists: a flow of this tree would need megabytes. */
START_TEST(test_too_large_a_flow)
{
    char *text = NULL;
    struct error err = {0};
    struct tree *tree;
    size_t size;
    FILE *file = open_memstream(&text, &size);

    fputs("{\"format\": 1, \"name\": \"t\", \"root\": {\"name\": \"root\", \"children\": [", file);
    for (int i = 0; i < 3; i++)
        fprintf(file,
                "%s{\"name\": \"list%d\", " LIST ", \"layers\": [{\"lstm\": 4}], \"children\": [{\"name\": "
                "\"item%d\", \"input\": {\"select\": [\"b\"]}, \"layers\": [{\"dense\": 4000}]}]}",
                i > 0 ? ", " : "", i, i);
    fputs("], \"layers\": [{\"dense\": \"labels\", \"activation\": \"softmax\"}]}}", file);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_int_eq(parse(&tree, text, NULL, 0, &err), -EBADMSG);
    ck_assert_str_eq(err.text, "FILE: root.children[0]: with it, a flow may have more than 1048576 values");
    free(text);
}
END_TEST

START_TEST(test_too_deep)
{
    char text[4096];
    struct error err = {0};
    struct tree *tree;
    size_t used = (size_t)snprintf(text, sizeof text, "{\"format\": 1, \"name\": \"t\", \"root\": ");

    for (int i = 0; i <= TREE_DEPTH_MAX; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "{\"name\": \"e%d\", \"children\": [", i);
    used += (size_t)snprintf(text + used, sizeof text - used, "{}");
    for (int i = 0; i <= TREE_DEPTH_MAX; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "]}");
    (void)snprintf(text + used, sizeof text - used, "}");
    ck_assert_int_eq(parse(&tree, text, NULL, 0, &err), -EBADMSG);
    ck_assert_ptr_nonnull(strstr(err.text, "deeper than 8 elements"));
}
END_TEST

START_TEST(test_files)
{
    struct error err = {0};
    struct tree *tree;

    ck_assert_int_eq(tree_load(&tree, "/nonexistent/tree.json", NULL, 0, &err), -ENOENT);
    ck_assert_ptr_nonnull(strstr(err.text, "/nonexistent/tree.json"));
    ck_assert_int_eq(tree_load(&tree, "/", NULL, 0, &err), -EISDIR);
}
END_TEST

int main(void)
{
    return UNIT_RUN("tree_json", test_shipped, test_names_and_shapes, test_share, test_labels, test_refused,
                    test_share_with_empty_layers, test_too_many_tensors, test_too_large_a_flow, test_too_deep,
                    test_files);
}
