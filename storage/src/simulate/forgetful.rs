//! A catalog that outlives the simulated process and is made to forget.

use crate::{
    catalog::{Catalog, CatalogState, Commit, Contents, Event},
    error::Result,
    id::OwnerId,
    signal::Table,
};
use async_trait::async_trait;
use std::sync::Arc;

/// What a catalog is made to forget, so that the harness can show that it notices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Forgetful {
    pub(super) marks: bool,
    pub(super) digests: bool,
    pub(super) retired: bool,
}

/// A catalog that forgets a part of every commit.
pub(super) struct ForgetfulCatalog {
    catalog: Arc<dyn Catalog>,
    forgets: Forgetful,
}

impl ForgetfulCatalog {
    pub(super) fn new(catalog: Arc<dyn Catalog>, forgets: Forgetful) -> ForgetfulCatalog {
        ForgetfulCatalog { catalog, forgets }
    }
}

#[async_trait]
impl Catalog for ForgetfulCatalog {
    async fn load(&self) -> Result<CatalogState> {
        self.catalog.load().await
    }

    async fn begin_epoch(&self) -> Result<u64> {
        self.catalog.begin_epoch().await
    }

    async fn set_owner(&self, owner: OwnerId) -> Result<()> {
        self.catalog.set_owner(owner).await
    }

    async fn commit(&self, mut commit: Commit) -> Result<()> {
        if self.forgets.marks {
            commit.flushed_through.clear();
        }
        if self.forgets.digests {
            commit.digests.clear();
        }
        if self.forgets.retired {
            commit.replace.clear();
        }
        self.catalog.commit(commit).await
    }

    async fn field_ids(&self, table: Table, columns: &[String]) -> Result<Vec<i32>> {
        self.catalog.field_ids(table, columns).await
    }

    async fn events(&self, after: u64, limit: u32) -> Result<Vec<(u64, Event)>> {
        self.catalog.events(after, limit).await
    }

    async fn scrub(&self) -> Result<()> {
        self.catalog.scrub().await
    }

    async fn commits(&self) -> Result<u64> {
        self.catalog.commits().await
    }

    async fn contents(&self) -> Result<Contents> {
        self.catalog.contents().await
    }

    async fn replace_all(&self, contents: Contents) -> Result<()> {
        self.catalog.replace_all(contents).await
    }
}
