//! What every catalog must do, as one suite that each implementation runs.

use super::{Catalog, CatalogState, Commit, Contents, Digest, Event, FlushMark};
use crate::{
    append::Answer,
    deletion::{Condition, Field, Owners, Predicate, Tombstone},
    error::Kind,
    id::{OwnerId, SegmentId, TenantId, TombstoneId},
    schema::FIRST_PROMOTED_FIELD_ID,
    segment::{Bounds, ColumnStats, FileMeta, ObjectMeta, SegmentMeta, WalRange},
    signal::{Encoding, Signal, Table},
    time::{Nanos, TimeRange},
};
use ulid::Ulid;

/// Runs every case on a catalog of its own.
pub(super) async fn suite(make: impl AsyncFn() -> Box<dyn Catalog>) {
    starts_empty(make().await).await;
    commits_come_back(make().await).await;
    conflicts_change_nothing(make().await).await;
    marks_only_go_up(make().await).await;
    old_digests_are_forgotten(make().await).await;
    epochs_never_repeat(make().await).await;
    field_ids_stay(make().await).await;
    events_are_numbered(make().await).await;
    everything_can_be_replaced(make().await).await;
    contents_come_back(make().await, make().await).await;
    what_is_retired_is_kept_until_it_is_forgotten(make().await).await;
    what_is_announced_is_retired_until_it_is_added(make().await).await;
    tombstones_are_kept_as_they_are_last(make().await).await;
}

fn tenant(name: &str) -> TenantId {
    name.parse().expect("valid")
}

pub(super) fn segment(number: u128) -> SegmentMeta {
    let id = SegmentId(Ulid(number));
    let path = format!("tenant=shop/signal=logs/date=2026-01-01/hour=00/{id}.logs.parquet");
    let column = |name: &str, bounds| ColumnStats {
        column: name.to_string(),
        nulls: 3,
        bounds: Some(bounds),
    };
    SegmentMeta {
        id,
        format_version: 1,
        tenant: tenant("shop"),
        signal: Signal::Logs,
        level: 0,
        time: TimeRange {
            min: Nanos(i64::MIN),
            max: Nanos(i64::MAX),
        },
        rows: 10,
        objects: vec![ObjectMeta {
            table: Table::Logs,
            file: FileMeta {
                path,
                size_bytes: 1000,
                checksum: 0xFFFF_FFFF,
            },
            footer_bytes: 100,
            rows: 10,
            columns: vec![
                column("timestamp", Bounds::Int(i64::MIN, i64::MAX)),
                column("a.ratio:double", Bounds::Double(0.1 + 0.2, f64::INFINITY)),
                column("a.small:double", Bounds::Double(-0.0, 5e-324)),
                column(
                    "body",
                    Bounds::Text("a\"\u{0}".to_string(), "ü".to_string()),
                ),
                column("trace_id", Bounds::Bytes(vec![0; 16], vec![255; 16])),
            ],
            promoted: Vec::new(),
            overflow_keys: Some(vec!["k".to_string()]),
        }],
        index: None,
        wal: vec![WalRange {
            shard: 0,
            first: 1,
            last: u64::MAX >> 1,
        }],
        replaces: Vec::new(),
        siblings: Vec::new(),
    }
}

fn mark(shard: u32, name: &str, sequence: u64) -> FlushMark {
    FlushMark {
        shard,
        tenant: tenant(name),
        signal: Signal::Spans,
        sequence,
    }
}

pub(super) fn digest(number: u64, name: &str) -> Digest {
    let message = if number.is_multiple_of(2) {
        "two were refused"
    } else {
        ""
    };
    Digest {
        tenant: tenant(name),
        signal: if number.is_multiple_of(3) {
            Signal::Logs
        } else {
            Signal::Metrics
        },
        encoding: Encoding::OtlpProtobuf,
        digest: u128::MAX - u128::from(number),
        received: Nanos(number as i64),
        sequence: number,
        answer: Answer {
            rejected: message.len() as u64,
            message: message.to_string(),
        },
    }
}

pub(super) fn event(number: u64) -> Event {
    Event {
        kind: "cairn.segment.committed.v1".to_string(),
        tenant: tenant("shop"),
        time: Nanos(number as i64),
        body: format!("{{\"n\":{number}}}"),
    }
}

pub(super) fn tombstone(number: u128) -> Tombstone {
    let predicate = Predicate {
        from: Some(Nanos(-1)),
        before: None,
        conditions: vec![Condition {
            field: Field::Attribute("user".to_string()),
            values: vec!["ü\"".to_string(), "marker-of-a-tombstone".to_string()],
        }],
    };
    Tombstone {
        id: TombstoneId(Ulid(number)),
        tenant: tenant("shop"),
        signal: Signal::Spans,
        sequence: u64::MAX >> 1,
        accepted: Nanos(i64::MAX),
        requested_by: "data \"protection\"".to_string(),
        completed: None,
        predicate_sha256: predicate.sha256(),
        predicate: Some(predicate),
        owners: Owners::new(vec![(u64::MAX, 1, 7), (3, u64::MAX, u32::MAX)]),
        deleted: [(Table::Spans, 3), (Table::SpanEvents, u64::MAX >> 1)].into(),
        left: vec!["wal/damaged/x".to_string()],
    }
}

fn adding(numbers: impl IntoIterator<Item = u128>) -> Commit {
    Commit {
        add: numbers.into_iter().map(segment).collect(),
        ..Commit::default()
    }
}

fn id(number: u128) -> SegmentId {
    SegmentId(Ulid(number))
}

async fn live(catalog: &dyn Catalog) -> Vec<u128> {
    let state = catalog.load().await.expect("loads");
    assert_eq!(state.damaged, Vec::<String>::new());
    state.segments.iter().map(|meta| meta.id.0.0).collect()
}

async fn starts_empty(catalog: Box<dyn Catalog>) {
    assert_eq!(
        catalog.load().await.expect("loads"),
        CatalogState::default()
    );
    assert_eq!(catalog.events(0, 10).await.expect("reads"), []);
}

async fn commits_come_back(catalog: Box<dyn Catalog>) {
    let everything = Commit {
        announce: Vec::new(),
        add: vec![segment(2), segment(1)],
        replace: Vec::new(),
        forget: Vec::new(),
        flushed_through: vec![mark(1, "shop", 9), mark(0, "zoo", 7), mark(0, "shop", 8)],
        digests: vec![
            digest(1, "zoo"),
            digest(2, "shop"),
            digest(4, "shop"),
            digest(3, "shop"),
        ],
        forget_digests_before: None,
        events: vec![event(1)],
        tombstones: vec![tombstone(1)],
    };
    catalog.commit(everything).await.expect("fits");
    let state = catalog.load().await.expect("loads");
    assert_eq!(state.segments, [segment(1), segment(2)]);
    assert_eq!(
        state.flushed_through,
        [mark(0, "shop", 8), mark(0, "zoo", 7), mark(1, "shop", 9)]
    );
    // By tenant and signal, those of one commit in their order.
    let expected = [
        digest(3, "shop"),
        digest(2, "shop"),
        digest(4, "shop"),
        digest(1, "zoo"),
    ];
    assert_eq!(state.digests, expected);
    catalog
        .commit(Commit {
            replace: vec![id(1)],
            ..adding([3])
        })
        .await
        .expect("fits");
    assert_eq!(live(&*catalog).await, [2, 3]);
}

async fn conflicts_change_nothing(catalog: Box<dyn Catalog>) {
    catalog.commit(adding([1, 2])).await.expect("fits");
    catalog
        .commit(Commit {
            replace: vec![id(2)],
            ..Commit::default()
        })
        .await
        .expect("fits");
    let refused = [
        // One exists already, live or replaced.
        adding([3, 1]),
        adding([3, 2]),
        adding([3, 3]),
        // One is not live, or no more, or only once.
        Commit {
            replace: vec![id(1), id(9)],
            ..adding([3])
        },
        Commit {
            replace: vec![id(1), id(2)],
            ..adding([3])
        },
        Commit {
            replace: vec![id(1), id(1)],
            ..adding([3])
        },
    ];
    for commit in refused {
        let commit = Commit {
            flushed_through: vec![mark(0, "shop", 5)],
            digests: vec![digest(1, "shop")],
            events: vec![event(1)],
            ..commit
        };
        let error = catalog.commit(commit).await.expect_err("does not fit");
        assert_eq!(error.kind(), Kind::Conflict, "{error}");
    }
    let state = catalog.load().await.expect("loads");
    assert_eq!(
        state,
        CatalogState {
            segments: vec![segment(1)],
            retired: vec![segment(2)],
            ..CatalogState::default()
        }
    );
    assert_eq!(catalog.events(0, 10).await.expect("reads"), []);
}

async fn marks_only_go_up(catalog: Box<dyn Catalog>) {
    for sequence in [5, 3, 8, 8, 1] {
        let commit = Commit {
            flushed_through: vec![mark(0, "shop", sequence)],
            ..Commit::default()
        };
        catalog.commit(commit).await.expect("fits");
    }
    let state = catalog.load().await.expect("loads");
    assert_eq!(state.flushed_through, [mark(0, "shop", 8)]);
}

async fn old_digests_are_forgotten(catalog: Box<dyn Catalog>) {
    let received = async |from: Option<i64>, numbers: &[u64]| {
        let digests = numbers
            .iter()
            .map(|number| digest(*number, "shop"))
            .collect();
        let forget_digests_before = from.map(Nanos);
        let commit = Commit {
            digests,
            forget_digests_before,
            ..Commit::default()
        };
        catalog.commit(commit).await.expect("fits");
        let state = catalog.load().await.expect("loads");
        let mut left: Vec<i64> = state
            .digests
            .iter()
            .map(|digest| digest.received.0)
            .collect();
        left.sort_unstable();
        left
    };
    assert_eq!(received(None, &[1, 4, 7]).await, [1, 4, 7]);
    assert_eq!(received(None, &[2, 10]).await, [1, 2, 4, 7, 10]);
    // What is older may stay where younger ones were committed together with it.
    let left = received(Some(8), &[]).await;
    assert!(left.contains(&10) && !left.contains(&7), "{left:?}");
    // The clock stepped back: digests that come with the instant, or after it, stay.
    let left = received(Some(11), &[3, 5]).await;
    assert_eq!(left, [3, 5]);
    assert_eq!(received(None, &[1]).await, [1, 3, 5]);
    assert!(received(Some(100), &[]).await.is_empty());
}

async fn epochs_never_repeat(catalog: Box<dyn Catalog>) {
    let mut last = 0;
    for _ in 0..5 {
        let epoch = catalog.begin_epoch().await.expect("works");
        assert!(epoch > last, "{epoch} after {last}");
        last = epoch;
    }
}

async fn field_ids_stay(catalog: Box<dyn Catalog>) {
    let names = |list: &[&str]| list.iter().map(|name| name.to_string()).collect::<Vec<_>>();
    let first = FIRST_PROMOTED_FIELD_ID;
    let ids =
        async |table, list: &[&str]| catalog.field_ids(table, &names(list)).await.expect("works");
    assert_eq!(
        ids(Table::Logs, &["a.x", "a.y:int"]).await,
        [first, first + 1]
    );
    assert_eq!(
        ids(Table::Logs, &["a.z", "a.y:int", "a.X"]).await,
        [first + 2, first + 1, first + 3]
    );
    assert_eq!(ids(Table::Spans, &["a.y:int"]).await, [first]);
    assert!(ids(Table::Logs, &[]).await.is_empty());
    assert_eq!(ids(Table::Logs, &["a.x", "a.x"]).await, [first, first]);
}

async fn events_are_numbered(catalog: Box<dyn Catalog>) {
    for number in 1..=5 {
        let commit = Commit {
            events: vec![event(number)],
            ..Commit::default()
        };
        catalog.commit(commit).await.expect("fits");
    }
    let all = catalog.events(0, 100).await.expect("reads");
    assert_eq!(
        all,
        (1..=5)
            .map(|number| (number, event(number)))
            .collect::<Vec<_>>()
    );
    let some = catalog.events(2, 2).await.expect("reads");
    assert_eq!(some, [(3, event(3)), (4, event(4))]);
    assert_eq!(catalog.events(u64::MAX, 2).await.expect("reads"), []);
}

async fn everything_can_be_replaced(catalog: Box<dyn Catalog>) {
    let epoch = catalog.begin_epoch().await.expect("works");
    let commit = Commit {
        flushed_through: vec![mark(0, "shop", 3)],
        digests: vec![digest(1, "shop")],
        events: vec![event(1), event(2)],
        ..adding([1, 2])
    };
    catalog.commit(commit).await.expect("fits");
    catalog
        .field_ids(Table::Logs, &["a.old".to_string()])
        .await
        .expect("works");
    let state = CatalogState {
        owner: Some(OwnerId(Ulid(u128::MAX - 1))),
        last_sequence: 12,
        segments: vec![segment(7)],
        retired: vec![segment(8)],
        flushed_through: vec![mark(0, "zoo", 1)],
        digests: vec![digest(9, "zoo")],
        tombstones: vec![tombstone(4)],
        damaged: Vec::new(),
    };
    let fields = vec![(
        Table::Logs,
        "a.new".to_string(),
        FIRST_PROMOTED_FIELD_ID + 4,
    )];
    let contents = Contents {
        state: state.clone(),
        field_ids: fields,
        ..Contents::default()
    };
    catalog.replace_all(contents).await.expect("works");
    assert_eq!(catalog.load().await.expect("loads"), state);
    let names = ["a.new".to_string(), "a.other".to_string()];
    let ids = catalog.field_ids(Table::Logs, &names).await.expect("works");
    assert_eq!(
        ids,
        [FIRST_PROMOTED_FIELD_ID + 4, FIRST_PROMOTED_FIELD_ID + 5]
    );
    assert!(catalog.begin_epoch().await.expect("works") > epoch);
    // Events are gone, and their numbers are not given again.
    assert_eq!(catalog.events(0, 10).await.expect("reads"), []);
    catalog
        .commit(Commit {
            events: vec![event(3)],
            ..Commit::default()
        })
        .await
        .expect("fits");
    assert_eq!(catalog.events(0, 10).await.expect("reads"), [(3, event(3))]);
}

async fn contents_come_back(catalog: Box<dyn Catalog>, other: Box<dyn Catalog>) {
    let epoch = catalog.begin_epoch().await.expect("works");
    let commit = Commit {
        flushed_through: vec![mark(0, "shop", 3)],
        digests: vec![digest(1, "shop")],
        events: vec![event(1), event(2)],
        ..adding([1, 2])
    };
    catalog.commit(commit).await.expect("fits");
    let column = ["a.one".to_string()];
    let ids = catalog.field_ids(Table::Logs, &column).await;
    let owner = OwnerId(Ulid(5));
    catalog.set_owner(owner).await.expect("works");
    let contents = catalog.contents().await.expect("reads");
    assert_eq!(contents.state, catalog.load().await.expect("loads"));
    assert_eq!(contents.events, [(1, event(1)), (2, event(2))]);
    let fields = [(Table::Logs, column[0].clone(), ids.expect("works")[0])];
    assert_eq!(contents.field_ids, fields);
    let counters = (contents.epoch, contents.last_event, contents.commits);
    assert_eq!(counters, (epoch, 2, 1));
    assert_eq!(catalog.commits().await.expect("reads"), 1);
    other.replace_all(contents.clone()).await.expect("works");
    let copied = other.contents().await.expect("reads");
    assert_eq!(
        (copied.state, copied.events, copied.field_ids),
        (contents.state, contents.events, contents.field_ids)
    );
    assert!(copied.commits > contents.commits);
    assert!(other.begin_epoch().await.expect("works") > epoch);
    let third = Commit {
        events: vec![event(3)],
        ..Commit::default()
    };
    other.commit(third).await.expect("fits");
    assert_eq!(other.events(2, 9).await.expect("reads"), [(3, event(3))]);
}

async fn what_is_announced_is_retired_until_it_is_added(catalog: Box<dyn Catalog>) {
    catalog.commit(adding([1, 2])).await.expect("fits");
    let announce = Commit {
        announce: vec![segment(3)],
        ..Commit::default()
    };
    catalog.commit(announce.clone()).await.expect("fits");
    let again = catalog.commit(announce).await.expect_err("it exists");
    assert_eq!(again.kind(), Kind::Conflict);
    let early = catalog.commit(adding([3])).await.expect_err("it exists");
    assert_eq!(early.kind(), Kind::Conflict);
    let mut expected = CatalogState {
        segments: vec![segment(1), segment(2)],
        retired: vec![segment(3)],
        ..CatalogState::default()
    };
    assert_eq!(catalog.load().await.expect("loads"), expected);
    let finish = Commit {
        replace: vec![segment(1).id, segment(2).id],
        forget: vec![segment(3).id],
        ..adding([3])
    };
    catalog.commit(finish.clone()).await.expect("fits");
    expected.segments = vec![segment(3)];
    expected.retired = vec![segment(1), segment(2)];
    assert_eq!(catalog.load().await.expect("loads"), expected);
    let twice = catalog.commit(finish).await.expect_err("it is done");
    assert_eq!(twice.kind(), Kind::Conflict);
    assert_eq!(catalog.load().await.expect("loads"), expected);
}

async fn tombstones_are_kept_as_they_are_last(catalog: Box<dyn Catalog>) {
    let put = async |tombstones: Vec<Tombstone>| {
        let commit = Commit {
            tombstones,
            ..Commit::default()
        };
        catalog.commit(commit).await.expect("fits");
        catalog.load().await.expect("loads").tombstones
    };
    let (first, second) = (tombstone(1), tombstone(2));
    let both = put(vec![second.clone(), first.clone()]).await;
    assert_eq!(both, [first.clone(), second.clone()]);
    let done = Tombstone {
        completed: Some(Nanos(5)),
        predicate: None,
        owners: Owners::default(),
        ..first
    };
    assert_eq!(
        put(vec![done.clone()]).await,
        [done.clone(), second.clone()]
    );
    catalog.scrub().await.expect("works");
    assert_eq!(put(Vec::new()).await, [done, second]);
}

async fn what_is_retired_is_kept_until_it_is_forgotten(catalog: Box<dyn Catalog>) {
    let state = async || catalog.load().await.expect("loads");
    catalog.commit(adding([1, 2, 3])).await.expect("fits");
    let retire = Commit {
        replace: vec![segment(1).id, segment(3).id],
        ..Commit::default()
    };
    catalog.commit(retire).await.expect("fits");
    let mut expected = CatalogState {
        segments: vec![segment(2)],
        retired: vec![segment(1), segment(3)],
        ..CatalogState::default()
    };
    assert_eq!(state().await, expected);
    let forget = Commit {
        // Neither a live segment nor one that is not there.
        forget: vec![segment(1).id, segment(2).id, segment(9).id],
        ..Commit::default()
    };
    catalog.commit(forget).await.expect("fits");
    expected.retired.remove(0);
    assert_eq!(state().await, expected);
    let owner = OwnerId(Ulid(7 << 64 | 1 << 63));
    catalog.set_owner(owner).await.expect("works");
    expected.owner = Some(owner);
    assert_eq!(state().await, expected);
}
