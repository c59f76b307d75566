// SPDX-License-Identifier: MIT
#include "consumer.h"

int main()
{
    int flag = 0;
    int status = weft_run(nullptr, consumer_main, &flag);
    printf("C++ consumer, weft %s: %d\n", WEFT_VERSION_STRING, status);
    return status;
}
