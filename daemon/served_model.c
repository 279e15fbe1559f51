#include "daemon/served_model.h"

#include <errno.h>
#include <stdlib.h>

#include "core/tree/model_file.h"
#include "daemon/log.h"

int served_model_load(struct served_model **servedp, const char *path, double threshold, struct error *err)
{
    struct served_model *served = calloc(1, sizeof *served);
    int r;

    if (served == NULL)
        return error_set(err, -ENOMEM, "%s: out of memory", path);
    r = model_load(&served->model, path, err);
    if (r < 0) {
        free(served);
        return r;
    }
    for (size_t i = 0; threshold > 0 && i < served->model->tree->n_labels; i++)
        served->model->thresholds[i] = threshold;
    atomic_init(&served->references, 1);
    log_info("%s: model %s, tree %s", path, served->model->id, served->model->tree->name);
    *servedp = served;
    return 0;
}

struct served_model *served_model_ref(struct served_model *served)
{
    (void)atomic_fetch_add_explicit(&served->references, 1, memory_order_relaxed);
    return served;
}

void served_model_unref(struct served_model *served)
{
    if (served == NULL || atomic_fetch_sub_explicit(&served->references, 1, memory_order_acq_rel) != 1)
        return;
    model_free(served->model);
    free(served);
}
