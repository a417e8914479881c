//! The canonical text of queries.
