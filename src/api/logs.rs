//! `/api/v1/logs/…`: questions about log records for those who do not want to write SQL.
//!
//! Every one of them becomes a statement, so that it prunes, counts, is limited and tells its completeness as SQL does.

mod context;
mod export;
mod fields;
mod histogram;
mod patterns;
mod question;
mod rows;
mod search;
mod searches;
mod tail;

pub(super) use context::get as context;
pub(super) use export::get as export;
pub(super) use fields::get as fields;
pub(super) use histogram::get as histogram;
pub(super) use patterns::get as patterns;
pub(super) use search::get as search;
pub(super) use searches::{
    delete as delete_search, get as saved_search, list as searches, put as save_search,
};
pub(super) use tail::get as tail;
