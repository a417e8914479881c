//! Takes paths out of text for tenants: plans and errors name files, which say where and whose the bytes are.

use std::path::Path;

/// Knows what a path of ours looks like.
#[derive(Debug, Clone)]
pub(crate) struct Scrub {
    /// The folder that all local files are in.
    data_dir: Option<String>,
}

impl Scrub {
    /// `spill_dir` lies in the data folder.
    pub(crate) fn new(spill_dir: &Path) -> Scrub {
        let data_dir = spill_dir
            .parent()
            .and_then(Path::to_str)
            .map(str::to_string);
        // A bare name would be found in too many words.
        Scrub {
            data_dir: data_dir.filter(|dir| dir.contains('/')),
        }
    }

    /// `text` with every path of ours cut to the file's name: a segment can still be told from another.
    pub(crate) fn paths(&self, text: &str) -> String {
        let mut clean = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(end) = rest.find(is_delimiter) {
            clean.push_str(self.name(&rest[..end]));
            let next = end + rest[end..].chars().next().map_or(0, char::len_utf8);
            clean.push_str(&rest[end..next]);
            rest = &rest[next..];
        }
        clean.push_str(self.name(rest));
        clean
    }

    /// The part after the last slash if `word` is a path of ours.
    fn name<'a>(&self, word: &'a str) -> &'a str {
        let in_data_dir = self
            .data_dir
            .as_ref()
            .is_some_and(|dir| word.contains(dir.as_str()));
        let is_path = in_data_dir || word.contains("tenant=") || is_segment_file(word);
        match word.rsplit_once('/') {
            Some((_, name)) if is_path => name,
            _ => word,
        }
    }
}

fn is_segment_file(word: &str) -> bool {
    word.contains(".parquet") || word.contains(".idx")
}

fn is_delimiter(c: char) -> bool {
    c.is_whitespace() || "[](){}<>,;'\"`|".contains(c)
}

#[cfg(test)]
mod tests;
