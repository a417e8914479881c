//! Tests of `append`.

use super::*;

fn rejected(ordinal: u32, reason: Reason, detail: &str) -> Rejected {
    Rejected {
        ordinal,
        reason,
        detail: detail.to_string(),
        record: Bytes::new(),
        envelope: None,
    }
}

#[test]
fn a_full_success_says_nothing() {
    assert_eq!(
        Answer::of(&Decoded {
            offered: 3,
            ..Decoded::default()
        }),
        Answer::default()
    );
}

#[test]
fn an_answer_names_reasons_with_counts_and_warnings() {
    let decoded = Decoded {
        offered: 10,
        rejected: vec![
            rejected(7, Reason::TooDeep, "65 levels, 64 are kept"),
            rejected(1, Reason::Malformed, "field 3 ends early"),
            rejected(8, Reason::TooDeep, "70 levels, 64 are kept"),
        ],
        duplicate_keys: 2,
        ..Decoded::default()
    };
    let expected = "3 of 10 records were refused: 1 malformed, first record 1: field 3 ends early; \
                    2 too_deep, first record 7: 65 levels, 64 are kept; \
                    2 keys stood twice in one map and the last value was kept";
    assert_eq!(
        Answer::of(&decoded),
        Answer {
            rejected: 3,
            message: expected.to_string()
        }
    );
}

#[test]
fn a_million_refusals_with_long_details_make_a_short_answer() {
    let detail = "ä".repeat(10_000);
    let all = Reason::ALL.into_iter().cycle().zip(0..10_000);
    let decoded = Decoded {
        offered: 10_000,
        rejected: all
            .map(|(reason, ordinal)| rejected(ordinal, reason, &detail))
            .collect(),
        ..Decoded::default()
    };
    let answer = Answer::of(&decoded);
    assert_eq!(answer.rejected, 10_000);
    assert!(
        answer.message.len() < 4096,
        "{} bytes",
        answer.message.len()
    );
}
