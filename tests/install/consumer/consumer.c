/* SPDX-License-Identifier: MIT */
#include "consumer.h"

int main(void)
{
    int flag = 0;
    int status = weft_run(NULL, consumer_main, &flag);
    printf("C consumer, weft %s: %d\n", WEFT_VERSION_STRING, status);
    return status;
}
