/* A stand-in for libedgetpu.so.1: a TFLite external delegate in plain C, without TensorFlow's headers.
 *
 * It claims every operator "edgetpu-custom-op", as Google's compiler writes them, and computes there
 * what models.py fuses into one: inputs a picture (1, 8, 8, 3) and a state of two earlier pictures
 * (1, 2, 64, 3), int8; outputs the newest picture (1, 1, 64, 3) and the mean colour (1, 3) of all three.
 *
 * What is wrong with the stick or with the library is chosen when it is built:
 *   -DABSENT            no stick is found
 *   -DNO_ENTRY          the library is not a delegate at all
 *   -DCRASH_LOADING     -DHANG_LOADING
 *   -DFAIL_AFTER=N      from the Nth invocation on (the first is 0) the stick does not answer: pulled
 *   -DCRASH_AFTER=N     -DHANG_AFTER=N
 *   -DNONSENSE          it computes something else
 *   -DOLD_ABI           built for TensorFlow 2.5, whose TfLiteRegistration is shorter
 *
 * gcc -O1 -shared -fPIC -fvisibility=hidden -o libedgetpu.so.1 fake_edgetpu.c
 * The structures are those of tensorflow/lite/core/c/common.h, as far as they are used.
 */
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXPORTED __attribute__((visibility("default")))
#define TENSOR_BYTES 112 /* sizeof(TfLiteTensor), on x86-64 and arm64 */

typedef enum { OK = 0, ERROR = 1, DELEGATE_ERROR = 2 } Status;
typedef struct { int size; int data[]; } IntArray;
typedef struct Context Context;
typedef struct Node Node;
typedef struct Delegate Delegate;
typedef struct Registration {
    void *(*init)(Context *, const char *, size_t);
    void (*free)(Context *, void *);
    Status (*prepare)(Context *, Node *);
    Status (*invoke)(Context *, Node *);
    const char *(*profiling_string)(const Context *, const Node *);
    int32_t builtin_code;
    const char *custom_name;
    int version;
#ifndef OLD_ABI
    void *registration_external;
    void *(*async_kernel)(Context *, Node *);
    uint64_t inplace_operator;
#endif
} Registration;
typedef struct Tensor {
    int type;
    int8_t *data;
    IntArray *dims;
    struct { float scale; int32_t zero_point; } params;
    int allocation_type;
    size_t bytes;
} Tensor;
struct Node { IntArray *inputs, *outputs; };
struct Context {
    size_t tensors_size;
    Status (*GetExecutionPlan)(Context *, IntArray **);
    char *tensors;
    void *impl;
    Status (*ResizeTensor)(Context *, Tensor *, IntArray *);
    void (*ReportError)(Context *, const char *, ...);
    Status (*AddTensors)(Context *, int, int *);
    Status (*GetNodeAndRegistration)(Context *, int, Node **, Registration **);
    Status (*ReplaceNodes)(Context *, Registration, const IntArray *, Delegate *);
};
struct Delegate {
    void *data;
    Status (*Prepare)(Context *, Delegate *);
    void *CopyFrom, *CopyTo, *FreeHandle;
    int64_t flags;
    void *opaque;
};

static long invocations;

static Tensor *tensor(Context *context, int index)
{
    return (Tensor *)(context->tensors + (size_t)index * TENSOR_BYTES);
}

static void trouble(long number)
{
    (void)number;
#ifdef CRASH_AFTER
    if (number >= CRASH_AFTER) raise(SIGSEGV);
#endif
#ifdef HANG_AFTER
    while (number >= HANG_AFTER) sleep(1);
#endif
}

static bool pulled(long number)
{
    (void)number;
#ifdef FAIL_AFTER
    return number >= FAIL_AFTER;
#else
    return false;
#endif
}

static int8_t rounded_mean(long sum, long count)
{
    return (int8_t)(sum >= 0 ? (sum + count / 2) / count : -((-sum + count / 2) / count));
}

static Status invoke(Context *context, Node *node)
{
    long number = invocations++;
    trouble(number);
    if (pulled(number)) {
        context->ReportError(context, "USB transfer error 2 [LibUsbDataOutCallback]");
        return DELEGATE_ERROR;
    }
    Tensor *picture = tensor(context, node->inputs->data[0]);
    Tensor *past = tensor(context, node->inputs->data[1]);
    Tensor *newest = tensor(context, node->outputs->data[0]);
    Tensor *mean = tensor(context, node->outputs->data[1]);
    memcpy(newest->data, picture->data, newest->bytes);
    for (int colour = 0; colour < 3; colour++) {
        long sum = 0;
        for (size_t i = colour; i < past->bytes; i += 3) sum += past->data[i];
        for (size_t i = colour; i < picture->bytes; i += 3) sum += picture->data[i];
        mean->data[colour] = rounded_mean(sum, (long)(past->bytes + picture->bytes) / 3);
#ifdef NONSENSE
        mean->data[colour] = (int8_t)(number * 37 + colour * 101);
#endif
    }
    return OK;
}

static void *init(Context *context, const char *buffer, size_t length)
{
    (void)context; (void)buffer; (void)length;
    return &invocations;
}
static void release(Context *context, void *data) { (void)context; (void)data; }
static Status prepare(Context *context, Node *node) { (void)context; (void)node; return OK; }

static Status claim(Context *context, Delegate *delegate)
{
    IntArray *plan;
    if (context->GetExecutionPlan(context, &plan)) return ERROR;
    IntArray *mine = malloc(sizeof(int) * (plan->size + 1));
    mine->size = 0;
    for (int i = 0; i < plan->size; i++) {
        Node *node;
        Registration *known;
        if (context->GetNodeAndRegistration(context, plan->data[i], &node, &known)) return ERROR;
        if (known->custom_name && !strcmp(known->custom_name, "edgetpu-custom-op"))
            mine->data[mine->size++] = plan->data[i];
    }
    Registration kernel;
    memset(&kernel, 0, sizeof kernel);
    kernel.init = init;
    kernel.free = release;
    kernel.prepare = prepare;
    kernel.invoke = invoke;
    kernel.custom_name = "EdgeTpuDelegateForCustomOp";
    kernel.version = 1;
    Status status = context->ReplaceNodes(context, kernel, mine, delegate);
    free(mine);
    return status;
}

#ifndef NO_ENTRY
EXPORTED Delegate *tflite_plugin_create_delegate(char **keys, char **values, size_t count,
                                                 void (*report)(const char *))
{
    (void)keys; (void)values; (void)count;
#ifdef CRASH_LOADING
    raise(SIGSEGV);
#endif
#ifdef HANG_LOADING
    for (;;) sleep(1);
#endif
#ifdef ABSENT
    if (report) report("no Edge TPU device found");
    return NULL;
#endif
    (void)report;
    Delegate *delegate = calloc(1, sizeof *delegate);
    delegate->Prepare = claim;
    delegate->flags = 1; /* AllowDynamicTensors, as libedgetpu sets: else the operator is prepared first */
    return delegate;
}
EXPORTED void tflite_plugin_destroy_delegate(Delegate *delegate) { free(delegate); }
#else
EXPORTED int nothing(void) { return 0; }
#endif
