//! Questions in LogQL, and about the streams that it sees.

use super::{Engine, lane::Asked};
use crate::{
    error::Result,
    logql::{
        LogqlAnswer, LogqlRequest, evaluate,
        questions::{self, Asking, Tally},
    },
    sql::answer::AnswerEnd,
};
use cairn_storage::time::Nanos;

impl Engine {
    /// Evaluates a query.
    ///
    /// Fails with `Invalid` for a query that is wrong, and with `TooLarge` where it asks for too much.
    pub async fn logql(&self, request: LogqlRequest) -> Result<(LogqlAnswer, AnswerEnd)> {
        let asked = Asked {
            tenant: request.tenant.clone(),
            deadline: request.deadline,
            min_sequence: None,
        };
        let Nanos(now) = self.store.world().clock.now();
        self.work(asked, move |place| {
            evaluate::evaluate(&request, now, &place)
        })
        .await
    }

    /// The streams that `asking` means, with what is in them.
    pub async fn log_streams(&self, asking: Asking) -> Result<(Vec<Tally>, AnswerEnd)> {
        let asked = Asked {
            tenant: asking.tenant.clone(),
            deadline: asking.deadline,
            min_sequence: None,
        };
        self.work(asked, move |place| {
            questions::tallies(&asking.which, &place)
        })
        .await
    }
}
