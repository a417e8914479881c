//! How large one statement may be, each limit with its reason.

/// Bytes of the text. Also bounds every literal, and so what constant folding starts from.
pub(super) const STATEMENT_BYTES: usize = 64 << 10;

/// Nesting of parentheses, brackets and CASE.
pub(super) const NESTING: usize = 64;

/// Operators in one chain without parentheses (`1 + 1 + …`, `a OR b OR …`). A chain becomes a tree that is as
/// deep as it is long, which no nesting limit of a parser sees; DataFusion overflowed a 2 MiB stack at 1,000.
pub(super) const CHAIN: usize = 500;

/// Operators and parentheses on the way from the statement to its deepest expression, all chains on it taken
/// together. Holds on the 16 MiB stacks of a lane with room to spare.
pub(super) const DEPTH: usize = 1_000;

/// Joins, commas in FROM included, with every WITH query counted at each of its uses. DataFusion overflowed a
/// 2 MiB stack at 200.
pub(super) const JOINS: usize = 32;

/// Parts of UNION, INTERSECT and EXCEPT in the text. Planning time grows with the square of them.
pub(super) const SET_OPERATIONS: usize = 100;

/// Table references and SELECTs once every WITH query stands at each of its uses: thirty lines of
/// `WITH b AS (SELECT * FROM a, a), c AS (SELECT * FROM b, b), …` would be a billion.
pub(super) const EXPANDED_SELECTS: u64 = 256;

/// Elements of one IN list.
pub(super) const IN_LIST: usize = 10_000;

/// Branches of one CASE.
pub(super) const CASE_BRANCHES: usize = 1_000;

/// Columns and expressions in one SELECT list.
pub(super) const SELECT_LIST: usize = 1_000;

/// Sub-selects in expressions, inside each other. DataFusion's rules go through each of them twice, and so twice for
/// each level: 14 levels take 0.3 s, 20 take minutes that nothing can stop.
pub(super) const SUB_SELECTS: usize = 8;

/// Queries with WITH, inside each other. DataFusion looks for the tables of each of its queries twice, and so twice for
/// each level, before anything can stop it: 20 levels take seconds, 64 never end.
pub(super) const WITHS: usize = 8;

/// Window functions of one statement. Planning time grows with more than the square of them: 100 take 0.5 s, 450 take 15 s.
pub(super) const WINDOWS: usize = 100;

/// Grouping sets of one GROUP BY; CUBE over n columns makes 2^n.
pub(super) const GROUPING_SETS: u64 = 256;

/// Nodes of one expression once all that it refers to in sub-selects is put in its place, as the optimizer
/// does when it moves a filter down.
pub(super) const INLINED_NODES: u64 = 100_000;

/// Bytes of one computed value, estimated from above. With the rows of a batch lowered accordingly, a batch
/// of such values stays near `BATCH_BYTES`.
pub(super) const VALUE_BYTES: u64 = 1 << 20;

/// What a batch of computed values may take, estimated from above.
pub(super) const BATCH_BYTES: u64 = 128 << 20;

/// Rows of a batch are never lowered below this.
pub(super) const LEAST_BATCH_ROWS: usize = 64;

/// Elements of a fixed-size list or bytes of a fixed-size binary value that a cast may name: a NULL of such a
/// type takes the full size.
pub(super) const FIXED_SIZE: i32 = 1_024;

/// Parameters of one statement.
pub(super) const PARAMETERS: usize = 1_000;
