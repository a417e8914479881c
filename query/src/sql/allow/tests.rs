//! Every function that DataFusion registers stands in a list, and every list names functions that exist.

use super::{AGGREGATE, REFUSED, SCALAR, WINDOW, refusal};
use datafusion::execution::SessionStateDefaults;
use std::collections::BTreeSet;

struct Registered {
    scalar: Vec<(String, Vec<String>)>,
    aggregate: Vec<(String, Vec<String>)>,
    window: Vec<(String, Vec<String>)>,
    higher_order: Vec<(String, Vec<String>)>,
}

fn registered() -> Registered {
    let scalar = SessionStateDefaults::default_scalar_functions();
    let aggregate = SessionStateDefaults::default_aggregate_functions();
    let window = SessionStateDefaults::default_window_functions();
    let higher_order = SessionStateDefaults::default_higher_order_functions();
    Registered {
        scalar: scalar
            .iter()
            .map(|f| (f.name().to_string(), f.aliases().to_vec()))
            .collect(),
        aggregate: aggregate
            .iter()
            .map(|f| (f.name().to_string(), f.aliases().to_vec()))
            .collect(),
        window: window
            .iter()
            .map(|f| (f.name().to_string(), f.aliases().to_vec()))
            .collect(),
        higher_order: higher_order
            .iter()
            .map(|f| (f.name().to_string(), f.aliases().to_vec()))
            .collect(),
    }
}

#[test]
fn every_registered_function_is_allowed_or_refused() {
    let registered = registered();
    let mut unknown = Vec::new();
    let kinds = [
        (&registered.scalar, SCALAR),
        (&registered.aggregate, AGGREGATE),
        (&registered.window, WINDOW),
        (&registered.higher_order, &[]),
    ];
    for (functions, allowed) in kinds {
        for (name, aliases) in functions {
            let is_allowed = allowed.contains(&name.as_str());
            let is_refused = refusal(name).is_some();
            assert!(
                !(is_allowed && is_refused),
                "{name} is both allowed and refused"
            );
            if !is_allowed && !is_refused {
                unknown.push(name.clone());
            }
            for alias in aliases.iter().filter(|_| is_refused) {
                assert!(
                    refusal(alias).is_some(),
                    "{alias} is another name of {name}, which is refused"
                );
            }
            for alias in aliases.iter().filter(|_| is_allowed) {
                assert!(
                    refusal(alias).is_none(),
                    "{alias} is another name of {name}, which is allowed"
                );
            }
        }
    }
    assert!(
        unknown.is_empty(),
        "DataFusion has functions that nobody looked at: {unknown:?}"
    );
}

#[test]
fn lists_name_functions_that_exist_once() {
    let registered = registered();
    let names = |functions: &[(String, Vec<String>)]| -> BTreeSet<String> {
        functions
            .iter()
            .flat_map(|(name, aliases)| aliases.iter().chain([name]).cloned())
            .collect()
    };
    let check = |list: &[&str], functions: &[(String, Vec<String>)]| {
        let known = names(functions);
        let gone: Vec<_> = list.iter().filter(|name| !known.contains(**name)).collect();
        assert!(gone.is_empty(), "listed, but not registered: {gone:?}");
        let unique: BTreeSet<_> = list.iter().collect();
        assert_eq!(unique.len(), list.len(), "a name stands twice");
    };
    check(SCALAR, &registered.scalar);
    check(AGGREGATE, &registered.aggregate);
    check(WINDOW, &registered.window);
    let refused: Vec<&str> = REFUSED.iter().flat_map(|r| r.names).copied().collect();
    let all: Vec<_> = registered
        .scalar
        .into_iter()
        .chain(registered.higher_order)
        .collect();
    check(&refused, &all);
}
