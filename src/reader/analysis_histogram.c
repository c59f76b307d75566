/* SPDX-License-Identifier: MIT */
/*
 * Durations below 16 have a bucket each; above, every power of two is divided into 16. The bucket
 * is found with one count of leading zeros.
 */
#include <weft/analysis.h>

#define PARTS 16
#define BITS  4

static size_t bucket_of(uint64_t value)
{
    if (value < PARTS)
        return (size_t)value;
    unsigned exponent = 63 - (unsigned)__builtin_clzll(value);
    return (exponent - BITS + 1) * PARTS + ((value >> (exponent - BITS)) & (PARTS - 1));
}

void weft_histogram_add(weft_histogram *histogram, int64_t duration)
{
    if (duration < 0)
        duration = 0;
    histogram->count++;
    if (__builtin_add_overflow(histogram->sum, duration, &histogram->sum))
        histogram->sum = INT64_MAX;
    if (duration > histogram->max)
        histogram->max = duration;
    histogram->buckets[bucket_of((uint64_t)duration)]++;
}

void weft_histogram_bucket(size_t index, int64_t *low, int64_t *high)
{
    if (index >= WEFT_HISTOGRAM_BUCKETS)
        index = WEFT_HISTOGRAM_BUCKETS - 1;
    if (index < PARTS) {
        *low = *high = (int64_t)index;
        return;
    }
    unsigned shift = (unsigned)(index / PARTS) - 1;
    uint64_t first = (PARTS + index % PARTS) << shift;
    *low = (int64_t)first;
    *high = (int64_t)(first + ((UINT64_C(1) << shift) - 1));
}

int64_t weft_histogram_quantile(const weft_histogram *histogram, double share)
{
    if (histogram->count == 0)
        return 0;
    double want = share * (double)histogram->count;
    uint64_t seen = 0;
    int64_t low, high = 0;
    for (size_t i = 0; i < WEFT_HISTOGRAM_BUCKETS; i++) {
        seen += histogram->buckets[i];
        if (seen == 0 || (double)seen < want)
            continue;
        weft_histogram_bucket(i, &low, &high);
        break;
    }
    return high < histogram->max ? high : histogram->max;
}
