//! Questions in PromQL, and about the series that it sees.

use super::{Engine, lane::Asked};
use crate::{
    error::Result,
    promql::{
        PromqlRequest, evaluate,
        questions::{self, Asking, Cardinality, Exemplars, Family},
        remembered::Site,
    },
    sql::answer::AnswerEnd,
};
use cairn_promql::{
    labels::Labels,
    query::Answer,
    source::{Selection, Series},
};
use cairn_storage::id::TenantId;
use std::{collections::BTreeSet, sync::Arc};

impl Engine {
    /// Evaluates a query.
    pub async fn promql(&self, request: PromqlRequest) -> Result<(Answer, AnswerEnd)> {
        let asked = Asked {
            tenant: request.tenant.clone(),
            deadline: request.deadline,
            min_sequence: request.min_sequence,
        };
        self.at_site(asked, move |site| evaluate::evaluate(&request, site))
            .await
    }

    /// The series of `selection`, with their points.
    pub async fn select_series(
        &self,
        tenant: TenantId,
        selection: Selection,
    ) -> Result<Vec<Series>> {
        let asked = Asked {
            tenant,
            deadline: None,
            min_sequence: None,
        };
        let (series, _) = self
            .at_site(asked, move |site| questions::select(&selection, site))
            .await?;
        Ok(series)
    }

    /// The labels of the series that `asking` selects, sorted.
    pub async fn series(&self, asking: Asking) -> Result<(BTreeSet<Labels>, AnswerEnd)> {
        self.ask(asking, questions::series).await
    }

    /// The names of their labels.
    pub async fn label_names(&self, asking: Asking) -> Result<(BTreeSet<String>, AnswerEnd)> {
        self.ask(asking, questions::label_names).await
    }

    /// The values of one of their labels.
    pub async fn label_values(
        &self,
        asking: Asking,
        label: String,
    ) -> Result<(BTreeSet<String>, AnswerEnd)> {
        self.ask(asking, move |asking, site| {
            questions::label_values(asking, &label, site)
        })
        .await
    }

    /// The metrics with type, help and unit.
    pub async fn metric_metadata(&self, asking: Asking) -> Result<(Vec<Family>, AnswerEnd)> {
        self.ask(asking, questions::metadata).await
    }

    /// The exemplars of the series that `asking` selects.
    pub async fn exemplars(&self, asking: Asking) -> Result<(Vec<Exemplars>, AnswerEnd)> {
        self.ask(asking, questions::exemplars).await
    }

    /// How many series there are, and which names and labels have most of them.
    pub async fn cardinality(
        &self,
        asking: Asking,
        most: usize,
    ) -> Result<(Cardinality, AnswerEnd)> {
        self.ask(asking, move |asking, site| {
            questions::cardinality(asking, most, site)
        })
        .await
    }

    async fn ask<T: Send + 'static>(
        &self,
        asking: Asking,
        question: impl FnOnce(&Asking, Site) -> Result<T> + Send + 'static,
    ) -> Result<(T, AnswerEnd)> {
        let asked = Asked {
            tenant: asking.tenant.clone(),
            deadline: asking.deadline,
            min_sequence: None,
        };
        self.at_site(asked, move |site| question(&asking, site))
            .await
    }

    /// Runs `work` on a lane, with what is remembered of series.
    async fn at_site<T: Send + 'static>(
        &self,
        asked: Asked,
        work: impl FnOnce(Site) -> Result<T> + Send + 'static,
    ) -> Result<(T, AnswerEnd)> {
        let memory = Arc::clone(&self.series);
        self.work(asked, move |place| work(Site { place, memory }))
            .await
    }
}
