//! Reading through checksums.
