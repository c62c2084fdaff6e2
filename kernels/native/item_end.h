/* item_end.h: what dots.h was given for one type of element is taken back. */
#undef ITEM
#undef QUERY
#undef ELEMENT
#undef STEP
#undef LOAD_QUERY
#undef LOAD_QUERY_PART
#undef LOAD
#undef LOAD_PART
#undef SUM
#undef ADD
#undef JOINED
#undef TOTALS
#undef SQUARES
#undef CACHED
