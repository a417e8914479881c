//! Small documents in the bucket: they survive a restart, a lost catalog and faults, and nobody takes them for strangers.

use super::*;
use crate::objects::faulty::{FaultyStore, ObjectFaults};

const OF: Documents = Documents::LogSearches;

async fn put(store: &Store, name: &str, text: &str) -> Result<()> {
    let tenant = TenantId::default_tenant();
    let change = |documents: &mut ByName| {
        documents.insert(name.to_owned(), text.to_owned());
        let change = Change {
            event: "cairn.test.v1",
            body: "{}".to_owned(),
        };
        Ok(((), change))
    };
    store.change_documents(&tenant, OF, change).await
}

async fn all(store: &Store, tenant: &str) -> Vec<(String, String)> {
    let tenant: TenantId = tenant.parse().expect("a tenant");
    let found = store
        .documents(&tenant, OF)
        .await
        .expect("they can be read");
    found.into_iter().collect()
}

fn pair(name: &str, text: &str) -> (String, String) {
    (name.to_owned(), text.to_owned())
}

#[test]
fn documents_survive_a_restart_and_a_lost_catalog() {
    let fixture = Fixture::new();
    fixture.run(async {
        let store = fixture.open().await;
        assert!(all(&store, "default").await.is_empty());
        put(&store, "b", "1").await.expect("kept");
        put(&store, "a", "2").await.expect("kept");
        put(&store, "b", "3").await.expect("kept");
        // The same again changes nothing, and tells of nothing.
        put(&store, "b", "3").await.expect("kept");
        let events = fixture.catalog.events(0, 100).await.expect("events");
        let told = events.iter().filter(|(_, e)| e.kind == "cairn.test.v1");
        assert_eq!(told.count(), 3);
        let expected = [pair("a", "2"), pair("b", "3")];
        assert_eq!(all(&store, "default").await, expected);
        assert!(all(&store, "other").await.is_empty());
        append(&store, request("1 a row\n")).await.expect("stored");
        store.flush_all().await.expect("flushed");
        let orphans = store.reconcile().await.expect("listed");
        assert_eq!((orphans.objects, orphans.foreign_objects), (0, 0));
        store.close().await.expect("closed");
        drop(store);
        assert!(fixture.verify().await.orphans.is_empty());
        let rebuilt = fixture.rebuild(Claim::Own).await.expect("rebuilt");
        assert_eq!(rebuilt.left_out, Vec::<String>::new());
        let store = fixture.open().await;
        assert_eq!(all(&store, "default").await, expected);
    });
}

#[test]
fn a_change_is_whole_or_not_there() {
    let mut fixture = Fixture::new();
    let far = FaultyStore::new(Arc::new(InMemory::new()), fixture.simulation.world());
    fixture.bucket = Arc::new(far.clone());
    fixture.run(async {
        let store = fixture.open().await;
        put(&store, "a", "1").await.expect("kept");
        far.set_faults(ObjectFaults {
            outage: true,
            ..ObjectFaults::default()
        });
        let error = put(&store, "a", "2").await.expect_err("the bucket is away");
        assert_eq!(error.kind(), Kind::Unavailable);
        far.set_faults(ObjectFaults::default());
        assert_eq!(all(&store, "default").await, [pair("a", "1")]);
        let error = put(&store, "b", &"x".repeat(5 << 20)).await;
        assert_eq!(error.expect_err("too many bytes").kind(), Kind::Limited);
        assert_eq!(all(&store, "default").await, [pair("a", "1")]);
    });
}
