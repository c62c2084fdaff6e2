/* floats.h: dots.h for keys of float32, with their squares unless SQUARES says otherwise. */
#define ITEM(x) NAME(x##_floats)
#define QUERY float
#define ELEMENT float
#define STEP LANES
#define LOAD_QUERY(p) LOAD_FLOATS(p)
#define LOAD_QUERY_PART(p, n) LOAD_SOME_FLOATS(p, n)
#define LOAD(p) LOAD_FLOATS(p)
#define LOAD_PART(p, n) LOAD_SOME_FLOATS(p, n)
#define SUM NAME(vector)
#define ADD(sum, own, part) ((sum) + (own) * (part))
#define JOINED(vectors) NAME(together) (vectors)
#define TOTALS(vectors, step) NAME(sums) (vectors, step)
#ifndef SQUARES
#define SQUARES 1
#endif
#include "dots.h"
