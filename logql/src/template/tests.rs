//! Templates: what each function and action makes of a line.
