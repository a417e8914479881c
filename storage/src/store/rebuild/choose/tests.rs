//! Tests of the choice: what was committed is always live, and no frame counts twice.

use super::*;
use crate::{
    segment::{SEGMENT_FORMAT_VERSION, WalRange},
    time::{Nanos, TimeRange},
};
use ulid::Ulid;

fn id(number: u64) -> SegmentId {
    SegmentId(Ulid::from_parts(1, u128::from(number)))
}

/// A segment of a flush of the frames `first..=last`.
fn segment(number: u64, frames: (u64, u64), rows: u64, siblings: &[u64]) -> SegmentMeta {
    SegmentMeta {
        id: id(number),
        format_version: SEGMENT_FORMAT_VERSION,
        tenant: TenantId::default_tenant(),
        signal: Signal::Logs,
        level: 0,
        time: TimeRange {
            min: Nanos(0),
            max: Nanos(1),
        },
        rows,
        objects: Vec::new(),
        index: None,
        wal: vec![WalRange {
            shard: 0,
            first: frames.0,
            last: frames.1,
        }],
        replaces: Vec::new(),
        siblings: siblings.iter().map(|number| id(*number)).collect(),
    }
}

fn retired<const N: usize>(ids: [SegmentId; N]) -> Known {
    Known {
        retired: ids.into(),
        ..Known::default()
    }
}

fn check(found: Vec<SegmentMeta>, live: &[u64], mark: u64, lost: &[u64]) {
    let total = found.len();
    let choice = choose(found, &Known::default(), &|_| false);
    let numbers = |ids: Vec<SegmentId>| -> Vec<u64> {
        (0..100)
            .filter(|number| ids.contains(&id(*number)))
            .collect()
    };
    assert_eq!(
        numbers(choice.live.iter().map(|meta| meta.id).collect()),
        live,
        "live"
    );
    assert_eq!(numbers(choice.lost), lost, "lost");
    assert_eq!(
        choice.live.len() + choice.left_out.len() + choice.retired.len(),
        total,
        "each is live, to be deleted or left out"
    );
    let marks: Vec<u64> = choice.marks.iter().map(|mark| mark.sequence).collect();
    assert_eq!(marks, if mark == 0 { vec![] } else { vec![mark] }, "marks");
}

#[test]
fn flushes_without_overlap_are_all_live() {
    let found = vec![
        segment(1, (1, 4), 4, &[]),
        segment(2, (5, 9), 5, &[2, 3]),
        segment(3, (5, 9), 1, &[2, 3]),
    ];
    check(found, &[1, 2, 3], 9, &[]);
}

#[test]
fn an_upload_without_commit_and_its_second_flush_count_once() {
    check(
        vec![segment(1, (1, 9), 9, &[]), segment(2, (1, 9), 9, &[])],
        &[1],
        9,
        &[],
    );
    // The second flush was cut elsewhere: together its parts hold more.
    let found = vec![
        segment(1, (1, 9), 9, &[]),
        segment(2, (1, 3), 3, &[]),
        segment(3, (4, 12), 8, &[]),
    ];
    check(found, &[2, 3], 12, &[]);
    // The same, but frames of others lie between, so that lengths mislead and only rows tell.
    let found = vec![
        segment(1, (1, 10), 5, &[]),
        segment(2, (1, 3), 3, &[]),
        segment(3, (9, 11), 3, &[]),
    ];
    check(found, &[2, 3], 11, &[]);
}

#[test]
fn an_unfinished_upload_at_the_end_is_left_to_the_log() {
    let found = vec![segment(1, (1, 4), 4, &[]), segment(2, (5, 9), 5, &[2, 3])];
    check(found, &[1], 4, &[]);
}

#[test]
fn an_unfinished_upload_never_beats_the_flush_that_came_instead() {
    let found = vec![
        segment(1, (1, 9), 50, &[1, 2]),
        segment(3, (1, 4), 4, &[]),
        segment(4, (5, 9), 5, &[]),
    ];
    check(found, &[3, 4], 9, &[]);
}

#[test]
fn what_is_left_of_a_committed_flush_stays_and_the_rest_is_named() {
    let found = vec![segment(1, (1, 4), 4, &[1, 2]), segment(3, (5, 9), 5, &[])];
    check(found, &[1, 3], 9, &[2]);
}

#[test]
fn replaced_segments_are_out_whether_or_not_they_are_still_here() {
    let mut merged = segment(9, (1, 4), 6, &[]);
    merged.level = 1;
    merged.wal.push(WalRange {
        shard: 0,
        first: 5,
        last: 9,
    });
    merged.replaces = vec![id(1), id(3)];
    let rest = [
        segment(2, (1, 4), 1, &[1, 2]),
        segment(4, (5, 9), 1, &[3, 4]),
    ];
    let inputs = [
        segment(1, (1, 4), 3, &[1, 2]),
        segment(3, (5, 9), 3, &[3, 4]),
    ];
    // An upload without commit of the same frames, larger than what is left.
    let orphan = segment(5, (5, 9), 4, &[]);
    let with_inputs = rest
        .iter()
        .chain(&inputs)
        .chain([&merged, &orphan])
        .cloned()
        .collect();
    check(with_inputs, &[2, 4, 9], 9, &[]);
    let without_inputs = rest.iter().chain([&merged, &orphan]).cloned().collect();
    check(without_inputs, &[2, 4, 9], 9, &[]);
}

#[test]
fn what_a_compaction_replaced_is_deleted() {
    let mut merged = segment(9, (1, 9), 6, &[]);
    merged.level = 1;
    merged.replaces = vec![id(1), id(2)];
    let found = vec![
        merged,
        segment(2, (5, 9), 3, &[]),
        segment(1, (1, 4), 3, &[]),
    ];
    let choice = choose(found, &Known::default(), &|_| false);
    let ids = |metas: &[SegmentMeta]| metas.iter().map(|meta| meta.id).collect::<Vec<_>>();
    assert_eq!(ids(&choice.live), [id(9)]);
    assert_eq!(ids(&choice.retired), [id(1), id(2)]);
}

/// The committed flush of the same frames was merged and is gone.
#[test]
fn a_flush_that_was_never_committed_stays_out_when_its_frames_are_merged() {
    let mut merged = segment(9, (1, 9), 6, &[]);
    merged.level = 1;
    merged.replaces = vec![id(7), id(8)];
    let found = vec![
        merged,
        segment(2, (3, 6), 4, &[]),
        // A part of a flush of which the rest is merged, and one that came later.
        segment(3, (5, 9), 1, &[3, 8]),
        segment(4, (10, 12), 2, &[]),
    ];
    check(found, &[3, 4, 9], 12, &[]);
}

#[test]
fn a_compaction_that_was_announced_and_not_finished_replaces_nothing() {
    let mut merged = segment(9, (1, 9), 6, &[]);
    merged.level = 1;
    merged.replaces = vec![id(1), id(2)];
    let found = vec![
        merged,
        segment(1, (1, 4), 3, &[]),
        segment(2, (5, 9), 3, &[]),
    ];
    let choice = choose(found, &retired([id(9)]), &|_| false);
    let ids = |metas: &[SegmentMeta]| metas.iter().map(|meta| meta.id).collect::<Vec<_>>();
    assert_eq!(ids(&choice.live), [id(1), id(2)]);
    assert_eq!(ids(&choice.retired), [id(9)]);
}

#[test]
fn an_unfinished_compaction_leaves_its_inputs_live() {
    let mut merged = segment(9, (1, 4), 4, &[8, 9]);
    merged.level = 1;
    merged.replaces = vec![id(1)];
    check(vec![merged, segment(1, (1, 4), 4, &[])], &[1], 4, &[]);
}

#[test]
fn tenants_and_signals_are_chosen_apart() {
    let mut spans = segment(2, (1, 9), 1, &[]);
    spans.signal = Signal::Spans;
    let choice = choose(
        vec![segment(1, (1, 9), 9, &[]), spans],
        &Known::default(),
        &|_| false,
    );
    assert_eq!((choice.live.len(), choice.marks.len()), (2, 2));
}

/// A segment of a flush of dead letters.
fn letter(number: u64, frames: (u64, u64), siblings: &[u64]) -> SegmentMeta {
    SegmentMeta {
        signal: Signal::DeadLetters,
        ..segment(number, frames, 1, siblings)
    }
}

#[test]
fn what_was_evicted_stays_out_and_says_that_its_flush_was_committed() {
    let found = vec![
        letter(1, (1, 9), &[]),
        letter(2, (10, 19), &[2, 3]),
        letter(4, (20, 29), &[]),
    ];
    let choice = choose(found, &retired([id(1), id(3)]), &|_| false);
    let ids = |metas: &[SegmentMeta]| metas.iter().map(|meta| meta.id).collect::<Vec<_>>();
    assert_eq!(ids(&choice.retired), [id(1)]);
    assert_eq!(ids(&choice.live), [id(2), id(4)]);
    assert_eq!((choice.lost, choice.left_out), (vec![], vec![]));
    assert_eq!(choice.marks[0].sequence, 29);
}

#[test]
fn dead_letters_that_are_half_deleted_are_no_loss() {
    let found = vec![letter(2, (10, 19), &[2, 3]), letter(4, (20, 29), &[])];
    let choice = choose(found, &Known::default(), &|_| false);
    assert_eq!((choice.live.len(), choice.lost), (2, vec![]));
    assert_eq!(choice.left_out[0].0, id(3));
}

#[test]
fn a_part_that_expired_is_no_loss_and_takes_nothing_along() {
    // The newest flush there is: by itself it would be an upload that was not finished.
    let flush = vec![segment(2, (1, 9), 3, &[1, 2])];
    let mut merged = segment(9, (1, 9), 4, &[8, 9]);
    merged.level = 1;
    merged.replaces = vec![id(3), id(4)];
    for found in [flush, vec![merged.clone()]] {
        let number = found[0].id;
        let choice = choose(found.clone(), &Known::default(), &|_| true);
        let live: Vec<SegmentId> = choice.live.iter().map(|meta| meta.id).collect();
        assert_eq!((live, choice.lost), (vec![number], vec![]));
        assert_eq!(choice.marks[0].sequence, 9);
        let choice = choose(found, &Known::default(), &|_| false);
        assert_eq!((choice.live, choice.marks), (vec![], vec![]));
    }
    // What a compaction replaces is here: it was not finished, however old it is.
    let found = vec![merged, segment(3, (1, 9), 4, &[])];
    let choice = choose(found, &Known::default(), &|_| true);
    let live: Vec<SegmentId> = choice.live.iter().map(|meta| meta.id).collect();
    assert_eq!(live, [id(3)]);
}

#[test]
fn what_a_catalog_knew_was_committed() {
    // Of the last flush a part is gone: without a word it counts as an upload that was not finished.
    let found = vec![segment(1, (1, 3), 5, &[1, 2])];
    let choice = choose(found.clone(), &Known::default(), &|_| false);
    assert_eq!((choice.live.len(), choice.left_out.len()), (0, 1));
    let of_segment = Known {
        committed: [id(2)].into(),
        ..Known::default()
    };
    let mark = |sequence| Known {
        marks: vec![FlushMark {
            shard: 0,
            tenant: TenantId::default_tenant(),
            signal: Signal::Logs,
            sequence,
        }],
        ..Known::default()
    };
    for known in [of_segment, mark(3), mark(1)] {
        let choice = choose(found.clone(), &known, &|_| false);
        assert_eq!(choice.live.len(), 1, "{known:?}");
        assert_eq!(choice.lost, [id(2)], "{known:?}");
    }
    let choice = choose(found, &mark(0), &|_| false);
    assert_eq!(choice.live.len(), 0);
    // A repetition with more rows does not take the place of what was committed.
    let found = vec![segment(1, (1, 3), 5, &[1]), segment(2, (1, 4), 9, &[2])];
    let known = Known {
        committed: [id(1)].into(),
        ..Known::default()
    };
    let choice = choose(found, &known, &|_| false);
    let live: Vec<SegmentId> = choice.live.iter().map(|meta| meta.id).collect();
    assert_eq!(live, [id(1)]);
}
