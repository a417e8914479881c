//! Which headers make which principal, and that nothing secret gets out.

use super::*;
use crate::{config::Key, error::Kind, principal::Scope};

const COLLECTOR: &str = "cairn_collector";
const READER: &str = "cairn_reader";

fn key(tenant: &str, name: &str, secret: &str, scopes: &[Scope]) -> Key {
    Key {
        tenant: tenant.parse().unwrap(),
        name: name.to_string(),
        sha256: KeyHash::of(secret),
        scopes: scopes.to_vec(),
    }
}

fn keys() -> Keys {
    Keys::new(&Config {
        keys: vec![
            key("acme", "collector", COLLECTOR, &[Scope::Ingest]),
            key("initech", "reader", READER, &[Scope::Query]),
        ],
    })
    .unwrap()
}

fn check(authorization: Option<&str>, api_key: Option<&str>, expected: Result<&str, &str>) {
    let found = keys().authenticate(authorization, api_key);
    let found = found
        .as_ref()
        .map(|p| p.tenant.as_str())
        .map_err(Error::reason);
    assert_eq!(found, expected, "{authorization:?} {api_key:?}");
}

#[test]
fn credentials() {
    let basic = |text: &str| format!("Basic {}", STANDARD.encode(text));
    check(Some("Bearer cairn_collector"), None, Ok("acme"));
    check(Some("bearer  cairn_reader "), None, Ok("initech"));
    check(Some(&basic("anyone:cairn_collector")), None, Ok("acme"));
    check(Some(&basic(":cairn_reader")), None, Ok("initech"));
    let elastic = basic("id:cairn_collector").replace("Basic", "ApiKey");
    check(Some(&elastic), None, Ok("acme"));
    check(None, Some("cairn_collector"), Ok("acme"));
    // The header that says more wins; the other is not a second try.
    check(
        Some("Bearer wrong"),
        Some("cairn_collector"),
        Err("unknown_key"),
    );

    check(None, None, Err("no_credentials"));
    check(None, Some(""), Err("no_credentials"));
    check(Some("Bearer "), None, Err("unreadable_credentials"));
    check(Some("cairn_collector"), None, Err("unreadable_credentials"));
    check(
        Some("Digest cairn_collector"),
        None,
        Err("unreadable_credentials"),
    );
    check(Some("Basic ???"), None, Err("unreadable_credentials"));
    let secret = Some("ApiKey cairn_collector");
    check(secret, None, Err("unreadable_credentials"));
    check(
        Some(&basic("no-colon")),
        None,
        Err("unreadable_credentials"),
    );
    check(Some("Bearer cairn_collecto"), None, Err("unknown_key"));
    check(Some("Bearer CAIRN_COLLECTOR"), None, Err("unknown_key"));
    check(None, Some(&"x".repeat(4097)), Err("unreadable_credentials"));
    // A hash is not a key.
    check(
        None,
        Some(&String::from(KeyHash::of(COLLECTOR))),
        Err("unknown_key"),
    );
}

#[test]
fn scopes() {
    let collector = keys().authenticate(None, Some(COLLECTOR)).unwrap();
    assert_eq!(collector.require(Scope::Ingest), Ok(()));
    let denied = collector.require(Scope::Query).unwrap_err();
    assert_eq!(denied.kind(), Kind::Denied);
    assert_eq!(denied.to_string(), "the key collector has no scope query");
}

#[test]
fn no_keys_means_one_tenant_with_everything() {
    let keys = Keys::new(&Config::default()).unwrap();
    assert!(keys.is_open());
    for authorization in [None, Some("Bearer whatever")] {
        let principal = keys.authenticate(authorization, None).unwrap();
        assert_eq!(principal, Principal::anonymous());
        assert!(Scope::ALL.into_iter().all(|scope| principal.has(scope)));
    }
}

#[test]
fn settings_that_cannot_work() {
    let good = key("acme", "a", COLLECTOR, &[Scope::Ingest]);
    let refused = |keys: Vec<Key>| Keys::new(&Config { keys }).unwrap_err().to_string();
    let twice = refused(vec![
        good.clone(),
        Key {
            name: "b".into(),
            ..good.clone()
        },
    ]);
    assert!(
        twice.contains("the keys a and b have the same hash"),
        "{twice}"
    );
    let named = refused(vec![
        good.clone(),
        key("acme", "a", READER, &[Scope::Ingest]),
    ]);
    assert!(named.contains("the name a stands twice"), "{named}");
    assert!(
        refused(vec![Key {
            scopes: vec![],
            ..good.clone()
        }])
        .contains("allows nothing")
    );
    assert!(refused(vec![key("acme", "a", "", &[Scope::Ingest])]).contains("empty key"));
    assert!(
        refused(vec![Key {
            name: "a\nb".into(),
            ..good
        }])
        .contains("control characters")
    );
}

/// Neither the key nor its hash stands in what is printed, and a key put where its hash belongs is not repeated.
#[test]
fn nothing_secret_is_printed() {
    let keys = keys();
    let wrong = keys
        .authenticate(Some("Bearer cairn_guess"), None)
        .unwrap_err();
    let misplaced = KeyHash::try_from(COLLECTOR.to_string()).unwrap_err();
    let hash = String::from(KeyHash::of(COLLECTOR));
    let printed = format!("{keys:?} {wrong:?} {wrong} {misplaced:?} {misplaced}");
    for secret in [COLLECTOR, "cairn_guess", hash.as_str(), &hash[..8]] {
        assert!(!printed.contains(secret), "{secret} stands in {printed}");
    }
}
