//! Shapes that overflow a stack, and those that people write.

use super::check;
use crate::error::{Error, Place};
use datafusion::sql::sqlparser::{dialect::GenericDialect, tokenizer::Tokenizer};

fn checked(sql: &str) -> Result<(), Error> {
    let tokens = Tokenizer::new(&GenericDialect {}, sql).tokenize_with_location();
    check(&tokens.expect("these are tokens"))
}

fn refused(sql: &str) -> (String, u64, Option<Place>) {
    match checked(sql) {
        Err(Error::TooLarge { what, limit, place }) => (what, limit, place),
        other => panic!("{}: {other:?}", &sql[..sql.len().min(80)]),
    }
}

fn chain(term: &str, operator: &str, operators: usize) -> String {
    format!("SELECT {}", vec![term; operators + 1].join(operator))
}

#[test]
fn chains_end_at_500_operators() {
    for (term, operator) in [
        ("1", "+"),
        ("'a'", "||"),
        ("a", " OR "),
        ("a", "::int::"),
        ("a", " AND "),
    ] {
        let per_term = operator.matches("::").count().max(1);
        assert!(
            checked(&chain(term, operator, 500 / per_term)).is_ok(),
            "{operator}"
        );
        let (what, limit, place) = refused(&chain(term, operator, 500 / per_term + 1));
        assert_eq!(
            (what.as_str(), limit),
            ("a chain of operators", 500),
            "{operator}"
        );
        assert!(place.is_some());
    }
    let (_, _, place) = refused(&chain("1", "+", 501));
    assert_eq!(
        place,
        Some(Place {
            line: 1,
            column: 7 + 2 * 501
        })
    );
}

#[test]
fn comparisons_in_a_chain_count_as_well() {
    assert!(checked(&chain("a=0", " OR ", 249)).is_ok());
    refused(&chain("a=0", " OR ", 251));
}

#[test]
fn a_keyword_as_a_column_does_not_start_a_new_chain() {
    for name in ["limit", "offset", "when", "select", "group", "on"] {
        refused(&chain(name, " + ", 501));
    }
    refused(&chain("a", " IS DISTINCT FROM ", 501));
}

#[test]
fn prefixes_and_postfixes_are_operators() {
    refused(&format!("SELECT {} 1", "- ".repeat(501)));
    refused(&format!("SELECT {} true", "NOT ".repeat(501)));
    refused(&format!("SELECT a{}", "[1]".repeat(501)));
    refused(&format!("SELECT a{}", " IS NULL".repeat(501)));
    refused(&format!("SELECT {} '1'", "INTERVAL ".repeat(501)));
}

#[test]
fn lists_and_clauses_are_no_chains() {
    assert!(checked(&format!("SELECT {}", vec!["a+1"; 2_000].join(","))).is_ok());
    let arms = "WHEN a = 1 THEN 2 + 3 ".repeat(900);
    assert!(checked(&format!("SELECT CASE {arms} ELSE 4 END")).is_ok());
    let unions = vec!["SELECT a + 1 FROM t WHERE b > 2 AND c < 3"; 100].join(" UNION ALL ");
    assert!(checked(&unions).is_ok());
}

#[test]
fn nesting_ends_at_64() {
    let nested = |n: usize| format!("SELECT {}1{}", "(".repeat(n), ")".repeat(n));
    assert!(checked(&nested(64)).is_ok());
    assert_eq!(refused(&nested(65)).0, "the depth of nesting");
    let cases = |n: usize| {
        format!(
            "SELECT {}1{}",
            "CASE WHEN a THEN ".repeat(n),
            " END".repeat(n)
        )
    };
    assert!(checked(&cases(64)).is_ok());
    refused(&cases(65));
    refused(&format!("SELECT {}", "f(".repeat(65)));
}

#[test]
fn chains_within_nesting_add_up() {
    // Each parenthesis stands first in the chain around it, so that all chains lie on one path.
    let mut deep = "1".to_string();
    for _ in 0..20 {
        deep = format!("({deep}{})", "+1".repeat(60));
    }
    let (what, limit, _) = refused(&format!("SELECT {deep}"));
    assert_eq!(
        (what.as_str(), limit),
        ("the depth of an expression", 1_000)
    );
    let mut last = "1".to_string();
    for _ in 0..20 {
        last = format!("({}{last})", "1+".repeat(60));
    }
    refused(&format!("SELECT {last}"));
    let side_by_side = vec!["(1+1+1)"; 300].join("+");
    assert!(checked(&format!("SELECT {side_by_side}")).is_ok());
}

#[test]
fn joins_and_set_operations_are_counted() {
    let joins = |n: usize| format!("SELECT 1 FROM t {}", "JOIN u ON t.a = u.a ".repeat(n));
    assert!(checked(&joins(32)).is_ok());
    assert_eq!(refused(&joins(33)).0, "the number of joins");
    let unions = |n: usize| vec!["SELECT 1"; n + 1].join(" UNION ALL ");
    assert!(checked(&unions(100)).is_ok());
    assert_eq!(refused(&unions(101)).0, "the number of set operations");
}

#[test]
fn one_statement() {
    assert!(checked("SELECT 1;").is_ok());
    assert!(checked("SELECT ';' ;; -- done").is_ok());
    match checked("SELECT 1;\n  SELECT 2") {
        Err(Error::Denied { what, place, .. }) => {
            assert_eq!(what, "more than one statement");
            assert_eq!(place, Some(Place { line: 2, column: 3 }));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn unbalanced_text_is_left_to_the_parser() {
    for sql in ["SELECT )))", "SELECT ((", "END END", "CASE ) END", "}]"] {
        assert!(checked(sql).is_ok(), "{sql}");
    }
}
