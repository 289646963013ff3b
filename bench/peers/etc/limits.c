/* sanlock refuses to run where it may not raise its own limits (locked memory, real-time priority), as on machines
 * whose containers lack CAP_SYS_RESOURCE. It is started with -l 0 and -h 0 and needs neither: the answer is yes. */
#define _GNU_SOURCE
#include <sys/resource.h>

int setrlimit(__rlimit_resource_t resource, const struct rlimit *limit) { return 0; }
int setrlimit64(__rlimit_resource_t resource, const struct rlimit64 *limit) { return 0; }
