//! Instant selectors, and the times of what they find.

use super::{arguments::argument, names::nameless, rows};
use crate::{
    error::{Error, Result},
    eval::{context::Context, select::Finder},
    expr::{Call, Extension, Kind, Selector},
    histogram::detect_hints,
    row::{Row, Rows, Sample, Steps},
    source::Selection,
};

/// The samples that a selector finds, or their times.
pub(super) fn select<'a>(
    ctx: &'a Context<'a>,
    selector: &'a Selector,
    steps: Steps,
    timestamps: bool,
) -> Result<Rows<'a>> {
    if selector.extension == Some(Extension::Anchored) {
        let message = "anchored modifier can only be used with a range".to_owned();
        return Err(Error::Evaluation(message));
    }
    let (from_ms, through_ms) = ctx.timing.span_of(selector, None, steps)?;
    let finder = Finder {
        steps,
        reference: ctx.timing.reference(&selector.shift)?,
        lookback_ms: ctx.timing.lookback_ms,
        timestamps,
        smoothed: selector.extension.is_some(),
    };
    let series = ctx.series(&Selection {
        matchers: selector.matchers.clone(),
        from_ms,
        through_ms,
    })?;
    Ok(Box::new(series.filter_map(move |series| match series {
        Ok(mut series) => {
            if selector.statistics_only {
                detect_hints(&mut series.histograms);
            }
            let row = Row::new(series.labels.clone(), finder.samples(&series));
            (!row.is_empty()).then_some(Ok(row))
        }
        Err(error) => Some(Err(error)),
    })))
}

pub(super) fn timestamps<'a>(
    ctx: &'a Context<'a>,
    call: &'a Call,
    steps: Steps,
) -> Result<Rows<'a>> {
    let arg = argument(call, 0)?;
    if let Kind::Selector(selector) = &arg.unwrapped().kind {
        return Ok(nameless(
            ctx,
            arg,
            ctx.counted(select(ctx, selector, steps, true)?),
        ));
    }
    let inner = rows(ctx, arg, steps)?;
    let timed = inner.map(move |row| {
        let mut row = row?;
        for (sample, now) in row.samples.iter_mut().zip(steps.seconds()) {
            if !sample.is_absent() {
                *sample = Sample::Float(now);
            }
        }
        Ok(row)
    });
    Ok(nameless(ctx, arg, Box::new(timed)))
}
