//! What is LogQL, and what is said about what is not.
