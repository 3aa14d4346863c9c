/* A QEMU TCG plugin that counts the guest's instructions and says their number at the end.
 *
 *     gcc -O2 -shared -fPIC -o count.so count_instructions.c
 *     qemu-aarch64 -plugin ./count.so -d plugin PROGRAM
 *
 * Debian ships no qemu-plugin.h, so the few declarations that are needed are written here, as
 * QEMU's documentation describes them (docs/devel/tcg-plugins.rst, API version 1, QEMU 4.2 to 8.2).
 * The count is not atomic: run one thread.
 */
#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct qemu_plugin_tb;
enum qemu_plugin_op { QEMU_PLUGIN_INLINE_ADD_U64 };

size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
void qemu_plugin_register_vcpu_tb_trans_cb(
    uint64_t id, void (*callback)(uint64_t id, struct qemu_plugin_tb *tb));
void qemu_plugin_register_vcpu_tb_exec_inline(
    struct qemu_plugin_tb *tb, enum qemu_plugin_op op, void *number, uint64_t value);
void qemu_plugin_register_atexit_cb(
    uint64_t id, void (*callback)(uint64_t id, void *data), void *data);
void qemu_plugin_outs(const char *text);

__attribute__((visibility("default"))) int qemu_plugin_version = 1;

static uint64_t instructions;

static void translated(uint64_t id, struct qemu_plugin_tb *block)
{
    (void)id;
    qemu_plugin_register_vcpu_tb_exec_inline(block, QEMU_PLUGIN_INLINE_ADD_U64, &instructions,
                                             qemu_plugin_tb_n_insns(block));
}

static void ended(uint64_t id, void *data)
{
    char text[64];

    (void)id;
    (void)data;
    snprintf(text, sizeof text, "instructions: %" PRIu64 "\n", instructions);
    qemu_plugin_outs(text);
}

__attribute__((visibility("default"))) int qemu_plugin_install(uint64_t id, const void *about,
                                                               int count, char **arguments)
{
    (void)about;
    (void)count;
    (void)arguments;
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_atexit_cb(id, ended, NULL);
    return 0;
}
