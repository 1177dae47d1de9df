// CUDA's additions to C++, for a host with one thread: included before CUDA source, it makes it run as it stands.
//
// The threads of a block are fibres: each runs until it waits for others, at __syncthreads or at a shuffle of its warp,
// and goes on once all are there. Blocks run one after the other.

#include <math.h>
#include <string.h>
#include <ucontext.h>

#define __global__
#define __device__ static
#define __shared__ static __attribute__((section("shared_memory")))
#define __syncthreads() stand_in::wait_for_others(__LINE__, true)
#define __shfl_xor_sync(mask, value, distance) stand_in::shuffle(__LINE__, mask, value, distance)

struct Index { unsigned x, y, z; };
static Index threadIdx, blockIdx, blockDim, gridDim;
static float normcdff(float x) { return erfc(-x * M_SQRT1_2) / 2; }

namespace stand_in {

__shared__ char begin_of_section[16] __attribute__((used));
extern "C" char __start_shared_memory[], __stop_shared_memory[];

enum { READY = 0, ENDED = -1 };  // or the line of the source at which a thread waits
struct Thread { ucontext_t context; int state; bool for_block; float shown; };
static Thread threads[1024];
static char stacks[1024][1 << 15];
static ucontext_t scheduler;
static int current;
static void (*kernel)();
static void** arguments;

static void wait_for_others(int line, bool for_block)
{
    threads[current].state = line;
    threads[current].for_block = for_block;
    swapcontext(&threads[current].context, &scheduler);
}

static float shuffle(int line, unsigned mask, float value, int distance)
{
    threads[current].shown = mask == 0xffffffff ? value : NAN;
    wait_for_others(line, false);
    float seen = threads[current ^ distance].shown;
    wait_for_others(line, false);
    return seen;
}

static void run_thread()
{
    kernel();
    threads[current].state = ENDED;
}

static bool release(int first, int last, bool for_block)
{
    for (int t = first; t < last; t++)
        if (threads[t].state <= 0 || threads[t].for_block != for_block || threads[t].state != threads[first].state)
            return false;
    for (int t = first; t < last; t++)
        threads[t].state = READY;
    return true;
}

static bool run_block(int count, bool backwards)
{
    memset(__start_shared_memory, 0xff, __stop_shared_memory - __start_shared_memory);
    for (int t = 0; t < count; t++) {
        threads[t].state = READY;
        getcontext(&threads[t].context);
        threads[t].context.uc_stack.ss_sp = stacks[t];
        threads[t].context.uc_stack.ss_size = sizeof stacks[t];
        threads[t].context.uc_link = &scheduler;
        makecontext(&threads[t].context, run_thread, 0);
    }
    for (;;) {
        int ended = 0;
        for (int k = 0; k < count; k++) {
            current = backwards ? count - 1 - k : k;
            threadIdx.x = current % blockDim.x;
            threadIdx.y = current / blockDim.x % blockDim.y;
            threadIdx.z = current / blockDim.x / blockDim.y;
            if (threads[current].state == READY)
                swapcontext(&scheduler, &threads[current].context);
            ended += threads[current].state == ENDED;
        }
        if (ended == count)
            return true;
        bool released = false;
        for (int first = 0; first < count; first += 32)
            released |= release(first, first + 32, false);
        if (!released && !release(0, count, true))
            return false;
    }
}

extern "C" bool run_kernel(void (*function)(), const unsigned* size, bool backwards, void** values)
{
    kernel = function;
    arguments = values;
    gridDim = {size[0], size[1], size[2]};
    blockDim = {size[3], size[4], size[5]};
    long long blocks = (long long)gridDim.x * gridDim.y * gridDim.z;
    for (long long k = 0; k < blocks; k++) {
        long long block = backwards ? blocks - 1 - k : k;
        blockIdx.x = block % gridDim.x;
        blockIdx.y = block / gridDim.x % gridDim.y;
        blockIdx.z = block / gridDim.x / gridDim.y;
        if (!run_block(blockDim.x * blockDim.y * blockDim.z, backwards))
            return false;
    }
    return true;
}

}  // namespace stand_in
