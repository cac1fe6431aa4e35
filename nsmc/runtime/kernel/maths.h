/* What processors.c includes for each kind of processor. */

#include "vectors.h"
#include "product.h"
#include "recurrence.h"
#include "answer.h"

#undef NAME
#undef TARGET
#undef LANES
#undef BLOCK
#undef EACH_BLOCK
#undef LEAST
#undef GREATEST
#undef WIDENED
#undef HALF_PRODUCT
#undef AT
#undef LOAD
#undef STORE
#undef INLINE
#undef bits
#undef vec
