/* main.c - the program: read the command line and the configuration, do what is asked, and say how it went.
 */
#include <cjson/cJSON.h>
#include <errno.h>
#include <pcap/pcap.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <zlib.h>

#include "daemon/configure.h"
#include "daemon/exit_status.h"
#include "daemon/journal.h"
#include "daemon/learning.h"
#include "daemon/log.h"
#include "daemon/offline.h"
#include "daemon/options.h"
#include "daemon/paths.h"
#include "daemon/service.h"

static volatile sig_atomic_t stop;

static void on_stop(int signal_number)
{
    stop = signal_number;
}

/* The first signal asks for an orderly end, the second one ends the program. */
static void catch_stop(void)
{
    struct sigaction action = {.sa_handler = on_stop, .sa_flags = (int)(SA_RESETHAND | SA_RESTART)};

    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
}

static int version_print(void)
{
    printf("flowclassd %s\n", PATHS_VERSION);
    return 0;
}

static int build_info_print(void)
{
    printf("flowclassd %s\n", PATHS_VERSION);
    printf("compiler       %s\n", __VERSION__);
    printf("libpcap        %s\n", pcap_lib_version());
    printf("zlib           %s\n", zlibVersion());
    printf("cJSON          %s\n", cJSON_Version());
    printf("configuration  %s\n", PATHS_CONFIG);
    printf("models         %s, %s\n", PATHS_MODELS, PATHS_MODEL_SHIPPED);
    printf("CUDA engine    %s (%s)\n", PATHS_CUDA_MODULE, PATHS_CUDA_BUILD);
    return 0;
}

static int help_print(void)
{
    options_help(stdout);
    return 0;
}

static int test_run(const struct options *options, const struct config *config,
                    const volatile sig_atomic_t *stopped)
{
    log_notice("the configuration is right");
    return 0;
}

static int dump_run(const struct options *options, const struct config *config,
                    const volatile sig_atomic_t *stopped)
{
    return config_dump(config, stdout);
}

/* What each command does: without a configuration, or with one. */
static const struct {
    int (*print)(void);
    int (*run)(const struct options *options, const struct config *config,
               const volatile sig_atomic_t *stopped);
} commands[COMMANDS] = {
    [COMMAND_HELP] = {.print = help_print},
    [COMMAND_VERSION] = {.print = version_print},
    [COMMAND_BUILD_INFO] = {.print = build_info_print},
    [COMMAND_TEST] = {.run = test_run},
    [COMMAND_DUMP] = {.run = dump_run},
    [COMMAND_LIVE] = {.run = service_run},
    [COMMAND_READ] = {.run = offline_run},
    [COMMAND_CLASSIFY] = {.run = offline_run},
    [COMMAND_TRAIN] = {.run = learning_train},
    [COMMAND_EVALUATE] = {.run = learning_evaluate},
    [COMMAND_DESCRIBE] = {.run = learning_describe},
};

static int run(const struct options *options)
{
    enum configure_fault fault;
    struct config config;
    struct error err;
    int status;

    if (commands[options->command].print != NULL)
        return exit_status(commands[options->command].print());
    if (configure(&config, options, &fault, &err) < 0) {
        log_error("%s", err.text);
        return fault == CONFIGURE_OPTIONS ? EX_USAGE : EX_CONFIG;
    }
    catch_stop();
    status = exit_status(commands[options->command].run(options, &config, &stop));
    config_deinit(&config);
    return status;
}

int main(int argc, char *argv[])
{
    struct options options;
    struct error err;
    int status;

    log_open(JOURNAL_SOCKET);
    if (options_parse(&options, argc, argv, &err) < 0) {
        log_error("%s", err.text);
        return exit_status(err.code);
    }
    if (options.verbose)
        log_set_level(LOG_LEVEL_INFO);
    status = run(&options);
    options_deinit(&options);
    if (status == 0 && (fflush(stdout) != 0 || ferror(stdout))) {
        log_error("standard output: %s", strerror(errno));
        status = EX_IOERR;
    }
    return status;
}
