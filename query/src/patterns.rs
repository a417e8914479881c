//! Templates mined from texts: what bodies of one place in a program have in common, `<_>` for what differs.
//!
//! After Drain (He, Zhu, Zheng, Lyu: "Drain: An Online Log Parsing Approach with Fixed Depth Tree", ICWS 2017): texts of
//! as many words and with the same first words share a leaf, and a leaf's groups are told apart by how many words agree. Words
//! with digits differ from the start. What an input can make large has a limit: words of a text, groups, and groups of a leaf.

use std::collections::HashMap;

/// What stands for a word that differs.
const VARIABLE: &str = "<_>";

/// Words that are looked at; the rest of a longer text is one variable.
const MOST_WORDS: usize = 64;

/// Words that a text is led by to its leaf.
const LEADING_WORDS: usize = 2;

/// So many words of a hundred have to agree for a text to belong to a group.
const AGREEING_PERCENT: usize = 60;

/// Groups of one leaf, and of all; a text beyond them goes to the nearest group, or is not counted.
const LEAF_GROUPS: usize = 100;
const MOST_GROUPS: usize = 5_000;

/// Bytes of an example and of a word that are kept.
const EXAMPLE_BYTES: usize = 1_024;
const WORD_BYTES: usize = 128;

/// A template with how often it was met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    pub template: String,
    pub count: u64,
    /// The first text that it was made of.
    pub example: String,
    /// Counts by the bucket that [`Miner::add`] was given.
    pub trend: Vec<u64>,
}

/// Mines texts as they come.
#[derive(Debug)]
pub struct Miner {
    buckets: usize,
    leaves: HashMap<(usize, Vec<String>), Vec<usize>>,
    groups: Vec<Group>,
}

#[derive(Debug)]
struct Group {
    /// `None` where texts differ.
    words: Vec<Option<String>>,
    pattern: Pattern,
}

impl Miner {
    /// A miner that counts by `buckets` buckets.
    pub fn new(buckets: usize) -> Miner {
        Miner {
            buckets,
            leaves: HashMap::new(),
            groups: Vec::new(),
        }
    }

    /// Adds a text to the counts of `bucket`.
    pub fn add(&mut self, text: &str, bucket: usize) {
        let words = words(text);
        let leading = words.iter().take(LEADING_WORDS);
        let leading = leading
            .map(|word| word.unwrap_or(VARIABLE).to_owned())
            .collect();
        let leaf = self.leaves.entry((words.len(), leading)).or_default();
        let nearest = leaf
            .iter()
            .map(|at| (agreeing(&self.groups[*at].words, &words), *at))
            .max_by_key(|(agreeing, _)| *agreeing);
        let belongs = |agreeing: usize| agreeing * 100 >= AGREEING_PERCENT * words.len().max(1);
        let full = leaf.len() >= LEAF_GROUPS || self.groups.len() >= MOST_GROUPS;
        let group = match nearest {
            Some((agreeing, at)) if belongs(agreeing) || full => at,
            None if full => return,
            _ => {
                leaf.push(self.groups.len());
                self.groups.push(Group::new(text, &words, self.buckets));
                self.groups.len() - 1
            }
        };
        let group = &mut self.groups[group];
        for (known, word) in group.words.iter_mut().zip(&words) {
            if known.as_deref() != *word {
                *known = None;
            }
        }
        group.pattern.count += 1;
        if let Some(count) = group.pattern.trend.get_mut(bucket) {
            *count += 1;
        }
    }

    /// The patterns, most frequent first.
    pub fn finish(self) -> Vec<Pattern> {
        let finished = self.groups.into_iter().map(|group| Pattern {
            template: template(&group.words),
            ..group.pattern
        });
        let mut patterns: Vec<Pattern> = finished.collect();
        patterns.sort_by(|one, other| {
            other
                .count
                .cmp(&one.count)
                .then_with(|| one.template.cmp(&other.template))
        });
        patterns
    }
}

impl Group {
    fn new(text: &str, words: &[Option<&str>], buckets: usize) -> Group {
        Group {
            words: words.iter().map(|word| word.map(str::to_owned)).collect(),
            pattern: Pattern {
                template: String::new(),
                count: 0,
                example: text[..text.floor_char_boundary(EXAMPLE_BYTES)].to_owned(),
                trend: vec![0; buckets],
            },
        }
    }
}

/// The words of a text, `None` for those that differ from text to text: what has a digit in it, or is very long.
fn words(text: &str) -> Vec<Option<&str>> {
    let mut all = text.split_whitespace();
    let word = |word: &'_ str| word.len() > WORD_BYTES || word.bytes().any(|b| b.is_ascii_digit());
    let mut words: Vec<Option<&str>> = all
        .by_ref()
        .take(MOST_WORDS)
        .map(|text| (!word(text)).then_some(text))
        .collect();
    if all.next().is_some() {
        words.push(None);
    }
    words
}

fn agreeing(known: &[Option<String>], words: &[Option<&str>]) -> usize {
    let pairs = known.iter().zip(words);
    pairs
        .filter(|(known, word)| known.as_deref() == **word)
        .count()
}

/// Variables in a row are one.
fn template(words: &[Option<String>]) -> String {
    let mut template = String::new();
    let mut after_variable = false;
    for word in words {
        let is_variable = word.is_none();
        if is_variable && after_variable {
            continue;
        }
        if !template.is_empty() {
            template.push(' ');
        }
        template.push_str(word.as_deref().unwrap_or(VARIABLE));
        after_variable = is_variable;
    }
    template
}

#[cfg(test)]
mod tests {
    use super::{EXAMPLE_BYTES, MOST_WORDS, Miner};

    fn mined(texts: &[&str]) -> Vec<(String, u64)> {
        let mut miner = Miner::new(1);
        texts.iter().for_each(|text| miner.add(text, 0));
        miner
            .finish()
            .into_iter()
            .map(|p| (p.template, p.count))
            .collect()
    }

    #[test]
    fn what_differs_becomes_a_variable() {
        let found = mined(&[
            "user alice logged in from 10.0.0.1",
            "user bob logged in from 10.0.0.2",
            "user carol logged in from 10.0.0.3",
            "disk full",
        ]);
        // The second word leads: names make leaves of their own until they are met as variables.
        assert_eq!(found.iter().map(|(_, count)| count).sum::<u64>(), 4);
        assert!(found.contains(&("disk full".to_owned(), 1)), "{found:?}");
        let found = mined(&[
            "request took 12ms for cart",
            "request took 7ms for list",
            "request took 9ms for cart",
        ]);
        assert_eq!(found, [("request took <_> for <_>".to_owned(), 3)]);
    }

    #[test]
    fn counts_follow_the_buckets() {
        let mut miner = Miner::new(3);
        for bucket in [0, 2, 2, 7] {
            miner.add("job done", bucket);
        }
        let patterns = miner.finish();
        assert_eq!(
            (patterns[0].count, patterns[0].trend.clone()),
            (4, vec![1, 0, 2])
        );
    }

    #[test]
    fn long_texts_are_cut() {
        let long = "é ".repeat(10 * MOST_WORDS.max(EXAMPLE_BYTES));
        let mut miner = Miner::new(1);
        miner.add(&long, 0);
        let pattern = &miner.finish()[0];
        assert!(pattern.example.len() <= EXAMPLE_BYTES);
        assert!(pattern.template.ends_with(" <_>"));
    }
}
