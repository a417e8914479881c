//! Both framings, mixed, too long and broken off; and however the bytes come in.

use super::*;
use proptest::prelude::*;

const LIMIT: usize = 12;

/// The messages of a connection whose bytes come in `chunks`; those that are cut have their reason in front.
fn check(chunks: &[&[u8]]) -> Vec<String> {
    let mut framing = Framing::new(LIMIT);
    let mut messages = Vec::new();
    let told = |framing: &Framing, frame: &Frame| {
        let text = String::from_utf8_lossy(framing.text(frame)).into_owned();
        match frame.cut {
            None => text,
            Some(Cut::TooLong { .. }) => format!("long {text}"),
            Some(Cut::BrokenOff) => format!("broken {text}"),
        }
    };
    for chunk in chunks {
        framing.feed(chunk);
        while let Some(frame) = framing.next() {
            messages.push(told(&framing, &frame));
        }
        assert!(framing.buffer.len() - framing.at <= LIMIT + MAX_DIGITS + 1);
    }
    if let Some(frame) = framing.last() {
        messages.push(told(&framing, &frame));
    }
    assert_eq!(framing.last(), None);
    messages
}

#[test]
fn lines_counts_and_both() {
    for (text, expected) in [
        ("<1>a\n<1>b\r\n\n<1>c", vec!["<1>a", "<1>b", "<1>c"]),
        ("<1>a\0<1>b\0", vec!["<1>a", "<1>b"]),
        ("4 <1>a4 <1>b", vec!["<1>a", "<1>b"]),
        ("6 <1>a\nb\n<1>c\n4 <1>d", vec!["<1>a\nb", "<1>c", "<1>d"]),
        ("2026 is it\n", vec!["2026 is it"]),
        ("12345678901 <\n", vec!["long 12345678901 "]),
        ("<1>0123456789\n<1>b\n", vec!["long <1>012345678", "<1>b"]),
        ("<1>012345678\n<1>b\n", vec!["<1>012345678", "<1>b"]),
        (
            "20 <1>01234567890123456<1>b\n",
            vec!["long <1>012345678", "<1>b"],
        ),
        ("9 <1>a", vec!["broken <1>a"]),
        ("9 ", vec!["9 "]),
        ("", vec![]),
        ("\n\n", vec![]),
    ] {
        assert_eq!(check(&[text.as_bytes()]), expected, "{text:?}");
    }
}

proptest! {
    #[test]
    fn the_chunks_do_not_matter(
        text in proptest::collection::vec(prop_oneof![
            Just(b'\n'), Just(b'<'), Just(b'1'), Just(b'9'), Just(b' '), Just(0), Just(b'x'),
        ], 0..80),
        sizes in proptest::collection::vec(1_usize..9, 80),
    ) {
        let mut chunks = Vec::new();
        let mut rest = &text[..];
        for size in sizes {
            let (chunk, after) = rest.split_at(size.min(rest.len()));
            chunks.push(chunk);
            rest = after;
        }
        let bytes: Vec<&[u8]> = text.chunks(1).collect();
        prop_assert_eq!(check(&chunks), check(&bytes));
    }
}
