//! The stages of a pipeline.

use super::{condition, cursor::Cursor, selector};
use crate::{
    ast::{
        Extraction, LabelFormat, LabelSource, LineFilter, LineMatch, LineOp, Logfmt, Stage, Target,
    },
    error::Result,
    ip::Addresses,
    labels,
    lexer::Token,
    path,
    pattern::Pattern,
    regexes,
    template::Template,
    units,
};

/// All stages up to the end, a range, a parenthesis or `| unwrap`.
pub(super) fn stages(cursor: &mut Cursor<'_>) -> Result<Vec<Stage>> {
    let mut stages = Vec::new();
    loop {
        if let Some(op) = line_op(cursor.peek()) {
            line_filter(cursor, op, &mut stages)?;
        } else if cursor.is_symbol_at(0, "|") && !cursor.is_unwrap() {
            cursor.advance();
            stages.push(stage(cursor)?);
        } else {
            return Ok(stages);
        }
    }
}

fn line_op(token: &Token) -> Option<LineOp> {
    match token {
        Token::Symbol("|=") => Some(LineOp::Contains),
        Token::Symbol("!=") => Some(LineOp::NotContains),
        Token::Symbol("|~") => Some(LineOp::Regex),
        Token::Symbol("!~") => Some(LineOp::NotRegex),
        Token::Symbol("|>") => Some(LineOp::Pattern),
        Token::Symbol("!>") => Some(LineOp::NotPattern),
        _ => None,
    }
}

/// `|= "a" or "b"`; of a negative chain each is a filter of its own.
fn line_filter(cursor: &mut Cursor<'_>, op: LineOp, stages: &mut Vec<Stage>) -> Result<()> {
    cursor.advance();
    let mut matches = vec![line_match(cursor, op)?];
    while cursor.take_word("or") {
        matches.push(line_match(cursor, op)?);
    }
    if op.is_negative() {
        let single = |found| {
            Stage::Line(LineFilter {
                op,
                matches: vec![found],
            })
        };
        stages.extend(matches.into_iter().map(single));
    } else {
        stages.push(Stage::Line(LineFilter { op, matches }));
    }
    Ok(())
}

fn line_match(cursor: &mut Cursor<'_>, op: LineOp) -> Result<LineMatch> {
    if cursor.is_word_at(0, "ip") && cursor.is_symbol_at(1, "(") {
        if !matches!(op, LineOp::Contains | LineOp::NotContains) {
            return Err(cursor.error("ip() goes with |= and != only"));
        }
        cursor.advance();
        cursor.advance();
        let (pattern, at) = cursor.text("an address between quotes")?;
        cursor.expect(")")?;
        Addresses::new(&pattern).map_err(|detail| cursor.error_at(at, detail))?;
        return Ok(LineMatch::Ip(pattern));
    }
    let (text, at) = cursor.text("a text between quotes")?;
    let checked = match op {
        LineOp::Contains | LineOp::NotContains => Ok(()),
        LineOp::Regex | LineOp::NotRegex => regexes::search(&text).map(drop),
        LineOp::Pattern | LineOp::NotPattern => Pattern::without_names(&text).map(drop),
    };
    checked.map_err(|detail| cursor.error_at(at, detail))?;
    Ok(LineMatch::Text(text))
}

fn stage(cursor: &mut Cursor<'_>) -> Result<Stage> {
    // A label may have the name of a stage: `| json = "x"` is a filter.
    if condition::is_start(cursor) {
        return Ok(Stage::Label(condition::filter(cursor)?));
    }
    let Token::Word(word) = cursor.peek() else {
        return Err(cursor.unexpected("a stage like json, logfmt, line_format or a label filter"));
    };
    let word = word.to_ascii_lowercase();
    let at = cursor.at();
    cursor.advance();
    match word.as_str() {
        "json" => json(cursor),
        "logfmt" => logfmt(cursor),
        "unpack" => Ok(Stage::Unpack),
        "decolorize" => Ok(Stage::Decolorize),
        "regexp" => {
            let (expression, at) = cursor.text("a regular expression between quotes")?;
            check_named_groups(&expression).map_err(|detail| cursor.error_at(at, detail))?;
            Ok(Stage::Regexp(expression))
        }
        "pattern" => {
            let (pattern, at) = cursor.text("a pattern between quotes")?;
            Pattern::with_names(&pattern).map_err(|detail| cursor.error_at(at, detail))?;
            Ok(Stage::Pattern(pattern))
        }
        "line_format" => {
            let (template, at) = cursor.text("a template between quotes")?;
            Template::new(&template).map_err(|detail| cursor.error_at(at, detail))?;
            Ok(Stage::LineFormat(template))
        }
        "label_format" => label_format(cursor),
        "drop" => Ok(Stage::Drop(targets(cursor)?)),
        "keep" => Ok(Stage::Keep(targets(cursor)?)),
        _ => Err(cursor.error_at(
            at,
            format!(
                "{word:?} is no stage: known are json, logfmt, pattern, regexp, unpack, line_format, label_format, \
                 decolorize, drop, keep, unwrap and label filters like {word}=\"x\""
            ),
        )),
    }
}

fn json(cursor: &mut Cursor<'_>) -> Result<Stage> {
    let extractions = extractions(cursor, |text| path::parse(text).map(drop))?;
    Ok(Stage::Json(extractions))
}

fn logfmt(cursor: &mut Cursor<'_>) -> Result<Stage> {
    let mut stage = Logfmt::default();
    while let Token::Flag(flag) = *cursor.peek() {
        cursor.advance();
        match flag {
            "strict" => stage.strict = true,
            _ => stage.keep_empty = true,
        }
    }
    stage.extractions = extractions(cursor, |key| {
        match key.contains([' ', '=', '"']) || key.is_empty() {
            true => Err(format!("{key:?} cannot be a key of logfmt")),
            false => Ok(()),
        }
    })?;
    Ok(Stage::Logfmt(stage))
}

/// `a="x.y", b`; a name alone is its own path.
fn extractions(
    cursor: &mut Cursor<'_>,
    check: impl Fn(&str) -> Result<(), String>,
) -> Result<Vec<Extraction>> {
    let mut found: Vec<Extraction> = Vec::new();
    if !matches!(cursor.peek(), Token::Word(_)) {
        return Ok(found);
    }
    loop {
        let name_at = cursor.at();
        let label = cursor.name("the name of a label")?;
        let (path, at) = match cursor.take("=") {
            true => cursor.text("a path between quotes")?,
            false => (label.clone(), name_at),
        };
        check(&path).map_err(|detail| cursor.error_at(at, detail))?;
        if found.iter().any(|extraction| extraction.label == label) {
            return Err(cursor.error_at(name_at, format!("the label {label} is extracted twice")));
        }
        found.push(Extraction { label, path });
        if !cursor.take(",") {
            return Ok(found);
        }
    }
}

fn label_format(cursor: &mut Cursor<'_>) -> Result<Stage> {
    let mut formats: Vec<LabelFormat> = Vec::new();
    loop {
        let name_at = cursor.at();
        let name = cursor.name("the name of a label")?;
        cursor.expect("=")?;
        let source = match cursor.peek() {
            Token::Word(_) => LabelSource::Label(cursor.name("a label")?),
            _ => {
                let (template, at) = cursor.text("a label, or a template between quotes")?;
                Template::new(&template).map_err(|detail| cursor.error_at(at, detail))?;
                LabelSource::Template(template)
            }
        };
        if name == labels::ERROR {
            return Err(cursor.error_at(
                name_at,
                "__error__ cannot be formatted; use | drop __error__",
            ));
        }
        if formats.iter().any(|format| format.name == name) {
            return Err(cursor.error_at(
                name_at,
                format!("the label {name} is formatted twice in one stage"),
            ));
        }
        formats.push(LabelFormat { name, source });
        if !cursor.take(",") {
            return Ok(Stage::LabelFormat(formats));
        }
    }
}

fn targets(cursor: &mut Cursor<'_>) -> Result<Vec<Target>> {
    let mut targets = Vec::new();
    loop {
        targets.push(match selector::match_op(cursor.peek_at(1)) {
            Some(_) => Target::Matching(selector::matcher(cursor)?),
            None => Target::Name(cursor.name("the name of a label")?),
        });
        if !cursor.take(",") {
            return Ok(targets);
        }
    }
}

fn check_named_groups(expression: &str) -> Result<(), String> {
    let regex = regexes::search(expression)?;
    let mut names = regex.capture_names().flatten().peekable();
    if names.peek().is_none() {
        return Err("the expression names at least one group, like (?P<status>[0-9]+)".to_string());
    }
    match names.find(|name| !units::is_label_name(name)) {
        Some(name) => Err(format!(
            "the group {name} has no name that a label can have"
        )),
        None => Ok(()),
    }
}
