//! Plans and errors with paths in them.

use super::Scrub;
use std::path::Path;

fn clean(text: &str) -> String {
    Scrub::new(Path::new("/var/lib/cairn/spill")).paths(text)
}

#[test]
fn paths_of_segments_lose_their_folders() {
    let plan = "DataSourceExec: file_groups={1 group: [[tenant=acme/signal=logs/date=2026-11-23/hour=07/01jd.logs.parquet, tenant=acme/signal=logs/date=late/hour=late/01je.logs.parquet:0..99]]}, projection=[body]";
    let expected = "DataSourceExec: file_groups={1 group: [[01jd.logs.parquet, 01je.logs.parquet:0..99]]}, projection=[body]";
    assert_eq!(clean(plan), expected);
}

#[test]
fn paths_in_the_data_folder_lose_their_folders() {
    assert_eq!(
        clean("writing /var/lib/cairn/spill/x/.tmpA1: no space"),
        "writing .tmpA1: no space"
    );
    assert_eq!(clean("s3://b/tenant=a/x.idx"), "x.idx");
    assert_eq!(clean("file:///var/lib/cairn/bucket/y"), "y");
}

#[test]
fn other_text_stays_as_it_is() {
    for text in [
        "FilterExec: attr(attributes, 'http.route') = '/api/v1/users/{id}'",
        "a / b, 1/2",
        "ratio é/ü",
        "",
        "no path at all\nbut two lines\t",
    ] {
        assert_eq!(clean(text), text);
    }
}

#[test]
fn a_data_folder_with_a_bare_name_hides_no_words() {
    let scrub = Scrub::new(Path::new("data/spill"));
    assert_eq!(scrub.paths("metadata/x"), "metadata/x");
}
