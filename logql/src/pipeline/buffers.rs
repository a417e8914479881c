//! What stages share: the line as they changed it, and what they write to.

use crate::template::{Input, Regexes, Template};

#[derive(Debug)]
pub(super) struct Buffers {
    line: String,
    is_changed: bool,
    spare: String,
    regexes: Regexes,
    timestamp: i64,
    now: i64,
}

impl Buffers {
    pub(super) fn new(now: i64) -> Buffers {
        Buffers {
            line: String::new(),
            is_changed: false,
            spare: String::new(),
            regexes: Regexes::default(),
            timestamp: 0,
            now,
        }
    }

    pub(super) fn start(&mut self, timestamp: i64) {
        self.is_changed = false;
        self.timestamp = timestamp;
    }

    /// The line, if a stage changed it.
    pub(super) fn line(&self) -> Option<&str> {
        self.is_changed.then_some(self.line.as_str())
    }

    /// The line as it is now, and the buffer to write its next form to.
    pub(super) fn parts<'a>(&'a mut self, original: &'a str) -> (&'a str, &'a mut String) {
        let line = match self.is_changed {
            true => self.line.as_str(),
            false => original,
        };
        (line, &mut self.spare)
    }

    /// Makes what was written to the spare buffer the line.
    pub(super) fn take_spare(&mut self) {
        std::mem::swap(&mut self.line, &mut self.spare);
        self.is_changed = true;
    }

    /// Runs a template on a line into the spare buffer.
    pub(super) fn run(
        &mut self,
        template: &Template,
        original: &str,
        labels: &[(&str, &str)],
    ) -> Result<&str, String> {
        let line = if self.is_changed {
            &self.line
        } else {
            original
        };
        let input = Input {
            line,
            timestamp: self.timestamp,
            now: self.now,
            labels,
        };
        self.spare.clear();
        template.run(input, &mut self.regexes, &mut self.spare)?;
        Ok(&self.spare)
    }
}
