//! Binary operators between scalars, vectors, and both.

pub(crate) mod matching;
pub(crate) mod operate;
pub(crate) mod scalar;
pub(crate) mod set;
