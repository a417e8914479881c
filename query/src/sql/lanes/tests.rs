//! Lanes are limited, come back, and stuck ones stop nobody else.

use super::{Ended, LaneLimits, Lanes};
use crate::error::{Error, Kind};
use cairn_storage::{id::TenantId, world::real};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::sync::oneshot;

const LIMITS: LaneLimits = LaneLimits {
    lanes: 2,
    per_tenant: 2,
    threads: 1,
};

fn tenant(name: &str) -> TenantId {
    name.parse().expect("a valid id")
}

async fn take(
    lanes: &Arc<Lanes>,
    name: &str,
    patience: Duration,
) -> Result<super::TakenLane, Error> {
    lanes
        .take(&tenant(name), patience, real::world().clock.as_ref())
        .await
}

async fn idle(lanes: &Arc<Lanes>) {
    while lanes.counts() != (0, 0) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_lane_comes_back_when_its_statement_ends() {
    let lanes = Lanes::new(LIMITS);
    for _ in 0..5 {
        let lane = take(&lanes, "a", Duration::ZERO)
            .await
            .expect("a lane is free");
        let (sender, receiver) = oneshot::channel();
        lane.spawn(async {
            let name = std::thread::current().name().map(str::to_string);
            sender.send(name).expect("the test waits");
            Ended::ByItself
        });
        assert_eq!(
            receiver.await.expect("the task runs").as_deref(),
            Some("query")
        );
        idle(&lanes).await;
    }
    assert_eq!(lanes.state.lock().free.len(), 1, "one lane served all");
}

#[tokio::test]
async fn the_number_of_lanes_is_limited() {
    let lanes = Lanes::new(LIMITS);
    let first = take(&lanes, "a", Duration::ZERO)
        .await
        .expect("a lane is free");
    let second = take(&lanes, "b", Duration::ZERO)
        .await
        .expect("a lane is free");
    let refused = take(&lanes, "c", Duration::from_millis(20))
        .await
        .err()
        .expect("none is free");
    assert_eq!(refused.kind(), Kind::Limited);
    assert!(refused.to_string().contains("2 are running"), "{refused}");
    // One that waits gets the lane that becomes free.
    let waiting = take(&lanes, "c", Duration::from_secs(60));
    let (third, ()) = tokio::join!(waiting, async { drop(first) });
    assert!(third.is_ok());
    drop((second, third));
    idle(&lanes).await;
}

#[tokio::test]
async fn a_tenant_does_not_get_all_lanes() {
    let lanes = Lanes::new(LaneLimits {
        lanes: 3,
        per_tenant: 1,
        threads: 1,
    });
    let _mine = take(&lanes, "a", Duration::ZERO)
        .await
        .expect("a lane is free");
    let refused = take(&lanes, "a", Duration::ZERO)
        .await
        .err()
        .expect("one is enough");
    assert!(refused.to_string().contains("this tenant"), "{refused}");
    assert!(take(&lanes, "b", Duration::ZERO).await.is_ok());
}

#[tokio::test]
async fn a_stopped_lane_counts_until_its_threads_end() {
    let lanes = Lanes::new(LaneLimits {
        lanes: 1,
        per_tenant: 1,
        threads: 2,
    });
    let release = Arc::new(AtomicBool::new(false));
    let lane = take(&lanes, "a", Duration::ZERO)
        .await
        .expect("a lane is free");
    let (started, is_stuck) = oneshot::channel();
    let stuck = release.clone();
    lane.spawn(async move {
        // A part of the statement that never yields, on a task of its own.
        let part = tokio::spawn(async move {
            started.send(()).expect("the test waits");
            while !stuck.load(Ordering::Acquire) {
                std::hint::spin_loop();
            }
        });
        drop(part);
        Ended::Stopped
    });
    is_stuck.await.expect("the part runs");
    while lanes.counts().1 == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(lanes.counts(), (0, 1));
    assert!(take(&lanes, "a", Duration::from_millis(60)).await.is_err());
    release.store(true, Ordering::Release);
    assert!(
        take(&lanes, "a", Duration::from_secs(60)).await.is_ok(),
        "its threads have ended"
    );
}
